/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-http1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define IN EC_DIRECTION_IN
#define OUT EC_DIRECTION_OUT

/* Each message as "kind direction start-line|name:value…|body|notes", one a line. */
struct fixture {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    ec_http1 *http1;
    GString *log;
};

static void append_fields(GString *log, const ec_text_message *message)
{
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        g_string_append_printf(log, "%s%.*s:%.*s", field->trailer ? ";" : ",", (int)field->name_len,
                               message->text->str + field->name, (int)field->value_len,
                               message->text->str + field->value);
    }
}

static void log_message(ec_text_message *message, void *data)
{
    struct fixture *fixture = data;
    GString *log = fixture->log;

    g_string_append(log, message->direction == OUT ? "> " : "< ");
    if (message->kind == EC_TEXT_REQUEST)
        g_string_append_printf(log, "%s %s %s", message->method, message->target, message->protocol);
    else if (message->kind == EC_TEXT_RESPONSE)
        g_string_append_printf(log, "%s %u %s (%s)", message->protocol, message->status,
                               message->reason ? message->reason : "-", message->method ? message->method : "-");
    append_fields(log, message);
    g_string_append_printf(log, "|%.*s|", (int)message->body->len, (const char *)message->body->data);
    for (guint i = 0; i < message->notes->len; i++)
        g_string_append_printf(log, "[%s]", (const char *)g_ptr_array_index(message->notes, i));
    g_string_append_c(log, '\n');
    ec_text_message_free(message);
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->budget.max = 64 << 20;
    fixture->receiver = (struct ec_text_receiver){&fixture->budget, log_message, fixture};
    fixture->http1 = ec_http1_new(&fixture->receiver);
    fixture->log = g_string_new(NULL);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    bool leaked;

    ec_http1_free(fixture->http1);
    leaked = fixture->budget.used != 0;
    g_string_free(fixture->log, TRUE);
    g_free(fixture);
    return leaked ? -1 : 0;
}

static void take(struct fixture *fixture, enum ec_direction direction, const char *text)
{
    ec_http1_take(fixture->http1, 1, direction, (const uint8_t *)text, strlen(text));
}

/* What a list of calls gives, when each call is cut into pieces of `piece` bytes. */
struct call {
    enum ec_direction direction;
    const char *text;
};

static void check_calls(const struct call *calls, size_t n, const char *expected)
{
    static const size_t pieces[] = {1, 2, 3, 7, SIZE_MAX};

    for (size_t p = 0; p < G_N_ELEMENTS(pieces); p++) {
        void *state;
        struct fixture *fixture;

        set_up(&state);
        fixture = state;
        for (size_t i = 0; i < n; i++) {
            size_t len = strlen(calls[i].text);

            for (size_t at = 0; at < len; at += MIN(pieces[p], len - at))
                ec_http1_take(fixture->http1, i, calls[i].direction, (const uint8_t *)calls[i].text + at,
                              MIN(pieces[p], len - at));
        }
        ec_http1_end(fixture->http1, NULL);
        assert_string_equal(fixture->log->str, expected);
        assert_int_equal(tear_down(&state), 0);
    }
}
#define CHECK(expected, ...)                                                                                           \
    check_calls((const struct call[]){__VA_ARGS__}, sizeof((const struct call[]){__VA_ARGS__}) / sizeof(struct call),  \
                expected)

