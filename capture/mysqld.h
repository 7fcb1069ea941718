/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* MariaDB's and MySQL's servers: recognised, where they are probed, and where they keep what is read; all by functions
 * that they export for plugins, also in stripped builds. `fd`: the program, borrowed, read by pread only. */
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

bool ec_mysqld_matches(int fd);
/* EC_HOOK_ERROR_* of hook-point.h. What can't be known of its statements is named behind the version. */
bool ec_mysqld_find(int fd, struct ec_probe_plan *ret_plan, GError **error);
