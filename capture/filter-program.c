/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Classic BPF, as libpcap compiles it, to eBPF, instruction by instruction, and into a slot of an object file.
 *
 * What differs from classic BPF, and what is done about it:
 * - a load beyond the end rejects. LD_ABS and LD_IND do that by themselves: they return 0 from the function that
 *   they stand in. They take a negative offset for "relative to the network header", where libpcap has unsigned
 *   offsets that are beyond the end: a negative one that is constant is refused, a computed one rejects;
 * - dividing by zero rejects; eBPF goes on with 0;
 * - shifting by 32 and more gives 0; eBPF takes the count modulo 32;
 * - every register and stack slot is set before it can be read, or the verifier refuses;
 * - only reachable instructions are written, or it refuses too.
 *
 * LD_ABS wants the skb in r6 and destroys r1 to r5, hence: A = r0, X = r7, r8 for what lasts one instruction,
 * M[i] = the stack.
 */
#include "abi.h"
#include "filter-classic.h"
#include "filter.h"

#include <linux/bpf.h>
#include <linux/filter.h>
#include <string.h>

enum { REG_A = BPF_REG_0, REG_SKB = BPF_REG_6, REG_X = BPF_REG_7, REG_TMP = BPF_REG_8 };

/* BPF_MEMWORDS, linux/filter.h and libpcap */
enum { MEMORY_WORDS = 16 };

#define INSN(op, dst, src, offset, immediate)                                                                          \
    ((struct bpf_insn){.code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (int32_t)(immediate)})

struct emitter {
    const struct ec_filter *filter;
    struct bpf_insn *insns; /* NULL: only count */
    size_t capacity;
    size_t count;
    size_t *position; /* of each classic instruction in `insns`; from the counting pass */
    bool *reachable;  /* of each classic instruction */
    bool ok;
};

static void emit(struct emitter *emitter, struct bpf_insn insn)
{
    if (emitter->count >= emitter->capacity)
        emitter->ok = false;
    else if (emitter->insns != NULL)
        emitter->insns[emitter->count] = insn;
    emitter->count++;
}

static void emit_move(struct emitter *emitter, uint8_t dst, uint8_t src)
{
    emit(emitter, INSN(BPF_ALU | BPF_MOV | BPF_X, dst, src, 0, 0));
}

static void emit_set(struct emitter *emitter, uint8_t dst, uint32_t value)
{
    emit(emitter, INSN(BPF_ALU | BPF_MOV | BPF_K, dst, 0, 0, value));
}

