/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reads a BPF ring buffer (Documentation/bpf/ringbuf.rst) in place.
 *
 * libbpf's own reader gives a record's memory back as soon as its callback returns. This one
 * keeps reading and giving back apart: a packet that waits for its secret waits in the ring, uncopied,
 * and is written to the file from there.
 *
 * It also makes an exact watermark possible. Programs stamp a record after they have reserved it.
 * So if the clock is read first (T) and the ring's end after it (ec_ring_get_end), whatever is
 * reserved behind that end will carry a time later than T; and once everything before it has been
 * read, all records up to T are known and can be put in order for good, without a guessed delay.
 */
#include "abi.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ec_ring ec_ring;

/* `map_fd`: of a BPF_MAP_TYPE_RINGBUF, borrowed for the ring's life; `size`: its max_entries, bytes. */
ec_ring *ec_ring_open(int map_fd, size_t size, GError **error);
void ec_ring_close(ec_ring *ring);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_ring, ec_ring_close)

/* Position behind the last record reserved so far. Positions only grow. */
uint64_t ec_ring_get_end(const ec_ring *ring);
/* Whether something not yet read is there. */
bool ec_ring_has_unread(const ec_ring *ring);
/* Bytes between the oldest record not given back and the end. */
uint64_t ec_ring_get_fill(const ec_ring *ring);

enum ec_ring_result {
    EC_RING_RECORD,  /* a record was read */
    EC_RING_END,     /* `end` is reached */
    EC_RING_STALLED, /* the next record is still being written */
};
/*
 * Reads the next record before position `end`; discarded ones are passed over. The memory of
 * *ret_record stays valid until it is given back. *ret_len: bytes of it, not yet checked against
 * anything. *ret_next: the position behind it, for ec_ring_release().
 */
enum ec_ring_result ec_ring_read(ec_ring *ring, uint64_t end, const void **ret_record, uint32_t *ret_len,
                                 uint64_t *ret_next);
/* Gives everything before `position` back to the kernel. */
void ec_ring_release(ec_ring *ring, uint64_t position);
/* Gives back everything that was read. */
void ec_ring_release_read(ec_ring *ring);
