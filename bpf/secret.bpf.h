/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the probes on secrets share.
 *
 * They are sleepable (Linux 6.0): a label lies in a file-backed page that the process may not have
 * touched yet, and only a sleepable program may fault it in. On older kernels the same body runs
 * without sleeping; a page that isn't there then counts as EC_DROP_SECRET_FAULT.
 */
#include "maps.bpf.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>
#include <stdbool.h>

static __always_inline long read_user(void *to, uint32_t len, const void *from, bool sleepable)
{
    return sleepable ? bpf_copy_from_user(to, len, from) : bpf_probe_read_user(to, len, from);
}

/* A length that isn't constant is bounded here, where it is used: the verifier of Linux 6.1 forgets what it knew of a
 * 64-bit value that went over the stack. */
static __always_inline long read_user_bounded(void *to, uint32_t limit, uint64_t len, const void *from, bool sleepable)
{
    uint32_t n = (uint32_t)len;

    asm volatile("" : "+r"(n));
    return n > limit ? -1 : read_user(to, n, from, sleepable);
}

static __always_inline void fill_task(struct ec_secret_event *event, uint32_t uid)
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    event->record.type = EC_RECORD_SECRET;
    event->record.flags = 0;
    event->record.size = sizeof(*event);
    event->record.time = bpf_ktime_get_boot_ns();
    event->record.pid = pid_tgid >> 32;
    event->record.tid = (uint32_t)pid_tgid;
    event->uid = uid;
    event->pad = 0;
    bpf_get_current_comm(event->comm, sizeof(event->comm));
}

/* Whether the user's filter lets this task's secrets through. */
static __always_inline bool secret_is_wanted(void)
{
    return filter_match(bpf_get_current_pid_tgid() >> 32, (uint32_t)bpf_get_current_uid_gid());
}

/* An event for a secret of so many bytes, to be ended by secret_end(); all is set but label, random and secret. NULL,
 * counted, if that can't be a secret's length or the ring is full. */
static __always_inline struct ec_secret_event *secret_begin(uint32_t library, uint64_t len)
{
    struct ec_secret_event *event;

    if (len == 0 || len > EC_SECRET_LEN) {
        counter_add(EC_DROP_SECRET_INVALID, 1);
        return 0;
    }
    event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
    if (!event) {
        counter_add(EC_DROP_SECRET_RING_FULL, 1);
        return 0;
    }
    __builtin_memset(event->label, 0, sizeof(event->label));
    __builtin_memset(event->secret, 0, sizeof(event->secret));
    fill_task(event, (uint32_t)bpf_get_current_uid_gid());
    event->library = library;
    event->secret_len = len;
    return event;
}

static __always_inline void secret_end(struct ec_secret_event *event, bool is_whole)
{
    if (is_whole) {
        bpf_ringbuf_submit(event, wake_flags(&events, EC_EVENTS_WAKE_BYTES));
        return;
    }
    counter_add(EC_DROP_SECRET_FAULT, 1);
    bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
}
