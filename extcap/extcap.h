/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What Wireshark, tshark and dumpcap ask an extcap for (doc/extcap.adoc and extcap.c of Wireshark
 * 4.0 to 4.6): the list of interfaces, their link type and options, whether a filter is valid, and
 * the capture into a FIFO.
 */
#include <stdbool.h>

/* Whether these are an extcap's arguments rather than a command line's. */
bool ec_extcap_is_wanted(int n_args, char *const *args);
/* Answers one call; `args` without the program's name. Returns the exit status. */
int ec_extcap_run(int n_args, char *const *args);
