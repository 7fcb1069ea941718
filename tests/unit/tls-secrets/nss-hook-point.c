/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The finder on miniatures of NSS's libraries (fixture/nss-*), stripped; the unstripped files' symbols tell the truth.
 */
#include "nss-hook-point.h"

#include "fixture-file.h"

#include <string.h>

static struct ec_hook_point fixture_expect(const char *name)
{
    int fd = fixture_open(name, ".stripped");
    struct ec_hook_point point = {};
    g_autoptr(GError) error = NULL;
    assert_true(ec_nss_file_is_nss(fd));
    if (!ec_nss_hook_point_find(fd, &point, &error))
        print_error("%s: %s\n", name, error->message);
    assert_null(error);
    close(fd);
    assert_int_equal(strlen(point.build_id), 40);
    return point;
}

static void unproven_check(const char *name, const char *reason)
{
    int fd = fixture_open(name, ".stripped");
    struct ec_hook_point point, before;
    g_autoptr(GError) error = NULL;
    memset(&point, 0x5a, sizeof(point));
    memcpy(&before, &point, sizeof(before));
    assert_false(ec_nss_hook_point_find(fd, &point, &error));
    assert_int_equal(error->code, EC_HOOK_ERROR_UNPROVEN);
    if (!strstr(error->message, reason))
        print_error("%s: %s\n", name, error->message);
    assert_non_null(strstr(error->message, reason));
    assert_memory_equal(&point, &before, sizeof(before));
    close(fd);
}

/* struct socket of fixture/nss.h */
enum { CLIENT_RANDOM = 12 + 0x300 + 32 };

static void ssl_check(const char *name)
{
    struct ec_hook_point point = fixture_expect(name);
    assert_int_equal(point.kind, EC_LIBRARY_NSS);
    assert_int_equal(point.method, EC_HOOK_XREF);
    assert_int_equal(point.function_offset, function_get(name, "record_key_log"));
    assert_false(point.random_indirect);
    assert_int_equal(point.random_offset, CLIENT_RANDOM);
    assert_int_equal(point.n_more, 0);
}

static void find_label_as_fifth_argument_is_followed(void **state)
{
    (void)state;
    ssl_check("nss-ssl-o2");
    ssl_check("nss-ssl-o3");
    ssl_check("nss-ssl-logs");
}

static void find_random_from_another_place_is_unproven(void **state)
{
    (void)state;
    unproven_check("nss-ssl-backwards", "the client random's place is not seen");
}

/* 16 bytes: every function here is longer. */
static bool is_probed(const struct ec_hook_point *point, uint64_t function)
{
    bool probed = point->probe_offset - function < 16;
    for (unsigned i = 0; i < point->n_more; i++)
        probed |= point->more[i].offset - function < 16;
    return probed;
}

static void token_check(const char *name)
{
    struct ec_hook_point point = fixture_expect(name);
    assert_int_equal(point.kind, EC_LIBRARY_NSS_TOKEN);
    assert_int_equal(point.method, EC_HOOK_XREF);
    assert_int_equal(point.n_more, 1);
    assert_true(is_probed(&point, function_get(name, "attribute_add")));
    assert_true(is_probed(&point, function_get(name, "attribute_force")));
    assert_false(is_probed(&point, function_get(name, "attribute_constrain")));
    assert_false(is_probed(&point, function_get(name, "attribute_find")));
}

static void find_setters_and_no_readers(void **state)
{
    (void)state;
    token_check("nss-token-o2");
    token_check("nss-token-o3");
}

static void find_setter_called_too_rarely_is_unproven(void **state)
{
    (void)state;
    unproven_check("nss-token-few", "no function is seen to give keys their value");
}

static void find_derive_is_the_symbol(void **state)
{
    (void)state;
    struct ec_hook_point point = fixture_expect("nss-keys");
    assert_int_equal(point.kind, EC_LIBRARY_NSS_KEYS);
    assert_int_equal(point.method, EC_HOOK_SYMBOL);
    assert_int_equal(point.function_offset, function_get("nss-keys", "PK11_Derive"));
}

/* fixture/nss-*.c for aarch64, cross-compiled once: the labels are variables of another file, which are had by way of
 * the global offset table, as in NSS; types of attributes are 64-bit constants. */
static struct ec_hook_point arm64_expect(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct ec_hook_point point = {};
    g_autoptr(GError) error = NULL;
    assert_true(fd >= 0);
    ec_nss_hook_point_find(fd, &point, &error);
    assert_null(error);
    close(fd);
    assert_int_equal(point.method, EC_HOOK_XREF);
    assert_memory_equal(point.registers, "\0\1\2\3", 4);
    return point;
}

static void find_aarch64_libraries_are_followed(void **state)
{
    (void)state;
    struct ec_hook_point ssl = arm64_expect(EC_TEST_CORPUS "/arm64-ssl.so");
    assert_int_equal(ssl.function_offset, 0x820); /* record_key_log */
    assert_int_equal(ssl.random_offset, CLIENT_RANDOM);
    struct ec_hook_point token = arm64_expect(EC_TEST_CORPUS "/arm64-token.so");
    assert_int_equal(token.n_more, 1);
    assert_true(is_probed(&token, 0x910)); /* attribute_add */
    assert_true(is_probed(&token, 0x960)); /* attribute_force */
}

static void find_other_library_is_not_tls(void **state)
{
    (void)state;
    int fd = fixture_open("o2", ".stripped");
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    assert_false(ec_nss_file_is_nss(fd));
    assert_false(ec_nss_hook_point_find(fd, &point, &error));
    assert_int_equal(error->code, EC_HOOK_ERROR_NOT_TLS);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(find_label_as_fifth_argument_is_followed),
        cmocka_unit_test(find_random_from_another_place_is_unproven),
        cmocka_unit_test(find_setters_and_no_readers),
        cmocka_unit_test(find_setter_called_too_rarely_is_unproven),
        cmocka_unit_test(find_derive_is_the_symbol),
        cmocka_unit_test(find_aarch64_libraries_are_followed),
        cmocka_unit_test(find_other_library_is_not_tls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
