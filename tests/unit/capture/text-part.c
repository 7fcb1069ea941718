/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#define MS 1000000ull

/* Each part as "number(+ if more follow) header|body|[notes]", one a line. */
struct fixture {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    ec_text_message *message;
    GString *log;
    uint64_t time; /* of the last part */
};

static void log_message(ec_text_message *message, void *data)
{
    struct fixture *fixture = data;

    ec_text_message_decode(message);
    assert_true(message->part < 2 || message->time >= fixture->time);
    fixture->time = message->time;
    g_string_append_printf(fixture->log, "%u%s ", message->part, message->more ? "+" : "");
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        g_string_append_printf(fixture->log, "%s%.*s,", field->trailer ? ";" : "", (int)field->name_len,
                               message->text->str + field->name);
    }
    g_string_append_printf(fixture->log, "|%.*s|", (int)message->body->len, (const char *)message->body->data);
    if (message->grpc)
        g_string_append_printf(fixture->log, "grpc %u", (unsigned)message->grpc);
    if (message->codings)
        g_string_append_printf(fixture->log, "%s %u", message->codings, (unsigned)message->coded_len);
    for (guint i = 0; i < message->notes->len; i++)
        g_string_append_printf(fixture->log, "[%s]", (const char *)g_ptr_array_index(message->notes, i));
    g_string_append_c(fixture->log, '\n');
    ec_text_message_free(message);
}

static struct fixture *fixture_new(const char *type)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->budget = (struct ec_text_budget){.max = 64 << 20, .decoding_max = 1 << 20};
    fixture->receiver = (struct ec_text_receiver){&fixture->budget, log_message, fixture};
    fixture->message = ec_text_message_new(&fixture->receiver, EC_TEXT_RESPONSE, 0, EC_DIRECTION_IN);
    fixture->log = g_string_new(NULL);
    if (type)
        ec_text_message_add_field(fixture->message, "Content-Type", 12, type, strlen(type), false);
    return fixture;
}

static void add_field(struct fixture *fixture, const char *name, const char *value, bool trailer)
{
    ec_text_message_add_field(fixture->message, name, strlen(name), value, strlen(value), trailer);
}

static void add(struct fixture *fixture, uint64_t time, const void *data, size_t len)
{
    ec_text_message_add_body(fixture->message, time, data, len);
}
#define ADD(fixture, time, text) add(fixture, time, text, sizeof(text) - 1)

/* What has been emitted by then, and whether something waits. */
static void check(struct fixture *fixture, uint64_t now, bool waits, const char *expected)
{
    g_string_truncate(fixture->log, 0);
    assert_int_equal(ec_text_part_emit(fixture->message, &fixture->receiver, now), waits);
    assert_string_equal(fixture->log->str, expected);
}

static void check_end(struct fixture *fixture, const char *expected)
{
    g_string_truncate(fixture->log, 0);
    ec_text_part_finish(fixture->message, &fixture->receiver);
    assert_string_equal(fixture->log->str, expected);
    assert_int_equal(fixture->budget.used, 0);
    assert_int_equal(fixture->budget.decoding, 0);
    g_string_free(fixture->log, TRUE);
    g_free(fixture);
}

static void emit_short_message_stays_whole(void **state)
{
    struct fixture *fixture = fixture_new("text/plain");

    (void)state;
    ADD(fixture, 1, "one\n");
    check(fixture, 1 * MS, true, "");
    ADD(fixture, 900 * MS, "two\n");
    check(fixture, 999 * MS, true, "");
    check_end(fixture, "0 Content-Type,|one\ntwo\n|\n");
}

static void emit_slow_text_comes_by_lines_each_second(void **state)
{
    struct fixture *fixture = fixture_new("text/plain");

    (void)state;
    ADD(fixture, 900 * MS, "one\nhal");
    check(fixture, 1000 * MS, true, "1+ Content-Type,|one\n|\n");
    ADD(fixture, 1100 * MS, "f\n");
    check(fixture, 1500 * MS, true, "");
    check(fixture, 2000 * MS, false, "2+ |half\n|\n");
    check(fixture, 3000 * MS, false, "");
    add_field(fixture, "T", "1", true);
    check_end(fixture, "3 ;T,||\n");
}

