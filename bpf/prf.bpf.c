/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at the entry of the pseudo-random function of OpenSSL 1.0 and 1.1.0 and of LibreSSL, which have no function
 * that is handed every secret. Of its calls, the one that expands a master secret into keys (RFC 5246 6.3) names the
 * secret and both randoms among its arguments, on every connection, resumed ones too:
 *
 *   OpenSSL   tls1_PRF(mask or ssl, label, 13, server random, 32, client random, 32, …, master secret, 48, …)
 *   LibreSSL  tls1_PRF(ssl, master secret, 48, label, 13, server random, 32, client random, 32, …)
 *
 * Where OpenSSL 1.1.0's is inlined (Node 10.0), it is the calls of EVP_PKEY_CTX_ctrl(context, …, command, length, data)
 * that it makes, one after another in the same thread: first with the secret, then with each seed.
 *
 * Nothing is believed of the arguments' places: label and all lengths have to be there, or the call is another one. GCC
 * leaves arguments out that are the same in every call (".constprop"): OpenSSL's secret stands two or four words
 * earlier then. x86-64 only: six words in registers, the others behind the return address (System V ABI 3.2.3).
 */
#include "cookie.bpf.h"
#include "secret.bpf.h"

#if defined(__TARGET_ARCH_x86)
/* Volatile, as master_label is. */
static const volatile char key_expansion[] = "key expansion";
#define KEY_EXPANSION_LEN (sizeof(key_expansion) - 1)
#define MASTER_LEN 48

/* Words behind the return address that are looked at. */
#define STACK_WORDS 7

struct prf_call {
    uint64_t label, label_len, server_random_len, client_random, client_random_len, secret, secret_len;
};

/* Lengths are ints or size_t: the low half tells. */
static __always_inline bool is_len(uint64_t word, uint32_t len)
{
    return (uint32_t)word == len;
}

/* Words of arguments in registers, in order. */
#define REGISTER_WORDS 6

/* Values before any branch: the verifier takes no context pointer that clang has picked one of two fields with. */
static __always_inline void read_registers(struct pt_regs *ctx, uint64_t words[REGISTER_WORDS])
{
    words[0] = ctx->rdi;
    words[1] = ctx->rsi;
    words[2] = ctx->rdx;
    words[3] = ctx->rcx;
    words[4] = ctx->r8;
    words[5] = ctx->r9;
#pragma unroll
    for (int i = 0; i < REGISTER_WORDS; i++)
        asm volatile("" : "+r"(words[i]));
}

static __always_inline void read_openssl(const uint64_t *words, const uint64_t *stack, struct prf_call *call)
{
    /* stack[0]: the client random's length; then none, one or two pairs of seeds, then the secret. */
    int at = is_len(stack[2], MASTER_LEN) ? 1 : is_len(stack[4], MASTER_LEN) ? 3 : 5;

    call->label = words[1];
    call->label_len = words[2];
    call->server_random_len = words[4];
    call->client_random = words[5];
    call->client_random_len = stack[0];
    call->secret = at == 1 ? stack[1] : at == 3 ? stack[3] : stack[5];
    call->secret_len = at == 1 ? stack[2] : at == 3 ? stack[4] : stack[6];
}

static __always_inline void read_libressl(const uint64_t *words, const uint64_t *stack, struct prf_call *call)
{
    call->label = words[3];
    call->label_len = words[4];
    call->server_random_len = stack[0];
    call->client_random = stack[1];
    call->client_random_len = stack[2];
    call->secret = words[1];
    call->secret_len = words[2];
}

static __always_inline bool is_label(uint64_t label, bool sleepable)
{
    char text[16] = {}, differs = 0;

    if (read_user(text, KEY_EXPANSION_LEN, (const void *)label, sleepable))
        return false;
#pragma unroll
    for (uint32_t i = 0; i < KEY_EXPANSION_LEN; i++)
        differs |= text[i] ^ key_expansion[i];
    return !differs;
}

