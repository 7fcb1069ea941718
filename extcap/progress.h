/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a running capture tells its user on stderr. */
#include "sink.h"
#include "text-sink.h"

#include <glib.h>

/* `verify`: secrets are tried out. One line without newline, at most about 100 columns: packets, bytes, handshakes,
 * drops. */
char *ec_progress_format(const struct ec_statistics *total, bool verify);
/* Several lines: the main counters, and every other one that is not zero. `misses`: why handshakes have no secrets, ""
 * if all have. `ring_drops`: packets lost by CPU, "" if the ring was never full. */
char *ec_progress_format_summary(const struct ec_statistics *total, bool verify, const char *misses,
                                 const char *ring_drops);
/* The same of a capture without packets. */
char *ec_progress_format_message_summary(const struct ec_statistics *total);
/* The same of text mode. */
char *ec_progress_format_text_summary(const struct ec_statistics *total, const struct ec_text_counts *counts);
