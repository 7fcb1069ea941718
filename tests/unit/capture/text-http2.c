/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-http2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define IN EC_DIRECTION_IN
#define OUT EC_DIRECTION_OUT
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, WITH_PRIORITY = 32 };
/* Of the static table (RFC 7541 appendix A), and a literal that becomes entry 62. */
#define GET_ROOT "\x82\x84\x87"
#define AUTHORITY_H "\x41\x01h"
#define POST "\x83\x84\x87"
#define STATUS_200 "\x88"
#define NEW_A_1                                                                                                        \
    "\x40\x01"                                                                                                         \
    "a"                                                                                                                \
    "\x01"                                                                                                             \
    "1"
#define ENTRY_62 "\xbe"

/* Each message as "direction start|name:value,…|body|[notes]", one a line. */
struct fixture {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    ec_http2 *http2;
    GString *log;
    size_t piece; /* bytes of a call, as it is cut */
};

static void log_message(ec_text_message *message, void *data)
{
    GString *log = ((struct fixture *)data)->log;

    g_string_append_printf(log, "%s%u ", message->direction == OUT ? ">" : "<", message->stream);
    if (message->kind == EC_TEXT_REQUEST)
        g_string_append_printf(log, "%s %s", message->method, message->target ? message->target : "-");
    else if (message->kind == EC_TEXT_RESPONSE)
        g_string_append_printf(log, "%u (%s)", message->status, message->method ? message->method : "-");
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        g_string_append_printf(log, "%s%.*s:%.*s", field->trailer ? ";" : ",", (int)field->name_len,
                               message->text->str + field->name, (int)field->value_len,
                               message->text->str + field->value);
    }
    g_string_append_printf(log, "|%.*s|", (int)message->body->len, (const char *)message->body->data);
    for (guint i = 0; i < message->notes->len; i++)
        g_string_append_printf(log, "[%s]", (const char *)g_ptr_array_index(message->notes, i));
    g_string_append_c(log, '\n');
    ec_text_message_free(message);
}

static struct fixture *fixture_new(size_t piece)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->budget.max = 64 << 20;
    fixture->receiver = (struct ec_text_receiver){&fixture->budget, log_message, fixture};
    fixture->http2 = ec_http2_new(&fixture->receiver);
    fixture->log = g_string_new(NULL);
    fixture->piece = piece;
    return fixture;
}

static void fixture_free(struct fixture *fixture)
{
    ec_http2_free(fixture->http2);
    assert_int_equal(fixture->budget.used, 0);
    g_string_free(fixture->log, TRUE);
    g_free(fixture);
}

static void take(struct fixture *fixture, enum ec_direction direction, const void *data, size_t len)
{
    for (size_t at = 0; at < len; at += MIN(fixture->piece, len - at))
        ec_http2_take(fixture->http2, 1, direction, (const uint8_t *)data + at, MIN(fixture->piece, len - at));
}

static void append_frame(GByteArray *bytes, uint8_t type, uint8_t flags, uint8_t stream, const void *payload,
                         size_t len)
{
    const uint8_t head[] = {(uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len, type, flags, 0, 0, 0, stream};

    g_byte_array_append(bytes, head, sizeof(head));
    g_byte_array_append(bytes, payload, (guint)len);
}

static void send_frame(struct fixture *fixture, enum ec_direction direction, uint8_t type, uint8_t flags,
                       uint8_t stream, const void *payload, size_t len)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    append_frame(bytes, type, flags, stream, payload, len);
    take(fixture, direction, bytes->data, bytes->len);
}
#define SEND(fixture, direction, type, flags, stream, text)                                                            \
    send_frame(fixture, direction, type, flags, stream, text, sizeof(text) - 1)

static void open_connection(struct fixture *fixture)
{
    take(fixture, OUT, PREFACE, strlen(PREFACE));
    SEND(fixture, OUT, SETTINGS, 0, 0, "");
    SEND(fixture, IN, SETTINGS, 0, 0, "\0\3\0\0\0\x64");
}

static void run_exchange(struct fixture *fixture)
{
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT AUTHORITY_H NEW_A_1);
    SEND(fixture, OUT, HEADERS, END_HEADERS, 3, POST ENTRY_62);
    SEND(fixture, IN, HEADERS, END_HEADERS, 1, STATUS_200);
    SEND(fixture, OUT, DATA, 0, 3, "one ");
    SEND(fixture, IN, DATA, 0, 1, "hello ");
    SEND(fixture, OUT, WINDOW_UPDATE, 0, 0, "\0\0\1\0");
    SEND(fixture, OUT, DATA, END_STREAM | PADDED, 3, "\2twoxx");
    SEND(fixture, IN, HEADERS, END_HEADERS, 3, STATUS_200);
    SEND(fixture, IN, DATA, END_STREAM, 1, "world");
    SEND(fixture, IN, HEADERS, END_HEADERS | END_STREAM, 3, NEW_A_1);
}

