/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The owners of the sockets that exist already, for kernels without the iterator of owner.bpf.c: each process's sockets
 * are borrowed for a moment (pidfd_getfd, Linux 5.6, CAP_SYS_PTRACE), to write the owner into their storage.
 */
#include "abi.h"

#include <stdbool.h>

/* Whether the filter accepts a process, as filter_match() of the programs does. */
typedef bool (*ec_seed_match)(uint32_t pid, uint32_t uid, void *data);
/* `sockets`: the map of that name, a descriptor. Returns how many sockets have got an owner. */
unsigned ec_seed_sockets(int sockets, ec_seed_match match, void *data);
