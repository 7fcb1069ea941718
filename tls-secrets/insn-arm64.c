/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encodings: Arm Architecture Reference Manual for A-profile (DDI 0487), C4.1 "A64 instruction set encoding".
 * Register number 31 means sp in some places and the zero register in others; the zero register becomes EC_REG_NONE.
 */
#include "insn.h"

#include <elf.h>
#include <glib.h>

enum { SP = 31 };

static uint32_t field(uint32_t word, unsigned low, unsigned bits)
{
    return word >> low & ((1u << bits) - 1);
}

static int64_t signed_field(uint32_t word, unsigned low, unsigned bits)
{
    uint32_t value = field(word, low, bits);
    return (int64_t)value - (value >> (bits - 1) ? (int64_t)1 << bits : 0);
}

static int8_t reg_or_zero(uint32_t number)
{
    return number == 31 ? EC_REG_NONE : (int8_t)number;
}

static void write_add(struct ec_insn *insn, int8_t reg)
{
    if (reg != EC_REG_NONE)
        insn->writes |= 1u << reg;
}

/* ADR, ADRP */
static void address_decode(uint32_t word, struct ec_insn *insn)
{
    int64_t immediate = signed_field(word, 5, 19) * 4 + field(word, 29, 2);
    insn->op = EC_OP_CONST;
    insn->dst = reg_or_zero(field(word, 0, 5));
    insn->value = word >> 31 ? (int64_t)((insn->address & ~0xfffull) + ((uint64_t)immediate << 12))
                             : (int64_t)(insn->address + immediate);
    write_add(insn, insn->dst);
}

/* ADD, ADDS, SUB, SUBS (immediate); MOV to and from sp is an ADD of 0 */
static void add_immediate_decode(uint32_t word, struct ec_insn *insn)
{
    int64_t immediate = (int64_t)field(word, 10, 12) << (field(word, 22, 1) ? 12 : 0);
    bool flags = field(word, 29, 1);
    insn->op = EC_OP_ADD;
    insn->width = word >> 31 ? 8 : 4;
    insn->src = field(word, 5, 5);
    insn->dst = flags ? reg_or_zero(field(word, 0, 5)) : (int8_t)field(word, 0, 5);
    insn->value = field(word, 30, 1) ? -immediate : immediate;
    write_add(insn, insn->dst);
    if (insn->dst == EC_REG_NONE)
        insn->op = EC_OP_OTHER;
}

static void move_wide_decode(uint32_t word, struct ec_insn *insn)
{
    uint64_t value = (uint64_t)field(word, 5, 16) << (16 * field(word, 21, 2));
    unsigned kind = field(word, 29, 2); /* 0 MOVN, 2 MOVZ, 3 MOVK */
    insn->dst = reg_or_zero(field(word, 0, 5));
    write_add(insn, insn->dst);
    if (insn->dst == EC_REG_NONE || kind == 3)
        return;
    insn->op = EC_OP_CONST;
    insn->value = kind == 0 ? ~value : value;
}

static void data_immediate_decode(uint32_t word, struct ec_insn *insn)
{
    switch (field(word, 23, 3)) {
    case 0:
    case 1:
        address_decode(word, insn);
        break;
    case 2:
        add_immediate_decode(word, insn);
        break;
    case 5:
        move_wide_decode(word, insn);
        break;
    default: /* logical (immediate) may write sp; bitfield, extract */
        insn->writes = 1u << field(word, 0, 5);
    }
}

