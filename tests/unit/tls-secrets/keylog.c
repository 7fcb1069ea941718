/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keylog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define RANDOM_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct ec_secret secret_make(const char *label, size_t secret_len)
{
    struct ec_secret secret = {.secret_len = secret_len};
    g_strlcpy(secret.label, label, sizeof(secret.label));
    for (int i = 0; i < EC_RANDOM_LEN; i++)
        secret.client_random[i] = i;
    for (size_t i = 0; i < secret_len; i++)
        secret.secret[i] = 0xa0 + i;
    return secret;
}

static void secret_label_parse_own_names_returns_each(void **state)
{
    (void)state;
    for (int label = 0; label < EC_LABEL_MAX; label++) {
        assert_int_equal(ec_secret_label_parse(ec_secret_label_get_name(label)), label);
        assert_in_range(strlen(ec_secret_label_get_name(label)), 1, EC_LABEL_LEN - 1);
    }
}

static void secret_label_parse_unknown_returns_max(void **state)
{
    (void)state;
    assert_int_equal(ec_secret_label_parse(""), EC_LABEL_MAX);
    assert_int_equal(ec_secret_label_parse("CLIENT_TRAFFIC_SECRET_N"), EC_LABEL_MAX);
    assert_int_equal(ec_secret_label_parse("client_random"), EC_LABEL_MAX);
    assert_int_equal(ec_secret_label_parse("CLIENT_RANDOM "), EC_LABEL_MAX);
}

static void keylog_line_format_tls12_matches_draft(void **state)
{
    (void)state;
    struct ec_secret secret = secret_make("CLIENT_RANDOM", 3);
    char line[EC_KEYLOG_LINE_LEN];
    size_t len = ec_keylog_line_format(&secret, line);
    assert_int_equal(len, strlen(line));
    assert_string_equal(line, "CLIENT_RANDOM " RANDOM_HEX " a0a1a2\n");
}

static void keylog_line_format_longest_fits(void **state)
{
    (void)state;
    struct ec_secret secret = secret_make("", EC_SECRET_LEN);
    memset(secret.label, 'X', sizeof(secret.label));
    secret.secret_len = SIZE_MAX;
    char line[EC_KEYLOG_LINE_LEN + 1];
    line[EC_KEYLOG_LINE_LEN] = '#';
    size_t len = ec_keylog_line_format(&secret, line);
    assert_in_range(len, 1, EC_KEYLOG_LINE_LEN - 1);
    assert_int_equal(line[len], '\0');
    assert_int_equal(line[EC_KEYLOG_LINE_LEN], '#');
}

static void keylog_line_parse_formatted_returns_same(void **state)
{
    (void)state;
    const size_t lens[] = {1, 32, 48, 64};
    for (int label = 0; label < EC_LABEL_MAX; label++)
        for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
            struct ec_secret secret = secret_make(ec_secret_label_get_name(label), lens[i]), parsed;
            char line[EC_KEYLOG_LINE_LEN];
            size_t len = ec_keylog_line_format(&secret, line);
            assert_true(ec_keylog_line_parse(line, len, &parsed));
            assert_memory_equal(&parsed, &secret, sizeof(secret));
            assert_true(ec_keylog_line_parse(line, len - 1, &parsed));
        }
}

static void keylog_line_parse_upper_case_and_crlf_returns_secret(void **state)
{
    (void)state;
    struct ec_secret parsed;
    const char line[] = "CLIENT_RANDOM " RANDOM_HEX " AbCD\r\n";
    assert_true(ec_keylog_line_parse(line, strlen(line), &parsed));
    assert_int_equal(parsed.secret_len, 2);
    assert_int_equal(parsed.secret[0], 0xab);
    assert_int_equal(parsed.secret[1], 0xcd);
}

