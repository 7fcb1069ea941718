/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* `ecapture doctor`: what this machine has for a capture, what it lacks, and what to do about that. */

/* `args`: what follows "doctor". Returns the exit status: 0 if a capture could start, else 1. */
int ec_doctor_run(int n_args, char *const *args);
