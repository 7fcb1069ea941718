/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Owners by socket cookie, for the packets whose socket had no storage when they passed (TIME_WAIT, a
 * connection's last acknowledgements, a first UDP packet). Bounded: the oldest entries make room.
 */
#include "abi.h"

#include <glib.h>

typedef struct ec_owners ec_owners;
ec_owners *ec_owners_new(size_t capacity);
void ec_owners_free(ec_owners *owners);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_owners, ec_owners_free)

void ec_owners_set(ec_owners *owners, uint64_t cookie, const struct ec_owner *owner);
/* Borrowed until the next set; NULL if it isn't known. */
const struct ec_owner *ec_owners_get(const ec_owners *owners, uint64_t cookie);