static void keylog_line_parse_malformed_fails_and_leaves_output(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "\n",
        "# a comment",
        "CLIENT_RANDOM",
        "CLIENT_RANDOM ",
        "CLIENT_RANDOM " RANDOM_HEX,
        "CLIENT_RANDOM " RANDOM_HEX " ",
        "CLIENT_RANDOM " RANDOM_HEX " a",
        "CLIENT_RANDOM " RANDOM_HEX " aag0",
        "CLIENT_RANDOM " RANDOM_HEX " aa ",
        "CLIENT_RANDOM " RANDOM_HEX "aa aa",
        "CLIENT_RANDOM  " RANDOM_HEX " aa",
        "CLIENT_RANDOM 0011 aa",
        "NO_LABEL " RANDOM_HEX " aa",
        "CLIENT_RANDOM_CLIENT_RANDOM_CLIENT_RANDOM_CLIENT_RANDOM " RANDOM_HEX " aa",
        "EXPORTER_SECRET " RANDOM_HEX " " RANDOM_HEX RANDOM_HEX "00",
    };
    struct ec_secret parsed, before;
    memset(&parsed, 0x5a, sizeof(parsed));
    memcpy(&before, &parsed, sizeof(before));
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++)
        assert_false(ec_keylog_line_parse(lines[i], strlen(lines[i]), &parsed));
    assert_memory_equal(&parsed, &before, sizeof(before));
}

static void keylog_line_parse_nul_in_label_fails(void **state)
{
    (void)state;
    static const char line[] = "CLIENT_RANDOM\0X " RANDOM_HEX " aa";
    struct ec_secret parsed;
    assert_false(ec_keylog_line_parse(line, sizeof(line) - 1, &parsed));
}

static void keylog_line_parse_cut_anywhere_fails(void **state)
{
    (void)state;
    struct ec_secret secret = secret_make("EXPORTER_SECRET", 1), parsed;
    char line[EC_KEYLOG_LINE_LEN];
    size_t len = ec_keylog_line_format(&secret, line) - 1;
    for (size_t cut = 0; cut < len; cut++) {
        g_autofree char *exact = g_memdup2(line, cut);
        assert_false(ec_keylog_line_parse(exact ? exact : "", cut, &parsed));
    }
}

static void secret_set_add_twice_passes_once(void **state)
{
    (void)state;
    g_autoptr(ec_secret_set) set = ec_secret_set_new(4);
    uint8_t random[EC_RANDOM_LEN] = {1};
    assert_true(ec_secret_set_add(set, EC_LABEL_EXPORTER, random));
    assert_false(ec_secret_set_add(set, EC_LABEL_EXPORTER, random));
    assert_true(ec_secret_set_add(set, EC_LABEL_CLIENT_RANDOM, random));
    random[EC_RANDOM_LEN - 1] = 1;
    assert_true(ec_secret_set_add(set, EC_LABEL_EXPORTER, random));
}

static void secret_set_add_beyond_capacity_forgets_oldest(void **state)
{
    (void)state;
    g_autoptr(ec_secret_set) set = ec_secret_set_new(3);
    uint8_t random[EC_RANDOM_LEN] = {};
    for (int round = 0; round < 1000; round++) {
        random[0] = round;
        random[1] = round >> 8;
        assert_true(ec_secret_set_add(set, EC_LABEL_CLIENT_RANDOM, random));
        assert_false(ec_secret_set_add(set, EC_LABEL_CLIENT_RANDOM, random));
    }
    for (int round = 999; round > 996; round--) {
        random[0] = round;
        random[1] = round >> 8;
        assert_false(ec_secret_set_add(set, EC_LABEL_CLIENT_RANDOM, random));
    }
    random[0] = 996 & 255;
    random[1] = 996 >> 8;
    assert_true(ec_secret_set_add(set, EC_LABEL_CLIENT_RANDOM, random));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_label_parse_own_names_returns_each),
        cmocka_unit_test(secret_label_parse_unknown_returns_max),
        cmocka_unit_test(keylog_line_format_tls12_matches_draft),
        cmocka_unit_test(keylog_line_format_longest_fits),
        cmocka_unit_test(keylog_line_parse_formatted_returns_same),
        cmocka_unit_test(keylog_line_parse_upper_case_and_crlf_returns_secret),
        cmocka_unit_test(keylog_line_parse_malformed_fails_and_leaves_output),
        cmocka_unit_test(keylog_line_parse_nul_in_label_fails),
        cmocka_unit_test(keylog_line_parse_cut_anywhere_fails),
        cmocka_unit_test(secret_set_add_twice_passes_once),
        cmocka_unit_test(secret_set_add_beyond_capacity_forgets_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
