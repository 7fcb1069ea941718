/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Uprobes, each a descriptor that detaches it when it is closed. All return one, or -1 with errno. */
#include "probe.h"

#include <bpf/libbpf.h>
#include <stdint.h>

/* enum bpf_attach_type's BPF_TRACE_UPROBE_MULTI, Linux 6.6 (commit 89ae89f53d20); older headers lack it. */
#define EC_TRACE_UPROBE_MULTI ((enum bpf_attach_type)48)

/* n of one program, as one link. It asks for no more than its program's load did; the others have needed CAP_SYS_ADMIN
 * since Linux 6.16 and the stable releases of July 2025 (commit ba677dbe77af, "perf: Revert to requiring CAP_SYS_ADMIN
 * for uprobes"). `program`: loaded for EC_TRACE_UPROBE_MULTI. */
int ec_uprobe_attach_link(int program, const char *path, const uint64_t *offsets, const uint64_t *cookies, size_t n,
                          bool at_return);
/* As a perf event with an attach cookie (Linux 5.15). `program`: a descriptor. */
int ec_uprobe_attach_event(int program, const char *path, const struct ec_probe *probe);
/* As a perf event of a copy of the program, which has the cookie inside: for kernels that keep none. `program`: loaded,
 * with EC_COOKIE_MAGIC in its instructions. */
int ec_uprobe_attach_copy(const struct bpf_program *program, const char *path, const struct ec_probe *probe);
/* A perf event of a kind that has no constant ("uprobe", "kprobe"), not enabled yet. `what`: a path or a function.
 * ENOENT: the kernel has no such kind. */
int ec_uprobe_open_event(const char *kind, const char *what, uint64_t offset, bool at_return);
