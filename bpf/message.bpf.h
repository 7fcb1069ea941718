/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the programs that put records into `messages` share. */
#include "maps.bpf.h"

/* Fills the header; the record must be reserved already, since its time is taken here (ring.h says why). */
static __always_inline void message_begin(struct ec_record *record, uint16_t type, uint32_t size)
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    record->type = type;
    record->flags = 0;
    record->size = size;
    record->time = bpf_ktime_get_boot_ns();
    record->pid = pid_tgid >> 32;
    record->tid = (uint32_t)pid_tgid;
}

static __always_inline void message_end(void *message)
{
    bpf_ringbuf_submit(message, wake_flags(&messages, config.message_wake_bytes));
}
