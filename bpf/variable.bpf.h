/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A program's own variables, at the distances from the probed instruction that the attach cookie carries: so a
 * position-independent program needs no load address. */
#include "cookie.bpf.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>
#include <stdbool.h>

/* False if it can't be read. */
static __always_inline bool variable_read(struct pt_regs *ctx, int32_t distance, void *to, uint32_t len)
{
    return bpf_probe_read_user(to, len, (const void *)(PT_REGS_IP(ctx) + (int64_t)distance)) == 0;
}