static void take_streams_cut_anywhere_are_messages(void **state)
{
    static const size_t pieces[] = {1, 2, 3, 7, 10, SIZE_MAX};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(pieces); i++) {
        struct fixture *fixture = fixture_new(pieces[i]);

        run_exchange(fixture);
        ec_http2_end(fixture->http2, NULL);
        assert_string_equal(fixture->log->str, ">1 GET /,:scheme:https,:authority:h,a:1||\n"
                                               ">3 POST /,:scheme:https,a:1|one two|\n"
                                               "<1 200 (GET)|hello world|\n"
                                               "<3 200 (POST);a:1||\n");
        fixture_free(fixture);
    }
}

static void take_block_in_pieces_with_priority_and_padding_is_joined(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_STREAM | PADDED | WITH_PRIORITY, 1, "\1\0\0\0\0\5\x82\x84_");
    SEND(fixture, OUT, CONTINUATION, 0, 1, "\x87\x40");
    SEND(fixture, OUT, CONTINUATION, END_HEADERS, 1, "\1b\1c");
    assert_string_equal(fixture->log->str, ">1 GET /,:scheme:https,b:c||\n");
    fixture_free(fixture);
}

static void take_interim_response_and_push_are_messages(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT);
    SEND(fixture, IN, HEADERS, END_HEADERS, 1,
         "\x08\x03"
         "103");
    SEND(fixture, IN, PUSH_PROMISE, END_HEADERS, 1, "\0\0\0\2" GET_ROOT);
    SEND(fixture, IN, HEADERS, END_HEADERS | END_STREAM, 1, STATUS_200);
    SEND(fixture, IN, HEADERS, END_HEADERS, 2, STATUS_200);
    SEND(fixture, IN, DATA, END_STREAM, 2, "pushed");
    assert_string_equal(fixture->log->str, ">1 GET /,:scheme:https||\n<1 103 (GET)||\n"
                                           "<2 GET /,:scheme:https||[promised by the server]\n"
                                           "<1 200 (GET)||\n<2 200 (GET)|pushed|\n");
    fixture_free(fixture);
}

static void take_reset_and_goaway_are_told(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT);
    SEND(fixture, IN, HEADERS, END_HEADERS, 1, STATUS_200);
    SEND(fixture, IN, DATA, 0, 1, "part");
    SEND(fixture, OUT, RST_STREAM, 0, 1, "\0\0\0\x08");
    SEND(fixture, IN, DATA, END_STREAM, 1, "late");
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 3, GET_ROOT);
    SEND(fixture, IN, RST_STREAM, 0, 3, "\0\0\0\x07");
    SEND(fixture, IN, GOAWAY, 0, 0,
         "\0\0\0\3\0\0\0\x0b"
         "slow down");
    assert_string_equal(fixture->log->str, ">1 GET /,:scheme:https||\n"
                                           "<1 200 (GET)|part|[incomplete: the stream was reset: CANCEL]\n"
                                           ">3 GET /,:scheme:https||\n"
                                           "<3 0 (GET)||[incomplete: the stream was reset: REFUSED_STREAM]\n"
                                           "<0 |slow down|[GOAWAY: ENHANCE_YOUR_CALM]\n");
    fixture_free(fixture);
}

/* The table that the connection had before the capture is not known; what is added to it afterwards is. */
static void take_amid_a_connection_older_values_are_placeholders(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 7, GET_ROOT ENTRY_62 NEW_A_1 ENTRY_62 "\xbf");
    SEND(fixture, IN, DATA, END_STREAM, 5, "rest");
    assert_string_equal(fixture->log->str,
                        ">7 GET /,:scheme:https,?:(sent before the capture),a:1,a:1,?:(sent before the capture)||"
                        "[the connection began before the capture: header values sent earlier are not known]\n"
                        "<5 |rest|[the connection began before the capture: header values sent earlier are not "
                        "known][incomplete: its header was not captured]\n");
    fixture_free(fixture);
}

static void take_undecodable_header_is_told_and_the_next_decoded(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, "\x82\xfe\x84");
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 3, GET_ROOT);
    assert_string_equal(fixture->log->str, ">1 GET -||[incomplete: the rest of its header can't be decoded]\n"
                                           ">3 GET /,:scheme:https||\n");
    fixture_free(fixture);
}

static void skip_within_data_stays_in_step(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, IN, HEADERS, END_HEADERS, 1, STATUS_200);
    take(fixture, IN, "\0\0\x0a\0\1\0\0\0\1abc", 12);
    ec_http2_skip(fixture->http2, 1, IN, 5);
    take(fixture, IN, "xy", 2);
    assert_string_equal(fixture->log->str, "<1 200 (-)|abcxy|\n");
    fixture_free(fixture);
}

static void skip_of_frames_is_told_and_frames_found_again(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT NEW_A_1);
    ec_http2_skip(fixture->http2, 1, OUT, 50);
    take(fixture, OUT, "the midst of a frame", 20);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 5, GET_ROOT ENTRY_62);
    assert_string_equal(fixture->log->str,
                        ">1 GET /,:scheme:https,a:1||\n>5 GET /,:scheme:https,?:(sent before the capture)||"
                        "[70 bytes before this were lost or could not be read]"
                        "[header values sent before the loss are not known]\n");
    fixture_free(fixture);
}

