/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void push_from(ec_queue *queue, unsigned ring, struct ec_packet *packet, uint64_t time, uint64_t next)
{
    packet->record.time = time;
    ec_queue_push(queue, ring, &packet->record, next);
}

static void push(ec_queue *queue, struct ec_packet *packet, uint64_t time, uint64_t next)
{
    push_from(queue, 0, packet, time, next);
}

static void get_after_unordered_pushes_returns_by_time(void **state)
{
    g_autoptr(ec_queue) queue = ec_queue_new(1);
    struct ec_packet packets[4] = {0};
    (void)state;

    push(queue, &packets[0], 20, 1);
    push(queue, &packets[1], 10, 2);
    push(queue, &packets[2], 30, 3);
    push(queue, &packets[3], 20, 4);
    assert_ptr_equal(ec_queue_get(queue, 0), &packets[1]);
    assert_ptr_equal(ec_queue_get(queue, 1), &packets[0]); /* of equal times the first stays first */
    assert_ptr_equal(ec_queue_get(queue, 2), &packets[3]);
    assert_ptr_equal(ec_queue_get(queue, 3), &packets[2]);
    assert_null(ec_queue_get(queue, 4));
}

static void pop_out_of_ring_order_gives_back_only_what_is_done(void **state)
{
    g_autoptr(ec_queue) queue = ec_queue_new(1);
    struct ec_packet packets[3] = {0};
    uint64_t position = 0;
    unsigned ring;
    (void)state;

    push(queue, &packets[0], 30, 100);
    push(queue, &packets[1], 10, 200);
    push(queue, &packets[2], 20, 300);
    assert_false(ec_queue_pop(queue, &ring, &position)); /* the second in the ring: the first still holds it */
    assert_false(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(position, 0);
    assert_true(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(position, 300);
    assert_false(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(ec_queue_get_length(queue), 0);
}

static void pop_of_two_rings_gives_back_each_for_itself(void **state)
{
    g_autoptr(ec_queue) queue = ec_queue_new(2);
    struct ec_packet packets[4] = {0};
    uint64_t position = 0;
    unsigned ring = 9;
    (void)state;

    push_from(queue, 0, &packets[0], 10, 100);
    push_from(queue, 1, &packets[1], 40, 7);
    push_from(queue, 1, &packets[2], 20, 8);
    push_from(queue, 0, &packets[3], 30, 200);
    assert_ptr_equal(ec_queue_get(queue, 1), &packets[2]);
    assert_true(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(ring, 0);
    assert_int_equal(position, 100);
    assert_false(ec_queue_pop(queue, &ring, &position)); /* the first of ring 1 still holds it */
    assert_true(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(ring, 0);
    assert_int_equal(position, 200);
    assert_true(ec_queue_pop(queue, &ring, &position));
    assert_int_equal(ring, 1);
    assert_int_equal(position, 8);
}

static void push_beyond_capacity_keeps_order(void **state)
{
    enum { COUNT = 5000 };
    g_autoptr(ec_queue) queue = ec_queue_new(1);
    g_autofree struct ec_packet *packets = g_new0(struct ec_packet, COUNT);
    uint64_t position = 0, last = 0;
    unsigned ring;
    (void)state;

    for (uint64_t i = 0; i < 700; i++) /* so that the circle does not begin at 0 when it grows */
        push(queue, &packets[0], i, i);
    for (uint64_t i = 0; i < 700; i++)
        ec_queue_pop(queue, &ring, &position);
    for (uint64_t i = 0; i < COUNT; i++)
        push(queue, &packets[i], 1000 + (i ^ 3), 1000 + i);
    for (uint64_t i = 0; i < COUNT; i++) {
        assert_true(ec_queue_get(queue, 0)->time > last);
        last = ec_queue_get(queue, 0)->time;
        ec_queue_pop(queue, &ring, &position);
    }
    assert_int_equal(position, 1000 + COUNT - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_after_unordered_pushes_returns_by_time),
        cmocka_unit_test(pop_out_of_ring_order_gives_back_only_what_is_done),
        cmocka_unit_test(pop_of_two_rings_gives_back_each_for_itself),
        cmocka_unit_test(push_beyond_capacity_keeps_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