static void emit_header_without_body_comes_after_a_moment(void **state)
{
    struct fixture *fixture = fixture_new(NULL);

    (void)state;
    check(fixture, 1000 * MS, false, "1+ ||\n");
    ADD(fixture, 1500 * MS, "rest");
    check_end(fixture, "2 |rest|\n");
}

static void emit_events_come_whole_and_at_once(void **state)
{
    struct fixture *fixture = fixture_new("text/event-stream; charset=utf-8");

    (void)state;
    check(fixture, 5 * MS, true, "");
    check(fixture, 10 * MS, false, "1+ Content-Type,||\n");
    ADD(fixture, 20 * MS, "data: 1\n\ndata: 2\r\n\r\ndata:");
    check(fixture, 21 * MS, true, "2+ |data: 1\n\ndata: 2\r\n\r\n|\n");
    ADD(fixture, 30 * MS, " 3\n\n");
    check(fixture, 31 * MS, false, "3+ |data: 3\n\n|\n");
    ADD(fixture, 40 * MS, "data: never ends");
    check(fixture, 41 * MS, true, "");
    check(fixture, 1041 * MS, false, "4+ |data: never ends|\n");
    check_end(fixture, "5 ||\n");
}

static void emit_coded_events_are_decoded_as_they_come(void **state)
{
    struct fixture *fixture = fixture_new("text/event-stream");
    z_stream stream = {0};
    uint8_t coded[2][100];

    (void)state;
    add_field(fixture, "Content-Encoding", "gzip", false);
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    for (size_t i = 0; i < 2; i++) {
        stream.next_in = (Bytef *)(i ? "data: two\n\n" : "data: one\n\n");
        stream.avail_in = 11;
        stream.next_out = coded[i];
        stream.avail_out = sizeof(coded[i]);
        assert_int_equal(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
        add(fixture, (i + 1) * 100 * MS, coded[i], sizeof(coded[i]) - stream.avail_out);
        assert_false(ec_text_part_emit(fixture->message, &fixture->receiver, (i + 1) * 100 * MS));
    }
    deflateEnd(&stream);
    assert_non_null(strstr(fixture->log->str, "1+ Content-Type,Content-Encoding,|data: one\n\n|gzip 2"));
    assert_non_null(strstr(fixture->log->str, "\n2+ |data: two\n\n|gzip 1"));
    check_end(fixture, "3 ||\n");
}

static void emit_without_memory_for_a_decoder_stays_whole(void **state)
{
    struct fixture *fixture = fixture_new("text/event-stream");

    (void)state;
    add_field(fixture, "Content-Encoding", "br", false);
    ADD(fixture, 1, "\x0b\x02\x80hello\x03");
    check(fixture, 5000 * MS, false, "");
    check_end(fixture, "0 Content-Type,Content-Encoding,|hello|br 9\n");
}

static void emit_unknown_coding_is_told(void **state)
{
    struct fixture *fixture = fixture_new("text/event-stream");

    (void)state;
    add_field(fixture, "Content-Encoding", "rot13", false);
    ADD(fixture, 1, "qngn: 1\n\n");
    check(fixture, 100 * MS, false,
          "1+ Content-Type,Content-Encoding,|qngn: 1\n\n|[not decoded: an unknown coding (rot13)]\n");
    ADD(fixture, 200 * MS, "qngn: 2\n\n");
    check(fixture, 200 * MS, false, "2+ |qngn: 2\n\n|\n");
    check_end(fixture, "3 ||\n");
}

static void finish_grpc_message_is_one_block(void **state)
{
    struct fixture *fixture = fixture_new("application/grpc+proto");

    (void)state;
    ADD(fixture, 1, "\0\0\0\0\5hello");
    add_field(fixture, "grpc-status", "0", true);
    check_end(fixture, "0 Content-Type,;grpc-status,|hello|grpc 1\n");
}

static void emit_grpc_messages_are_a_part_each(void **state)
{
    static const uint8_t gzip_hi[] = {0x1f, 0x8b, 8, 0,    0,    0,    0,    0, 0, 3, 0xcb,
                                      0xc8, 4,    0, 0xac, 0x2a, 0x93, 0xd8, 2, 0, 0, 0};
    struct fixture *fixture = fixture_new("application/grpc");

    (void)state;
    add_field(fixture, "grpc-encoding", "gzip", false);
    ADD(fixture, 1, "\0\0\0\0\3one\0\0\0\0\3two\0\0\0");
    check(fixture, 20 * MS, false, "1+ Content-Type,grpc-encoding,|one|grpc 1\n2+ |two|grpc 2\n");
    ADD(fixture, 30 * MS, "\0\0\1\0\0\0\x16");
    add(fixture, 30 * MS, gzip_hi, sizeof(gzip_hi));
    check(fixture, 31 * MS, false, "3+ ||grpc 3\n4+ |hi|grpc 4gzip 22\n");
    ADD(fixture, 40 * MS, "\0\0\0\0\4fo");
    add_field(fixture, "grpc-status", "1", true);
    check_end(fixture, "5 ;grpc-status,||[incomplete: the end of a gRPC message is missing]\n");
}

static void emit_no_grpc_is_shown_as_it_is(void **state)
{
    struct fixture *fixture = fixture_new("application/grpc");

    (void)state;
    ADD(fixture, 1, "not at all");
    check(fixture, 20 * MS, false, "1+ Content-Type,|not at all|\n");
    check_end(fixture, "2 ||\n");
}

static void emit_loss_is_told_and_ends_decoding(void **state)
{
    struct fixture *fixture = fixture_new("text/event-stream");

    (void)state;
    add_field(fixture, "Content-Encoding", "gzip", false);
    ec_text_message_add_loss(fixture->message, 7);
    check(fixture, 20 * MS, false,
          "1+ Content-Type,Content-Encoding,||gzip 7[incomplete: 7 bytes of the body were lost]"
          "[incomplete: what comes behind a loss can't be decoded]\n");
    ADD(fixture, 30 * MS, "abc");
    check(fixture, 31 * MS, false, "");
    check_end(fixture, "2 ||gzip 3[incomplete: what comes behind a loss can't be decoded]\n");
}

static void emit_endless_data_are_bounded(void **state)
{
    struct fixture *fixture = fixture_new("application/octet-stream");
    g_autofree char *mebibyte = g_malloc0(1 << 20);

    (void)state;
    for (uint64_t second = 1; second < 10; second++) {
        add(fixture, second * 1000 * MS, mebibyte, 1 << 20);
        ec_text_part_emit(fixture->message, &fixture->receiver, second * 1000 * MS);
        assert_true(fixture->budget.used < 1 << 20);
    }
    assert_non_null(strstr(fixture->log->str, "\n4+ "));
    assert_null(strstr(fixture->log->str, "\n5+ "));
    check_end(fixture, "5 ||[incomplete: the body's last 5242880 bytes were not kept]\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emit_short_message_stays_whole),
        cmocka_unit_test(emit_slow_text_comes_by_lines_each_second),
        cmocka_unit_test(emit_header_without_body_comes_after_a_moment),
        cmocka_unit_test(emit_events_come_whole_and_at_once),
        cmocka_unit_test(emit_coded_events_are_decoded_as_they_come),
        cmocka_unit_test(emit_without_memory_for_a_decoder_stays_whole),
        cmocka_unit_test(emit_unknown_coding_is_told),
        cmocka_unit_test(finish_grpc_message_is_one_block),
        cmocka_unit_test(emit_grpc_messages_are_a_part_each),
        cmocka_unit_test(emit_no_grpc_is_shown_as_it_is),
        cmocka_unit_test(emit_loss_is_told_and_ends_decoding),
        cmocka_unit_test(emit_endless_data_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
