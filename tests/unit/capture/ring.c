/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include "ring-feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SIZE 4096

struct fixture {
    struct ring_feed feed;
    ec_ring *ring;
};

static int open_ring(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    *state = fixture;
    if (ring_feed_open(&fixture->feed, SIZE))
        fixture->ring = ec_ring_open(fixture->feed.ring, SIZE, NULL);
    return 0;
}

static int close_ring(void **state)
{
    struct fixture *fixture = *state;

    ec_ring_close(fixture->ring);
    ring_feed_close(&fixture->feed);
    g_free(fixture);
    return 0;
}

static struct fixture *get_fixture(void **state)
{
    struct fixture *fixture = *state;

    if (!fixture->ring) {
        print_message("skipped: no privilege to make a ring buffer (CAP_BPF)\n");
        skip();
    }
    return fixture;
}

static void put(struct fixture *fixture, uint64_t value)
{
    assert_true(ring_feed_put(&fixture->feed, &value, sizeof(value)));
}

static uint64_t take(struct fixture *fixture, uint64_t *ret_next)
{
    const void *record;
    uint32_t len;

    assert_int_equal(ec_ring_read(fixture->ring, ec_ring_get_end(fixture->ring), &record, &len, ret_next),
                     EC_RING_RECORD);
    assert_int_equal(len, FEED_LEN);
    return *(const uint64_t *)record;
}

static void read_empty_returns_end(void **state)
{
    struct fixture *fixture = get_fixture(state);
    const void *record;
    uint64_t next;
    uint32_t len;

    assert_false(ec_ring_has_unread(fixture->ring));
    assert_int_equal(ec_ring_read(fixture->ring, ec_ring_get_end(fixture->ring), &record, &len, &next), EC_RING_END);
}

static void read_up_to_an_end_leaves_later_records(void **state)
{
    struct fixture *fixture = get_fixture(state);
    uint64_t end, next;
    const void *record;
    uint32_t len;

    put(fixture, 1);
    end = ec_ring_get_end(fixture->ring);
    put(fixture, 2);
    assert_int_equal(ec_ring_read(fixture->ring, end, &record, &len, &next), EC_RING_RECORD);
    assert_int_equal(ec_ring_read(fixture->ring, end, &record, &len, &next), EC_RING_END);
    assert_true(ec_ring_has_unread(fixture->ring));
    assert_int_equal(take(fixture, &next), 2);
}

static void release_part_makes_room_and_keeps_the_rest_readable(void **state)
{
    struct fixture *fixture = get_fixture(state);
    const uint64_t *kept;
    const void *record;
    uint64_t first, next;
    uint32_t len;

    for (uint64_t i = 0; i < SIZE / FEED_SLOT; i++)
        put(fixture, i);
    assert_int_equal(ec_ring_get_fill(fixture->ring), SIZE / FEED_SLOT * FEED_SLOT);
    put(fixture, 99); /* no room: lost */
    assert_int_equal(ec_ring_get_fill(fixture->ring), SIZE / FEED_SLOT * FEED_SLOT);
    assert_int_equal(take(fixture, &first), 0);
    ec_ring_read(fixture->ring, ec_ring_get_end(fixture->ring), &record, &len, &next);
    kept = record;
    ec_ring_release(fixture->ring, first);
    put(fixture, 100); /* into the room of record 0, around the ring's end */
    assert_int_equal(*kept, 1);
    for (uint64_t i = 2; i < SIZE / FEED_SLOT; i++)
        assert_int_equal(take(fixture, &next), i);
    assert_int_equal(take(fixture, &next), 100);
    ec_ring_release_read(fixture->ring);
    assert_int_equal(ec_ring_get_fill(fixture->ring), 0);
}

static void open_bad_descriptor_fails(void **state)
{
    g_autoptr(GError) error = NULL;
    (void)state;

    assert_null(ec_ring_open(-1, SIZE, &error));
    assert_non_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_empty_returns_end, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(read_up_to_an_end_leaves_later_records, open_ring, close_ring),
        cmocka_unit_test_setup_teardown(release_part_makes_room_and_keeps_the_rest_readable, open_ring, close_ring),
        cmocka_unit_test(open_bad_descriptor_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
