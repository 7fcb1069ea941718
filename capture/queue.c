/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Circular arrays of one power-of-two capacity: for each ring its `slots` in ring order, and `order` in timestamp
 * order, naming slots. All are indexed by ever-growing counters.
 */
#include "queue.h"

struct slot {
    uint64_t next;
    bool done;
};

struct slots {
    struct slot *slots;
    uint64_t begin, end;
};

struct entry {
    const struct ec_record *record;
    uint64_t time; /* the record's, which lies in memory of its own */
    uint64_t slot;
    unsigned ring;
};

struct ec_queue {
    size_t capacity;
    struct slots *rings;
    unsigned n_rings;
    struct entry *order;
    uint64_t begin, end;
};

#define AT(queue, i) ((i) & ((queue)->capacity - 1))

ec_queue *ec_queue_new(unsigned rings)
{
    ec_queue *queue = g_new0(ec_queue, 1);

    queue->capacity = 1024;
    queue->n_rings = rings;
    queue->rings = g_new0(struct slots, rings);
    for (unsigned i = 0; i < rings; i++)
        queue->rings[i].slots = g_new(struct slot, queue->capacity);
    queue->order = g_new(struct entry, queue->capacity);
    return queue;
}

void ec_queue_free(ec_queue *queue)
{
    if (!queue)
        return;
    for (unsigned i = 0; i < queue->n_rings; i++)
        g_free(queue->rings[i].slots);
    g_free(queue->rings);
    g_free(queue->order);
    g_free(queue);
}

static void grow(ec_queue *queue)
{
    ec_queue old = *queue;

    queue->capacity *= 2;
    queue->order = g_new(struct entry, queue->capacity);
    for (uint64_t i = old.begin; i < old.end; i++)
        queue->order[AT(queue, i)] = old.order[AT(&old, i)];
    g_free(old.order);
    for (unsigned ring = 0; ring < queue->n_rings; ring++) {
        struct slots *slots = &queue->rings[ring];
        struct slot *before = slots->slots;

        slots->slots = g_new(struct slot, queue->capacity);
        for (uint64_t i = slots->begin; i < slots->end; i++)
            slots->slots[AT(queue, i)] = before[AT(&old, i)];
        g_free(before);
    }
}

void ec_queue_push(ec_queue *queue, unsigned ring, const struct ec_record *record, uint64_t next)
{
    struct slots *slots = &queue->rings[ring];
    struct entry entry = {.record = record, .time = record->time, .ring = ring};
    uint64_t at;

    if (slots->end - slots->begin == queue->capacity || queue->end - queue->begin == queue->capacity)
        grow(queue);
    entry.slot = slots->end++;
    slots->slots[AT(queue, entry.slot)] = (struct slot){next, false};
    for (at = queue->end++; at > queue->begin; at--) {
        const struct entry *before = &queue->order[AT(queue, at - 1)];

        if (before->time <= entry.time)
            break;
        queue->order[AT(queue, at)] = *before;
    }
    queue->order[AT(queue, at)] = entry;
}

const struct ec_record *ec_queue_get(const ec_queue *queue, size_t i)
{
    return i < ec_queue_get_length(queue) ? queue->order[AT(queue, queue->begin + i)].record : NULL;
}

size_t ec_queue_get_length(const ec_queue *queue)
{
    return (size_t)(queue->end - queue->begin);
}

bool ec_queue_pop(ec_queue *queue, unsigned *ret_ring, uint64_t *ret_position)
{
    const struct entry *earliest = &queue->order[AT(queue, queue->begin)];
    bool moved = false;
    struct slots *slots;

    if (ec_queue_get_length(queue) == 0)
        return false;
    queue->begin++;
    slots = &queue->rings[earliest->ring];
    slots->slots[AT(queue, earliest->slot)].done = true;
    while (slots->begin < slots->end && slots->slots[AT(queue, slots->begin)].done) {
        *ret_position = slots->slots[AT(queue, slots->begin++)].next;
        moved = true;
    }
    if (moved)
        *ret_ring = earliest->ring;
    return moved;
}
