/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a program is that no library's name tells: a row in program-kind.c each. `fd`: the open file, borrowed, read by
 * pread only; it is hostile input. */
#include "module.h"
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

/* Cheap, for it is asked of every program that runs, once per file. EC_MODULE_MAX: no module hooks it. */
enum ec_module_id ec_program_kind_get_module(int fd);
/* For modules without packets: what to attach. EC_HOOK_ERROR_* (hook-point.h) with the reason in one line. */
bool ec_program_kind_find(enum ec_module_id module, int fd, struct ec_probe_plan *ret_plan, GError **error);