static void emit_return(struct emitter *emitter, uint32_t value)
{
    emit_set(emitter, BPF_REG_0, value);
    emit(emitter, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
}

/* A jump to a classic instruction. */
static void emit_jump(struct emitter *emitter, uint8_t code, uint8_t src, uint32_t k, size_t target)
{
    size_t offset = 0;

    if (emitter->insns != NULL)
        offset = emitter->position[target] - emitter->count - 1;
    if (offset > INT16_MAX)
        emitter->ok = false;
    emit(emitter, INSN(code, code == (BPF_JMP | BPF_JA) ? 0 : REG_A, src, (int16_t)offset, k));
}

static int16_t memory_offset(uint32_t index)
{
    return (int16_t)(-4 * ((int)index + 1));
}

/* ---- loads ---- */

static void emit_load_absolute(struct emitter *emitter, uint8_t size, uint32_t k)
{
    if (k > INT32_MAX)
        emitter->ok = false;
    emit(emitter, INSN(BPF_LD | BPF_ABS | size, 0, 0, 0, k));
}

static void emit_load_indirect(struct emitter *emitter, uint8_t size, uint32_t k)
{
    emit_move(emitter, REG_TMP, REG_X);
    emit(emitter, INSN(BPF_ALU | BPF_ADD | BPF_K, REG_TMP, 0, 0, k));
    emit(emitter, INSN(BPF_JMP32 | BPF_JSGE | BPF_K, REG_TMP, 0, 2, 0));
    emit_return(emitter, 0);
    emit(emitter, INSN(BPF_LD | BPF_IND | size, 0, REG_TMP, 0, 0));
}

/* X = 4 * (P[k:1] & 15): the length of an IPv4 header; A stays. */
static void emit_load_header_length(struct emitter *emitter, uint32_t k)
{
    emit_move(emitter, REG_TMP, REG_A);
    emit_load_absolute(emitter, BPF_B, k);
    emit(emitter, INSN(BPF_ALU | BPF_AND | BPF_K, REG_A, 0, 0, 0xf));
    emit(emitter, INSN(BPF_ALU | BPF_LSH | BPF_K, REG_A, 0, 0, 2));
    emit_move(emitter, REG_X, REG_A);
    emit_move(emitter, REG_A, REG_TMP);
}

static void emit_load(struct emitter *emitter, const struct ec_classic_insn *classic, uint8_t dst)
{
    switch (BPF_MODE(classic->code)) {
    case BPF_IMM:
        emit_set(emitter, dst, classic->k);
        return;
    case BPF_MEM:
        if (classic->k >= MEMORY_WORDS)
            break;
        emit(emitter, INSN(BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_10, memory_offset(classic->k), 0));
        return;
    case BPF_LEN:
        emit(emitter, INSN(BPF_LDX | BPF_MEM | BPF_W, dst, REG_SKB, offsetof(struct __sk_buff, len), 0));
        return;
    case BPF_ABS:
        if (dst != REG_A)
            break;
        emit_load_absolute(emitter, BPF_SIZE(classic->code), classic->k);
        return;
    case BPF_IND:
        if (dst != REG_A)
            break;
        emit_load_indirect(emitter, BPF_SIZE(classic->code), classic->k);
        return;
    case BPF_MSH:
        if (dst != REG_X)
            break;
        emit_load_header_length(emitter, classic->k);
        return;
    }
    emitter->ok = false;
}

static void emit_store(struct emitter *emitter, const struct ec_classic_insn *classic, uint8_t src)
{
    if (classic->k >= MEMORY_WORDS)
        emitter->ok = false;
    else
        emit(emitter, INSN(BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, src, memory_offset(classic->k), 0));
}

/* ---- arithmetic ---- */

static void emit_divide(struct emitter *emitter, const struct ec_classic_insn *classic)
{
    if (BPF_SRC(classic->code) == BPF_K && classic->k == 0) {
        emitter->ok = false; /* libpcap's and the kernel's validators refuse it */
        return;
    }
    if (BPF_SRC(classic->code) == BPF_X) {
        emit(emitter, INSN(BPF_JMP32 | BPF_JNE | BPF_K, REG_X, 0, 2, 0));
        emit_return(emitter, 0);
    }
    emit(emitter, INSN(classic->code, REG_A, BPF_SRC(classic->code) == BPF_X ? REG_X : 0, 0, classic->k));
}

static void emit_shift(struct emitter *emitter, const struct ec_classic_insn *classic)
{
    if (BPF_SRC(classic->code) == BPF_K) {
        if (classic->k < 32)
            emit(emitter, INSN(classic->code, REG_A, 0, 0, classic->k));
        else
            emit_set(emitter, REG_A, 0);
        return;
    }
    emit(emitter, INSN(BPF_JMP32 | BPF_JLT | BPF_K, REG_X, 0, 2, 32));
    emit_set(emitter, REG_A, 0);
    emit(emitter, INSN(BPF_JMP | BPF_JA, 0, 0, 1, 0));
    emit(emitter, INSN(classic->code, REG_A, REG_X, 0, 0));
}

static void emit_arithmetic(struct emitter *emitter, const struct ec_classic_insn *classic)
{
    const bool x = BPF_SRC(classic->code) == BPF_X;

    switch (BPF_OP(classic->code)) {
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_OR:
    case BPF_AND:
    case BPF_XOR:
        emit(emitter, INSN(classic->code, REG_A, x ? REG_X : 0, 0, x ? 0 : classic->k));
        return;
    case BPF_DIV:
    case BPF_MOD:
        emit_divide(emitter, classic);
        return;
    case BPF_LSH:
    case BPF_RSH:
        emit_shift(emitter, classic);
        return;
    case BPF_NEG:
        emit(emitter, INSN(BPF_ALU | BPF_NEG, REG_A, 0, 0, 0));
        return;
    }
    emitter->ok = false;
}

/* ---- jumps ---- */

/* The operation that jumps where `op` does not; 0 for none. */
static uint8_t jump_invert(uint8_t op)
{
    switch (op) {
    case BPF_JEQ:
        return BPF_JNE;
    case BPF_JGT:
        return BPF_JLE;
    case BPF_JGE:
        return BPF_JLT;
    }
    return 0;
}

static void emit_conditional(struct emitter *emitter, const struct ec_classic_insn *classic, size_t next)
{
    const uint8_t op = BPF_OP(classic->code), source = BPF_SRC(classic->code), inverse = jump_invert(op);
    const uint8_t src = source == BPF_X ? REG_X : 0;
    const uint32_t k = source == BPF_X ? 0 : classic->k;

    if (inverse == 0 && op != BPF_JSET) {
        emitter->ok = false;
    } else if (classic->jt == 0 && inverse != 0) {
        emit_jump(emitter, BPF_JMP32 | inverse | source, src, k, next + classic->jf);
    } else {
        emit_jump(emitter, BPF_JMP32 | op | source, src, k, next + classic->jt);
        if (classic->jf != 0)
            emit_jump(emitter, BPF_JMP | BPF_JA, 0, 0, next + classic->jf);
    }
}

static void emit_insn(struct emitter *emitter, size_t index)
{
    const struct ec_classic_insn *classic = &emitter->filter->insns[index];

    switch (BPF_CLASS(classic->code)) {
    case BPF_LD:
        emit_load(emitter, classic, REG_A);
        return;
    case BPF_LDX:
        emit_load(emitter, classic, REG_X);
        return;
    case BPF_ST:
        emit_store(emitter, classic, REG_A);
        return;
    case BPF_STX:
        emit_store(emitter, classic, REG_X);
        return;
    case BPF_ALU:
        emit_arithmetic(emitter, classic);
        return;
    case BPF_JMP:
        if (BPF_OP(classic->code) == BPF_JA)
            emit_jump(emitter, BPF_JMP | BPF_JA, 0, 0, index + 1 + classic->k);
        else
            emit_conditional(emitter, classic, index + 1);
        return;
    case BPF_RET:
        if (BPF_RVAL(classic->code) == BPF_K)
            emit_set(emitter, REG_A, classic->k);
        emit(emitter, INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
        return;
    case BPF_MISC:
        if (BPF_MISCOP(classic->code) == BPF_TAX)
            emit_move(emitter, REG_X, REG_A);
        else
            emit_move(emitter, REG_A, REG_X);
        return;
    }
}

/* ---- the whole ---- */

/* Marks what can be reached; false if a jump leads back or out. */
static bool filter_walk(const struct ec_filter *filter, bool *reachable)
{
    reachable[0] = true;
    for (size_t i = 0; i < filter->count; i++) {
        const struct ec_classic_insn *classic = &filter->insns[i];
        size_t left = filter->count - i - 1;

        if (!reachable[i] || BPF_CLASS(classic->code) == BPF_RET)
            continue;
        size_t jt = 0, jf = 0;
        if (BPF_CLASS(classic->code) == BPF_JMP) {
            bool always = BPF_OP(classic->code) == BPF_JA;
            jt = always ? classic->k : classic->jt;
            jf = always ? classic->k : classic->jf;
        }
        if (jt >= left || jf >= left)
            return false;
        reachable[i + 1 + jt] = true;
        reachable[i + 1 + jf] = true;
    }
    return true;
}

static void emit_prologue(struct emitter *emitter)
{
    uint32_t used = 0;

    for (size_t i = 0; i < emitter->filter->count; i++) {
        const struct ec_classic_insn *classic = &emitter->filter->insns[i];
        uint8_t class = BPF_CLASS(classic->code);
        if ((class == BPF_LD || class == BPF_LDX) && BPF_MODE(classic->code) == BPF_MEM && classic->k < MEMORY_WORDS)
            used |= 1u << classic->k;
    }
    emit(emitter, INSN(BPF_ALU64 | BPF_MOV | BPF_X, REG_SKB, BPF_REG_1, 0, 0));
    emit_set(emitter, REG_A, 0);
    emit_set(emitter, REG_X, 0);
    for (uint32_t i = 0; i < MEMORY_WORDS; i++)
        if (used & (1u << i))
            emit(emitter, INSN(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, memory_offset(i), 0));
}

static bool emit_filter(struct emitter *emitter)
{
    emitter->count = 0;
    emitter->ok = true;
    emit_prologue(emitter);
    for (size_t i = 0; i < emitter->filter->count && emitter->ok; i++) {
        emitter->position[i] = emitter->count;
        if (emitter->reachable[i])
            emit_insn(emitter, i);
    }
    return emitter->ok;
}

bool ec_filter_generate(const ec_filter *filter, struct bpf_insn *insns, size_t capacity, size_t *ret_count)
{
    g_autofree size_t *position = g_new0(size_t, filter->count);
    g_autofree bool *reachable = g_new0(bool, filter->count);
    struct emitter emitter = {.filter = filter, .capacity = capacity, .position = position, .reachable = reachable};

    if (!filter_walk(filter, reachable) || !emit_filter(&emitter))
        return false;
    emitter.insns = insns;
    if (!emit_filter(&emitter))
        return false;
    *ret_count = emitter.count;
    return true;
}

static const struct bpf_insn insn_nop = {.code = BPF_JMP | BPF_JA};

/* The slot's first instruction, or NULL: the magic one, the fill, the exit, as EC_FILTER_SLOT() makes them. An object
 * file is searched as if all of it were instructions: its sections of code are aligned to 8, and nothing else looks
 * like that. */
static struct bpf_insn *slot_find(struct bpf_insn *insns, size_t count, uint32_t magic)
{
    for (size_t i = 0; i + EC_FILTER_INSNS < count; i++) {
        if (insns[i].code != (BPF_ALU64 | BPF_MOV | BPF_K) || insns[i].dst_reg != 0 || insns[i].imm != (int32_t)magic)
            continue;
        size_t fill = 1;
        while (fill < EC_FILTER_INSNS && memcmp(&insns[i + fill], &insn_nop, sizeof(insn_nop)) == 0)
            fill++;
        if (fill == EC_FILTER_INSNS && insns[i + fill].code == (BPF_JMP | BPF_EXIT))
            return &insns[i];
    }
    return NULL;
}

bool ec_filter_patch(const ec_filter *filter, uint32_t magic, void *image, size_t size, GError **error)
{
    g_autofree struct bpf_insn *body = g_new(struct bpf_insn, EC_FILTER_INSNS + 1);
    struct bpf_insn *slot = slot_find(image, size / sizeof(struct bpf_insn), magic);
    size_t body_count = 0;

    if (slot == NULL) {
        g_set_error(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SLOT,
                    "the eBPF object has no slot %#x for a capture filter: rebuild ecapture", magic);
        return false;
    }
    if (!ec_filter_generate(filter, body, EC_FILTER_INSNS + 1, &body_count)) {
        g_set_error(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SIZE,
                    "the capture filter can't run in the kernel: it loops or needs more than %d instructions",
                    EC_FILTER_INSNS + 1);
        return false;
    }
    size_t fill = EC_FILTER_INSNS + 1 - body_count;
    for (size_t i = 0; i < fill; i++)
        slot[i] = insn_nop;
    memcpy(slot + fill, body, body_count * sizeof(*body));
    return true;
}
