/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two circular arrays of one power-of-two capacity: `slots` in ring order, `order` in timestamp
 * order, naming slots. Both are indexed by ever-growing counters.
 */
#include "queue.h"

struct slot {
    const struct ec_record *record;
    uint64_t time;
    uint64_t next;
    bool done;
};

struct ec_queue {
    size_t capacity;
    struct slot *slots;
    uint64_t slots_begin, slots_end;
    uint64_t *order;
    uint64_t order_begin, order_end;
};

#define AT(queue, i) ((i) & ((queue)->capacity - 1))

ec_queue *ec_queue_new(void)
{
    ec_queue *queue = g_new0(ec_queue, 1);

    queue->capacity = 1024;
    queue->slots = g_new(struct slot, queue->capacity);
    queue->order = g_new(uint64_t, queue->capacity);
    return queue;
}

void ec_queue_free(ec_queue *queue)
{
    if (!queue)
        return;
    g_free(queue->slots);
    g_free(queue->order);
    g_free(queue);
}

static void grow(ec_queue *queue)
{
    ec_queue old = *queue;

    queue->capacity *= 2;
    queue->slots = g_new(struct slot, queue->capacity);
    queue->order = g_new(uint64_t, queue->capacity);
    for (uint64_t i = old.slots_begin; i < old.slots_end; i++)
        queue->slots[AT(queue, i)] = old.slots[AT(&old, i)];
    for (uint64_t i = old.order_begin; i < old.order_end; i++)
        queue->order[AT(queue, i)] = old.order[AT(&old, i)];
    g_free(old.slots);
    g_free(old.order);
}

void ec_queue_push(ec_queue *queue, const struct ec_record *record, uint64_t next)
{
    uint64_t slot, at;

    if (queue->slots_end - queue->slots_begin == queue->capacity)
        grow(queue);
    slot = queue->slots_end++;
    queue->slots[AT(queue, slot)] = (struct slot){record, record->time, next, false};
    for (at = queue->order_end++; at > queue->order_begin; at--) {
        uint64_t before = queue->order[AT(queue, at - 1)];

        if (queue->slots[AT(queue, before)].time <= record->time)
            break;
        queue->order[AT(queue, at)] = before;
    }
    queue->order[AT(queue, at)] = slot;
}

const struct ec_record *ec_queue_get(const ec_queue *queue, size_t i)
{
    if (i >= ec_queue_get_length(queue))
        return NULL;
    return queue->slots[AT(queue, queue->order[AT(queue, queue->order_begin + i)])].record;
}

size_t ec_queue_get_length(const ec_queue *queue)
{
    return (size_t)(queue->order_end - queue->order_begin);
}

bool ec_queue_pop(ec_queue *queue, uint64_t *ret_position)
{
    bool moved = false;

    if (ec_queue_get_length(queue) == 0)
        return false;
    queue->slots[AT(queue, queue->order[AT(queue, queue->order_begin++)])].done = true;
    while (queue->slots_begin < queue->slots_end && queue->slots[AT(queue, queue->slots_begin)].done) {
        *ret_position = queue->slots[AT(queue, queue->slots_begin++)].next;
        moved = true;
    }
    return moved;
}
