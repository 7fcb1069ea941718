/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define IN EC_DIRECTION_IN
#define OUT EC_DIRECTION_OUT

/* Each message as "direction what|body|[notes]", one a line. */
struct fixture {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    ec_websocket *websocket;
    GString *log;
    size_t piece; /* bytes of a call, as it is cut */
};

static void log_message(ec_text_message *message, void *data)
{
    GString *log = ((struct fixture *)data)->log;

    g_string_append_printf(log, "%s%s|%.*s|", message->direction == OUT ? ">" : "<",
                           message->what       ? message->what
                           : message->protocol ? message->protocol
                                               : "data",
                           (int)message->body->len, (const char *)message->body->data);
    if (message->codings)
        g_string_append_printf(log, "%s %u", message->codings, (unsigned)message->coded_len);
    for (guint i = 0; i < message->notes->len; i++)
        g_string_append_printf(log, "[%s]", (const char *)g_ptr_array_index(message->notes, i));
    g_string_append_c(log, '\n');
    ec_text_message_free(message);
}

/* The client is our process. */
static struct fixture *fixture_new(size_t piece, const char *extensions, size_t decoding_max)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->budget = (struct ec_text_budget){.max = 64 << 20, .decoding_max = decoding_max};
    fixture->receiver = (struct ec_text_receiver){&fixture->budget, log_message, fixture};
    fixture->websocket = ec_websocket_new(&fixture->receiver, OUT, "/chat", extensions);
    fixture->log = g_string_new(NULL);
    fixture->piece = piece;
    return fixture;
}

static void take(struct fixture *fixture, enum ec_direction direction, const char *data, size_t len)
{
    for (size_t at = 0; at < len; at += MIN(fixture->piece, len - at))
        ec_websocket_take(fixture->websocket, 1, direction, (const uint8_t *)data + at, MIN(fixture->piece, len - at));
}
#define TAKE(fixture, direction, text) take(fixture, direction, text, sizeof(text) - 1)

static void check_end(struct fixture *fixture, const char *expected)
{
    ec_websocket_end(fixture->websocket, "the connection ended");
    ec_websocket_free(fixture->websocket);
    assert_string_equal(fixture->log->str, expected);
    assert_int_equal(fixture->budget.used, 0);
    assert_int_equal(fixture->budget.decoding, 0);
    g_string_free(fixture->log, TRUE);
    g_free(fixture);
}

/* RFC 6455 section 5.7, and a long frame; "abcd" ^ "    " is "ABCD". */
static void take_frames_cut_anywhere_are_messages(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        struct fixture *fixture = fixture_new(pieces[i], NULL, 0);
        g_autofree char *long_text = g_strnfill(300, 'x');
        g_autofree char *expected = NULL;

        TAKE(fixture, OUT, "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        TAKE(fixture, IN, "\x01\x03Hel\x89\x05Hello\x80\x02lo");
        TAKE(fixture, OUT, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58\x82\x84    abcd");
        TAKE(fixture, IN, "\x81\x7e\x01\x2c");
        take(fixture, IN, long_text, 300);
        TAKE(fixture, IN,
             "\x88\x05\x03\xe8"
             "bye\x81\x7f\0\0\0\0\0\0\0\2ok");
        expected = g_strdup_printf(">text|Hello|\n<ping|Hello|\n<text|Hello|\n>pong|Hello|\n>binary|ABCD|\n"
                                   "<text|%s|\n<close|bye|[code 1000]\n<text|ok|\n",
                                   long_text);
        check_end(fixture, expected);
    }
}

/* RFC 7692 section 7.2.3: the second message refers to the first. */
static void take_deflated_messages_are_inflated(void **state)
{
    struct fixture *fixture = fixture_new(2, "permessage-deflate; server_max_window_bits=15", 1 << 20);

    (void)state;
    TAKE(fixture, IN, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
    TAKE(fixture, IN, "\x41\x03\xf2\x00\x11\x80\x02\x00\x00");
    TAKE(fixture, IN, "\x81\x05plain");
    check_end(fixture, "<text|Hello|permessage-deflate 7\n<text|Hello|permessage-deflate 5\n<text|plain|\n");
}

static void take_deflated_message_behind_a_loss_is_told(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, "permessage-deflate", 1 << 20);

    (void)state;
    TAKE(fixture, IN, "\xc1\x07\xf2\x48");
    ec_websocket_skip(fixture->websocket, 1, IN, 5);
    TAKE(fixture, IN, "\xc1\x05\xf2\x00\x11\x00\x00");
    check_end(fixture, "<text|\xf2\x48|[not decoded: some of what was deflated is missing (permessage-deflate)]\n"
                       "<text|\xf2|[not decoded: some of what was deflated is missing (permessage-deflate)]\n");
}

static void take_each_message_by_itself_recovers_from_a_loss(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, "permessage-deflate; server_no_context_takeover", 1 << 20);

    (void)state;
    TAKE(fixture, IN, "\x81");
    ec_websocket_skip(fixture->websocket, 1, IN, 5);
    TAKE(fixture, IN, "\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
    check_end(fixture, "<text|Hello|permessage-deflate 7[5 bytes before this were lost]\n");
}

static void new_without_memory_for_decoders_tells(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, "permessage-deflate", 1000);

    (void)state;
    TAKE(fixture, IN,
         "\xc1\x03"
         "abc");
    check_end(fixture, "<text|abc|[not decoded: some of what was deflated is missing (permessage-deflate)]\n");
}

static void skip_of_frames_is_told_and_frames_found_again(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, NULL, 0);

    (void)state;
    TAKE(fixture, IN,
         "\x81\x05"
         "ab");
    ec_websocket_skip(fixture->websocket, 1, IN, 20);
    TAKE(fixture, IN, "midst of something");
    TAKE(fixture, IN, "\x81\x02ok");
    ec_websocket_skip(fixture->websocket, 1, OUT, 7);
    check_end(fixture, "<text|ab|[incomplete: bytes were lost here]\n<text|ok|[38 bytes before this were lost]\n"
                       ">WebSocket||[7 bytes before this were lost]\n");
}

static void take_no_frame_is_data(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, NULL, 0);

    (void)state;
    TAKE(fixture, IN,
         "\x01\x02"
         "abno frame at all");
    ec_websocket_flush(fixture->websocket);
    TAKE(fixture, OUT, "\x81\x02unmasked");
    check_end(fixture, "<text|ab|[incomplete: what follows is no frame of WebSocket, and shown as data]\n"
                       "<data|no frame at all|\n>data|\x81\x02unmasked|\n");
}

static void take_endless_message_is_bounded(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX, NULL, 0);
    g_autofree char *mebibyte = g_malloc0(1 << 20);

    (void)state;
    TAKE(fixture, IN, "\x02\x7f\0\0\0\0\x7f\xff\xff\xff");
    for (size_t i = 0; i < 6; i++)
        take(fixture, IN, mebibyte, 1 << 20);
    assert_true(fixture->budget.used <= EC_TEXT_BODY_MAX);
    check_end(fixture, "<binary||[incomplete: the connection ended]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_frames_cut_anywhere_are_messages),
        cmocka_unit_test(take_deflated_messages_are_inflated),
        cmocka_unit_test(take_deflated_message_behind_a_loss_is_told),
        cmocka_unit_test(take_each_message_by_itself_recovers_from_a_loss),
        cmocka_unit_test(new_without_memory_for_decoders_tells),
        cmocka_unit_test(skip_of_frames_is_told_and_frames_found_again),
        cmocka_unit_test(take_no_frame_is_data),
        cmocka_unit_test(take_endless_message_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
