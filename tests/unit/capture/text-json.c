/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIME 1795242056123456789ull /* 2026-11-21 06:20:56 UTC */
#define WHO "\"pid\":1234,\"tid\":1235,\"comm\":\"curl\",\"uid\":1000,\"user\":\"alice\""

static const struct ec_owner owner = {.pid = 1234, .tid = 1235, .uid = 1000, .comm = "curl"};
static const struct ec_sink_connection connection = {
    .id = 7,
    .addressed = true,
    .local = {{[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}, 5000},
    .remote = {{0x20, 1, [15] = 1}, 443},
};
static const struct ec_text_origin origin = {&owner, "alice", &connection};
static const struct ec_text_style whole = {.shown_max = SIZE_MAX};
static struct ec_text_budget budget = {.max = 1 << 20};
static const struct ec_text_receiver receiver = {&budget, NULL, NULL};

static void message_response_has_all_its_fields(void **state)
{
    g_autoptr(ec_text_message) message = ec_text_message_new(&receiver, EC_TEXT_RESPONSE, TIME, EC_DIRECTION_IN);
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    message->protocol = "HTTP/1.1";
    message->method = g_strdup("GET");
    message->target = g_strdup("/\"a");
    message->status = 200;
    message->reason = g_strdup("OK");
    ec_text_message_add_field(message, "A", 1, "b", 1, false);
    ec_text_message_add_field(message, "C", 1, "d", 1, true);
    ec_text_message_add_body(message, 1, (const uint8_t *)"hi\n\033", 4);
    ec_text_message_add_note(message, "remark");
    ec_text_json_message(out, &whole, &origin, message);
    assert_string_equal(
        out->str,
        "{\"type\":\"response\",\"time\":\"2026-11-21T06:20:56.123456789Z\"," WHO
        ",\"direction\":\"received\",\"connection\":7,\"local\":{\"address\":\"127.0.0.1\",\"port\":5000},"
        "\"remote\":{\"address\":\"2001::1\",\"port\":443},\"protocol\":\"HTTP/1.1\",\"method\":\"GET\","
        "\"target\":\"/\\\"a\",\"status\":200,\"reason\":\"OK\",\"headers\":[{\"name\":\"A\",\"value\":\"b\"}],"
        "\"trailers\":[{\"name\":\"C\",\"value\":\"d\"}],\"body\":\"hi\\u000a\\u001b\","
        "\"body_length\":4,\"notes\":[\"remark\"]}\n");
}

static void message_binary_body_is_base64(void **state)
{
    g_autoptr(ec_text_message) message = ec_text_message_new(&receiver, EC_TEXT_DATA, TIME, EC_DIRECTION_OUT);
    g_autoptr(GString) out = g_string_new(NULL);
    struct ec_text_style cut = {.shown_max = 3};

    (void)state;
    ec_text_message_add_body(message, 1, (const uint8_t *)"\xff\xfe\xfd\xfc", 4);
    ec_text_json_message(out, &cut, &origin, message);
    assert_non_null(strstr(out->str, ",\"body_base64\":\"//79\",\"body_length\":4,\"body_truncated\":true}\n"));
}

static void command_has_all_its_fields(void **state)
{
    struct ec_sink_command command = {.started = TIME,
                                      .time = TIME + 1,
                                      .owner = &owner,
                                      .text = "ls",
                                      .len = 2,
                                      .truncated = true,
                                      .has_status = true,
                                      .status = 2,
                                      .cwd = "/"};
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *expected = g_strdup_printf(
        "{\"type\":\"command\",\"time\":\"2026-11-21T06:20:56.123456789Z\",\"ended\":\"2026-11-21T06:20:56."
        "123456790Z\"," WHO
        ",\"module\":\"%s\",\"tty\":null,\"cwd\":\"/\",\"status\":2,\"command\":\"ls\",\"command_length\":3,"
        "\"command_truncated\":true}\n",
        ec_modules[0].name);

    (void)state;
    ec_text_json_command(out, &whole, &command, "alice");
    assert_string_equal(out->str, expected);
}

static void statement_has_all_its_fields(void **state)
{
    struct ec_sink_statement statement = {.started = TIME,
                                          .time = TIME + 1,
                                          .owner = &owner,
                                          .user = "app",
                                          .text = "SELECT 1",
                                          .len = 8,
                                          .full_len = 8,
                                          .has_rows = true,
                                          .rows = 1};
    g_autoptr(GString) out = g_string_new(NULL);
    g_autofree char *expected = g_strdup_printf(
        "{\"type\":\"statement\",\"time\":\"2026-11-21T06:20:56.123456789Z\","
        "\"ended\":\"2026-11-21T06:20:56.123456790Z\"," WHO ",\"module\":\"%s\",\"database_user\":\"app\","
        "\"database\":null,\"duration_ns\":1,\"rows\":1,\"statement\":\"SELECT 1\",\"statement_length\":8}\n",
        ec_modules[0].name);

    (void)state;
    ec_text_json_statement(out, &whole, &statement, "alice");
    assert_string_equal(out->str, expected);
}

static void loss_is_an_event(void **state)
{
    g_autoptr(GString) out = g_string_new(NULL);

    (void)state;
    ec_text_json_loss(out, 3);
    assert_string_equal(out->str, "{\"type\":\"dropped\",\"events\":3}\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(message_response_has_all_its_fields),
        cmocka_unit_test(message_binary_body_is_base64),
        cmocka_unit_test(command_has_all_its_fields),
        cmocka_unit_test(statement_has_all_its_fields),
        cmocka_unit_test(loss_is_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
