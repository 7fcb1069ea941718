/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TIME 1795242056123456789ull /* 2026-11-21 06:20:56 UTC */

static const struct ec_owner owner = {.pid = 1234, .tid = 1235, .uid = 1000, .comm = "curl"};
static const struct ec_sink_connection connection = {
    .id = 7,
    .addressed = true,
    .local = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 5000},
    .remote = {{0x20, 1, [15] = 1}, 443},
};
static const struct ec_text_origin origin = {&owner, "alice", &connection};
static const struct ec_text_style plain = {.shown_max = SIZE_MAX};

static void discard(ec_text_message *message, void *data)
{
    (void)data;
    ec_text_message_free(message);
}

static struct ec_text_budget budget = {.max = 1 << 20};
static const struct ec_text_receiver receiver = {&budget, discard, NULL};

static ec_text_message *make_data(const void *data, size_t len)
{
    ec_text_message *message = ec_text_message_new(&receiver, EC_TEXT_DATA, TIME, EC_DIRECTION_OUT);

    ec_text_message_add_body(message, 1, data, len);
    return message;
}

static void assert_printed(const struct ec_text_style *style, const ec_text_message *message, const char *expected)
{
    g_autoptr(GString) out = g_string_new(NULL);

    ec_text_print_message(out, style, &origin, message);
    assert_string_equal(out->str, expected);
}

#define DATA_HEAD "=== 2026-11-21 06:20:56.123456 curl[1234] alice sent 127.0.0.1:5000 > [2001::1]:443 data\n"

static void print_request_is_a_block(void **state)
{
    g_autoptr(ec_text_message) message = ec_text_message_new(&receiver, EC_TEXT_REQUEST, TIME, EC_DIRECTION_IN);

    (void)state;
    message->protocol = "HTTP/1.1";
    message->method = g_strdup("POST");
    message->target = g_strdup("/a");
    ec_text_message_add_field(message, "Host", 4, "x", 1, false);
    ec_text_message_add_field(message, "Sum", 3, "9", 1, true);
    ec_text_message_add_body(message, 1, (const uint8_t *)"one\r\ntwo", 8);
    ec_text_message_add_note(message, "remark %d", 1);
    assert_printed(&plain, message,
                   "=== 2026-11-21 06:20:56.123456 curl[1234] alice received [2001::1]:443 > 127.0.0.1:5000 HTTP/1.1 "
                   "request\nPOST /a HTTP/1.1\nHost: x\n\none\ntwo\nSum: 9\n--- remark 1\n\n");
}

static void print_response_names_its_request_and_stream(void **state)
{
    g_autoptr(ec_text_message) message = ec_text_message_new(&receiver, EC_TEXT_RESPONSE, TIME, EC_DIRECTION_OUT);

    (void)state;
    message->protocol = "HTTP/2";
    message->stream = 3;
    message->method = g_strdup("GET");
    message->target = g_strdup("/\033x");
    message->status = 404;
    assert_printed(&plain, message,
                   "=== 2026-11-21 06:20:56.123456 curl[1234] alice sent 127.0.0.1:5000 > [2001::1]:443 HTTP/2 "
                   "response, stream 3, to GET /\\x1bx\nHTTP/2 404\n\n");
}

/* Escape sequences, C1 controls in both encodings, bidirectional overrides, and bytes that are no UTF-8. */
static void print_hostile_characters_never_come_through(void **state)
{
    static const char hostile[] =
        "text \033[2J \xc2\x9b\x33 1m \xe2\x80\xae evil \xff\x9b \t\x08 caf\xc3\xa9 text text";
    g_autoptr(ec_text_message) message = make_data(hostile, sizeof(hostile) - 1);

    (void)state;
    assert_printed(&plain, message,
                   DATA_HEAD "text \\x1b[2J \\u{9b}3 1m \\u{202e} evil \\xff\\x9b \t\\x08 caf\xc3\xa9 text text\n\n");
}

static void print_hostile_header_values_stay_on_their_line(void **state)
{
    g_autoptr(ec_text_message) message = ec_text_message_new(&receiver, EC_TEXT_RESPONSE, TIME, EC_DIRECTION_OUT);
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    message->protocol = "HTTP/2";
    message->status = 200;
    ec_text_message_add_field(message, "a\n=== b", 7, "\r\n\033]0;x\007", 8, false);
    ec_text_print_message(out, &plain, &origin, message);
    assert_non_null(strstr(out->str, "\na\\x0a=== b: \\x0d\\x0a\\x1b]0;x\\x07\n"));
}

static void print_imitation_of_our_lines_is_marked(void **state)
{
    static const char text[] = "=== 2026 root sent\r\n--- cut\n===\n x === y\n";
    g_autoptr(ec_text_message) message = make_data(text, sizeof(text) - 1);

    (void)state;
    assert_printed(&plain, message, DATA_HEAD "\\=== 2026 root sent\n\\--- cut\n===\n x === y\n\n");
}