static void data_register_decode(uint32_t word, struct ec_insn *insn)
{
    int8_t rd = reg_or_zero(field(word, 0, 5)), rn = reg_or_zero(field(word, 5, 5)),
           rm = reg_or_zero(field(word, 16, 5));
    write_add(insn, rd);
    if ((word & 0x7fe0ffe0) == 0x2a0003e0 && rd != EC_REG_NONE && rm != EC_REG_NONE) { /* MOV: ORR rd, zr, rm */
        insn->op = EC_OP_COPY;
        insn->width = word >> 31 ? 8 : 4;
        insn->dst = rd;
        insn->src = rm;
    } else if ((word & 0x7fe00c00) == 0x1a800000 && rd != EC_REG_NONE) { /* CSEL */
        insn->op = EC_OP_SELECT;
        insn->width = word >> 31 ? 8 : 4;
        insn->dst = rd;
        insn->src = rn;
        insn->src2 = rm;
    } else if ((word & 0xffe0fc00) == 0x8b000000 || (word & 0xffe00c00) == 0x8b200000) {
        insn->index = rm; /* ADD (shifted or extended register): an address of an array's element */
    }
}

static void branch_decode(uint32_t word, struct ec_insn *insn)
{
    if ((word & 0x7c000000) == 0x14000000) { /* B, BL */
        insn->op = word >> 31 ? EC_OP_CALL : EC_OP_JUMP;
        insn->target = insn->address + signed_field(word, 0, 26) * 4;
    } else if ((word & 0xff000000) == 0x54000000 || (word & 0x7e000000) == 0x34000000) { /* B.cond, CBZ, CBNZ */
        insn->op = EC_OP_BRANCH;
        insn->target = insn->address + signed_field(word, 5, 19) * 4;
    } else if ((word & 0x7e000000) == 0x36000000) { /* TBZ, TBNZ */
        insn->op = EC_OP_BRANCH;
        insn->target = insn->address + signed_field(word, 5, 14) * 4;
    } else if ((word & 0xfe000000) == 0xd6000000) { /* BR, BLR, RET and their authenticating forms */
        insn->op = field(word, 21, 2) == 1 ? EC_OP_CALL : field(word, 21, 2) == 0 ? EC_OP_JUMP : EC_OP_STOP;
        insn->src = insn->op == EC_OP_STOP ? EC_REG_NONE : reg_or_zero(field(word, 5, 5));
    } else if ((word & 0xff000000) == 0xd4000000 && field(word, 21, 3) == 1) { /* BRK */
        insn->op = EC_OP_STOP;
    } else if ((word & 0xfff00000) == 0xd5300000) { /* MRS */
        write_add(insn, reg_or_zero(field(word, 0, 5)));
    }
}

/* LDP, STP, LDNP, STNP, LDPSW */
static void pair_decode(uint32_t word, struct ec_insn *insn)
{
    bool vector = field(word, 26, 1), load = field(word, 22, 1);
    unsigned scale = vector ? 2 + field(word, 30, 2) : 2 + field(word, 31, 1);
    unsigned mode = field(word, 23, 2); /* 0 no-allocate, 1 post-index, 2 offset, 3 pre-index */
    int64_t offset = signed_field(word, 15, 7) * ((int64_t)1 << scale);
    int8_t first = reg_or_zero(field(word, 0, 5)), second = reg_or_zero(field(word, 10, 5));
    insn->base = field(word, 5, 5);
    insn->size = 2u << scale;
    insn->displacement = mode == 1 ? 0 : offset;
    insn->reads = load;
    insn->stores = !load;
    if (mode & 1) {
        insn->base_add = offset;
        write_add(insn, insn->base);
    }
    if (vector) {
        insn->vector = field(word, 0, 5);
        insn->vector2 = field(word, 10, 5);
        return;
    }
    if (load) {
        write_add(insn, first);
        write_add(insn, second);
    }
    if (scale != 3)
        return;
    insn->op = load ? EC_OP_LOAD : EC_OP_STORE;
    insn->dst = load ? first : EC_REG_NONE;
    insn->dst2 = load ? second : EC_REG_NONE;
    insn->src = load ? EC_REG_NONE : first;
    insn->src2 = load ? EC_REG_NONE : second;
}

