/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* `ecapture list`: the processes and TLS libraries that could be hooked. */

/* `args`: what follows "list". Returns the exit status. */
int ec_list_run(int n_args, char *const *args);
