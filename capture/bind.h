/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* PostgreSQL's Bind message: what was given for a statement's placeholders (PostgreSQL 18, 54.7). */
#include "sink.h"

#include <glib.h>

/* Of the message `data`, which begins behind its length and may be cut: `len` of its `total` bytes are there. Appends
 * to `parameters` (of struct ec_sink_parameter, which borrow `data`), the last one cut if the message is. Their number,
 * which may be more than were appended. False if it is no Bind: nothing is appended. */
bool ec_bind_parse(const uint8_t *data, size_t len, size_t total, GArray *parameters, unsigned *ret_n);
