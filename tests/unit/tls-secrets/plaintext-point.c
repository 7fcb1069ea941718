/* SPDX-License-Identifier: GPL-2.0-or-later */
/* This program has functions of these names itself. */
#include "plaintext-point.h"

#include "hook-point.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

int SSL_read(void *ssl, void *buffer, int len);
int SSL_write(void *ssl, const void *buffer, int len);
int SSL_write_ex(void *ssl, const void *buffer, size_t len, size_t *written);
void SSL_free(void *ssl);

__attribute__((used, noinline)) int SSL_read(void *ssl, void *buffer, int len)
{
    return ssl && buffer ? len : -1;
}

__attribute__((used, noinline)) int SSL_write(void *ssl, const void *buffer, int len)
{
    return ssl && buffer ? len + 1 : -1;
}

__attribute__((used, noinline)) int SSL_write_ex(void *ssl, const void *buffer, size_t len, size_t *written)
{
    *written = ssl && buffer ? len : 0;
    return 1;
}

__attribute__((used, noinline)) void SSL_free(void *ssl)
{
    *(volatile char *)ssl = 0;
}

static unsigned count(const GArray *points, enum ec_plaintext_place place, uint64_t cookie)
{
    unsigned n = 0;

    for (guint i = 0; i < points->len; i++) {
        const struct ec_plaintext_point *point = &g_array_index(points, struct ec_plaintext_point, i);

        n += point->place == place && point->cookie == cookie;
    }
    return n;
}

static void find_symbols_give_entries_and_returns(void **state)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) points = ec_plaintext_points_find(fd, &error);
    (void)state;

    close(fd);
    assert_non_null(points);
    assert_int_equal(count(points, EC_PLACE_ENTRY, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_READ, EC_PLAINTEXT_RETURNS_INT, 0)),
                     1);
    assert_int_equal(
        count(points, EC_PLACE_ENTRY, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_WRITE, EC_PLAINTEXT_RETURNS_INT, 0)), 1);
    assert_int_equal(
        count(points, EC_PLACE_ENTRY, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_WRITE, EC_PLAINTEXT_AT_ARGUMENT_4, 0)), 1);
    assert_int_equal(count(points, EC_PLACE_ENTRY, EC_PLAINTEXT_COOKIE(EC_PLAINTEXT_FREE, 0, 0)), 1);
    assert_int_equal(count(points, EC_PLACE_RETURN, 0), 3);
}

static void find_return_probe_is_at_its_entry(void **state)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_autoptr(GArray) points = ec_plaintext_points_find(fd, NULL);
    (void)state;

    close(fd);
    assert_non_null(points);
    for (guint i = 0; i < points->len; i++)
        if (g_array_index(points, struct ec_plaintext_point, i).place == EC_PLACE_RETURN)
            assert_int_equal(g_array_index(points, struct ec_plaintext_point, i).offset,
                             g_array_index(points, struct ec_plaintext_point, i - 1).offset);
}

static void find_file_without_such_symbols_is_refused(void **state)
{
    int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    (void)state;

    assert_null(ec_plaintext_points_find(fd, &error));
    close(fd);
    assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN));
    assert_non_null(strstr(error->message, "symbols"));
}

static void find_no_elf_file_is_refused(void **state)
{
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    (void)state;

    assert_null(ec_plaintext_points_find(fd, &error));
    close(fd);
    assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_ELF));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_symbols_give_entries_and_returns),
        cmocka_unit_test(find_return_probe_is_at_its_entry),
        cmocka_unit_test(find_file_without_such_symbols_is_refused),
        cmocka_unit_test(find_no_elf_file_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
