/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 secrets of an OpenSSL >= 1.1.1 whose function that logs secrets was inlined behind its check for a key log
 * (tls-secrets/expand-hook.h). The probe is at the function by which every secret, key and IV is expanded:
 *
 *   tls13_hkdf_expand(ssl, digest, secret, label, label_len, hash, hash_len, out, out_len, …)
 *
 * A call with one of the labels of RFC 8446 7.1 tells where that secret will be. It is read at the thread's next call
 * for the same connection, if that is the one that expands a key out of it, or if it lies in the connection's own
 * object: a place on the stack may be another's by then. x86-64 only: five words in registers, the others behind the
 * return address (System V ABI 3.2.3).
 */
#include "cookie.bpf.h"
#include "plaintext.bpf.h"
#include "secret.bpf.h"
#include "tls13-label.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* More than the object of a connection has (7.6 KB in OpenSSL 3.0). */
#define SSL_BYTES 16384
#define SHA256_LEN 32
#define SHA384_LEN 48

enum { HASH_LEN, OUT, OUT_LEN, STACK_WORDS };

struct expansion {
    uint64_t ssl, secret, label, label_len;
    uint64_t stack[STACK_WORDS];
};

/* A secret that is being expanded. */
struct due_secret {
    uint64_t ssl; /* 0: none is */
    uint64_t place;
    uint32_t len;
    uint32_t kind; /* enum tls13_kind */
    uint8_t random[EC_RANDOM_LEN];
};

/* By thread. Preallocated, as sleepable programs want it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, uint64_t);
    __type(value, struct due_secret);
} due_secrets SEC(".maps");

static __always_inline bool random_is(const uint8_t *random, const uint8_t *other)
{
    uint8_t differs = 0;

    for (uint32_t i = 0; i < EC_RANDOM_LEN; i++)
        differs |= random[i] ^ other[i];
    return !differs;
}

/* The object may have been freed and be another connection's by now: the random tells. */
static __always_inline void emit_due(const struct due_secret *due, uint64_t cookie, bool sleepable)
{
    uint8_t random[EC_RANDOM_LEN] = {};
    struct ec_secret_event *event;
    uint32_t kind = due->kind;

    if (kind >= TLS13_SECRETS)
        return;
    if (read_client_random(random, (const uint8_t *)due->ssl, cookie, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    if (!random_is(random, due->random)) {
        counter_add(EC_DROP_SECRET_UNPROVEN, 1);
        return;
    }
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), due->len);
    if (!event)
        return;
    event->object = due->ssl;
    __builtin_memcpy(event->client_random, due->random, EC_RANDOM_LEN);
    for (uint32_t i = 0; i < EC_LABEL_LEN; i++)
        event->label[i] = tls13_names[kind][i];
    event->label_len = label_len(event->label);
    connection_has_secret(due->ssl);
    secret_end(event, !read_user_bounded(event->secret, EC_SECRET_LEN, due->len, (const void *)due->place, sleepable));
}

/* What a call expands, or TLS13_SECRETS. Of another label than those no byte behind its end is read. */
static __always_inline uint32_t find_kind(const struct expansion *call, bool sleepable)
{
    struct tls13_label label = {};
    uint64_t len = call->stack[OUT_LEN];

    if ((len != SHA256_LEN && len != SHA384_LEN) || call->stack[HASH_LEN] != len || call->label_len > sizeof(label))
        return TLS13_SECRETS;
    if (read_user_bounded(&label, sizeof(label), call->label_len, (const void *)call->label, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return TLS13_SECRETS;
    }
    return tls13_label_find(&label);
}

static __always_inline void take_expansion(const struct expansion *call, uint64_t cookie, bool sleepable)
{
    uint64_t id = bpf_get_current_pid_tgid();
    struct due_secret *known = bpf_map_lookup_elem(&due_secrets, &id), due = {};

    if (known && known->ssl == call->ssl && (known->place == call->secret || known->place - known->ssl < SSL_BYTES))
        emit_due(known, cookie, sleepable);
    due.kind = find_kind(call, sleepable);
    if (due.kind < TLS13_SECRETS) {
        due.ssl = call->ssl;
        due.place = call->stack[OUT];
        due.len = (uint32_t)call->stack[OUT_LEN];
        if (read_client_random(due.random, (const uint8_t *)call->ssl, cookie, sleepable)) {
            counter_add(EC_DROP_SECRET_FAULT, 1);
            due.ssl = 0;
        }
    }
    if (due.ssl || (known && known->ssl))
        bpf_map_update_elem(&due_secrets, &id, &due, BPF_ANY);
}

static __always_inline int expand(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx);
    struct expansion call = {.ssl = ctx->rdi, .secret = ctx->rdx, .label = ctx->rcx, .label_len = ctx->r8};

    if (!secret_is_wanted())
        return 0;
    if (read_user(call.stack, sizeof(call.stack), (const void *)(ctx->rsp + sizeof(uint64_t)), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return 0;
    }
    take_expansion(&call, cookie, sleepable);
    return 0;
}
#else
static __always_inline int expand(struct pt_regs *ctx, bool sleepable)
{
    return 0;
}
#endif

SLEEPABLE_PAIR(ec_expand, expand)
