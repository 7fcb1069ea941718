/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the probes in database servers share. They read memory that the server has just used, so none needs to sleep. */
#include "message.bpf.h"
#include "task.bpf.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>
#include <stdbool.h>

static __always_inline bool statement_is_wanted(void)
{
    return filter_match(bpf_get_current_pid_tgid() >> 32, (uint32_t)bpf_get_current_uid_gid());
}

/* Reserves an event with room for `limit` bytes, a constant; all but len and data is set. NULL, counted, if the ring is
 * full. */
static __always_inline struct ec_statement_event *statement_begin(uint8_t part, uint32_t limit, uint64_t connection,
                                                                  uint64_t value)
{
    struct ec_statement_event *event = bpf_ringbuf_reserve(&messages, sizeof(*event) + limit, 0);

    if (!event) {
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
        return 0;
    }
    message_begin(&event->record, EC_RECORD_STATEMENT, sizeof(*event));
    event->uid = (uint32_t)bpf_get_current_uid_gid();
    event->part = part;
    event->last = event->flags = event->pad = 0;
    event->connection = connection;
    event->value = value;
    event->start = 0;
    event->total = 0;
    process_name_read(event->comm);
    return event;
}

/* `len`: bytes in data; negative: they could not be read. */
static __always_inline void statement_end(struct ec_statement_event *event, long len)
{
    if (len < 0) {
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
        bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
        return;
    }
    event->len = (uint32_t)len;
    event->record.size = sizeof(*event) + (uint32_t)len;
    message_end(event);
}

/* A piece of at most `limit` bytes, a constant, of the `len` that are left. */
static __always_inline void statement_put_bytes_piece(uint8_t part, uint32_t limit, uint64_t connection,
                                                      const char *bytes, uint32_t len, uint32_t offset, bool final)
{
    struct ec_statement_event *event = statement_begin(part, limit, connection, offset);
    uint32_t n = len < limit ? len : limit;

    if (!event)
        return;
    event->total = offset + len;
    event->last = len <= limit ? EC_STATEMENT_WHOLE : final ? EC_STATEMENT_CUT : EC_STATEMENT_MORE;
    asm volatile("" : "+r"(n));
    if (n > limit || (n && bpf_probe_read_user(event->data, n, bytes)))
        statement_end(event, -1);
    else
        statement_end(event, n);
}

/* Bytes whose number is known. It is read anew for each piece out of memory that a helper has filled: what the verifier
 * learns of a register at one piece, it would follow through all that come after. */
static __always_inline void statement_put_bytes(uint8_t part, uint64_t connection, const char *bytes,
                                                const volatile uint32_t *len)
{
    uint32_t offset = EC_STATEMENT_PIECE_FIRST;

    statement_put_bytes_piece(part, EC_STATEMENT_PIECE_FIRST, connection, bytes, *len, 0, false);
    for (int i = 0; i < EC_STATEMENT_PIECES && offset < *len; i++) {
        statement_put_bytes_piece(part, EC_STATEMENT_PIECE, connection, bytes + offset, *len - offset, offset,
                                  i == EC_STATEMENT_PIECES - 1);
        offset += EC_STATEMENT_PIECE;
    }
}
