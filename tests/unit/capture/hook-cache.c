/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With the system's libssl, in a cache directory of the test's own. */
#include "hook-cache.h"

#include "library-path.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char *home, *directory, *entry; /* the cache's directory and the file of the library's entry */
    int fd;                         /* of a library that can be hooked; -1: this system has none */
    struct ec_hook_point point;
};

static void take_library(const char *path, void *data)
{
    struct fixture *fixture = data;
    struct ec_hook_point point;

    int fd = fixture->fd < 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    if (ec_hook_point_find(fd, -1, &point, NULL) && point.build_id[0] != '\0') {
        fixture->fd = fd;
        fixture->point = point;
    } else {
        close(fd);
    }
}

static bool get(int fd, struct ec_hook_point *ret_point)
{
    g_autoptr(ec_hook_cache) cache = ec_hook_cache_new();

    return ec_hook_cache_get(cache, fd, ret_point);
}

static void put(int fd, const struct ec_hook_point *point)
{
    g_autoptr(ec_hook_cache) cache = ec_hook_cache_new();

    ec_hook_cache_put(cache, fd, point);
}

/* GLib asks for the directory once: before the first test. */
static char *make_home(void)
{
    char *home = g_dir_make_tmp("ec-hook-cache-XXXXXX", NULL);

    g_setenv("XDG_CACHE_HOME", home, TRUE);
    return home;
}

static int group_setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->home = make_home();
    fixture->directory = g_build_filename(fixture->home, "ecapture", NULL);
    fixture->fd = -1;
    ec_library_path_foreach(take_library, fixture);
    fixture->entry = g_build_filename(fixture->directory, fixture->point.build_id, NULL);
    *state = fixture;
    return 0;
}

static void empty_home(const struct fixture *fixture)
{
    g_autofree char *command = g_strdup_printf("rm -rf '%s'/*", fixture->home);
    assert_int_equal(system(command), 0);
}

static int group_teardown(void **state)
{
    struct fixture *fixture = *state;

    empty_home(fixture);
    g_rmdir(fixture->home);
    close(fixture->fd);
    g_free(fixture->home);
    g_free(fixture->directory);
    g_free(fixture->entry);
    g_free(fixture);
    return 0;
}

/* Keeps the library's hook point. */
static struct fixture *begin(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->fd < 0) {
        print_message("skipped: this system has no libssl that can be hooked\n");
        skip();
    }
    empty_home(fixture);
    put(fixture->fd, &fixture->point);
    return fixture;
}

static bool is_known(const struct fixture *fixture)
{
    struct ec_hook_point point;

    memset(&point, 0x5a, sizeof(point));
    if (!get(fixture->fd, &point))
        return false;
    assert_int_equal(point.kind, fixture->point.kind);
    assert_int_equal(point.method, fixture->point.method);
    assert_int_equal(point.function_offset, fixture->point.function_offset);
    assert_int_equal(point.probe_offset, fixture->point.probe_offset);
    assert_memory_equal(point.registers, fixture->point.registers, sizeof(point.registers));
    assert_int_equal(point.random_offset, fixture->point.random_offset);
    assert_int_equal(point.random_indirect, fixture->point.random_indirect);
    assert_string_equal(point.version, fixture->point.version);
    assert_string_equal(point.build_id, fixture->point.build_id);
    return true;
}