static void take_exchange_cut_anywhere_is_two_messages(void **state)
{
    (void)state;
    CHECK("> GET /a HTTP/1.1,Host:x||\n< HTTP/1.1 200 OK (GET),Content-Length:5|hello|\n",
          {OUT, "GET /a HTTP/1.1\r\nHost: x\r\n\r\n"}, {IN, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"});
}

static void take_chunked_body_is_joined(void **state)
{
    (void)state;
    CHECK("> POST / HTTP/1.1,Transfer-Encoding:chunked;X-Sum:7|Wikipedia in\r\n\r\nchunks.|\n",
          {OUT, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n6;x=y\r\npedia \r\nC\r\nin\r\n\r\n"
                "chunks\r\n1\r\n.\r\n0\r\nX-Sum: 7\r\n\r\n"});
}

static void take_bodiless_responses_end_at_their_head(void **state)
{
    (void)state;
    CHECK("> HEAD / HTTP/1.1||\n< HTTP/1.1 200 OK (HEAD),Content-Length:9||\n"
          "> GET /1 HTTP/1.1||\n< HTTP/1.1 304 - (GET),Content-Length:9||\n"
          "> PUT /2 HTTP/1.1,Content-Length:2|ab|\n"
          "< HTTP/1.1 100 Continue (PUT)||\n< HTTP/1.1 204 No Content (PUT)||\n",
          {OUT, "HEAD / HTTP/1.1\r\n\r\n"}, {IN, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"},
          {OUT, "GET /1 HTTP/1.1\r\n\r\n"}, {IN, "HTTP/1.1 304\r\nContent-Length: 9\r\n\r\n"},
          {OUT, "PUT /2 HTTP/1.1\r\nContent-Length: 2\r\n\r\nab"},
          {IN, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"});
}

static void take_pipelined_requests_pair_in_order(void **state)
{
    (void)state;
    CHECK("< GET /1 HTTP/1.1||\n< HEAD /2 HTTP/1.1||\n< GET /3 HTTP/1.1||\n"
          "> HTTP/1.1 200 OK (GET),Content-Length:1|a|\n> HTTP/1.1 200 OK (HEAD),Content-Length:1||\n"
          "> HTTP/1.1 200 OK (GET),Content-Length:1|c|\n",
          {IN, "GET /1 HTTP/1.1\r\n\r\nHEAD /2 HTTP/1.1\r\n\r\nGET /3 HTTP/1.1\r\n\r\n"},
          {OUT, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc"});
}

static void take_body_without_length_lasts_to_the_end(void **state)
{
    (void)state;
    CHECK("> GET / HTTP/1.0||\n< HTTP/1.0 200 OK (GET)|a\nHTTP/1.0 200 OK\r\n\r\nb|\n", {OUT, "GET / HTTP/1.0\r\n\r\n"},
          {IN, "HTTP/1.0 200 OK\r\n\r\na\nHTTP/1.0 200 OK\r\n\r\nb"});
}

static void take_upgrade_is_data_from_then_on(void **state)
{
    (void)state;
    CHECK("> GET /ws HTTP/1.1,Upgrade:websocket||\n< HTTP/1.1 101 Switching Protocols (GET)||\n"
          "> |GET /not HTTP/1.1\r\n\r\n|\n< |\x81\x02hi|\n",
          {OUT, "GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"}, {IN, "HTTP/1.1 101 Switching Protocols\r\n\r\n"},
          {OUT, "GET /not HTTP/1.1\r\n\r\n"}, {IN, "\x81\x02hi"});
}

static void take_connect_is_a_tunnel_unless_refused(void **state)
{
    (void)state;
    CHECK("> CONNECT h:1 HTTP/1.1||\n< HTTP/1.1 200 OK (CONNECT),Content-Length:3||\n> |secret|\n< |reply|\n",
          {OUT, "CONNECT h:1 HTTP/1.1\r\n\r\n"}, {IN, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"}, {OUT, "secret"},
          {IN, "reply"});
    CHECK("> CONNECT h:1 HTTP/1.1||\n< HTTP/1.1 407 - (CONNECT),Content-Length:2|no|\n> GET / HTTP/1.1||\n",
          {OUT, "CONNECT h:1 HTTP/1.1\r\n\r\n"}, {IN, "HTTP/1.1 407\r\nContent-Length: 2\r\n\r\nno"},
          {OUT, "GET / HTTP/1.1\r\n\r\n"});
}

static void take_folded_field_is_one_value(void **state)
{
    (void)state;
    CHECK("> GET / HTTP/1.1,A:b c,D:||\n", {OUT, "GET / HTTP/1.1\r\nA: b\r\n  c \r\nD:\r\n\r\n"});
}

static void take_no_http_is_data(void **state)
{
    (void)state;
    CHECK("< |* OK IMAP ready\r\n|\n> |a1 LOGIN x y\r\n\001\002|\n", {IN, "* OK IMAP ready\r\n"},
          {OUT, "a1 LOGIN x y\r\n\001\002"});
}

static void take_malformed_message_is_told_and_http_found_again(void **state)
{
    (void)state;
    CHECK("> GET / HTTP/1.1,Content-Length:5,Content-Length:6||[malformed: its Content-Length is no number, or two; "
          "what follows is shown as data]\n> |hello\n|\n> GET /b HTTP/1.1||\n",
          {OUT, "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello\nGET /b HTTP/1.1\r\n\r\n"});
    CHECK("> POST / HTTP/1.1,Transfer-Encoding:chunked|a|[malformed: a chunk without its size; what follows is shown "
          "as data]\n> GET /b HTTP/1.1||\n",
          {OUT, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\nGET /b HTTP/1.1\r\n\r\n"});
}

static void skip_within_a_body_stays_in_step(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, IN, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    ec_http1_skip(fixture->http1, 1, IN, 5);
    take(fixture, IN, "xyHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(fixture->log->str, "< HTTP/1.1 200 OK (-),Content-Length:10|abcxy|\n"
                                           "< HTTP/1.1 200 OK (-),Content-Length:0||\n");
}

static void skip_within_a_chunk_stays_in_step(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, IN, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabc");
    ec_http1_skip(fixture->http1, 1, IN, 5);
    take(fixture, IN, "\r\n0\r\n\r\n");
    assert_string_equal(fixture->log->str, "< HTTP/1.1 200 OK (-),Transfer-Encoding:chunked|abc|\n");
}

static void skip_beyond_a_message_is_told_and_http_found_again(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, OUT, "POST /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
    ec_http1_skip(fixture->http1, 1, OUT, 100);
    take(fixture, OUT, "st: x\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    assert_string_equal(fixture->log->str,
                        "> POST /1 HTTP/1.1,Content-Length:4|ab|[incomplete: 100 bytes were lost here]\n"
                        "> |st: x\r\n\r\n|[100 bytes before this were lost]\n> GET /2 HTTP/1.1||\n");
}

static void end_within_a_message_tells_why(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, OUT, "POST /1 HTTP/1.1\r\nContent-Length: 4\r\n\r\nab");
    ec_http1_end(fixture->http1, "the capture ended");
    assert_string_equal(fixture->log->str, "> POST /1 HTTP/1.1,Content-Length:4|ab|[incomplete: the capture ended]\n");
}

/* A call begins with what it sends, also behind data that ended no line: the rest of a body from before the capture. */
static void take_message_behind_unfinished_data_is_found(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, IN, "\x01rest of a body");
    ec_http1_flush(fixture->http1, 1);
    take(fixture, IN, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_string_equal(fixture->log->str, "< |\x01rest of a body|\n< HTTP/1.1 204 No Content (-)||\n");
}

static void flush_keeps_what_may_become_a_start_line(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, OUT, "GET /slow");
    ec_http1_flush(fixture->http1, 1);
    assert_string_equal(fixture->log->str, "");
    take(fixture, OUT, " HTTP/1.1\r\n\r\n");
    assert_string_equal(fixture->log->str, "> GET /slow HTTP/1.1||\n");
}

static void take_endless_header_is_bounded(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *line = g_strnfill(70000, 'a');

    take(fixture, OUT, "GET / HTTP/1.1\r\n");
    take(fixture, OUT, line);
    assert_non_null(strstr(fixture->log->str, "[malformed: a line that never ends;"));
    take(fixture, OUT, "\r\nGET / HTTP/1.1\r\n");
    for (unsigned i = 0; i < 50000 && !strstr(fixture->log->str, "never ends;"); i++)
        take(fixture, OUT, "A: b\r\n");
    g_string_truncate(fixture->log, 0);
    take(fixture, OUT, "GET /again HTTP/1.1\r\n");
    for (unsigned i = 0; i < 50000; i++)
        take(fixture, OUT, "Abc: def\r\n");
    assert_non_null(strstr(fixture->log->str, "its header never ends"));
    assert_true(fixture->budget.used < 2 * EC_TEXT_FIELDS_MAX);
}

static void take_body_beyond_the_budget_is_not_kept(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *body = g_strnfill(1 << 20, 'x');

    fixture->budget.max = 300000;
    take(fixture, OUT, "POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n");
    take(fixture, OUT, body);
    assert_true(fixture->budget.used == 0);
    assert_true(fixture->log->len > 200000 && fixture->log->len < 300100);
}

static void detect_tells_http_from_the_rest(void **state)
{
    static const struct {
        const char *text;
        enum ec_text_verdict verdict;
    } cases[] = {
        {"G", EC_TEXT_MAYBE},
        {"GET", EC_TEXT_MAYBE},
        {"GET /", EC_TEXT_MAYBE},
        {"get /", EC_TEXT_NO},
        {"GET / HTTP/1.1\r\n", EC_TEXT_YES},
        {"GET / HTTP/2\r\n", EC_TEXT_NO},
        {"HTT", EC_TEXT_MAYBE},
        {"HTTP/1.1 200", EC_TEXT_MAYBE},
        {"HTTP/1.1 200\n", EC_TEXT_YES},
        {"HTTP/1.1 2x0\n", EC_TEXT_NO},
        {"\x16\x03\x01", EC_TEXT_NO},
        {"GET /\x01", EC_TEXT_NO},
        {"a001 LOGIN", EC_TEXT_NO},
        {"PRI * HTTP/2.0\r\n", EC_TEXT_NO},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        assert_int_equal(ec_http1_detect((const uint8_t *)cases[i].text, strlen(cases[i].text)), cases[i].verdict);
}

static void flush_response_that_goes_on_gives_parts(void **state)
{
    struct fixture *fixture = *state;

    take(fixture, OUT, "GET / HTTP/1.1\r\n\r\n");
    take(fixture, IN, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n");
    g_string_truncate(fixture->log, 0);
    assert_false(ec_http1_flush(fixture->http1, 2000000000));
    take(fixture, IN, "\r\n4\r\none\n\r\n");
    assert_true(ec_http1_flush(fixture->http1, 500000000));
    assert_string_equal(fixture->log->str, "");
    assert_false(ec_http1_flush(fixture->http1, 1100000000));
    take(fixture, IN, "4\r\ntwo\n\r\n0\r\nT: 1\r\n\r\n");
    assert_string_equal(fixture->log->str, "< HTTP/1.1 200 OK (GET),Transfer-Encoding:chunked|one\n|\n"
                                           "< HTTP/1.1 200 - (GET);T:1|two\n|\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_exchange_cut_anywhere_is_two_messages),
        cmocka_unit_test(take_chunked_body_is_joined),
        cmocka_unit_test(take_bodiless_responses_end_at_their_head),
        cmocka_unit_test(take_pipelined_requests_pair_in_order),
        cmocka_unit_test(take_body_without_length_lasts_to_the_end),
        cmocka_unit_test(take_upgrade_is_data_from_then_on),
        cmocka_unit_test(take_connect_is_a_tunnel_unless_refused),
        cmocka_unit_test(take_folded_field_is_one_value),
        cmocka_unit_test(take_no_http_is_data),
        cmocka_unit_test(take_malformed_message_is_told_and_http_found_again),
        cmocka_unit_test_setup_teardown(skip_within_a_body_stays_in_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skip_within_a_chunk_stays_in_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(skip_beyond_a_message_is_told_and_http_found_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(end_within_a_message_tells_why, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_message_behind_unfinished_data_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flush_keeps_what_may_become_a_start_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_endless_header_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(take_body_beyond_the_budget_is_not_kept, set_up, tear_down),
        cmocka_unit_test(detect_tells_http_from_the_rest),
        cmocka_unit_test_setup_teardown(flush_response_that_goes_on_gives_parts, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
