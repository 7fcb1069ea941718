/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* From options to a running capture session: what both front ends share. */
#include "option.h"
#include "session.h"

/* Looks at what the options name before anything privileged is tried, so that a typing mistake is
 * told as one: the processes, the network interfaces, the capture filter. Needs no privilege. */
bool ec_options_check(const struct ec_options *options, GError **error);
/* Borrows from `options`, which must outlive `ret_config`. */
void ec_options_get_config(const struct ec_options *options, struct ec_session_config *ret_config);

/* Captures into a FIFO until told to stop. Takes ownership of the descriptor, also on failure. */
bool ec_run_fifo(const struct ec_options *options, int fifo, GError **error);
/* Captures as the command line says, with progress and summary on stderr; runs its command, if there
 * is one, and waits for it. True if the capture took place; `*ret_status` is then the exit status. */
bool ec_run_command_line(const struct ec_options *options, int *ret_status, GError **error);
