/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where bash, zsh and libreadline are probed (bpf/shell.bpf.c says what for). Both shells export their functions and
 * variables to loadable modules, so a stripped one has their names too; addresses come from symbols alone. Seen:
 * bash 5.1 to 5.3, zsh 5.8 to 5.9.2. `fd`: the open file, borrowed, read by pread only; it is hostile input.
 */
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

/* Cheap: by a look at the dynamic symbols' names. Without these, by a version string, if the file is called so. */
bool ec_bash_matches(int fd);
bool ec_zsh_matches(int fd);
/* EC_HOOK_ERROR_*; *ret_plan is untouched then. What is no bash, but defines readline(), is hooked there alone. */
bool ec_bash_find_probes(int fd, struct ec_probe_plan *ret_plan, GError **error);
bool ec_zsh_find_probes(int fd, struct ec_probe_plan *ret_plan, GError **error);
