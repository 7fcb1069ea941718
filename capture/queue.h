/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The records of one or more rings that have been read and not yet been written, in timestamp order. They stay where
 * they are, in their rings; the queue remembers them and tells how much of each ring can be given back.
 */
#include "abi.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct ec_queue ec_queue;
/* Rings are numbered from 0; at least one. */
ec_queue *ec_queue_new(unsigned rings);
void ec_queue_free(ec_queue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_queue, ec_queue_free)

/* In ring order. `next`: the ring's position behind this record. Cheap if times nearly rise. */
void ec_queue_push(ec_queue *queue, unsigned ring, const struct ec_record *record, uint64_t next);
/* The i-th in timestamp order (0: the earliest), NULL behind the last. Borrowed from the ring. */
const struct ec_record *ec_queue_get(const ec_queue *queue, size_t i);
size_t ec_queue_get_length(const ec_queue *queue);
/* Removes the earliest. True if *ret_position, up to which *ret_ring can be given back, has moved. */
bool ec_queue_pop(ec_queue *queue, unsigned *ret_ring, uint64_t *ret_position);
