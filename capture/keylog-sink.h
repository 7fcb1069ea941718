/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Writes an NSS key log: each secret as one line, by one write(2) of the whole line, at once. */
#include "sink.h"

/* Takes the descriptor, of a file opened 0600 (ec_output_open), also on failure: EC_SINK_ERROR_OPEN if
 * it is none that can be written. */
struct ec_sink *ec_keylog_sink_new(int fd, GError **error);
