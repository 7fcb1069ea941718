/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every mapping is opened before it is known whether its file is in the list already: the device in maps is the
 * superblock's, which btrfs subvolumes share while their inode numbers repeat; only fstat(2) tells files apart.
 */
#include "target.h"

#include "descriptor.h"
#include "go-hook-point.h"
#include "hook-cache.h"
#include "library-path.h"
#include "nss-hook-point.h"
#include "parallel.h"
#include "plaintext-point.h"
#include "proc.h"
#include "program-kind.h"
#include "unsupported-tls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

G_DEFINE_QUARK(ec_target_error, ec_target_error)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

struct file_id {
    uint64_t dev, ino;
};

/* A file that nobody keeps from being deleted or changed: its inode number may come to mean another. */
struct program_id {
    struct file_id file;
    uint64_t size;
    uint64_t seconds, nanoseconds; /* of st_ctim */
};

/* What tells files apart at little cost: an ELF file's build ID stands near its beginning. */
struct file_head {
    off_t size;
    unsigned char bytes[1024];
};

/* Programs that are remembered to hold no TLS library; full, all are forgotten. */
#define BARREN_MAX 65536

/* Bytes. The hook point of a smaller file takes less than a tenth of a second, and is not left to the search. */
#define BACKGROUND_MIN (16 << 20)

struct ec_target_list {
    bool find_points;
    ec_proc *proc;
    GPtrArray *processes;   /* of struct ec_process *, by pid */
    GPtrArray *libraries;   /* of struct ec_library * */
    GHashTable *by_file;    /* of struct file_id: struct ec_library *, borrowed */
    GHashTable *by_head;    /* of struct file_head: a hookable struct ec_library * that begins so, borrowed */
    GHashTable *barren;     /* of struct program_id: programs that were looked into and hold no TLS library */
    ec_hook_search *search; /* borrowed; NULL: everything is looked for at once */
    GPtrArray *unread;      /* of struct unread *, while /proc is scanned; else NULL */
};

/* A library whose hook point is looked for when all of them are known: on all processors. */
struct unread {
    struct ec_library *library; /* borrowed */
    char *root;
    ec_fd crypto_fd; /* -1: none */
};

/* ---- memory ---- */

static void library_free(gpointer data)
{
    struct ec_library *library = data;

    if (library->fd >= 0)
        close(library->fd);
    g_free(library->path);
    g_free(library->reason);
    g_free(library);
}

static void process_free(gpointer data)
{
    struct ec_process *process = data;

    g_ptr_array_unref(process->libraries);
    g_free(process);
}

static void unread_free(gpointer data)
{
    struct unread *unread = data;

    if (unread->crypto_fd >= 0)
        close(unread->crypto_fd);
    g_free(unread->root);
    g_free(unread);
}

static guint file_id_hash(gconstpointer key)
{
    const struct file_id *id = key;

    return (guint)(id->ino ^ id->ino >> 32 ^ id->dev * 0x9e3779b1u);
}

static gboolean file_id_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct file_id)) == 0;
}

static guint file_head_hash(gconstpointer key)
{
    const struct file_head *head = key;
    guint hash = (guint)head->size;

    for (gsize i = 0; i < sizeof(head->bytes); i++)
        hash = hash * 33 + head->bytes[i];
    return hash;
}

static gboolean file_head_equal(gconstpointer a, gconstpointer b)
{
    const struct file_head *one = a, *other = b;

    return one->size == other->size && memcmp(one->bytes, other->bytes, sizeof(one->bytes)) == 0;
}

static guint program_id_hash(gconstpointer key)
{
    const struct program_id *id = key;

    return file_id_hash(&id->file) ^ (guint)id->nanoseconds;
}

static gboolean program_id_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct program_id)) == 0;
}

static struct program_id program_id_of(const struct stat *status)
{
    return (struct program_id){
        .file = {.dev = status->st_dev, .ino = status->st_ino},
        .size = (uint64_t)status->st_size,
        .seconds = (uint64_t)status->st_ctim.tv_sec,
        .nanoseconds = (uint64_t)status->st_ctim.tv_nsec,
    };
}

static void program_set_barren(ec_target_list *list, const struct stat *status)
{
    const struct program_id id = program_id_of(status);

    if (g_hash_table_size(list->barren) >= BARREN_MAX)
        g_hash_table_remove_all(list->barren);
    g_hash_table_add(list->barren, g_memdup2(&id, sizeof(id)));
}

