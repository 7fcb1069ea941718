/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Tells the programs with a TLS library inside (Node, bun, Chromium) from all others, cheaply enough to ask for
 * each program once.
 */
#include <stdbool.h>

/* Whether it is worth looking for a hook point in this program: it is large and its constants hold a label of key logs
 * and one of TLS 1.3's key schedule; not in a program that holds this function. `fd`: borrowed, read by pread only,
 * hostile. Small programs cost a few reads; large ones a search of their constants, about 10 ms for 20 MiB. */
bool ec_program_holds_tls(int fd);
