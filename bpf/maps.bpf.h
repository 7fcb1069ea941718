/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The maps and settings that the program files share. maps.bpf.c defines EC_SHARED as nothing and
 * so defines them; elsewhere they are extern and bpftool's linker joins them.
 */
#include "kernel.bpf.h"

#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#ifndef EC_SHARED
#define EC_SHARED extern
#endif

/* Fill of `events` that wakes the reader by itself: a quarter of it. */
#define EC_EVENTS_WAKE_BYTES (1 << 20)

/* The last user by the address of a struct sock, where tracing programs can't write socket storage
 * (owner-kprobe.bpf.c). Room for more is made before the load, where it is used. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, uint64_t);
    __type(value, struct ec_socket);
} touched SEC(".maps");

/* So small that its memory stays in the processor's cache; what finds it full goes to `packets`. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} near SEC(".maps");

EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 26);
} packets SEC(".maps");

EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 22);
} events SEC(".maps");

/* A page, unless a session has a use for it. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 12);
} messages SEC(".maps");

EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_SK_STORAGE);
    __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
    __type(key, int);
    __type(value, struct ec_socket);
} sockets SEC(".maps");

/* Thread groups that the pid filter accepts. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 16384);
    __type(key, uint32_t);
    __type(value, uint8_t);
} pids SEC(".maps");

/* Without types of the kernel: tasks that were made by processes in `pids`, by address, until they are asked who they
 * are. User space makes room if config.heirs. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, 1);
    __type(key, uint64_t); /* struct task_struct * */
    __type(value, uint8_t);
} heirs SEC(".maps");

EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, EC_COUNT_MAX);
    __type(key, uint32_t);
    __type(value, uint64_t);
} counters SEC(".maps");

EC_SHARED const volatile struct ec_bpf_config config;
EC_SHARED struct ec_wake wake;

static __always_inline void counter_add(uint32_t counter, uint64_t n)
{
    uint64_t *value = bpf_map_lookup_elem(&counters, &counter);

    if (value)
        __sync_fetch_and_add(value, n); /* a sleepable program may be preempted by its like */
}

/* Whether the current process, which is not in `pids`, is to be; it then is. */
static __always_inline bool heir_take(uint32_t tgid)
{
    uint64_t task = config.heirs ? bpf_get_current_task() : 0;
    uint8_t one = 1;

    if (!task || !bpf_map_lookup_elem(&heirs, &task))
        return false;
    bpf_map_delete_elem(&heirs, &task);
    return !bpf_map_update_elem(&pids, &tgid, &one, BPF_ANY);
}

/* Whether the pid and uid filters accept a process: EC_OWNER_MATCH or 0. With config.heirs it must be the current one.
 */
static __always_inline uint32_t filter_match(uint32_t tgid, uint32_t uid)
{
    if (config.filter_pid && !bpf_map_lookup_elem(&pids, &tgid) && !heir_take(tgid))
        return 0;
    if (config.filter_uid && uid != config.uid)
        return 0;
    return EC_OWNER_MATCH;
}

/* Flags of a submit that wakes the reader if it asked for that (see ring.h). */
static __always_inline uint64_t wake_flags(void *ring, uint64_t fill)
{
    if (!wake.on_any && !(wake.on_fill && bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) > fill))
        return BPF_RB_NO_WAKEUP;
    wake.on_any = 0;
    wake.on_fill = 0;
    return BPF_RB_FORCE_WAKEUP;
}