ec_target_list *ec_target_list_new_empty(bool find_points)
{
    ec_target_list *list = g_new0(ec_target_list, 1);

    list->find_points = find_points;
    list->proc = ec_proc_new();
    list->processes = g_ptr_array_new_with_free_func(process_free);
    list->libraries = g_ptr_array_new_with_free_func(library_free);
    list->by_file = g_hash_table_new_full(file_id_hash, file_id_equal, g_free, NULL);
    list->by_head = g_hash_table_new_full(file_head_hash, file_head_equal, g_free, NULL);
    list->barren = g_hash_table_new_full(program_id_hash, program_id_equal, g_free, NULL);
    return list;
}

void ec_target_list_free(ec_target_list *list)
{
    if (list == NULL)
        return;
    ec_proc_free(list->proc);
    g_ptr_array_unref(list->processes);
    g_hash_table_unref(list->by_file);
    g_hash_table_unref(list->by_head);
    g_hash_table_unref(list->barren);
    g_ptr_array_unref(list->libraries);
    g_free(list);
}

GPtrArray *ec_target_list_get_processes(ec_target_list *list)
{
    return list->processes;
}

GPtrArray *ec_target_list_get_libraries(ec_target_list *list)
{
    return list->libraries;
}

/* ---- libraries ---- */

const char *ec_library_get_kind(const struct ec_library *library)
{
    const struct ec_module *module = &ec_modules[library->module];

    if (module->packets)
        return ec_library_kind_get_name(library->point.kind);
    return library->plan.product != NULL ? library->plan.product : module->display;
}

const char *ec_library_get_version(const struct ec_library *library)
{
    return ec_modules[library->module].packets ? library->point.version : library->plan.version;
}

const char *ec_library_get_method(const struct ec_library *library)
{
    return ec_hook_method_get_name(ec_modules[library->module].packets ? library->point.method : EC_HOOK_SYMBOL);
}

static bool library_may_have_plaintext(const struct ec_library *library)
{
    if (library->fd < 0 || !ec_modules[library->module].packets)
        return false;
    /* NSS's other two serve its libssl3. */
    return library->module != EC_MODULE_NSS || !library->hookable || library->point.kind == EC_LIBRARY_NSS;
}

GArray *ec_library_find_plaintext(const struct ec_library *library, GError **error)
{
    return library_may_have_plaintext(library) ? ec_plaintext_points_find(library->fd, error) : NULL;
}

bool ec_library_has_plaintext(const struct ec_library *library, GError **error)
{
    return library_may_have_plaintext(library) && ec_plaintext_points_exist(library->fd, error);
}

/* Without its file yet. */
static struct ec_library *library_new(dev_t dev, ino_t ino, enum ec_module_id module, char *path_to_take)
{
    struct ec_library *library = g_new0(struct ec_library, 1);

    library->dev = dev;
    library->ino = ino;
    library->module = module;
    library->path = path_to_take;
    library->fd = -1;
    return library;
}

/* By its name; libssl's where that says nothing. */
static enum ec_module_id module_of_path(const char *path)
{
    enum ec_module_id module = ec_library_name_get_module(path, strlen(path));

    return module == EC_MODULE_MAX ? EC_MODULE_TLS : module;
}

/* Zeros where the file is shorter, or can't be read. */
static struct file_head *file_head_read(const struct ec_library *library)
{
    g_autofree struct file_head *head = g_new0(struct file_head, 1);

    head->size = library->size;
    if (pread(library->fd, head->bytes, sizeof(head->bytes), 0) < 0)
        memset(head->bytes, 0, sizeof(head->bytes));
    return g_steal_pointer(&head);
}

static void library_offer_as_twin(const ec_target_list *list, struct ec_library *library)
{
    if (library->hookable)
        g_hash_table_replace(list->by_head, file_head_read(library), library);
}

static struct ec_library *library_add(ec_target_list *list, struct ec_library *library_to_take)
{
    struct file_id *id = g_new(struct file_id, 1);

    *id = (struct file_id){.dev = library_to_take->dev, .ino = library_to_take->ino};
    g_ptr_array_add(list->libraries, library_to_take);
    g_hash_table_replace(list->by_file, id, library_to_take);
    library_offer_as_twin(list, library_to_take);
    return library_to_take;
}

