/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The packets that the rings hold, read and not yet handed out, in timestamp order.
 *
 * There are two rings. Programs put a packet into `near`, which is small, so that its memory is still in the
 * processor's cache when its turn comes again, for both sides: a packet costs half as much there. Only what finds
 * `near` full goes to the large one, `packets`. Which of them a packet took shows nowhere else.
 */
#include "ring.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A ring buffer's map, borrowed, and its max_entries, bytes. */
struct ec_ring_map {
    int fd;
    size_t size;
};

typedef struct ec_packet_rings ec_packet_rings;
ec_packet_rings *ec_packet_rings_new(struct ec_ring_map near, struct ec_ring_map packets, GError **error);
void ec_packet_rings_free(ec_packet_rings *rings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_packet_rings, ec_packet_rings_free)

/* Reads all that is there; the clock showed `now` (CLOCK_BOOTTIME, ns) before. Returns how many packets. */
unsigned ec_packet_rings_read(ec_packet_rings *rings, uint64_t now);
/* Every packet up to here has been read (ring.h). */
uint64_t ec_packet_rings_get_watermark(const ec_packet_rings *rings);
/* Records so far that were none: their sizes contradict each other. */
uint64_t ec_packet_rings_get_invalid(const ec_packet_rings *rings);
/* The i-th by time (0: the earliest), NULL behind the last. Sound: what it says of its sizes is true. Stays where it
 * is until ec_packet_rings_release(). */
const struct ec_packet *ec_packet_rings_get(const ec_packet_rings *rings, size_t i);
/* Done with the earliest. */
void ec_packet_rings_pop(ec_packet_rings *rings);
/* Gives the memory of what is done with back to the kernel. */
void ec_packet_rings_release(ec_packet_rings *rings);
bool ec_packet_rings_has_unread(const ec_packet_rings *rings);
/* Little room is left. */
bool ec_packet_rings_is_crowded(const ec_packet_rings *rings);
