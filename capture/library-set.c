/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library-set.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An ELF file's build ID stands near its beginning. */
struct ec_file_head {
    off_t size;
    unsigned char bytes[1024];
};

struct ec_library_set {
    GPtrArray *libraries; /* of struct ec_library * */
    GHashTable *by_file;  /* of struct ec_file_id: struct ec_library *, borrowed */
    GHashTable *by_head;  /* of struct ec_file_head: a hookable struct ec_library * that begins so, borrowed */
    unsigned prunings;
};

guint ec_file_id_hash(gconstpointer key)
{
    const struct ec_file_id *id = key;

    return (guint)(id->ino ^ id->ino >> 32 ^ id->dev * 0x9e3779b1u);
}

gboolean ec_file_id_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct ec_file_id)) == 0;
}

/* Zeros where the file is shorter, or can't be read. */
struct ec_file_head *ec_file_head_read(const struct ec_library *library)
{
    g_autofree struct ec_file_head *head = g_new0(struct ec_file_head, 1);

    head->size = library->size;
    if (pread(library->fd, head->bytes, sizeof(head->bytes), 0) < 0)
        memset(head->bytes, 0, sizeof(head->bytes));
    return g_steal_pointer(&head);
}

guint ec_file_head_hash(gconstpointer key)
{
    const struct ec_file_head *head = key;
    guint hash = (guint)head->size;

    for (gsize i = 0; i < sizeof(head->bytes); i++)
        hash = hash * 33 + head->bytes[i];
    return hash;
}

gboolean ec_file_head_equal(gconstpointer a, gconstpointer b)
{
    const struct ec_file_head *one = a, *other = b;

    return one->size == other->size && memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

static void library_destroy(gpointer library)
{
    ec_library_free(library);
}

ec_library_set *ec_library_set_new(void)
{
    ec_library_set *set = g_new0(ec_library_set, 1);

    set->libraries = g_ptr_array_new_with_free_func(library_destroy);
    set->by_file = g_hash_table_new_full(ec_file_id_hash, ec_file_id_equal, g_free, NULL);
    set->by_head = g_hash_table_new_full(ec_file_head_hash, ec_file_head_equal, g_free, NULL);
    return set;
}

void ec_library_set_free(ec_library_set *set)
{
    if (set == NULL)
        return;
    g_hash_table_unref(set->by_file);
    g_hash_table_unref(set->by_head);
    g_ptr_array_unref(set->libraries);
    g_free(set);
}

GPtrArray *ec_library_set_get(const ec_library_set *set)
{
    return set->libraries;
}

struct ec_library *ec_library_set_find(const ec_library_set *set, dev_t dev, ino_t ino)
{
    const struct ec_file_id id = {.dev = dev, .ino = ino};

    return g_hash_table_lookup(set->by_file, &id);
}

struct ec_library *ec_library_set_add(ec_library_set *set, struct ec_library *library_to_take)
{
    struct ec_file_id *id = g_new(struct ec_file_id, 1);

    *id = (struct ec_file_id){.dev = library_to_take->dev, .ino = library_to_take->ino};
    g_ptr_array_add(set->libraries, library_to_take);
    g_hash_table_replace(set->by_file, id, library_to_take);
    ec_library_set_offer_twin(set, library_to_take);
    return library_to_take;
}

/* ---- twins ---- */

void ec_library_set_offer_twin(ec_library_set *set, struct ec_library *library)
{
    if (library->hookable)
        g_hash_table_replace(set->by_head, ec_file_head_read(library), library);
}

static bool files_are_equal(int a, int b)
{
    enum { PIECE = 1 << 16 };
    g_autofree char *buffer = g_malloc(2 * PIECE);
    ssize_t n;

    for (off_t offset = 0; (n = pread(a, buffer, PIECE, offset)) > 0; offset += n)
        if (pread(b, buffer + PIECE, (size_t)n, offset) != n || memcmp(buffer, buffer + PIECE, (size_t)n) != 0)
            return false;
    return n == 0;
}

const struct ec_library *ec_library_set_find_twin(const ec_library_set *set, const struct ec_library *library)
{
    g_autofree struct ec_file_head *head = ec_file_head_read(library);
    const struct ec_library *other = g_hash_table_lookup(set->by_head, head);

    return other != NULL && other->hookable && files_are_equal(other->fd, library->fd) ? other : NULL;
}

/* ---- those that nobody maps any more ---- */

static bool is_deleted(const struct ec_library *library)
{
    struct stat status;

    return library->fd < 0 || (fstat(library->fd, &status) == 0 && status.st_nlink == 0);
}

/* By its number another thread, or the kernel, knows what belongs to it. */
static bool is_held(const struct ec_library *library)
{
    return library->pending || library->plan.has_layout;
}

static gint compare_last_used(gconstpointer a, gconstpointer b)
{
    const struct ec_library *one = *(struct ec_library *const *)a, *other = *(struct ec_library *const *)b;

    return one->last_used < other->last_used ? -1 : one->last_used > other->last_used;
}

/* Of struct ec_library *. */
static GHashTable *collect_unused(ec_library_set *set)
{
    GHashTable *dropped = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) unused = g_ptr_array_new();

    set->prunings++;
    for (guint i = 0; i < set->libraries->len; i++) {
        struct ec_library *library = g_ptr_array_index(set->libraries, i);

        if (library->users > 0)
            library->last_used = set->prunings;
        else if (!is_held(library) && is_deleted(library))
            g_hash_table_add(dropped, library);
        else if (!is_held(library) && !library->named)
            g_ptr_array_add(unused, library);
    }
    g_ptr_array_sort(unused, compare_last_used);
    for (guint i = 0; i + EC_LIBRARIES_UNUSED_MAX < unused->len; i++)
        g_hash_table_add(dropped, g_ptr_array_index(unused, i));
    return dropped;
}

static gboolean is_dropped(gpointer key, gpointer library, gpointer dropped)
{
    (void)key;
    return g_hash_table_contains(dropped, library);
}

GPtrArray *ec_library_set_prune(ec_library_set *set)
{
    g_autoptr(GHashTable) dropped = collect_unused(set);
    g_autoptr(GPtrArray) all = g_steal_pointer(&set->libraries);
    GPtrArray *taken = g_ptr_array_new_with_free_func(library_destroy);

    set->libraries = g_ptr_array_new_with_free_func(library_destroy);
    g_ptr_array_set_free_func(all, NULL);
    g_hash_table_foreach_remove(set->by_file, is_dropped, dropped);
    g_hash_table_foreach_remove(set->by_head, is_dropped, dropped);
    for (guint i = 0; i < all->len; i++) {
        gpointer library = g_ptr_array_index(all, i);

        g_ptr_array_add(g_hash_table_contains(dropped, library) ? taken : set->libraries, library);
    }
    return taken;
}