static struct ec_library *library_find(const ec_target_list *list, dev_t dev, ino_t ino)
{
    const struct file_id id = {.dev = dev, .ino = ino};

    return g_hash_table_lookup(list->by_file, &id);
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

/* A hookable library with the same bytes: another container's copy, most likely. To compare takes a tenth of the time
 * of finding the hook point, and a process that maps a library may be milliseconds away from its first handshake. */
static const struct ec_library *library_find_twin(const ec_target_list *list, const struct ec_library *library)
{
    g_autofree struct file_head *head = file_head_read(library);
    const struct ec_library *other = g_hash_table_lookup(list->by_head, head);

    return other != NULL && other->hookable && files_are_equal(other->fd, library->fd) ? other : NULL;
}

/* How the hook point of a module's library is found. */
static bool point_find(const struct ec_library *library, const char *root, struct ec_hook_point *ret_point,
                       GError **error)
{
    if (library->module == EC_MODULE_GOTLS)
        return ec_go_hook_point_find(library->fd, ret_point, error);
    if (library->module == EC_MODULE_NSS)
        return ec_nss_hook_point_find(library->fd, ret_point, error);
    g_auto(ec_fd) debug_fd = ec_library_debug_open(library->fd, root);
    return ec_hook_point_find(library->fd, debug_fd, ret_point, error);
}

/* A Go program's function is found in less time than an entry is read; NSS's have too many places for one. */
static bool library_is_cached(const struct ec_library *library)
{
    return library->module != EC_MODULE_GOTLS && library->module != EC_MODULE_NSS;
}

static bool search_start(const ec_target_list *list, struct ec_library *library, const char *root)
{
    if (list->search == NULL || !library_is_cached(library) || library->size < BACKGROUND_MIN ||
        !ec_hook_search_start(list->search, library->fd, ec_library_debug_open(library->fd, root), library))
        return false;
    library->pending = true;
    library->reason = g_strdup("its hook point is still being looked for");
    return true;
}

/* Known, and known to give nothing. */
static bool library_is_unsupported(const struct ec_library *library)
{
    return library->reason != NULL && g_str_has_prefix(library->reason, "not supported: ");
}

/* `error`: why there is no hook point; NULL if one is found. */
static void library_settle(struct ec_library *library, bool found, const GError *error)
{
    library->pending = false;
    library->hookable = found;
    g_clear_pointer(&library->reason, g_free);
    if (found)
        library->module = ec_module_of_kind(library->point.kind);
    else if ((library->reason = ec_unsupported_file_find(library->fd)) == NULL)
        library->reason = g_strdup(error->message);
}

/* Finds a library's hook point. `root`: of the mount namespace that its path is of, e.g. "/proc/1234/root".
 * `crypto_fd`: the libcrypto that goes with it, or -1. False if it turns out to hold no TLS library. */
static bool library_read(const ec_target_list *list, struct ec_library *library, const char *root, int crypto_fd)
{
    g_autoptr(GError) error = NULL;

    /* In a Go program the function is found in less time than its megabytes are compared. */
    const struct ec_library *twin = library->module == EC_MODULE_GOTLS ? NULL : library_find_twin(list, library);
    if (twin != NULL) {
        library->hookable = true;
        library->point = twin->point;
        library->module = twin->module;
        return true;
    }
    const bool known = library_is_cached(library) && ec_hook_cache_get(library->fd, &library->point);
    if (!known && search_start(list, library, root))
        return true;
    const bool found = known || point_find(library, root, &library->point, &error);
    library_settle(library, found, error);
    if (found && !known && library_is_cached(library))
        ec_hook_cache_put(library->fd, &library->point);
    const bool has_crypto = library->point.kind == EC_LIBRARY_OPENSSL || library->point.kind == EC_LIBRARY_LIBRESSL;
    if (found && has_crypto && library->point.version[0] == '\0' && crypto_fd >= 0)
        ec_hook_point_ask_crypto(&library->point, crypto_fd);
    return !g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS) || library_is_unsupported(library);
}

/* Gives a library its file. True if its hook point is to be found yet. */
static bool library_take(const ec_target_list *list, struct ec_library *library, int fd_to_take, off_t size)
{
    g_autoptr(GError) error = NULL;

    library->fd = fd_to_take;
    library->size = size;
    if (!list->find_points)
        return false;
    library->reason = g_strdup(ec_unsupported_name_find(library->path, strlen(library->path)));
    if (library->reason != NULL)
        return false;
    if (ec_modules[library->module].packets)
        return true;
    library->hookable = ec_program_kind_find(library->module, library->fd, &library->plan, &error);
    library->reason = error != NULL ? g_strdup(error->message) : NULL;
    return false;
}

