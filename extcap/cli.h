/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The command line. */

/* `args` without the program's name. Returns the exit status: 0, 1 (failure), 2 (wrong usage) or,
 * with "-- COMMAND", that command's. */
int ec_cli_run(int n_args, char *const *args);
