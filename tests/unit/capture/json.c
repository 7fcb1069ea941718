/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void json_add_string_any_bytes_are_escaped(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct ec_json json = {.text = text};

    (void)state;
    ec_json_add_string(&json, NULL, "a\"b\\c\n\x01\x7f\xff\xc3\xa9");
    assert_string_equal(text->str, "\"a\\\"b\\\\c\\u000a\\u0001\\u007f\xef\xbf\xbd\xc3\xa9\"");
}

static void json_add_string_null_is_null(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct ec_json json = {.text = text};

    (void)state;
    ec_json_add_string(&json, "k", NULL);
    assert_string_equal(text->str, "\"k\":null");
}

static void json_nested_items_get_their_commas(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct ec_json json = {.text = text};

    (void)state;
    ec_json_open(&json, NULL, '{');
    ec_json_open(&json, "a", '[');
    ec_json_open(&json, NULL, '{');
    ec_json_close(&json, '}');
    ec_json_open(&json, NULL, '{');
    ec_json_add_bool(&json, "t", true);
    ec_json_add_bool(&json, "f", false);
    ec_json_close(&json, '}');
    ec_json_close(&json, ']');
    ec_json_add_number(&json, "n", UINT64_MAX);
    ec_json_close(&json, '}');
    assert_string_equal(text->str, "{\"a\":[{},{\"t\":true,\"f\":false}],\"n\":18446744073709551615}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_add_string_any_bytes_are_escaped),
        cmocka_unit_test(json_add_string_null_is_null),
        cmocka_unit_test(json_nested_items_get_their_commas),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