static void get_kept_gives_point(void **state)
{
    struct fixture *fixture = begin(state);
    struct stat status;

    assert_true(is_known(fixture));
    assert_int_equal(g_stat(fixture->entry, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(g_stat(fixture->directory, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void get_nothing_kept_is_false(void **state)
{
    struct fixture *fixture = begin(state);

    empty_home(fixture);
    assert_false(is_known(fixture));
}

static void get_corrupt_entry_is_false(void **state)
{
    struct fixture *fixture = begin(state);
    g_autofree char *text = NULL;
    gsize len = 0;

    assert_true(g_file_get_contents(fixture->entry, &text, &len, NULL));
    for (gsize i = 0; i < len; i += 7) {
        g_autofree char *changed = g_memdup2(text, len);
        changed[i] ^= 1;
        assert_true(g_file_set_contents(fixture->entry, changed, (gssize)len, NULL));
        /* a changed kind or version is no lie about the code */
        struct ec_hook_point point;
        if (get(fixture->fd, &point)) {
            assert_int_equal(point.function_offset, fixture->point.function_offset);
            assert_int_equal(point.probe_offset, fixture->point.probe_offset);
        }
        assert_true(g_file_set_contents(fixture->entry, text, (gssize)i, NULL));
        assert_false(is_known(fixture));
    }
}

/* Its own word for another function, with that one's right signature. */
static void get_entry_of_another_function_is_false(void **state)
{
    struct fixture *fixture = begin(state);

    for (int shift = 1; shift < 64; shift++) {
        struct ec_hook_point point = fixture->point;
        point.function_offset += (uint64_t)shift * 64 + 1;
        put(fixture->fd, &point);
        struct ec_hook_point got;
        if (get(fixture->fd, &got))
            assert_int_equal(got.random_offset, fixture->point.random_offset);
    }
    struct ec_hook_point outside = fixture->point;
    outside.function_offset = 0;
    put(fixture->fd, &outside);
    assert_false(is_known(fixture));
}

static void get_entry_of_another_kind_is_false(void **state)
{
    struct fixture *fixture = begin(state);
    const bool is_gnutls = fixture->point.kind == EC_LIBRARY_GNUTLS;

    for (enum ec_library_kind kind = 0; kind < EC_LIBRARY_KIND_MAX; kind++) {
        struct ec_hook_point point = fixture->point, got;
        point.kind = kind;
        put(fixture->fd, &point);
        bool fits = is_gnutls ? kind == EC_LIBRARY_GNUTLS : kind == EC_LIBRARY_OPENSSL || kind == EC_LIBRARY_BORINGSSL;
        assert_int_equal(get(fixture->fd, &got), fits);
    }
}

static void get_entry_that_others_may_write_is_false(void **state)
{
    struct fixture *fixture = begin(state);

    assert_int_equal(g_chmod(fixture->entry, 0660), 0);
    assert_false(is_known(fixture));
    assert_int_equal(g_chmod(fixture->entry, 0600), 0);
    assert_true(is_known(fixture));
    assert_int_equal(g_chmod(fixture->directory, 0777), 0);
    assert_false(is_known(fixture));
}

static void get_entry_behind_symlink_is_false(void **state)
{
    struct fixture *fixture = begin(state);
    g_autofree char *moved = g_build_filename(fixture->directory, "moved", NULL);

    assert_int_equal(g_rename(fixture->entry, moved), 0);
    assert_int_equal(symlink("moved", fixture->entry), 0);
    assert_false(is_known(fixture));
}

static void require_root(void)
{
    if (geteuid() == 0)
        return;
    print_message("skipped: needs root to give files away\n");
    skip();
}

static void get_entry_of_another_user_is_false(void **state)
{
    struct fixture *fixture = begin(state);

    require_root();
    assert_int_equal(chown(fixture->entry, 65534, 65534), 0);
    assert_false(is_known(fixture));
    assert_int_equal(chown(fixture->entry, 0, 0), 0);
    assert_true(is_known(fixture));
    assert_int_equal(chown(fixture->directory, 65534, 65534), 0);
    assert_false(is_known(fixture));
}

static void get_directory_behind_symlink_is_false(void **state)
{
    struct fixture *fixture = begin(state);
    g_autofree char *moved = g_build_filename(fixture->home, "moved", NULL);

    assert_int_equal(g_rename(fixture->directory, moved), 0);
    assert_int_equal(symlink("moved", fixture->directory), 0);
    assert_false(is_known(fixture));
    put(fixture->fd, &fixture->point);
    assert_false(is_known(fixture));
}

static void get_entry_that_is_no_file_is_false(void **state)
{
    struct fixture *fixture = begin(state);

    assert_int_equal(g_unlink(fixture->entry), 0);
    assert_int_equal(mkfifo(fixture->entry, 0600), 0);
    assert_false(is_known(fixture));
    assert_int_equal(g_unlink(fixture->entry), 0);
    assert_int_equal(g_mkdir(fixture->entry, 0700), 0);
    assert_false(is_known(fixture));
    put(fixture->fd, &fixture->point);
    assert_false(is_known(fixture));
}

/* The same build ID, but another file: the function was changed, or is no longer there. */
static void get_stale_entry_is_false(void **state)
{
    struct fixture *fixture = begin(state);
    g_autofree char *path = g_build_filename(fixture->home, "changed", NULL);
    g_autofree uint8_t *contents = NULL;
    struct stat status;
    struct ec_hook_point point;

    assert_int_equal(fstat(fixture->fd, &status), 0);
    contents = g_malloc((gsize)status.st_size);
    assert_int_equal(pread(fixture->fd, contents, (size_t)status.st_size, 0), status.st_size);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, contents, (size_t)status.st_size), status.st_size);
    assert_true(get(fd, &point));
    assert_int_equal(pwrite(fd, "\xcc", 1, (off_t)fixture->point.function_offset), 1);
    assert_false(get(fd, &point));
    assert_int_equal(ftruncate(fd, (off_t)fixture->point.function_offset), 0);
    assert_false(get(fd, &point));
    close(fd);
}

/* Whoever can't keep what was found does without. */
static void put_no_directory_does_no_harm(void **state)
{
    struct fixture *fixture = begin(state);

    empty_home(fixture);
    assert_true(g_file_set_contents(fixture->directory, "a file", -1, NULL));
    put(fixture->fd, &fixture->point);
    assert_false(is_known(fixture));
    assert_int_equal(g_unlink(fixture->directory), 0);
    require_root();
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(2);
        put(fixture->fd, &fixture->point);
        _exit(is_known(fixture) ? 1 : 0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

static void put_by_one_cache_counts_what_it_adds(void **state)
{
    struct fixture *fixture = begin(state);
    g_autoptr(ec_hook_cache) cache = ec_hook_cache_new();

    ec_hook_cache_put(cache, fixture->fd, &fixture->point);
    for (int i = 0; i < 4096; i++) {
        g_autofree char *path = g_strdup_printf("%s/%08x", fixture->directory, i);
        assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    for (int i = 0; i < 4096; i++)
        ec_hook_cache_put(cache, fixture->fd, &fixture->point);
    g_autofree char *old = g_strdup_printf("%s/%08x", fixture->directory, 1);
    assert_false(g_file_test(old, G_FILE_TEST_EXISTS));
    assert_true(is_known(fixture));
}

static void put_full_directory_starts_afresh(void **state)
{
    struct fixture *fixture = begin(state);

    for (int i = 0; i < 4096; i++) {
        g_autofree char *path = g_strdup_printf("%s/%08x", fixture->directory, i);
        assert_true(g_file_set_contents(path, "", 0, NULL));
    }
    put(fixture->fd, &fixture->point);
    assert_true(is_known(fixture));
    g_autofree char *old = g_strdup_printf("%s/%08x", fixture->directory, 1);
    assert_false(g_file_test(old, G_FILE_TEST_EXISTS));
}

static void entry_parse_other_text_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "\n",
        "ecapture-hook-1\n",
        "ecapture-hook-2 ab 0 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -\n",
        "ecapture-hook-1 ../x 0 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -\n",
        "ecapture-hook-1 ab 9 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -\n",
        "ecapture-hook-1 ab 0 0 -1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -\n",
        "ecapture-hook-1 ab 0 0 1 0123 -\n",
        "ecapture-hook-1 ab 0 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef \033[2J\n",
        "ecapture-hook-1 ab 0 0 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef -",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ec_hook_entry entry;
        assert_false(ec_hook_entry_parse(cases[i], strlen(cases[i]), &entry));
    }
    struct ec_hook_entry entry;
    static const char good[] =
        "ecapture-hook-1 ab 1 2 77 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef AWS-LC 1.30.0\n";
    assert_true(ec_hook_entry_parse(good, strlen(good), &entry));
    assert_string_equal(entry.point.version, "AWS-LC 1.30.0");
    assert_int_equal(entry.point.function_offset, 77);
    g_autofree char *text = ec_hook_entry_format(&entry);
    assert_string_equal(text, good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_kept_gives_point),
        cmocka_unit_test(get_nothing_kept_is_false),
        cmocka_unit_test(get_corrupt_entry_is_false),
        cmocka_unit_test(get_entry_of_another_function_is_false),
        cmocka_unit_test(get_entry_of_another_kind_is_false),
        cmocka_unit_test(get_entry_that_others_may_write_is_false),
        cmocka_unit_test(get_entry_behind_symlink_is_false),
        cmocka_unit_test(get_entry_of_another_user_is_false),
        cmocka_unit_test(get_directory_behind_symlink_is_false),
        cmocka_unit_test(get_entry_that_is_no_file_is_false),
        cmocka_unit_test(get_stale_entry_is_false),
        cmocka_unit_test(put_no_directory_does_no_harm),
        cmocka_unit_test(put_by_one_cache_counts_what_it_adds),
        cmocka_unit_test(put_full_directory_starts_afresh),
        cmocka_unit_test(entry_parse_other_text_is_refused),
    };
    return cmocka_run_group_tests_name("hook-cache", tests, group_setup, group_teardown);
}