/* Now, or with the others of the scan. */
static void library_read_mapped(const ec_target_list *list, struct ec_library *library, uint32_t pid,
                                int crypto_fd_to_take)
{
    struct unread *unread = g_new(struct unread, 1);

    *unread = (struct unread){library, g_strdup_printf("/proc/%u/root", pid), crypto_fd_to_take};
    if (list->unread != NULL) {
        g_ptr_array_add(list->unread, unread);
        return;
    }
    library_read(list, library, unread->root, unread->crypto_fd);
    unread_free(unread);
}

struct reading {
    const ec_target_list *list;
    GPtrArray *unread; /* of struct unread */
};

static void unread_read(guint item, void *data)
{
    const struct reading *reading = data;
    const struct unread *unread = g_ptr_array_index(reading->unread, item);

    library_read(reading->list, unread->library, unread->root, unread->crypto_fd);
}

/* On all processors. */
static void unread_read_each(const ec_target_list *list, GPtrArray *unread)
{
    struct reading reading = {list, unread};

    ec_parallel_for(unread->len, g_get_num_processors(), unread_read, &reading);
}

/* Those that begin alike are probably twins: one of them first, which the others are then compared with. */
static void unread_read_all(ec_target_list *list)
{
    g_autoptr(GHashTable) heads = g_hash_table_new_full(file_head_hash, file_head_equal, g_free, NULL);
    g_autoptr(GPtrArray) all = g_steal_pointer(&list->unread), first = g_ptr_array_new(), others = g_ptr_array_new();

    for (guint i = 0; i < all->len; i++) {
        struct unread *unread = g_ptr_array_index(all, i);
        g_ptr_array_add(g_hash_table_add(heads, file_head_read(unread->library)) ? first : others, unread);
    }
    unread_read_each(list, first);
    for (guint i = 0; i < first->len; i++)
        library_offer_as_twin(list, ((const struct unread *)g_ptr_array_index(first, i))->library);
    unread_read_each(list, others);
}

void ec_target_list_set_search(ec_target_list *list, ec_hook_search *search)
{
    list->search = search;
}

const struct ec_library *ec_target_list_settle(ec_target_list *list)
{
    struct ec_hook_result result;

    if (list->search == NULL || !ec_hook_search_take(list->search, &result))
        return NULL;
    g_autoptr(GError) error = result.error;
    struct ec_library *library = result.key;
    library->point = result.point;
    library_settle(library, result.found, error);
    if (library->hookable)
        ec_hook_cache_put(library->fd, &library->point);
    library_offer_as_twin(list, library);
    return library;
}

/* ---- mappings ---- */

/* The libcrypto that a process maps beside this libssl: what follows the name's first part is alike ("libssl.so.3",
 * "libcrypto.so.3"); else whichever there is. */
static int crypto_open(const ec_target_list *list, uint32_t pid, const char *library_path, GArray *cryptos)
{
    const char *suffix = strstr(strrchr(library_path, '/'), ".so");
    const struct ec_proc_mapping *best = NULL;
    struct stat status;

    for (guint i = 0; i < cryptos->len; i++) {
        const struct ec_proc_mapping *mapping = &g_array_index(cryptos, struct ec_proc_mapping, i);
        if (best == NULL || (suffix != NULL && g_str_has_suffix(mapping->path, suffix)))
            best = mapping;
    }
    return best != NULL ? ec_proc_open_mapping(list->proc, pid, best, &status) : -1;
}

static struct ec_library *library_add_unopened(ec_target_list *list, const struct ec_proc_mapping *mapping, int reason)
{
    const dev_t dev = makedev(mapping->line.major, mapping->line.minor);
    struct ec_library *library = library_find(list, dev, mapping->line.ino);

    if (library != NULL)
        return library;
    library =
        library_add(list, library_new(dev, mapping->line.ino, module_of_path(mapping->path), g_strdup(mapping->path)));
    if (!list->find_points)
        return library;
    const bool replaced = mapping->line.deleted || reason == ESTALE;
    library->reason = g_strdup_printf(
        "%sits file can't be opened (%s): run with cap_sys_ptrace, cap_checkpoint_restore and cap_dac_read_search%s",
        replaced ? "replaced or deleted since it was mapped, " : "", g_strerror(reason),
        replaced ? ", or restart the process" : "");
    return library;
}

