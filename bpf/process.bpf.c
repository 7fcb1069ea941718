/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps the pid filter's set of thread groups: children join it, the dead leave it. */
#include "maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

SEC("tp_btf/sched_process_fork")
int BPF_PROG(ec_process_fork, struct task_struct *parent, struct task_struct *child)
{
    uint32_t from = parent->tgid, to = child->tgid;
    uint8_t one = 1;

    if (config.follow_forks && from != to && bpf_map_lookup_elem(&pids, &from))
        bpf_map_update_elem(&pids, &to, &one, BPF_ANY);
    return 0;
}

/* Where no structure can be read: who the child is, it is asked itself, later. The current process is the parent. */
SEC("raw_tp/sched_process_fork")
int ec_process_task_fork(struct bpf_raw_tracepoint_args *ctx)
{
    uint32_t tgid = bpf_get_current_pid_tgid() >> 32;
    uint64_t child = ctx->args[1];
    uint8_t one = 1;

    if (bpf_map_lookup_elem(&pids, &tgid) || heir_take(tgid))
        bpf_map_update_elem(&heirs, &child, &one, BPF_ANY);
    return 0;
}

/* Another task may get its address. Whether other threads live on can't be read: the first one's end is the process's.
 */
SEC("raw_tp/sched_process_exit")
int ec_process_task_exit(void *ctx)
{
    uint64_t task = bpf_get_current_task(), pid_tgid = bpf_get_current_pid_tgid();
    uint32_t tgid = pid_tgid >> 32;

    bpf_map_delete_elem(&heirs, &task);
    if (tgid == (uint32_t)pid_tgid)
        bpf_map_delete_elem(&pids, &tgid);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ec_process_exit, struct task_struct *task)
{
    uint32_t tgid = task->tgid;

    /* Decremented before this tracepoint (kernel/exit.c): zero is the last thread. */
    if (BPF_CORE_READ(task, signal, live.counter) == 0)
        bpf_map_delete_elem(&pids, &tgid);
    return 0;
}
