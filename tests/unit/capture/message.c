/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include "ring-feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SIZE = 65536, NOW = 1000 };

static ec_messages *open_messages(struct ring_feed *feed)
{
    const struct ec_message_output output = {0};
    ec_messages *messages;

    if (!ring_feed_open(feed, SIZE)) {
        print_message("skipped: no privilege to make a ring buffer (CAP_BPF)\n");
        skip();
    }
    messages = ec_messages_new(feed->ring, SIZE, &output, NULL);
    assert_non_null(messages);
    return messages;
}

static void put(const struct ring_feed *feed, uint32_t size)
{
    const struct ec_record record = {.type = UINT16_MAX, .size = size, .time = NOW};

    assert_true(ring_feed_put(feed, &record, sizeof(record)));
}

static void ec_messages_read_malformed_is_counted_and_passed_over(void **state)
{
    struct ring_feed feed;
    g_autoptr(ec_messages) messages = open_messages(&feed);
    (void)state;

    put(&feed, sizeof(struct ec_record) - 1);
    put(&feed, FEED_LEN + 1);
    put(&feed, FEED_LEN);
    assert_int_equal(ec_messages_read(messages, NOW), 2);
    assert_int_equal(ec_messages_get_watermark(messages), NOW);
    assert_non_null(ec_messages_get(messages));
    assert_int_equal(ec_messages_read(messages, NOW), 0);
    ring_feed_close(&feed);
}

static void ec_messages_take_unknown_type_is_removed(void **state)
{
    struct ring_feed feed;
    g_autoptr(ec_messages) messages = open_messages(&feed);
    (void)state;

    put(&feed, FEED_LEN);
    assert_int_equal(ec_messages_read(messages, NOW), 0);
    assert_false(ec_messages_take(messages));
    assert_null(ec_messages_get(messages));
    ring_feed_close(&feed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_messages_read_malformed_is_counted_and_passed_over),
        cmocka_unit_test(ec_messages_take_unknown_type_is_removed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