static void print_binary_is_a_hexdump(void **state)
{
    static const char binary[] = "\0\1\2\3abcdefghijklm\xff";
    g_autoptr(ec_text_message) message = make_data(binary, sizeof(binary) - 1);

    (void)state;
    assert_printed(&plain, message,
                   DATA_HEAD "00000000  00 01 02 03 61 62 63 64 65 66 67 68 69 6a 6b 6c  |....abcdefghijkl|\n"
                             "00000010  6d ff                                            |m.|\n\n");
}

static void print_hex_style_dumps_text_too(void **state)
{
    g_autoptr(ec_text_message) message = make_data("ab", 2);
    struct ec_text_style hex = {.hex = true, .shown_max = SIZE_MAX};

    (void)state;
    assert_printed(&hex, message, DATA_HEAD "00000000  61 62                                            |ab|\n\n");
}

static void print_cut_is_told_and_never_within_a_character(void **state)
{
    g_autoptr(ec_text_message) message = make_data("caf\xc3\xa9 au lait", 13);
    struct ec_text_style cut = {.shown_max = 4};

    (void)state;
    assert_printed(&cut, message, DATA_HEAD "caf\n--- cut: 3 of 13 bytes shown\n\n");
    cut.shown_max = 5;
    assert_printed(&cut, message, DATA_HEAD "caf\xc3\xa9\n--- cut: 5 of 13 bytes shown\n\n");
}

static void print_color_ends_on_its_line(void **state)
{
    g_autoptr(ec_text_message) message = make_data("x\n", 2);
    struct ec_text_style color = {.color = true, .shown_max = SIZE_MAX};
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    ec_text_print_message(out, &color, &origin, message);
    assert_true(g_str_has_prefix(out->str, "\033[1;35m=== "));
    assert_non_null(strstr(out->str, " data\033[0m\nx\n"));
}

static void print_command_shows_all_its_fields(void **state)
{
    static const char text[] = "for i in 1 2\ndo echo $i\ndone";
    struct ec_sink_command command = {.started = TIME,
                                      .time = TIME + 5,
                                      .owner = &owner,
                                      .text = text,
                                      .len = sizeof(text) - 1,
                                      .has_status = true,
                                      .status = 127,
                                      .cwd = "/home/a\nb",
                                      .tty = "/dev/pts/3"};
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    ec_text_print_command(out, &plain, &command, NULL);
    assert_string_equal(out->str, "=== 2026-11-21 06:20:56.123456 curl[1234] uid 1000 tty=/dev/pts/3 "
                                  "cwd=/home/a\\x0ab status=127\nfor i in 1 2\ndo echo $i\ndone\n\n");
}

static void print_statement_shows_all_its_fields(void **state)
{
    struct ec_sink_statement statement = {.started = TIME,
                                          .time = TIME + 1500000,
                                          .owner = &owner,
                                          .connection = 9,
                                          .user = "app",
                                          .database = "shop",
                                          .text = "SELECT x",
                                          .len = 8,
                                          .full_len = 100,
                                          .has_rows = true,
                                          .rows = 0,
                                          .has_error = true,
                                          .error = 1054,
                                          .error_text = "Unknown column 'x'"};
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *expected =
        g_strdup_printf("=== 2026-11-21 06:20:56.123456 curl[1234] alice %s connection=9 user=app db=shop "
                        "time=1.500ms rows=0 error=1054\nSELECT x\n--- incomplete: the statement has 100 bytes\n"
                        "--- error: Unknown column 'x'\n\n",
                        ec_modules[0].name);

    (void)state;
    ec_text_print_statement(out, &plain, &statement, "alice");
    assert_string_equal(out->str, expected);
}

static void is_readable_tells_text_from_the_rest(void **state)
{
    (void)state;
    assert_true(ec_text_is_readable((const uint8_t *)"", 0));
    assert_true(ec_text_is_readable((const uint8_t *)"plain\r\n", 7));
    assert_true(ec_text_is_readable((const uint8_t *)"Gr\xfc\xdf"
                                                     "e aus Latin-1, lang",
                                    23));
    assert_false(ec_text_is_readable((const uint8_t *)"a\0b", 3));
    assert_false(ec_text_is_readable((const uint8_t *)"\x16\x03\x01\x02", 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(print_request_is_a_block),
        cmocka_unit_test(print_response_names_its_request_and_stream),
        cmocka_unit_test(print_hostile_characters_never_come_through),
        cmocka_unit_test(print_hostile_header_values_stay_on_their_line),
        cmocka_unit_test(print_imitation_of_our_lines_is_marked),
        cmocka_unit_test(print_binary_is_a_hexdump),
        cmocka_unit_test(print_hex_style_dumps_text_too),
        cmocka_unit_test(print_cut_is_told_and_never_within_a_character),
        cmocka_unit_test(print_color_ends_on_its_line),
        cmocka_unit_test(print_command_shows_all_its_fields),
        cmocka_unit_test(print_statement_shows_all_its_fields),
        cmocka_unit_test(is_readable_tells_text_from_the_rest),
    };

    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
