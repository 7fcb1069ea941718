/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Why handshakes went without their secrets: how many for which reason, and in which processes. Bounded: reasons beyond
 * the first few are counted as one. */
#include <glib.h>
#include <stdint.h>

typedef struct ec_misses ec_misses;
ec_misses *ec_misses_new(void);
void ec_misses_free(ec_misses *misses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_misses, ec_misses_free)

/* Counts one. `comm`: the process, "" if it has none. Both are copied. */
void ec_misses_add(ec_misses *misses, const char *reason, const char *comm);
/* Takes back what was counted for `from` and counts it for `to`: something more was learnt. */
void ec_misses_move(ec_misses *misses, const char *from, const char *to, const char *comm);
/* "REASON × COUNT (NAME, NAME); …", the most frequent first; "" if there are none. g_free. */
char *ec_misses_format(const ec_misses *misses);
