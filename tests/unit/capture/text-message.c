/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* gzip -n <<<hello, without its newline */
static const uint8_t gzip_hello[] = {0x1f, 0x8b, 8, 0, 0,    0,    0,    0,    0, 3, 0xcb, 0x48, 0xcd,
                                     0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36, 5, 0, 0,    0};

struct fixture {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    ec_text_message *emitted; /* the last */
    unsigned n;
};

static void keep(ec_text_message *message, void *data)
{
    struct fixture *fixture = data;

    ec_text_message_free(fixture->emitted);
    fixture->emitted = message;
    fixture->n++;
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->budget.max = 16 << 20;
    fixture->receiver = (struct ec_text_receiver){&fixture->budget, keep, fixture};
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    size_t used;

    ec_text_message_free(fixture->emitted);
    used = fixture->budget.used;
    g_free(fixture);
    return used ? -1 : 0;
}

static ec_text_message *make(struct fixture *fixture)
{
    return ec_text_message_new(&fixture->receiver, EC_TEXT_RESPONSE, 1, EC_DIRECTION_IN);
}

static void add(ec_text_message *message, const char *name, const char *value)
{
    ec_text_message_add_field(message, name, strlen(name), value, strlen(value), false);
}

static void join_fields_of_one_name_are_joined(void **state)
{
    g_autoptr(ec_text_message) message = make(*state);
    g_autofree char *joined = NULL;

    add(message, "Via", "a");
    add(message, "X", "b");
    add(message, "via", "c");
    joined = ec_text_message_join_fields(message, "VIA");
    assert_string_equal(joined, "a,c");
    assert_null(ec_text_message_join_fields(message, "none"));
}

static void decode_gzip_body_is_decoded(void **state)
{
    g_autoptr(ec_text_message) message = make(*state);

    add(message, "Content-Encoding", "gzip");
    add(message, "Transfer-Encoding", "chunked");
    ec_text_message_add_body(message, 1, gzip_hello, sizeof(gzip_hello));
    ec_text_message_decode(message);
    assert_int_equal(message->body->len, 5);
    assert_memory_equal(message->body->data, "hello", 5);
    assert_string_equal(message->codings, "gzip");
    assert_int_equal(message->coded_len, sizeof(gzip_hello));
    assert_int_equal(message->notes->len, 0);
}

static void decode_body_with_a_loss_ends_at_it(void **state)
{
    g_autoptr(ec_text_message) message = make(*state);

    add(message, "Content-Encoding", "gzip");
    ec_text_message_add_body(message, 1, gzip_hello, 15);
    ec_text_message_add_loss(message, 3);
    ec_text_message_add_body(message, 1, gzip_hello + 18, sizeof(gzip_hello) - 18);
    ec_text_message_decode(message);
    assert_int_equal(message->body->len, 4);
    assert_memory_equal(message->body->data, "hell", 4);
    assert_int_equal(message->notes->len, 2);
    assert_non_null(strstr(g_ptr_array_index(message->notes, 0), "3 bytes of the body were lost"));
    assert_non_null(strstr(g_ptr_array_index(message->notes, 1), "the coded data end early"));
}

static void decode_body_that_lies_about_its_coding_is_told(void **state)
{
    g_autoptr(ec_text_message) message = make(*state);

    add(message, "Content-Encoding", "br, rot13");
    ec_text_message_add_body(message, 1, (const uint8_t *)"hello", 5);
    ec_text_message_decode(message);
    assert_memory_equal(message->body->data, "hello", 5);
    assert_string_equal(g_ptr_array_index(message->notes, 0), "not decoded: an unknown coding (br, rot13)");
}

static void add_body_beyond_its_limit_is_told(void **state)
{
    g_autoptr(ec_text_message) message = make(*state);
    g_autofree uint8_t *mebibyte = g_malloc0(1 << 20);

    for (unsigned i = 0; i < 5; i++)
        ec_text_message_add_body(message, 1, mebibyte, 1 << 20);
    assert_int_equal(message->body->len, EC_TEXT_BODY_MAX);
    assert_int_equal(message->body_len, 5 << 20);
    ec_text_message_decode(message);
    assert_string_equal(g_ptr_array_index(message->notes, 0),
                        "incomplete: the body's last 1048576 bytes were not kept");
}

static void raw_take_joins_one_direction_until_it_changes(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_raw raw = {0};

    ec_text_raw_take(&raw, &fixture->receiver, 1, EC_DIRECTION_OUT, (const uint8_t *)"ab", 2);
    ec_text_raw_take(&raw, &fixture->receiver, 2, EC_DIRECTION_OUT, (const uint8_t *)"c", 1);
    assert_int_equal(fixture->n, 0);
    ec_text_raw_take(&raw, &fixture->receiver, 3, EC_DIRECTION_IN, (const uint8_t *)"d", 1);
    assert_int_equal(fixture->n, 1);
    assert_memory_equal(fixture->emitted->body->data, "abc", 3);
    assert_int_equal(fixture->emitted->time, 1);
    ec_text_raw_flush(&raw, &fixture->receiver);
    ec_text_raw_flush(&raw, &fixture->receiver);
    assert_int_equal(fixture->n, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(join_fields_of_one_name_are_joined, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decode_gzip_body_is_decoded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decode_body_with_a_loss_ends_at_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(decode_body_that_lies_about_its_coding_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(add_body_beyond_its_limit_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(raw_take_joins_one_direction_until_it_changes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