/* Load or store of one register: unsigned offset, unscaled, pre- and post-index, register offset */
static void single_decode(uint32_t word, struct ec_insn *insn)
{
    bool vector = field(word, 26, 1);
    unsigned opc = field(word, 22, 2), scale = vector ? field(word, 30, 2) | (opc & 2) << 1 : field(word, 30, 2);
    bool load = vector ? opc & 1 : opc != 0;
    int8_t reg = reg_or_zero(field(word, 0, 5));
    if (!vector && scale == 3 && opc == 2) /* PRFM */
        return;
    if (!field(word, 24, 1) && field(word, 21, 1) && field(word, 10, 2) != 2) { /* atomics return the old value */
        write_add(insn, reg);
        return;
    }
    insn->base = field(word, 5, 5);
    insn->size = 1u << MIN(scale, 4u);
    insn->reads = load;
    insn->stores = !load;
    if (field(word, 24, 1)) {
        insn->displacement = (int64_t)field(word, 10, 12) << scale;
    } else if (field(word, 21, 1)) {
        insn->index = reg_or_zero(field(word, 16, 5));
    } else {
        unsigned mode = field(word, 10, 2); /* 0 unscaled, 1 post-index, 2 unprivileged, 3 pre-index */
        int64_t offset = signed_field(word, 12, 9);
        insn->displacement = mode == 1 ? 0 : offset;
        if (mode & 1) {
            insn->base_add = offset;
            write_add(insn, insn->base);
        }
    }
    if (vector) {
        insn->vector = field(word, 0, 5);
        return;
    }
    if (load)
        write_add(insn, reg);
    if (scale < 2 || opc > 1 || insn->index != EC_REG_NONE || (load && reg == EC_REG_NONE))
        return;
    if (scale == 3)
        insn->op = load ? EC_OP_LOAD : EC_OP_STORE;
    else
        insn->op = load ? EC_OP_LOAD_HALF : EC_OP_STORE_HALF;
    insn->dst = load ? reg : EC_REG_NONE;
    insn->src = load ? EC_REG_NONE : reg;
}

static void memory_decode(uint32_t word, struct ec_insn *insn)
{
    if ((word & 0x3a000000) == 0x28000000)
        pair_decode(word, insn);
    else if ((word & 0x3a000000) == 0x38000000)
        single_decode(word, insn);
    else if (!field(word, 26, 1)) { /* literal, exclusive, atomic: all registers that may be meant */
        insn->writes = 1u << field(word, 0, 5) | 1u << field(word, 16, 5);
        insn->writes &= ~(1u << SP);
    }
}

/* FMOV, FCVT* to a general register; UMOV, SMOV */
static bool vector_writes_register(uint32_t word)
{
    return (word & 0x7f20fc00) == 0x1e200000 || (word & 0xbfe0fc00) == 0x0e003c00 || (word & 0xbfe0fc00) == 0x0e002c00;
}

void ec_insn_decode_arm64(uint32_t word, uint64_t address, struct ec_insn *ret_insn)
{
    *ret_insn = (struct ec_insn){.address = address, .length = 4, .width = 8};
    ret_insn->dst = ret_insn->dst2 = ret_insn->src = ret_insn->src2 = EC_REG_NONE;
    ret_insn->base = ret_insn->index = ret_insn->vector = ret_insn->vector2 = EC_REG_NONE;
    unsigned group = field(word, 25, 4);
    if (field(word, 16, 16) == 0) /* UDF */
        ret_insn->op = EC_OP_STOP;
    else if ((group & 0xe) == 0x8)
        data_immediate_decode(word, ret_insn);
    else if ((group & 0xe) == 0xa)
        branch_decode(word, ret_insn);
    else if ((group & 0x5) == 0x4)
        memory_decode(word, ret_insn);
    else if ((group & 0x7) == 0x5)
        data_register_decode(word, ret_insn);
    else if (vector_writes_register(word))
        write_add(ret_insn, reg_or_zero(field(word, 0, 5)));
}
