/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* MariaDB's server: recognised, where it is probed, and where it keeps what is read; all by functions that it exports
 * for plugins, also in stripped builds. `fd`: the program, borrowed, read by pread only. */
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

/* True of MySQL's too. */
bool ec_mysqld_matches(int fd);
/* EC_HOOK_ERROR_* of hook-point.h; MySQL, which has no accessor for the query, is refused. */
bool ec_mysqld_find(int fd, struct ec_probe_plan *ret_plan, GError **error);
