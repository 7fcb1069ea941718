/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "packet-rings.h"

#include "queue.h"

enum { NEAR, FAR, RINGS };

struct source {
    ec_ring *ring;
    size_t size;
    uint64_t release; /* position to give back */
    /* While it is read: */
    uint64_t end;
    enum ec_ring_result result;
    const struct ec_packet *packet; /* the next one; NULL: no more before `end` */
    uint64_t next;                  /* position behind it */
};

struct ec_packet_rings {
    struct source sources[RINGS];
    ec_queue *queue;
    uint64_t watermark;
    uint64_t invalid;
};

ec_packet_rings *ec_packet_rings_new(struct ec_ring_map near, struct ec_ring_map packets, GError **error)
{
    g_autoptr(ec_packet_rings) rings = g_new0(ec_packet_rings, 1);
    const struct ec_ring_map maps[RINGS] = {[NEAR] = near, [FAR] = packets};

    rings->queue = ec_queue_new(RINGS);
    for (unsigned i = 0; i < RINGS; i++) {
        rings->sources[i].size = maps[i].size;
        rings->sources[i].ring = ec_ring_open(maps[i].fd, maps[i].size, error);
        if (!rings->sources[i].ring)
            return NULL;
    }
    return g_steal_pointer(&rings);
}

void ec_packet_rings_free(ec_packet_rings *rings)
{
    if (!rings)
        return;
    for (unsigned i = 0; i < RINGS; i++)
        ec_ring_close(rings->sources[i].ring);
    ec_queue_free(rings->queue);
    g_free(rings);
}

static bool is_sound(const struct ec_packet *packet, uint32_t len)
{
    return len >= sizeof(*packet) && packet->record.type == EC_RECORD_PACKET && packet->record.size <= len &&
           packet->caplen <= packet->record.size - sizeof(*packet) && packet->caplen <= packet->len &&
           packet->record.size >= sizeof(*packet);
}

static void fetch(ec_packet_rings *rings, struct source *source)
{
    const void *memory;
    uint32_t len;

    while ((source->result = ec_ring_read(source->ring, source->end, &memory, &len, &source->next)) == EC_RING_RECORD) {
        source->packet = memory;
        if (is_sound(source->packet, len))
            return;
        rings->invalid++;
    }
    source->packet = NULL;
}

unsigned ec_packet_rings_read(ec_packet_rings *rings, uint64_t now)
{
    struct source *near = &rings->sources[NEAR], *far = &rings->sources[FAR];
    unsigned batch = 0;

    near->end = ec_ring_get_end(near->ring);
    far->end = ec_ring_get_end(far->ring);
    fetch(rings, near);
    fetch(rings, far);
    /* Both nearly rise, so the queue has little to move. */
    for (; near->packet || far->packet; batch++) {
        bool is_far = !near->packet || (far->packet && far->packet->record.time < near->packet->record.time);
        struct source *source = is_far ? far : near;

        ec_queue_push(rings->queue, is_far ? FAR : NEAR, &source->packet->record, source->next);
        fetch(rings, source);
    }
    if (near->result == EC_RING_END && far->result == EC_RING_END)
        rings->watermark = now;
    return batch;
}

uint64_t ec_packet_rings_get_watermark(const ec_packet_rings *rings)
{
    return rings->watermark;
}

uint64_t ec_packet_rings_get_invalid(const ec_packet_rings *rings)
{
    return rings->invalid;
}

const struct ec_packet *ec_packet_rings_get(const ec_packet_rings *rings, size_t i)
{
    return (const struct ec_packet *)ec_queue_get(rings->queue, i);
}

void ec_packet_rings_pop(ec_packet_rings *rings)
{
    uint64_t position;
    unsigned ring;

    if (ec_queue_pop(rings->queue, &ring, &position))
        rings->sources[ring].release = position;
}

void ec_packet_rings_release(ec_packet_rings *rings)
{
    bool all = ec_queue_get_length(rings->queue) == 0;

    for (unsigned i = 0; i < RINGS; i++) {
        struct source *source = &rings->sources[i];

        if (all)
            ec_ring_release_read(source->ring);
        else if (source->release)
            ec_ring_release(source->ring, source->release);
    }
}

bool ec_packet_rings_has_unread(const ec_packet_rings *rings)
{
    return ec_ring_has_unread(rings->sources[NEAR].ring) || ec_ring_has_unread(rings->sources[FAR].ring);
}

bool ec_packet_rings_is_crowded(const ec_packet_rings *rings)
{
    return ec_ring_get_fill(rings->sources[FAR].ring) > rings->sources[FAR].size / 2;
}
