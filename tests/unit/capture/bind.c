/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Portal "p", statement "s"; "abc" as text, NULL, two bytes in binary form, an empty text. */
static const uint8_t message[] = "p\0s\0\0\4\0\0\0\1\0\1\0\0"
                                 "\0\4\0\0\0\3abc\377\377\377\377\0\0\0\2\1\2\0\0\0\0"
                                 "\0"; /* and the literal's NUL: no result formats */

static GArray *parameters_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(struct ec_sink_parameter));
}

static void parse_whole_message_gives_every_value(void **state)
{
    g_autoptr(GArray) parameters = parameters_new();
    const struct ec_sink_parameter *found;
    unsigned n;
    (void)state;

    assert_true(ec_bind_parse(message, sizeof(message), sizeof(message), parameters, &n));
    assert_int_equal(n, 4);
    assert_int_equal(parameters->len, 4);
    found = (const void *)parameters->data;
    assert_memory_equal(found[0].data, "abc", 3);
    assert_int_equal(found[0].len, 3);
    assert_false(found[0].binary);
    assert_null(found[1].data);
    assert_true(found[2].binary);
    assert_memory_equal(found[2].data, "\1\2", 2);
    assert_non_null(found[3].data);
    assert_int_equal(found[3].full_len, 0);
}

/* What is missing was not read: whatever is there is right, and what isn't is told. */
static void parse_cut_message_gives_what_is_there(void **state)
{
    (void)state;

    for (size_t len = 0; len < sizeof(message); len++) {
        g_autoptr(GArray) parameters = parameters_new();
        unsigned n = 99;

        if (!ec_bind_parse(message, len, sizeof(message), parameters, &n)) {
            assert_true(len < 16);
            continue;
        }
        assert_int_equal(n, 4);
        if (len >= 20 && len < 23)
            assert_int_equal(g_array_index(parameters, struct ec_sink_parameter, 0).len, len - 20);
        if (parameters->len > 0)
            assert_int_equal(g_array_index(parameters, struct ec_sink_parameter, 0).full_len, 3);
        assert_int_equal(parameters->len, (len >= 20) + (len >= 27) + (len >= 31) + (len >= 37));
    }
}

/* The same lengths, but nothing more to come. */
static void parse_short_message_is_refused(void **state)
{
    (void)state;

    for (size_t len = 0; len < sizeof(message); len++) {
        g_autoptr(GArray) parameters = parameters_new();
        unsigned n;

        assert_false(ec_bind_parse(message, len, len, parameters, &n));
        assert_int_equal(parameters->len, 0);
    }
}

static void parse_one_format_is_that_of_all(void **state)
{
    static const uint8_t binary[] = "\0\0\0\1\0\1\0\2\0\0\0\1a\0\0\0\1b\0";
    g_autoptr(GArray) parameters = parameters_new();
    unsigned n;
    (void)state;

    assert_true(ec_bind_parse(binary, sizeof(binary), sizeof(binary), parameters, &n));
    assert_int_equal(parameters->len, 2);
    assert_true(g_array_index(parameters, struct ec_sink_parameter, 0).binary);
    assert_true(g_array_index(parameters, struct ec_sink_parameter, 1).binary);
}

static void parse_formats_that_are_not_one_each_are_refused(void **state)
{
    static const uint8_t two[] = "\0\0\0\2\0\0\0\1\0\1\0\0\0\1a\0";
    g_autoptr(GArray) parameters = parameters_new();
    unsigned n;
    (void)state;

    assert_false(ec_bind_parse(two, sizeof(two), sizeof(two), parameters, &n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_whole_message_gives_every_value),
        cmocka_unit_test(parse_cut_message_gives_what_is_there),
        cmocka_unit_test(parse_short_message_is_refused),
        cmocka_unit_test(parse_one_format_is_that_of_all),
        cmocka_unit_test(parse_formats_that_are_not_one_each_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