/* 64 KiB of references to one entry of 4000 bytes would make 256 MB. */
static void take_header_bomb_is_bounded(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);
    g_autoptr(GByteArray) block = g_byte_array_new();
    g_autofree char *value = g_strnfill(4000, 'v');
    g_autofree char *references = g_strnfill(65536, '\xbe');

    (void)state;
    open_connection(fixture);
    g_byte_array_append(block, (const uint8_t *)"\x40\1a\x7f\xa1\x1e", 6);
    g_byte_array_append(block, (const uint8_t *)value, 4000);
    g_byte_array_append(block, (const uint8_t *)references, 65536);
    send_frame(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, block->data, block->len);
    assert_true(fixture->log->len > 4000 && fixture->log->len < 2 * EC_TEXT_FIELDS_MAX);
    g_string_truncate(fixture->log, 0);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 3, GET_ROOT);
    assert_string_equal(fixture->log->str, ">3 GET /,:scheme:https||\n");
    fixture_free(fixture);
}

static void take_streams_without_end_are_bounded(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);
    unsigned lines = 0;

    (void)state;
    open_connection(fixture);
    for (unsigned id = 1; id < 10000; id += 2) {
        const uint8_t frame[] = {0, 0, 1, DATA, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id, 'x'};

        take(fixture, OUT, frame, sizeof(frame));
    }
    for (const char *c = fixture->log->str; (c = strchr(c, '\n')); c++)
        lines++;
    assert_true(lines >= 5000 - 1024 && lines < 5000);
    assert_non_null(strstr(fixture->log->str, "too many streams are open"));
    fixture_free(fixture);
}

static void take_broken_preface_is_passed_over(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    take(fixture, OUT, "PRI * HTTP/", 11);
    take(fixture, OUT, "3", 1);
    SEND(fixture, OUT, SETTINGS, 0, 0, "");
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT AUTHORITY_H);
    assert_string_equal(fixture->log->str,
                        ">1 GET /,:scheme:https,:authority:h||[1 bytes before this were lost or could not be read]\n");
    fixture_free(fixture);
}

static void flush_stream_that_goes_on_gives_parts(void **state)
{
    struct fixture *fixture = fixture_new(SIZE_MAX);

    (void)state;
    open_connection(fixture);
    SEND(fixture, OUT, HEADERS, END_HEADERS | END_STREAM, 1, GET_ROOT AUTHORITY_H);
    SEND(fixture, IN, HEADERS, END_HEADERS, 1, STATUS_200);
    SEND(fixture, IN, DATA, 0, 1, "one\n");
    g_string_truncate(fixture->log, 0);
    assert_true(ec_http2_flush(fixture->http2, 500000000));
    assert_string_equal(fixture->log->str, "");
    assert_false(ec_http2_flush(fixture->http2, 1100000000));
    SEND(fixture, IN, DATA, END_STREAM, 1, "two\n");
    assert_string_equal(fixture->log->str, "<1 200 (GET)|one\n|\n<1 200 (GET)|two\n|\n");
    fixture_free(fixture);
}

static void detect_tells_frames_from_the_rest(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        enum ec_text_verdict verdict;
    } cases[] = {
        {"P", 1, EC_TEXT_MAYBE},
        {PREFACE, 23, EC_TEXT_MAYBE},
        {PREFACE, 24, EC_TEXT_YES},
        {"POST / HTTP/1.1\r\n", 17, EC_TEXT_NO},
        {"\0\0\0\4\0\0\0\0\0", 9, EC_TEXT_YES},
        {"\0\0\0\4\0\0\0\0", 8, EC_TEXT_MAYBE},
        {"\0\0\0\4\0\0\0\0\1", 9, EC_TEXT_NO}, /* SETTINGS on a stream */
        {"\0\0\0\0\0\0\0\0\0", 9, EC_TEXT_NO}, /* DATA on none */
        {"\0\0\4\x08\0\0\0\0\0\0\0\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff", 22, EC_TEXT_NO},
        {"\x16\x03\x01", 3, EC_TEXT_NO},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_int_equal(ec_http2_detect((const uint8_t *)cases[i].data, cases[i].len), cases[i].verdict);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_streams_cut_anywhere_are_messages),
        cmocka_unit_test(take_block_in_pieces_with_priority_and_padding_is_joined),
        cmocka_unit_test(take_interim_response_and_push_are_messages),
        cmocka_unit_test(take_reset_and_goaway_are_told),
        cmocka_unit_test(take_amid_a_connection_older_values_are_placeholders),
        cmocka_unit_test(take_undecodable_header_is_told_and_the_next_decoded),
        cmocka_unit_test(skip_within_data_stays_in_step),
        cmocka_unit_test(skip_of_frames_is_told_and_frames_found_again),
        cmocka_unit_test(take_header_bomb_is_bounded),
        cmocka_unit_test(take_streams_without_end_are_bounded),
        cmocka_unit_test(take_broken_preface_is_passed_over),
        cmocka_unit_test(flush_stream_that_goes_on_gives_parts),
        cmocka_unit_test(detect_tells_frames_from_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
