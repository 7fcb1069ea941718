/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at or near the entry of ssl_log_secret(ssl, label, secret, secret_len), OpenSSL >= 1.1.1 and kin; the
 * cookie tells which registers hold the arguments there.
 */
#include "secret.bpf.h"

#define PAGE_BYTES 4096ul

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

static __always_inline long read_random(uint8_t random[EC_RANDOM_LEN], const uint8_t *ssl, uint64_t cookie,
                                        bool sleepable)
{
    const uint8_t *base = ssl;

    if (EC_SECRET_COOKIE_INDIRECT(cookie) &&
        read_user(&base, sizeof(base), ssl + EC_SECRET_COOKIE_POINTER(cookie), sleepable))
        return -1;
    return read_user(random, EC_RANDOM_LEN, base + EC_SECRET_COOKIE_OFFSET(cookie), sleepable);
}

static __always_inline int secret(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = bpf_get_attach_cookie(ctx), len = read_argument(ctx, cookie, 3);
    struct ec_secret_event *event;
    bool is_whole;

    if (!secret_is_wanted())
        return 0;
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), len);
    if (!event)
        return 0;
    is_whole =
        !read_label(event->label, (const void *)read_argument(ctx, cookie, 1), sleepable) &&
        !read_user_bounded(event->secret, EC_SECRET_LEN, len, (const void *)read_argument(ctx, cookie, 2), sleepable) &&
        !read_random(event->client_random, (const uint8_t *)read_argument(ctx, cookie, 0), cookie, sleepable);
    event->label_len = label_len(event->label);
    secret_end(event, is_whole);
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
