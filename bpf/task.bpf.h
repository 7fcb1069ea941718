/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the programs tell of the task that they run in. */
#include "maps.bpf.h"

#include <bpf/bpf_core_read.h>

/* The process's name, or, where the kernel's types aren't known, the thread's. */
static __always_inline void process_name_read(char comm[static EC_COMM_LEN])
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    if (config.types && (uint32_t)pid_tgid != pid_tgid >> 32) {
        struct task_struct *task = (struct task_struct *)bpf_get_current_task();

        BPF_CORE_READ_STR_INTO((char(*)[EC_COMM_LEN])comm, task, group_leader, comm);
    } else {
        bpf_get_current_comm(comm, EC_COMM_LEN);
    }
}
