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
/* Likewise where the user tells at which address, as nm shows it, the file has readline(): what has no names otherwise.
 * Its lines alone. */
bool ec_readline_find_probes(int fd, uint64_t address, struct ec_probe_plan *ret_plan, GError **error);
/* "/bin/x@0x4f3c0": the file and an address in it; false, and nothing else, if that is the file's whole name or has no
 * address. The caller frees *ret_path. */
bool ec_shell_path_split(const char *text, char **ret_path, uint64_t *ret_address);
