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

#define PAGE_BYTES 4096ul

/* The two programs of `body`, one of which is used (programs.c). */
#define SLEEPABLE_PAIR(name, body)                                                                                     \
    SEC("uprobe.s")                                                                                                    \
    int name(struct pt_regs *ctx)                                                                                      \
    {                                                                                                                  \
        return body(ctx, true);                                                                                        \
    }                                                                                                                  \
    SEC("uprobe")                                                                                                      \
    int name##_nosleep(struct pt_regs *ctx)                                                                            \
    {                                                                                                                  \
        return body(ctx, false);                                                                                       \
    }

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

/* The verifier takes no variable offset into the context; a comment that differs keeps clang from making one. */
#define REGISTER(number, field)                                                                                        \
    case number: {                                                                                                     \
        uint64_t value = ctx->field;                                                                                   \
        asm volatile("/* " #number " */" : "+r"(value));                                                               \
        return value;                                                                                                  \
    }

/* Argument `argument` (0 … 3), where the cookie says that it is. */
static __always_inline uint64_t read_argument(struct pt_regs *ctx, uint64_t cookie, int argument)
{
#if defined(__TARGET_ARCH_x86)
    switch (EC_SECRET_COOKIE_REGISTER(cookie, argument)) {
        REGISTER(0, rax)
        REGISTER(1, rcx)
        REGISTER(2, rdx)
        REGISTER(3, rbx)
        REGISTER(5, rbp)
        REGISTER(6, rsi)
        REGISTER(7, rdi)
        REGISTER(8, r8)
        REGISTER(9, r9)
        REGISTER(10, r10)
        REGISTER(11, r11)
        REGISTER(12, r12)
        REGISTER(13, r13)
        REGISTER(14, r14)
        REGISTER(15, r15)
    }
    return 0;
#else
    /* There the probe is always at the entry. */
    return argument == 0   ? PT_REGS_PARM1(ctx)
           : argument == 1 ? PT_REGS_PARM2(ctx)
           : argument == 2 ? PT_REGS_PARM3(ctx)
                           : PT_REGS_PARM4(ctx);
#endif
}

static __always_inline uint32_t label_len(const char label[EC_LABEL_LEN])
{
    uint32_t len = 0;

    while (len < EC_LABEL_LEN && label[len])
        len++;
    return len;
}

/* Touches the page behind the label's own only if the label reaches into it. */
static __always_inline long read_label(char label[EC_LABEL_LEN], const void *from, bool sleepable)
{
    uint32_t first = PAGE_BYTES - ((uint64_t)from & (PAGE_BYTES - 1));

    if (first >= EC_LABEL_LEN)
        return read_user(label, EC_LABEL_LEN, from, sleepable);
    if (read_user_bounded(label, EC_LABEL_LEN, first, from, sleepable))
        return -1;
    return label_len(label) < first ? 0 : read_user(label, EC_LABEL_LEN, from, sleepable);
}

/* Where EC_SECRET_COOKIE says that it is. */
static __always_inline long read_client_random(uint8_t random[EC_RANDOM_LEN], const uint8_t *ssl, uint64_t cookie,
                                               bool sleepable)
{
    const uint8_t *base = ssl;

    if (EC_SECRET_COOKIE_INDIRECT(cookie) &&
        read_user(&base, sizeof(base), ssl + EC_SECRET_COOKIE_POINTER(cookie), sleepable))
        return -1;
    return read_user(random, EC_RANDOM_LEN, base + EC_SECRET_COOKIE_OFFSET(cookie), sleepable);
}

static __always_inline void fill_task(struct ec_secret_event *event)
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    event->record.type = EC_RECORD_SECRET;
    event->record.flags = 0;
    event->record.size = sizeof(*event);
    event->record.time = bpf_ktime_get_boot_ns();
    event->record.pid = pid_tgid >> 32;
    event->record.tid = (uint32_t)pid_tgid;
    event->object = 0;
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
    fill_task(event);
    event->library = library;
    event->secret_len = len;
    return event;
}

/* Volatile: clang would put it into a section of strings to be merged, which libbpf takes for a map. */
static const volatile char master_label[] = "CLIENT_RANDOM";
#define MASTER_LABEL_LEN (sizeof(master_label) - 1)

static __always_inline void fill_master_label(struct ec_secret_event *event)
{
#pragma unroll
    for (uint32_t i = 0; i < MASTER_LABEL_LEN; i++)
        event->label[i] = master_label[i];
    event->label_len = MASTER_LABEL_LEN;
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
