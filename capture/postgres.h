/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* PostgreSQL's server, 13 to 18: recognised, and where it is probed. Its functions are exported for extensions, also in
 * stripped builds. `fd`: the program, borrowed, read by pread only. */
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

bool ec_postgres_matches(int fd);
/* EC_HOOK_ERROR_* of hook-point.h. */
bool ec_postgres_find(int fd, struct ec_probe_plan *ret_plan, GError **error);
