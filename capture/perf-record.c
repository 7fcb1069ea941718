/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf-record.h"

#include <linux/perf_event.h>
#include <string.h>

/* The fields behind the header, as the kernel's comment at each PERF_RECORD_ has them. */
struct mmap2 {
    uint32_t pid, tid;
    uint64_t addr, len, pgoff;
    uint32_t major, minor;
    uint64_t ino, ino_generation;
    uint32_t prot, flags;
};
_Static_assert(sizeof(struct mmap2) == 64, "PERF_RECORD_MMAP2");

struct task { /* PERF_RECORD_FORK, PERF_RECORD_EXIT */
    uint32_t pid, ppid, tid, ptid;
    uint64_t time;
};

struct comm { /* PERF_RECORD_COMM: the name follows */
    uint32_t pid, tid;
};

struct lost {
    uint64_t id, lost;
};

struct sink {
    const struct ec_mapping_handler *handler;
    void *data;
};

static void tell_lost(const struct sink *sink, uint64_t n_records)
{
    if (sink->handler->lost != NULL)
        sink->handler->lost(n_records, sink->data);
}

static void take_mmap2(const struct sink *sink, uint16_t misc, const uint8_t *body, size_t len)
{
    struct mmap2 fields;

    if (sink->handler->mapped == NULL || (misc & (PERF_RECORD_MISC_MMAP_DATA | PERF_RECORD_MISC_MMAP_BUILD_ID)) != 0)
        return;
    if (len <= sizeof(fields) || memchr(body + sizeof(fields), '\0', len - sizeof(fields)) == NULL)
        return;
    memcpy(&fields, body, sizeof(fields));
    const struct ec_mapping mapping = {
        .pid = fields.pid,
        .tid = fields.tid,
        .start = fields.addr,
        .len = fields.len,
        .major = fields.major,
        .minor = fields.minor,
        .ino = fields.ino,
        .path = (const char *)body + sizeof(fields),
    };
    sink->handler->mapped(&mapping, sink->data);
}

static void take_task(const struct sink *sink, uint32_t type, const uint8_t *body, size_t len)
{
    struct task fields;

    if (len < sizeof(fields))
        return;
    memcpy(&fields, body, sizeof(fields));
    if (type == PERF_RECORD_FORK && fields.pid != fields.ppid && sink->handler->forked != NULL)
        sink->handler->forked(fields.pid, fields.ppid, sink->data);
    if (type == PERF_RECORD_EXIT && fields.pid == fields.tid && sink->handler->exited != NULL)
        sink->handler->exited(fields.pid, sink->data);
}

static void take_comm(const struct sink *sink, uint16_t misc, const uint8_t *body, size_t len)
{
    struct comm fields;

    if (len < sizeof(fields) || (misc & PERF_RECORD_MISC_COMM_EXEC) == 0 || sink->handler->executed == NULL)
        return;
    memcpy(&fields, body, sizeof(fields));
    sink->handler->executed(fields.pid, sink->data);
}

static void take_record(const struct sink *sink, const struct perf_event_header *header, const uint8_t *body)
{
    const size_t len = header->size - sizeof(*header);
    struct lost lost;

    switch (header->type) {
    case PERF_RECORD_MMAP2:
        take_mmap2(sink, header->misc, body, len);
        return;
    case PERF_RECORD_COMM:
        take_comm(sink, header->misc, body, len);
        return;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT:
        take_task(sink, header->type, body, len);
        return;
    case PERF_RECORD_LOST:
        if (len < sizeof(lost))
            return;
        memcpy(&lost, body, sizeof(lost));
        tell_lost(sink, lost.lost);
        return;
    }
}

/* `len` bytes at `position`; in `scratch` if the ring's end lies within. */
static const uint8_t *ring_get(const uint8_t *ring, size_t size, uint64_t position, size_t len, uint8_t *scratch)
{
    const size_t at = position & (size - 1);

    if (len <= size - at)
        return ring + at;
    memcpy(scratch, ring + at, size - at);
    memcpy(scratch + (size - at), ring, len - (size - at));
    return scratch;
}

void ec_perf_record_parse(const uint8_t *ring, size_t size, uint64_t tail, uint64_t head,
                          uint8_t scratch[static EC_PERF_RECORD_MAX], const struct ec_mapping_handler *handler,
                          void *data)
{
    const struct sink sink = {.handler = handler, .data = data};
    struct perf_event_header header;

    while (tail != head) {
        const uint64_t left = head - tail;
        if (left < sizeof(header) || left > size)
            break;
        memcpy(&header, ring_get(ring, size, tail, sizeof(header), scratch), sizeof(header));
        if (header.size < sizeof(header) || header.size > left)
            break;
        take_record(&sink, &header, ring_get(ring, size, tail, header.size, scratch) + sizeof(header));
        tail += header.size;
    }
    if (tail != head)
        tell_lost(&sink, 1);
}
