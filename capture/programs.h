/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which of our eBPF programs are loaded: those of the ways that the kernel has (way.h), for the session's modules.
 * `ways`: of each job. */
#include "kernel.h"
#include "probe.h"
#include "way.h"

#include <bpf/libbpf.h>

/* Before the load: programs for what this kernel lacks would fail it. */
void ec_programs_choose(struct bpf_object *object, const enum ec_way *ways, const struct ec_kernel_config *config);
/* Of the programs of a uprobe the one that is used. Borrowed. */
struct bpf_program *ec_programs_get_uprobe(const struct bpf_object *object, const enum ec_way *ways,
                                           enum ec_uprobe uprobe);
/* Whether it reads structures of the kernel. */
bool ec_programs_need_types(enum ec_uprobe uprobe);