/* The library of this mapping, new or known; NULL if the process has gone. */
static struct ec_library *mapping_get_library(ec_target_list *list, uint32_t pid, const struct ec_proc_mapping *mapping,
                                              GArray *cryptos)
{
    struct stat status;
    g_auto(ec_fd) fd = ec_proc_open_mapping(list->proc, pid, mapping, &status);

    if (fd < 0) {
        int reason = errno;
        return ec_proc_has(list->proc, pid) ? library_add_unopened(list, mapping, reason) : NULL;
    }
    struct ec_library *library = library_find(list, status.st_dev, status.st_ino);
    if (library != NULL)
        return library;
    library = library_new(status.st_dev, status.st_ino, module_of_path(mapping->path), g_strdup(mapping->path));
    if (library_take(list, library, ec_fd_steal(&fd), status.st_size))
        library_read_mapped(list, library, pid, crypto_open(list, pid, mapping->path, cryptos));
    return library_add(list, library);
}

/* ---- programs ---- */

static struct ec_library *program_open(ec_target_list *list, uint32_t pid, int fd_to_take, const struct stat *status)
{
    enum ec_module_id module = ec_program_kind_get_module(fd_to_take);
    struct ec_library *library;

    if (module == EC_MODULE_MAX) {
        close(fd_to_take);
        return NULL;
    }
    library = library_new(status->st_dev, status->st_ino, module, ec_proc_get_program_path(list->proc, pid));
    if (!library_take(list, library, fd_to_take, status->st_size) || library_read(list, library, "", -1))
        return library_add(list, library);
    library_free(library);
    return NULL;
}

/* The process's program if it has a TLS library inside, else NULL. Mostly one stat(2) and a look into a table. */
static struct ec_library *program_get_library(ec_target_list *list, uint32_t pid)
{
    struct stat status;

    if (!ec_proc_stat_program(list->proc, pid, &status))
        return NULL;
    struct program_id id = program_id_of(&status);
    if (g_hash_table_contains(list->barren, &id))
        return NULL;
    struct ec_library *library = library_find(list, status.st_dev, status.st_ino);
    if (library != NULL)
        return library;
    g_auto(ec_fd) fd = ec_proc_open_program(list->proc, pid);
    if (fd < 0 || fstat(fd, &status) != 0)
        return NULL;
    library = program_open(list, pid, ec_fd_steal(&fd), &status);
    if (library == NULL)
        program_set_barren(list, &status);
    return library;
}

const struct ec_library *ec_target_list_get_program(ec_target_list *list, uint32_t pid)
{
    return program_get_library(list, pid);
}

/* ---- processes ---- */

static struct ec_process *process_new(ec_target_list *list, uint32_t pid, struct ec_library *program, GArray *mappings,
                                      GArray *cryptos)
{
    struct ec_process *process = g_new0(struct ec_process, 1);

    process->pid = pid;
    process->libraries = g_ptr_array_new();
    if (program != NULL)
        g_ptr_array_add(process->libraries, program);
    for (guint i = 0; i < mappings->len; i++) {
        struct ec_library *library =
            mapping_get_library(list, pid, &g_array_index(mappings, struct ec_proc_mapping, i), cryptos);
        if (library != NULL && !g_ptr_array_find(process->libraries, library, NULL))
            g_ptr_array_add(process->libraries, library);
    }
    if (process->libraries->len > 0 && ec_proc_read_identity(list->proc, pid, process->comm, &process->uid))
        return process;
    process_free(process);
    return NULL;
}

/* *ret_process: NULL unless EC_PROC_FOUND. */
static enum ec_proc_result process_scan(ec_target_list *list, uint32_t pid, struct ec_process **ret_process)
{
    g_autoptr(GArray) mappings = NULL, cryptos = NULL;
    enum ec_proc_result result = ec_proc_read_maps(list->proc, pid, &mappings, &cryptos);

    *ret_process = NULL;
    if (result != EC_PROC_FOUND)
        return result;
    struct ec_library *program = program_get_library(list, pid);
    if (mappings->len > 0 || program != NULL)
        *ret_process = process_new(list, pid, program, mappings, cryptos);
    return *ret_process != NULL ? EC_PROC_FOUND : EC_PROC_NOTHING;
}

