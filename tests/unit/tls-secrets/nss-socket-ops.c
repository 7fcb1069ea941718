/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finder on miniatures of libssl3's tables (fixture/nss-sockets*), stripped. */
#include "nss-socket-ops.h"

#include "fixture-file.h"

/* NULL: *ret_ops is set. */
static const char *fixture_find(const char *name, struct ec_nss_socket_ops *ret_ops)
{
    int fd = fixture_open(name, ".stripped");
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_code) code = ec_code_new(image);
    const char *cause;

    assert_true(ec_nss_has_sockets(image));
    cause = ec_nss_socket_ops_find(image, code, ret_ops);
    close(fd);
    return cause;
}

/* The fixtures' code lies in the file where it does in memory. */
static void is_function(const char *fixture, uint64_t address, const char *name)
{
    assert_int_equal(address, function_get(fixture, name));
}

static void ops_check(const char *name, bool jumps)
{
    struct ec_nss_socket_ops ops;

    assert_string_equal(fixture_find(name, &ops) ?: "", "");
    is_function(name, ops.recv, "secure_recv");
    is_function(name, ops.send, "secure_send");
    is_function(name, ops.close[0], "secure_close");
    is_function(name, ops.close[1], "plain_close");
    assert_int_equal(ops.read != 0, !jumps);
    if (jumps)
        assert_int_equal(ops.write, 0);
    else
        is_function(name, ops.write, "secure_write");
}

static void find_secure_table_is_told_from_plain_one(void **state)
{
    (void)state;
    ops_check("nss-sockets-o2", true);
    ops_check("nss-sockets-o0", false);
}

static void find_words_in_bitmap_are_found(void **state)
{
    (void)state;
    ops_check("nss-sockets-packed", true);
}

static void unproven_check(const char *name, const char *cause)
{
    struct ec_nss_socket_ops ops;
    const char *found = fixture_find(name, &ops);

    assert_non_null(found);
    assert_non_null(strstr(found, cause));
}

static void find_table_that_hands_over_elsewhere_is_unproven(void **state)
{
    (void)state;
    unproven_check("nss-sockets-astray", "which of NSS's tables");
}

static void find_table_that_shakes_no_hands_is_unproven(void **state)
{
    (void)state;
    unproven_check("nss-sockets-deaf", "serves TLS alone");
}

static void find_library_without_tables_is_unproven(void **state)
{
    (void)state;
    unproven_check("nss-sockets-none", "aren't seen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_secure_table_is_told_from_plain_one),
        cmocka_unit_test(find_words_in_bitmap_are_found),
        cmocka_unit_test(find_table_that_hands_over_elsewhere_is_unproven),
        cmocka_unit_test(find_table_that_shakes_no_hands_is_unproven),
        cmocka_unit_test(find_library_without_tables_is_unproven),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