static __always_inline bool is_key_expansion(const struct prf_call *call, bool sleepable)
{
    return is_len(call->label_len, KEY_EXPANSION_LEN) && is_len(call->server_random_len, EC_RANDOM_LEN) &&
           is_len(call->client_random_len, EC_RANDOM_LEN) && is_len(call->secret_len, MASTER_LEN) &&
           is_label(call->label, sleepable);
}

static __always_inline void emit(uint64_t cookie, uint64_t secret, uint64_t client_random, bool sleepable)
{
    struct ec_secret_event *event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), MASTER_LEN);

    if (!event)
        return;
    event->record.flags = EC_SECRET_UNPROVEN;
    fill_master_label(event);
    secret_end(event, !read_user(event->secret, MASTER_LEN, (const void *)secret, sleepable) &&
                          !read_user(event->client_random, EC_RANDOM_LEN, (const void *)client_random, sleepable));
}

/* <openssl/kdf.h> of 1.1.0: EVP_PKEY_CTRL_TLS_SECRET, EVP_PKEY_CTRL_TLS_SEED */
enum { TLS_SECRET = 0x1001, TLS_SEED = 0x1002 };
/* What a thread's calls have handed over so far. */
enum { HAS_SECRET = 1, HAS_LABEL, HAS_SERVER_RANDOM };

struct prf_thread {
    uint64_t context, secret;
    uint64_t has;
};

/* Preallocated, as sleepable programs want it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, uint64_t);
    __type(value, struct prf_thread);
} prf_threads SEC(".maps");

static __always_inline void take_seed(struct prf_thread *thread, uint64_t cookie, uint64_t len, uint64_t data,
                                      bool sleepable)
{
    const uint64_t has = thread->has;

    thread->has = 0;
    if (has == HAS_SECRET && is_len(len, KEY_EXPANSION_LEN) && is_label(data, sleepable))
        thread->has = HAS_LABEL;
    else if (has == HAS_LABEL && is_len(len, EC_RANDOM_LEN))
        thread->has = HAS_SERVER_RANDOM;
    else if (has == HAS_SERVER_RANDOM && is_len(len, EC_RANDOM_LEN))
        emit(cookie, thread->secret, data, sleepable);
}

static __always_inline void take_control(const uint64_t *words, uint64_t cookie, bool sleepable)
{
    uint64_t id = bpf_get_current_pid_tgid();
    struct prf_thread *known, thread = {.context = words[0], .secret = words[5], .has = HAS_SECRET};

    if (is_len(words[3], TLS_SECRET) && is_len(words[4], MASTER_LEN)) {
        bpf_map_update_elem(&prf_threads, &id, &thread, BPF_ANY);
        return;
    }
    known = is_len(words[3], TLS_SEED) ? bpf_map_lookup_elem(&prf_threads, &id) : 0;
    if (known && known->context == words[0])
        take_seed(known, cookie, words[4], words[5], sleepable);
}

static __always_inline int prf(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx), stack[STACK_WORDS] = {}, words[REGISTER_WORDS];
    struct prf_call call;

    if (!secret_is_wanted())
        return 0;
    read_registers(ctx, words);
    if (EC_PRF_COOKIE_KIND(cookie) == EC_PRF_COOKIE_CONTROL) {
        take_control(words, cookie, sleepable);
        return 0;
    }
    if (read_user(stack, sizeof(stack), (const void *)(ctx->rsp + sizeof(stack[0])), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return 0;
    }
    if (EC_PRF_COOKIE_KIND(cookie) == EC_PRF_COOKIE_LIBRESSL)
        read_libressl(words, stack, &call);
    else
        read_openssl(words, stack, &call);
    if (is_key_expansion(&call, sleepable))
        emit(cookie, call.secret, call.client_random, sleepable);
    return 0;
}
#else
static __always_inline int prf(struct pt_regs *ctx, bool sleepable)
{
    return 0;
}
#endif

SLEEPABLE_PAIR(ec_prf, prf)
