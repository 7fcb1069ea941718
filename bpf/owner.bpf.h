/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the programs share that say who owns a socket. */
#include "task.bpf.h"

static __always_inline void owner_send(const struct ec_socket *entry)
{
    struct ec_owner_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

    if (!event) {
        counter_add(EC_DROP_OWNER_RING_FULL, 1);
        return;
    }
    event->record.type = EC_RECORD_OWNER;
    event->record.flags = 0;
    event->record.size = sizeof(*event);
    event->record.time = bpf_ktime_get_boot_ns();
    event->record.pid = entry->owner.pid;
    event->record.tid = entry->owner.tid;
    event->cookie = entry->cookie;
    event->owner = entry->owner;
    /* Nobody waits for an owner alone; a ring that fills up is another matter. */
    bpf_ringbuf_submit(event, bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) > EC_EVENTS_WAKE_BYTES ? BPF_RB_FORCE_WAKEUP
                                                                                                   : BPF_RB_NO_WAKEUP);
}

static __always_inline void owner_fill_current(struct ec_owner *owner)
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    owner->pid = pid_tgid >> 32;
    owner->tid = (uint32_t)pid_tgid;
    owner->uid = (uint32_t)bpf_get_current_uid_gid();
    process_name_read(owner->comm);
    owner->flags = EC_OWNER_KNOWN | filter_match(owner->pid, owner->uid);
}
