/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map-line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static bool parse(const char *text, struct ec_map_line *ret_line)
{
    return ec_map_line_parse(text, strlen(text), ret_line);
}

static void assert_path(const struct ec_map_line *line, const char *expected)
{
    assert_int_equal(line->path_len, strlen(expected));
    assert_memory_equal(line->path, expected, line->path_len);
}

static void ec_map_line_parse_library_gives_fields(void **state)
{
    struct ec_map_line line;

    (void)state;
    assert_true(parse("7f56c2a1e000-7f56c2a75000 r-xp 0001e000 fe:0a 1835243                    "
                      "/usr/lib/x86_64-linux-gnu/libssl.so.3",
                      &line));
    assert_int_equal(line.start, 0x7f56c2a1e000);
    assert_int_equal(line.end, 0x7f56c2a75000);
    assert_true(line.executable);
    assert_int_equal(line.major, 0xfe);
    assert_int_equal(line.minor, 0x0a);
    assert_int_equal(line.ino, 1835243);
    assert_false(line.deleted);
    assert_path(&line, "/usr/lib/x86_64-linux-gnu/libssl.so.3");
}

static void ec_map_line_parse_data_mapping_is_not_executable(void **state)
{
    struct ec_map_line line;

    (void)state;
    assert_true(parse("00400000-00401000 r--p 00000000 103:02 7 /x", &line));
    assert_false(line.executable);
    assert_int_equal(line.major, 0x103);
}

static void ec_map_line_parse_deleted_file_is_cut(void **state)
{
    struct ec_map_line line;

    (void)state;
    assert_true(parse("1000-2000 r-xp 0 00:2f 12 /a b/libssl.so.3 (deleted)", &line));
    assert_true(line.deleted);
    assert_path(&line, "/a b/libssl.so.3");
}

static void ec_map_line_parse_odd_names_are_kept(void **state)
{
    struct ec_map_line line;

    (void)state;
    assert_true(parse("1000-2000 r-xp 0 00:2f 12 / x\\012y  ", &line));
    assert_path(&line, "/ x\\012y  ");
    assert_true(parse("1000-2000 r-xp 0 00:2f 12 /\x80\xff", &line));
    assert_true(parse("1000-2000 r-xp 0 00:2f 12 / (deleted)", &line));
    assert_path(&line, "/");
}

static void ec_map_line_parse_what_is_no_file_is_refused(void **state)
{
    static const char *const lines[] = {
        "",
        "1000-2000 r-xp 00000000 00:00 0 ",
        "1000-2000 rw-p 00000000 00:00 0                          [heap]",
        "1000-2000 rw-s 00000000 00:01 1041                       anon_inode:[perf_event]",
        "1000-2000 r-xp 0 00:2f 12",
        "1000-2000 r-xp 0 00:2f 12 ",
        "1000-2000 r-xp 0 00:2f x /a",
        "1000-2000 r-xp 0 00:2f  /a",
        "1000-2000 r-x 0 00:2f 12 /a",
        "1000 2000 r-xp 0 00:2f 12 /a",
        "11112222333344445-2000 r-xp 0 00:2f 12 /a",
        "1000-2000 r-xp 0 111112222:2f 12 /a",
        "1000-2000 r-xp 0 00:2f 99999999999999999999 /a",
    };
    struct ec_map_line line = {.ino = 77};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
        assert_false(parse(lines[i], &line));
    assert_int_equal(line.ino, 77);
}

static void ec_map_line_parse_cut_anywhere_is_refused_or_shorter(void **state)
{
    static const char text[] = "1000-2000 r-xp 00000000 00:2f 12 /a";
    struct ec_map_line line;

    (void)state;
    for (size_t len = 0; len < sizeof(text) - 2; len++)
        assert_false(ec_map_line_parse(text, len, &line));
}

static bool is_library(const char *path)
{
    return ec_library_name_match(path, strlen(path));
}

static void ec_library_name_match_knows_openssl_and_its_copies(void **state)
{
    (void)state;
    assert_true(is_library("/usr/lib/libssl.so.3"));
    assert_true(is_library("/usr/lib/libssl.so.1.1"));
    assert_true(is_library("libssl.so"));
    assert_true(is_library("/site-packages/psycopg2.libs/libssl-3e69114b.so.1.1.1k"));
    assert_true(is_library("/a/libssl.so.3 (deleted)"));
    assert_true(is_library("/usr/lib/libgnutls.so.30.34.3"));
    assert_true(is_library("/usr/lib/jvm/java-17/lib/server/libjvm.so"));
    assert_true(is_library("/tmp/libnetty_tcnative_linux_x86_641234.so"));
    assert_false(is_library("/usr/lib/libgnutls-dane.so.0"));
    assert_int_equal(ec_library_name_get_module("/l/libgnutls.so.30", 18), EC_MODULE_GNUTLS);
    assert_int_equal(ec_library_name_get_module("/l/libssl3.so", 13), EC_MODULE_NSS);
    assert_int_equal(ec_library_name_get_module("/l/libnss3.so", 13), EC_MODULE_NSS);
    assert_int_equal(ec_library_name_get_module("/l/libsoftokn3.so", 17), EC_MODULE_NSS);
    assert_false(is_library("/usr/lib/libsoftokn3.chk"));
    assert_false(is_library("/usr/lib/libnssutil3.so"));
    assert_int_equal(ec_library_name_get_module("/l/libssl.so.3", 14), EC_MODULE_TLS);
    assert_false(is_library("/usr/lib/libgnutlsxx.so.30"));
    assert_false(is_library("/usr/lib/libssl3-dev"));
    assert_false(is_library("/usr/lib/libssl-doc.txt"));
    assert_false(is_library("/usr/lib/xlibssl.so.3"));
    assert_false(is_library("/libssl.so.3/other.so"));
    assert_false(is_library("/usr/lib/libcrypto.so.3"));
    assert_false(is_library(""));
    assert_false(is_library("/"));
}

static void ec_library_name_match_crypto_knows_libcrypto(void **state)
{
    (void)state;
    assert_true(ec_library_name_match_crypto("/l/libcrypto.so.3", 17));
    assert_false(ec_library_name_match_crypto("/l/libssl.so.3", 14));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_map_line_parse_library_gives_fields),
        cmocka_unit_test(ec_map_line_parse_data_mapping_is_not_executable),
        cmocka_unit_test(ec_map_line_parse_deleted_file_is_cut),
        cmocka_unit_test(ec_map_line_parse_odd_names_are_kept),
        cmocka_unit_test(ec_map_line_parse_what_is_no_file_is_refused),
        cmocka_unit_test(ec_map_line_parse_cut_anywhere_is_refused_or_shorter),
        cmocka_unit_test(ec_library_name_match_knows_openssl_and_its_copies),
        cmocka_unit_test(ec_library_name_match_crypto_knows_libcrypto),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
