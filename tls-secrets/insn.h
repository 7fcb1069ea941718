/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One machine instruction, reduced to what the data-flow analysis of code-flow.h asks for: where values go and where
 * control goes. x86-64 is decoded by capstone, aarch64 by hand (its fixed encoding makes the few forms that matter
 * shorter than a library's names for them, which change between capstone 4, 5 and 6).
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ec_insn_op {
    EC_OP_OTHER,       /* writes registers `writes` with something unknown */
    EC_OP_CONST,       /* dst = value */
    EC_OP_COPY,        /* dst = src */
    EC_OP_SELECT,      /* dst = src or src2, by a condition */
    EC_OP_ADD,         /* dst = src + value */
    EC_OP_LOAD,        /* dst = memory; dst2 = the 8 bytes behind it, if not EC_REG_NONE */
    EC_OP_STORE,       /* memory = src; likewise src2 */
    EC_OP_STORE_CONST, /* memory = value */
    EC_OP_LOAD_HALF,   /* dst = memory, 4 bytes */
    EC_OP_STORE_HALF,  /* memory, 4 bytes, = src, or value if src is EC_REG_NONE */
    EC_OP_PUSH,        /* of src, or of `value` if src is EC_REG_NONE */
    EC_OP_POP,         /* to dst */
    EC_OP_CALL,        /* to `target`, 0 if it is computed: to src, or to what is in memory */
    EC_OP_JUMP,        /* likewise */
    EC_OP_BRANCH,      /* to `target` or on */
    EC_OP_STOP,        /* control does not go on: return, trap */
};

#define EC_REG_NONE (-1)
#define EC_REG_MAX 32 /* x86-64: encoding order, rax = 0 … r15 = 15; aarch64: x0 … x30, sp = 31 */

struct ec_insn {
    uint64_t address;
    uint8_t length; /* bytes */
    uint8_t op;     /* enum ec_insn_op */
    uint8_t width;  /* of the registers' values, bytes */
    int8_t dst, dst2;
    int8_t src, src2;
    /* The memory operand, whatever the op: [base + index + displacement]. size 0: none. base EC_REG_NONE: absolute */
    int8_t base, index;
    uint8_t size; /* bytes */
    bool reads, stores;
    /* The vector registers that a plain move loads from or stores to that operand, each its half if they are two. */
    int8_t vector, vector2;
    int64_t displacement;
    int64_t base_add; /* added to base afterwards (aarch64 write-back), which then is in `writes` too */
    int64_t value;
    uint64_t target;
    uint32_t writes; /* bit per register that is written, dst included; EC_OP_CALL: see ec_machine */
};

/* What a calling convention says: System V AMD64 ABI 1.0 3.2; AAPCS64 6.1. */
struct ec_machine {
    int elf_machine;
    int8_t n_registers; /* that an instruction may name: from 0 on */
    int8_t args[8];     /* EC_REG_NONE behind the last */
    int8_t stack, frame;
    uint32_t volatiles; /* bit per register that a call may change */
};
/* NULL for a machine other than EM_X86_64 and EM_AARCH64. */
const struct ec_machine *ec_machine_get(int elf_machine);

/* A decoder holds capstone's state. NULL if capstone refuses to start. */
struct ec_decoder;
typedef struct ec_decoder ec_decoder;
struct ec_decoder *ec_decoder_new(const struct ec_machine *machine);
void ec_decoder_free(struct ec_decoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_decoder, ec_decoder_free)
/* Longest instruction of both machines */
#define EC_INSN_LEN 15
/* False if `code`, `len` bytes, begins with no valid instruction. */
bool ec_decoder_read(struct ec_decoder *decoder, const uint8_t *code, size_t len, uint64_t address,
                     struct ec_insn *ret_insn);

/* insn-arm64.c; a word always decodes to something. */
void ec_insn_decode_arm64(uint32_t word, uint64_t address, struct ec_insn *ret_insn);
