/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at the entry of the pseudo-random function of OpenSSL 1.0 and 1.1.0 and of LibreSSL, which have no function
 * that is handed every secret. Of its calls, the one that expands a master secret into keys (RFC 5246 6.3) names the
 * secret and both randoms among its arguments, on every connection, resumed ones too:
 *
 *   OpenSSL   tls1_PRF(mask or ssl, label, 13, server random, 32, client random, 32, …, master secret, 48, …)
 *   LibreSSL  tls1_PRF(ssl, master secret, 48, label, 13, server random, 32, client random, 32, …)
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

static __always_inline bool is_key_expansion(const struct prf_call *call, bool sleepable)
{
    char label[16] = {}, differs = 0;

    if (!is_len(call->label_len, KEY_EXPANSION_LEN) || !is_len(call->server_random_len, EC_RANDOM_LEN) ||
        !is_len(call->client_random_len, EC_RANDOM_LEN) || !is_len(call->secret_len, MASTER_LEN))
        return false;
    if (read_user(label, KEY_EXPANSION_LEN, (const void *)call->label, sleepable))
        return false;
#pragma unroll
    for (uint32_t i = 0; i < KEY_EXPANSION_LEN; i++)
        differs |= label[i] ^ key_expansion[i];
    return !differs;
}

static __always_inline int prf(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx), stack[STACK_WORDS] = {}, words[REGISTER_WORDS];
    struct ec_secret_event *event;
    struct prf_call call;

    if (!secret_is_wanted())
        return 0;
    if (read_user(stack, sizeof(stack), (const void *)(ctx->rsp + sizeof(stack[0])), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return 0;
    }
    read_registers(ctx, words);
    if (EC_PRF_COOKIE_LIBRESSL(cookie))
        read_libressl(words, stack, &call);
    else
        read_openssl(words, stack, &call);
    if (!is_key_expansion(&call, sleepable))
        return 0;
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), MASTER_LEN);
    if (!event)
        return 0;
    event->record.flags = EC_SECRET_UNPROVEN;
    fill_master_label(event);
    secret_end(event, !read_user(event->secret, MASTER_LEN, (const void *)call.secret, sleepable) &&
                          !read_user(event->client_random, EC_RANDOM_LEN, (const void *)call.client_random, sleepable));
    return 0;
}
#else
static __always_inline int prf(struct pt_regs *ctx, bool sleepable)
{
    return 0;
}
#endif

SLEEPABLE_PAIR(ec_prf, prf)
