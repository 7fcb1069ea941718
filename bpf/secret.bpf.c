/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at or near the entry of ssl_log_secret(ssl, label, secret, secret_len), OpenSSL >= 1.1.1 and kin; the
 * cookie tells which registers hold the arguments there.
 *
 * It is sleepable (Linux 6.0): the label lies in a file-backed page that the process may not have
 * touched yet, and only a sleepable program may fault it in. On older kernels the same body runs
 * without sleeping; a page that isn't there then counts as EC_DROP_SECRET_FAULT.
 */
#include "maps.bpf.h"

#include <linux/ptrace.h>

#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#define PAGE_BYTES 4096ul

static __always_inline long read_user(void *to, uint32_t len, const void *from, bool sleepable)
{
    return sleepable ? bpf_copy_from_user(to, len, from) : bpf_probe_read_user(to, len, from);
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
    if (read_user(label, first, from, sleepable))
        return -1;
    return label_len(label) < first ? 0 : read_user(label, EC_LABEL_LEN, from, sleepable);
}

static __always_inline long read_random(uint8_t random[EC_RANDOM_LEN], const uint8_t *ssl, uint64_t cookie,
                                        bool sleepable)
{
    const uint8_t *base = ssl;

    if (EC_SECRET_COOKIE_INDIRECT(cookie) &&
        read_user(&base, sizeof(base), ssl + EC_SECRET_COOKIE_POINTER(cookie), sleepable))
        return -1;
    return read_user(random, EC_RANDOM_LEN, base + EC_SECRET_COOKIE_OFFSET(cookie), sleepable);
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

static __always_inline int secret(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = bpf_get_attach_cookie(ctx), len = read_argument(ctx, cookie, 3);
    uint32_t uid = (uint32_t)bpf_get_current_uid_gid();
    struct ec_secret_event *event;

    if (!filter_match(bpf_get_current_pid_tgid() >> 32, uid))
        return 0;
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
    fill_task(event, uid);
    event->library = EC_SECRET_COOKIE_LIBRARY(cookie);
    event->secret_len = len;
    if (read_label(event->label, (const void *)read_argument(ctx, cookie, 1), sleepable) ||
        read_user(event->secret, (uint32_t)len, (const void *)read_argument(ctx, cookie, 2), sleepable) ||
        read_random(event->client_random, (const uint8_t *)read_argument(ctx, cookie, 0), cookie, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
        return 0;
    }
    event->label_len = label_len(event->label);
    bpf_ringbuf_submit(event, wake_flags(&events, EC_EVENTS_WAKE_BYTES));
    return 0;
}

SEC("uprobe.s")
int ec_secret(struct pt_regs *ctx)
{
    return secret(ctx, true);
}

SEC("uprobe")
int ec_secret_nosleep(struct pt_regs *ctx)
{
    return secret(ctx, false);
}
