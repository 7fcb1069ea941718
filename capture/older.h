/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TLS connections over TCP that began before the capture: their ClientHello was not seen, so no secret can be told to
 * be theirs, and records of application data go by. Of very many connections the oldest are forgotten (a few mebibytes
 * at most are kept); one that speaks after that counts as older.
 */
#include "segment.h"

#include <glib.h>
#include <stdbool.h>

typedef struct ec_older ec_older;
ec_older *ec_older_new(void);
void ec_older_free(ec_older *older);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_older, ec_older_free)

/* This segment opens a connection. */
void ec_older_add_young(ec_older *older, const struct ec_segment *segment);
/* Whether this segment, of a connection whose handshake isn't under way, is of an older one. True once for each. */
bool ec_older_check(ec_older *older, const struct ec_segment *segment);
