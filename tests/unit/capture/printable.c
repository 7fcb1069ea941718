/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "printable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static void is_printable_only_what_moves_nothing(void **state)
{
    static const gunichar yes[] = {' ', 'a', '~', 0xe9, 0x416, 0x4e2d, 0x1f600};
    static const gunichar no[] = {0,      '\t',   '\n',   0x1b,   0x7f,    0x80,   0x85,   0x9b,    0x9f,
                                  0xad,   0x61c,  0x200b, 0x200e, 0x200f,  0x2028, 0x2029, 0x202a,  0x202e,
                                  0x2066, 0x2069, 0xfeff, 0xfff9, 0xe0001, 0xffff, 0xd800, 0x110000};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(yes); i++)
        assert_true(ec_char_is_printable(yes[i]));
    for (size_t i = 0; i < G_N_ELEMENTS(no); i++)
        assert_false(ec_char_is_printable(no[i]));
}

static void count_ascii_every_byte_at_every_place_stops_or_not(void **state)
{
    char text[20];

    (void)state;
    for (size_t len = 0; len <= sizeof(text); len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                memset(text, byte & 1 ? ' ' : '~', sizeof(text));
                text[at] = (char)byte;
                assert_int_equal(ec_char_count_ascii(text, len), byte >= 0x20 && byte < 0x7f ? len : at);
            }
        }
    }
    assert_int_equal(ec_char_count_ascii(text, 0), 0);
}

static void decode_valid_and_invalid_bytes_are_told_apart(void **state)
{
    static const struct {
        const char *data;
        size_t len, used;
        gunichar c;
    } cases[] = {
        {"\0x", 2, 1, 0},
        {"a", 1, 1, 'a'},
        {"\xc3\xa9", 2, 2, 0xe9},
        {"\xf0\x9f\x98\x80", 4, 4, 0x1f600},
        {"\xf0\x9f\x98\x80", 3, 1, (gunichar)-1},
        {"\xc0\x80", 2, 1, (gunichar)-1},         /* an overlong NUL */
        {"\xed\xa0\x80", 3, 1, (gunichar)-1},     /* a surrogate */
        {"\xf4\x90\x80\x80", 4, 1, (gunichar)-1}, /* beyond Unicode */
        {"\x9b", 1, 1, (gunichar)-1},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        size_t used = 0;

        assert_int_equal(ec_char_decode(cases[i].data, cases[i].len, &used), cases[i].c);
        assert_int_equal(used, cases[i].used);
    }
}

static void copy_hostile_text_is_one_printable_line(void **state)
{
    static const struct {
        const char *text, *copy;
    } cases[] = {
        {"", ""},
        {"/usr/lib/libé.so", "/usr/lib/libé.so"},
        {"a\033]0;title\007b\nc\td", "a?]0;title?b?c?d"},
        {"\xc2\x9b"
         "31m\x9b"
         "31m",
         "?31m?31m"}, /* C1 as UTF-8 and as a byte */
        {"\xe2\x80\xae"
         "exe.cod\xe2\x80\xac",
         "?exe.cod?"},
        {"cut \xe2\x80", "cut ??"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *copy = ec_printable_copy(cases[i].text);

        assert_string_equal(copy, cases[i].copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_printable_only_what_moves_nothing),
        cmocka_unit_test(count_ascii_every_byte_at_every_place_stops_or_not),
        cmocka_unit_test(decode_valid_and_invalid_bytes_are_told_apart),
        cmocka_unit_test(copy_hostile_text_is_one_printable_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