/* Where the process stands or, if it is not in the list, belongs. */
static guint process_position(const ec_target_list *list, uint32_t pid)
{
    guint low = 0, high = list->processes->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct ec_process *process = g_ptr_array_index(list->processes, middle);
        if (process->pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct ec_process *ec_target_list_get_process(const ec_target_list *list, uint32_t pid)
{
    guint position = process_position(list, pid);
    const struct ec_process *process =
        position < list->processes->len ? g_ptr_array_index(list->processes, position) : NULL;

    return process != NULL && process->pid == pid ? process : NULL;
}

void ec_target_list_remove_process(ec_target_list *list, uint32_t pid)
{
    if (ec_target_list_get_process(list, pid) != NULL)
        g_ptr_array_remove_index(list->processes, process_position(list, pid));
}

static enum ec_proc_result process_add(ec_target_list *list, uint32_t pid, const struct ec_process **ret_process)
{
    struct ec_process *process = NULL;
    enum ec_proc_result result = process_scan(list, pid, &process);

    ec_target_list_remove_process(list, pid);
    if (process != NULL)
        g_ptr_array_insert(list->processes, (gint)process_position(list, pid), process);
    *ret_process = process;
    return result;
}

const struct ec_process *ec_target_list_add_process(ec_target_list *list, uint32_t pid)
{
    const struct ec_process *process = NULL;

    process_add(list, pid, &process);
    return process;
}

ec_target_list *ec_target_list_new(bool find_points, unsigned *ret_unreadable)
{
    ec_target_list *list = ec_target_list_new_empty(find_points);
    g_autoptr(DIR) proc = opendir("/proc");
    const struct ec_process *process = NULL;
    unsigned unreadable = 0;
    struct dirent *entry;

    list->unread = g_ptr_array_new_with_free_func(unread_free);
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        guint64 pid = 0;
        if (g_ascii_string_to_unsigned(entry->d_name, 10, 1, UINT32_MAX, &pid, NULL) &&
            process_add(list, (uint32_t)pid, &process) == EC_PROC_UNREADABLE)
            unreadable++;
    }
    unread_read_all(list);
    if (ret_unreadable != NULL)
        *ret_unreadable = unreadable;
    return list;
}

/* ---- files by name ---- */

/* By what it is, else by its name, if the module that the user names leaves that open. */
static enum ec_module_id module_of_file(int fd, const char *path, enum ec_module_id named)
{
    enum ec_module_id module =
        named != EC_MODULE_MAX && !ec_modules[named].packets ? named : ec_program_kind_get_module(fd);

    if (module != EC_MODULE_MAX)
        return module;
    return ec_nss_file_is_nss(fd) ? EC_MODULE_NSS : module_of_path(path);
}

const struct ec_library *ec_target_list_add_path(ec_target_list *list, const char *path, enum ec_module_id module,
                                                 GError **error)
{
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        g_set_error(error, EC_TARGET_ERROR, EC_TARGET_ERROR_OPEN,
                    "%s can't be opened: %s; give the path of a library or program", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, EC_TARGET_ERROR, EC_TARGET_ERROR_OPEN,
                    "%s is no file: give the path of a library or program", path);
        return NULL;
    }
    struct ec_library *library = library_find(list, status.st_dev, status.st_ino);
    if (library != NULL)
        return library;
    library = library_new(status.st_dev, status.st_ino, module_of_file(fd, path, module), g_strdup(path));
    if (library_take(list, library, ec_fd_steal(&fd), status.st_size)) {
        g_auto(ec_fd) crypto_fd = ec_library_path_open_crypto(path);
        library_read(list, library, "", crypto_fd);
    }
    return library_add(list, library);
}

static void default_add(const char *path, void *data)
{
    ec_target_list_add_path(data, path, EC_MODULE_MAX, NULL);
}

void ec_target_list_add_defaults(ec_target_list *list, unsigned modules)
{
    static const struct {
        enum ec_module_id module;
        const char *path;
    } shells[] = {{EC_MODULE_BASH, "/bin/bash"}, {EC_MODULE_ZSH, "/bin/zsh"}};

    if (ec_modules_have(modules, true))
        ec_library_path_foreach(default_add, list);
    for (size_t i = 0; i < G_N_ELEMENTS(shells); i++)
        if (modules & 1u << shells[i].module)
            default_add(shells[i].path, list);
}
