/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 secrets of LibreSSL on x86-64, where the function that derives them knows no connection
 * (tls-secrets/libressl-hook.h). A thread's latest call into the library tells the connection, and that is checked: the
 * state that this connection points to has to hold the address of the object that the secret is derived into. Derived
 * is a secret once the next one of the same object is begun, in the same thread; there it is read.
 */
#include "cookie.bpf.h"
#include "secret.bpf.h"
#include "tls13-label.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* Bytes of the connection's state that are searched; LibreSSL 3.8 and 4.3 have the address within the first KiB. */
#define STATE_BYTES 2048
#define STATE_PIECE_WORDS 8
/* More than the object of all secrets has. */
#define SECRETS_BYTES 1024

/* Each in its struct tls13_secret of 16 bytes, in tls13-label.bpf.h's order: two of the handshake, in a row, and three
 * behind them. */
enum { N_HANDSHAKE = TLS13_CLIENT_APPLICATION, N_SECRETS = TLS13_EXPORTER + 1 };

struct tls13_secret {
    uint64_t data, len;
};
_Static_assert(sizeof(struct tls13_secret) == EC_LIBRESSL_SECRET_LEN, "as tls-secrets/libressl-hook.c proves");

struct libressl_thread {
    uint64_t ssl;       /* of the latest call */
    uint64_t secrets;   /* the object that a secret is being derived into, 0: none is */
    uint32_t due;       /* which one, below N_SECRETS */
    uint32_t of_server; /* `random` is the server's */
    uint8_t random[EC_RANDOM_LEN];
};

/* Preallocated, as sleepable programs want it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, uint64_t);
    __type(value, struct libressl_thread);
} libressl_threads SEC(".maps");

static __always_inline void take_connection(uint64_t ssl)
{
    uint64_t id = bpf_get_current_pid_tgid();
    const struct libressl_thread *known = bpf_map_lookup_elem(&libressl_threads, &id);
    struct libressl_thread thread = {.ssl = ssl};

    if (!known || known->ssl != ssl)
        bpf_map_update_elem(&libressl_threads, &id, &thread, BPF_ANY);
}

static __always_inline uint64_t secret_place(uint64_t cookie, uint64_t n)
{
    return n < N_HANDSHAKE ? EC_LIBRESSL_COOKIE_HANDSHAKE(cookie) + n * EC_LIBRESSL_SECRET_LEN
                           : EC_LIBRESSL_COOKIE_APPLICATION(cookie) + (n - N_HANDSHAKE) * EC_LIBRESSL_SECRET_LEN;
}

static __always_inline bool state_holds(uint64_t state, uint64_t wanted, bool sleepable)
{
    uint64_t words[STATE_PIECE_WORDS];

    for (uint32_t at = 0; at < STATE_BYTES; at += sizeof(words)) {
        bool found = false;

        if (read_user(words, sizeof(words), (const void *)(state + at), sleepable))
            return false;
#pragma unroll
        for (uint32_t i = 0; i < STATE_PIECE_WORDS; i++)
            found |= words[i] == wanted;
        if (found)
            return true;
    }
    return false;
}

static __always_inline void emit_due(struct libressl_thread *thread, uint64_t cookie, bool sleepable)
{
    struct tls13_secret secret = {};
    struct ec_secret_event *event;
    uint32_t due = thread->due;

    if (due >= N_SECRETS)
        return;
    if (read_user(&secret, sizeof(secret), (const void *)(thread->secrets + secret_place(cookie, due)), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), secret.len);
    if (!event)
        return;
    event->record.flags = EC_SECRET_UNPROVEN;
    if (thread->of_server)
        event->record.flags |= EC_SECRET_OF_SERVER;
    else
        event->object = thread->ssl;
    __builtin_memcpy(event->client_random, thread->random, EC_RANDOM_LEN);
    for (uint32_t i = 0; i < EC_LABEL_LEN; i++)
        event->label[i] = tls13_names[due][i];
    event->label_len = label_len(event->label);
    secret_end(event,
               !read_user_bounded(event->secret, EC_SECRET_LEN, secret.len, (const void *)secret.data, sleepable));
}

/* A server of LibreSSL forgets the client's random of TLS 1.3; ahead of its place stands the server's. */
static __always_inline bool read_random(struct libressl_thread *thread, const uint8_t *place, bool sleepable)
{
    uint64_t words[EC_RANDOM_LEN / sizeof(uint64_t)];

    if (read_user(words, sizeof(words), place, sleepable))
        return false;
    thread->of_server = !(words[0] | words[1] | words[2] | words[3]);
    if (thread->of_server && read_user(words, sizeof(words), place - EC_RANDOM_LEN, sleepable))
        return false;
    __builtin_memcpy(thread->random, words, sizeof(words));
    return true;
}

/* The secret that is derived now, of the connection that the thread has called last. */
static __always_inline void begin_secret(struct libressl_thread *thread, uint64_t cookie, uint64_t secrets, uint32_t n,
                                         bool sleepable)
{
    uint64_t state = 0;

    if (read_user(&state, sizeof(state), (const void *)(thread->ssl + EC_SECRET_COOKIE_POINTER(cookie)), sleepable) ||
        !state_holds(state, secrets, sleepable)) {
        counter_add(EC_DROP_SECRET_UNPROVEN, 1);
        return;
    }
    if (!read_random(thread, (const uint8_t *)state + EC_SECRET_COOKIE_OFFSET(cookie), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    thread->due = n;
    thread->secrets = secrets;
}

/* f(struct tls13_secret *out, digest, secret, label, context) */
static __always_inline void take_derivation(uint64_t cookie, uint64_t out, const void *label, bool sleepable)
{
    uint64_t id = bpf_get_current_pid_tgid();
    struct libressl_thread *thread = bpf_map_lookup_elem(&libressl_threads, &id);
    struct tls13_label words = {};
    uint32_t n;

    if (thread && thread->secrets && out - thread->secrets < SECRETS_BYTES)
        emit_due(thread, cookie, sleepable);
    if (thread)
        thread->secrets = 0;
    if (read_user(&words, sizeof(words), label, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    n = tls13_label_find(&words);
    if (n >= N_SECRETS)
        return;
    if (thread)
        begin_secret(thread, cookie, out - secret_place(cookie, n), n, sleepable);
    else
        counter_add(EC_DROP_SECRET_UNPROVEN, 1);
}

static __always_inline int libressl(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx), first = ctx->rdi, fourth = ctx->rcx;

    asm volatile("" : "+r"(first), "+r"(fourth));
    if (!secret_is_wanted())
        return 0;
    if (EC_LIBRESSL_COOKIE_DERIVES(cookie))
        take_derivation(cookie, first, (const void *)fourth, sleepable);
    else
        take_connection(first);
    return 0;
}
#else
static __always_inline int libressl(struct pt_regs *ctx, bool sleepable)
{
    return 0;
}
#endif

SLEEPABLE_PAIR(ec_libressl, libressl)
