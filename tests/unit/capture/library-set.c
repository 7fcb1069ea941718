/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library-set.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A library with a file of its own, which holds `text` and is deleted at once unless it `stays`. */
static struct ec_library *library_make(ec_library_set *set, const char *text, bool stays)
{
    g_autofree char *path = NULL;
    struct stat status;
    int fd = g_file_open_tmp("ec-library-XXXXXX", &path, NULL);

    assert_true(fd >= 0);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    if (!stays)
        g_unlink(path);
    assert_int_equal(fstat(fd, &status), 0);
    struct ec_library *library = ec_library_new(status.st_dev, status.st_ino, EC_MODULE_TLS, g_steal_pointer(&path));
    library->fd = fd;
    library->size = status.st_size;
    return ec_library_set_add(set, library);
}

static guint prune(ec_library_set *set)
{
    g_autoptr(GPtrArray) dropped = ec_library_set_prune(set);

    return dropped->len;
}

static void unlink_all(GPtrArray *libraries)
{
    for (guint i = 0; i < libraries->len; i++)
        g_unlink(((const struct ec_library *)g_ptr_array_index(libraries, i))->path);
}

static void ec_library_set_prune_deleted_goes_when_unused(void **state)
{
    g_autoptr(ec_library_set) set = ec_library_set_new();
    struct ec_library *library = library_make(set, "a", false);
    const dev_t dev = library->dev;
    const ino_t ino = library->ino;

    (void)state;
    library->users = 1;
    assert_int_equal(prune(set), 0);
    assert_ptr_equal(ec_library_set_find(set, dev, ino), library);
    library->users = 0;
    const int fd = library->fd;
    g_autoptr(GPtrArray) dropped = ec_library_set_prune(set);
    assert_int_equal(dropped->len, 1);
    assert_ptr_equal(g_ptr_array_index(dropped, 0), library);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    assert_null(ec_library_set_find(set, dev, ino));
    assert_int_equal(ec_library_set_get(set)->len, 0);
    g_clear_pointer(&dropped, g_ptr_array_unref);
    assert_true(fcntl(fd, F_GETFD) < 0);
}

static void ec_library_set_prune_what_others_know_stays(void **state)
{
    g_autoptr(ec_library_set) set = ec_library_set_new();
    struct ec_library *sought = library_make(set, "a", false);
    struct ec_library *laid_out = library_make(set, "b", false);

    (void)state;
    sought->pending = true;
    laid_out->plan.has_layout = true;
    assert_int_equal(prune(set), 0);
    sought->pending = false;
    assert_int_equal(prune(set), 1);
    assert_int_equal(ec_library_set_get(set)->len, 1);
}

static void ec_library_set_prune_longest_unused_goes_first(void **state)
{
    g_autoptr(ec_library_set) set = ec_library_set_new();
    struct ec_library *named = library_make(set, "named", true);
    struct ec_library *early = library_make(set, "early", true);
    struct ec_library *late = library_make(set, "late", true);

    (void)state;
    named->named = true;
    late->users = 1;
    assert_int_equal(prune(set), 0);
    late->users = 0;
    for (int i = 0; i < EC_LIBRARIES_UNUSED_MAX - 1; i++)
        library_make(set, "others", true)->users = 1;
    assert_int_equal(prune(set), 0);
    GPtrArray *libraries = ec_library_set_get(set);
    for (guint i = 0; i < libraries->len; i++)
        ((struct ec_library *)g_ptr_array_index(libraries, i))->users = 0;
    g_autoptr(GPtrArray) dropped = ec_library_set_prune(set);
    unlink_all(dropped);
    unlink_all(ec_library_set_get(set));
    assert_int_equal(dropped->len, 1);
    assert_ptr_equal(g_ptr_array_index(dropped, 0), early);
    assert_int_equal(ec_library_set_get(set)->len, EC_LIBRARIES_UNUSED_MAX + 1);
}

static void ec_library_set_find_twin_of_dropped_is_none(void **state)
{
    g_autoptr(ec_library_set) set = ec_library_set_new();
    struct ec_library *first = library_make(set, "same bytes", false);
    struct ec_library *second = library_make(set, "same bytes", false);

    (void)state;
    assert_null(ec_library_set_find_twin(set, second));
    first->hookable = true;
    ec_library_set_offer_twin(set, first);
    assert_ptr_equal(ec_library_set_find_twin(set, second), first);
    second->users = 1;
    assert_int_equal(prune(set), 1);
    assert_null(ec_library_set_find_twin(set, second));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_library_set_prune_deleted_goes_when_unused),
        cmocka_unit_test(ec_library_set_prune_what_others_know_stays),
        cmocka_unit_test(ec_library_set_prune_longest_unused_goes_first),
        cmocka_unit_test(ec_library_set_find_twin_of_dropped_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
