/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at or near the entry of two functions of Go's crypto/tls; the cookie tells which, and how Go passes their
 * arguments: one word after another, in registers or behind the return address (Go 1.17: cmd/compile/abi-internal.md).
 * A slice is three words (pointer, length, capacity), a string two.
 *
 *   (*Config).writeKeyLog(label string, clientRandom, secret []byte)          words: receiver, then those
 *   keysFromMasterSecret(version, suite, masterSecret, clientRandom, … []byte)
 *
 * Where the goroutine's stack has to grow, the entry is run twice: user space drops secrets that it knows.
 */
#include "cookie.bpf.h"
#include "plaintext.bpf.h"
#include "secret.bpf.h"

/* Words of arguments that are looked at. */
#define WORDS 9

struct go_slice {
    const void *data;
    uint64_t len;
};

struct go_secret {
    struct go_slice label, random, secret;
};

/* The first WORDS words of arguments; false if they can't be read. */
static __always_inline bool read_words(struct pt_regs *ctx, bool registers, uint64_t words[WORDS], bool sleepable)
{
    if (!registers)
        return !read_user(words, WORDS * sizeof(words[0]), (const void *)(PT_REGS_SP(ctx) + sizeof(words[0])),
                          sleepable);
#if defined(__TARGET_ARCH_x86)
    words[0] = ctx->rax;
    words[1] = ctx->rbx;
    words[2] = ctx->rcx;
    words[3] = ctx->rdi;
    words[4] = ctx->rsi;
    words[5] = ctx->r8;
    words[6] = ctx->r9;
    words[7] = ctx->r10;
    words[8] = ctx->r11;
#else
    const struct user_pt_regs *user = (const struct user_pt_regs *)ctx;

#pragma unroll
    for (int i = 0; i < WORDS; i++)
        words[i] = user->regs[i];
#endif
    return true;
}

static __always_inline bool lengths_are_right(const struct go_secret *secret)
{
    return secret->label.len > 0 && secret->label.len < EC_LABEL_LEN && secret->random.len == EC_RANDOM_LEN;
}

/* The goroutine is in the handshake of the connection whose secret this is. */
static __always_inline void go_connection_has_secret(struct pt_regs *ctx)
{
#if defined(__TARGET_ARCH_x86)
    struct goroutine_key key = {.goroutine = ctx->r14, .pid = bpf_get_current_pid_tgid() >> 32};
#else
    struct goroutine_key key = {.goroutine = ((const struct user_pt_regs *)ctx)->regs[28],
                                .pid = bpf_get_current_pid_tgid() >> 32};
#endif
    uint64_t *object;

    if (config.plaintext != EC_PLAINTEXT_MISSING)
        return;
    object = bpf_map_lookup_elem(&go_handshakes, &key);
    if (object)
        connection_has_secret(*object);
}

static __always_inline int go_secret(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx), words[WORDS] = {};
    bool resume = EC_GO_COOKIE_RESUME(cookie), is_whole;
    struct ec_secret_event *event;
    struct go_secret secret;

    if (!secret_is_wanted())
        return 0;
    if (!read_words(ctx, EC_GO_COOKIE_REGISTERS(cookie), words, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return 0;
    }
    secret.label = (struct go_slice){(const void *)words[1], resume ? MASTER_LABEL_LEN : words[2]};
    secret.random = resume ? (struct go_slice){(const void *)words[5], words[6]}
                           : (struct go_slice){(const void *)words[3], words[4]};
    secret.secret = resume ? (struct go_slice){(const void *)words[2], words[3]}
                           : (struct go_slice){(const void *)words[6], words[7]};
    if (!lengths_are_right(&secret)) {
        counter_add(EC_DROP_SECRET_INVALID, 1);
        return 0;
    }
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), secret.secret.len);
    if (!event)
        return 0;
    is_whole = !read_user_bounded(event->secret, EC_SECRET_LEN, secret.secret.len, secret.secret.data, sleepable) &&
               !read_user(event->client_random, EC_RANDOM_LEN, secret.random.data, sleepable);
    event->label_len = secret.label.len;
    if (resume)
        fill_master_label(event);
    else
        is_whole =
            is_whole && !read_user_bounded(event->label, EC_LABEL_LEN, secret.label.len, secret.label.data, sleepable);
    if (is_whole)
        go_connection_has_secret(ctx);
    secret_end(event, is_whole);
    return 0;
}

SLEEPABLE_PAIR(ec_go_secret, go_secret)
