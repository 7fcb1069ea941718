/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who used a socket last, where tracing programs can't write that into its storage (before Linux 5.11), or can't be at
 * the functions that send and receive (arm64 before 6.4), or where there is no BTF. Kprobes keep it by the address of
 * the socket, which the tc programs know too; no kernel structure has to be read for that.
 *
 * Accepted sockets inherit nothing here; but where a cgroup program sees sockets created, their storage does.
 */
#include "owner.bpf.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>

/* Attached to functions that are called by the process that uses a socket, their first argument. */
SEC("kprobe")
int ec_touch(struct pt_regs *ctx)
{
    uint64_t key = PT_REGS_PARM1(ctx), pid_tgid = bpf_get_current_pid_tgid();
    struct ec_socket *entry = bpf_map_lookup_elem(&touched, &key), made = {};

    if (entry && entry->owner.pid == pid_tgid >> 32) {
        entry->owner.tid = (uint32_t)pid_tgid;
        return 0;
    }
    owner_fill_current(&made.owner);
    if (bpf_map_update_elem(&touched, &key, &made, BPF_ANY))
        counter_add(EC_DROP_OWNER_RING_FULL, 1);
    return 0;
}

/* At the end of a socket: another may get its address. */
SEC("kprobe")
int ec_forget(struct pt_regs *ctx)
{
    uint64_t key = PT_REGS_PARM1(ctx);

    bpf_map_delete_elem(&touched, &key);
    return 0;
}
