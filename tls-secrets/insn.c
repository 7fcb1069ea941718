/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "insn.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <glib.h>
#include <string.h>

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11 };

static const struct ec_machine machines[] = {
    {
        .elf_machine = EM_X86_64,
        .n_registers = 16,
        .args = {RDI, RSI, RDX, RCX, R8, R9, EC_REG_NONE, EC_REG_NONE},
        .stack = RSP,
        .frame = RBP,
        .volatiles = 1 << RAX | 1 << RCX | 1 << RDX | 1 << RSI | 1 << RDI | 1 << R8 | 1 << R9 | 1 << R10 | 1 << R11,
    },
    {
        .elf_machine = EM_AARCH64,
        .n_registers = EC_REG_MAX,
        .args = {0, 1, 2, 3, 4, 5, 6, 7},
        .stack = 31,
        .frame = 29,
        .volatiles = 0x7ffff | 1u << 30, /* x0 … x18 and the link register */
    },
};

const struct ec_machine *ec_machine_get(int elf_machine)
{
    for (size_t i = 0; i < G_N_ELEMENTS(machines); i++)
        if (machines[i].elf_machine == elf_machine)
            return &machines[i];
    return NULL;
}

struct ec_decoder {
    const struct ec_machine *machine;
    csh capstone;
    cs_insn *scratch;
};

struct ec_decoder *ec_decoder_new(const struct ec_machine *machine)
{
    struct ec_decoder *decoder = g_new0(struct ec_decoder, 1);
    decoder->machine = machine;
    if (machine->elf_machine != EM_X86_64)
        return decoder;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->capstone) != CS_ERR_OK) {
        g_free(decoder);
        return NULL;
    }
    cs_option(decoder->capstone, CS_OPT_DETAIL, CS_OPT_ON);
    decoder->scratch = cs_malloc(decoder->capstone);
    return decoder;
}

void ec_decoder_free(struct ec_decoder *decoder)
{
    if (!decoder)
        return;
    if (decoder->scratch)
        cs_free(decoder->scratch, 1);
    if (decoder->capstone)
        cs_close(&decoder->capstone);
    g_free(decoder);
}

/* One row per general register: its names by width, in encoding order. */
static const uint16_t register_names[16][5] = {
    {X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
    {X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
    {X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
    {X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
    {X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
    {X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
    {X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
    {X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
    {X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
    {X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
    {X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
    {X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
    {X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
    {X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
    {X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
    {X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

static int8_t register_get(unsigned name)
{
    for (int8_t reg = 0; name != X86_REG_INVALID && reg < 16; reg++)
        for (size_t width = 0; width < G_N_ELEMENTS(register_names[0]); width++)
            if (register_names[reg][width] == name)
                return reg;
    return EC_REG_NONE;
}

static void writes_read(struct ec_decoder *decoder, const cs_insn *raw, struct ec_insn *insn)
{
    cs_regs read, written;
    uint8_t reads = 0, count = 0;
    if (cs_regs_access(decoder->capstone, raw, read, &reads, written, &count) != CS_ERR_OK) {
        insn->writes = 0xffff;
        return;
    }
    for (uint8_t i = 0; i < count; i++) {
        int8_t reg = register_get(written[i]);
        if (reg != EC_REG_NONE)
            insn->writes |= 1u << reg;
    }
}

static void memory_read(const cs_insn *raw, const cs_x86_op *operand, struct ec_insn *insn)
{
    insn->base = register_get(operand->mem.base);
    insn->index = register_get(operand->mem.index);
    insn->displacement = operand->mem.disp;
    insn->size = operand->size;
    if (operand->mem.base == X86_REG_RIP)
        insn->displacement += raw->address + raw->size;
    /* capstone tells no access for some vector moves: the first operand is the one written */
    insn->stores = operand->access & CS_AC_WRITE || (operand->access == 0 && operand == &raw->detail->x86.operands[0]);
    insn->reads = !insn->stores || operand->access & CS_AC_READ;
}

static bool is_register(const cs_x86_op *operand, unsigned min_size)
{
    return operand->type == X86_OP_REG && operand->size >= min_size && register_get(operand->reg) != EC_REG_NONE;
}

static void mov_decode(const cs_x86_op *to, const cs_x86_op *from, struct ec_insn *insn)
{
    insn->width = to->size;
    if (is_register(to, 4)) {
        insn->dst = register_get(to->reg);
        if (is_register(from, 4)) {
            insn->op = EC_OP_COPY;
            insn->src = register_get(from->reg);
        } else if (from->type == X86_OP_IMM) {
            insn->op = EC_OP_CONST;
            insn->value = to->size == 4 ? (uint32_t)from->imm : from->imm;
        } else if (from->type == X86_OP_MEM && to->size == 8 && insn->index == EC_REG_NONE) {
            insn->op = EC_OP_LOAD;
        } else if (from->type == X86_OP_MEM && to->size == 4 && insn->index == EC_REG_NONE) {
            insn->op = EC_OP_LOAD_HALF;
        }
    } else if (to->type == X86_OP_MEM && to->size == 4 && insn->index == EC_REG_NONE) {
        insn->op = from->type == X86_OP_IMM || is_register(from, 4) ? EC_OP_STORE_HALF : EC_OP_OTHER;
        insn->src = from->type == X86_OP_REG ? register_get(from->reg) : EC_REG_NONE;
        insn->value = from->type == X86_OP_IMM ? from->imm : 0;
    } else if (to->type == X86_OP_MEM && to->size == 8 && insn->index == EC_REG_NONE) {
        insn->op = from->type == X86_OP_IMM ? EC_OP_STORE_CONST : is_register(from, 8) ? EC_OP_STORE : EC_OP_OTHER;
        insn->src = from->type == X86_OP_REG ? register_get(from->reg) : EC_REG_NONE;
        insn->value = from->type == X86_OP_IMM ? from->imm : 0;
    }
}

/* xmm and ymm of the same number are one register. */
static int8_t vector_get(unsigned name)
{
    if (name >= X86_REG_XMM0 && name <= X86_REG_XMM15)
        return (int8_t)(name - X86_REG_XMM0);
    return name >= X86_REG_YMM0 && name <= X86_REG_YMM15 ? (int8_t)(name - X86_REG_YMM0) : EC_REG_NONE;
}

/* capstone 4 takes the memory operand of some for read although it is written. */
static void vector_move_decode(const cs_x86 *x86, struct ec_insn *insn)
{
    if (x86->op_count != 2 || insn->size < 16)
        return;
    insn->stores = x86->operands[0].type == X86_OP_MEM;
    insn->reads = !insn->stores;
    insn->vector = vector_get(x86->operands[insn->stores ? 1 : 0].reg);
}

static void lea_decode(const cs_x86_op *to, const cs_x86_op *from, struct ec_insn *insn)
{
    insn->reads = insn->stores = false;
    insn->size = 0;
    if (!is_register(to, 8) || insn->index != EC_REG_NONE)
        return;
    insn->dst = register_get(to->reg);
    insn->value = insn->displacement;
    if (from->mem.base == X86_REG_RIP) {
        insn->op = EC_OP_CONST;
    } else if (insn->base != EC_REG_NONE) {
        insn->op = EC_OP_ADD;
        insn->src = insn->base;
    }
}

static void add_decode(const cs_x86_op *to, const cs_x86_op *by, bool negative, struct ec_insn *insn)
{
    if (!is_register(to, 8) || by->type != X86_OP_IMM)
        return;
    insn->op = EC_OP_ADD;
    insn->dst = insn->src = register_get(to->reg);
    insn->value = negative ? -(uint64_t)by->imm : (uint64_t)by->imm;
}

/* How compilers write 0. */
static void xor_decode(const cs_x86_op *to, const cs_x86_op *by, struct ec_insn *insn)
{
    if (!is_register(to, 4) || by->type != X86_OP_REG || by->reg != to->reg)
        return;
    insn->op = EC_OP_CONST;
    insn->dst = register_get(to->reg);
    insn->width = to->size;
}

static void push_decode(const cs_x86_op *operand, struct ec_insn *insn)
{
    insn->op = EC_OP_PUSH;
    insn->src = is_register(operand, 8) ? register_get(operand->reg) : EC_REG_NONE;
    insn->value = operand->type == X86_OP_IMM ? operand->imm : 0;
}

static void control_decode(const cs_insn *raw, enum ec_insn_op op, struct ec_insn *insn)
{
    const cs_x86 *x86 = &raw->detail->x86;
    insn->op = op;
    if (x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM)
        insn->target = x86->operands[0].imm;
    else if (x86->op_count == 1 && is_register(&x86->operands[0], 8))
        insn->src = register_get(x86->operands[0].reg);
}

static bool in_group(const cs_insn *raw, uint8_t group)
{
    for (uint8_t i = 0; i < raw->detail->groups_count; i++)
        if (raw->detail->groups[i] == group)
            return true;
    return false;
}

static void operands_decode(const cs_insn *raw, struct ec_insn *insn)
{
    const cs_x86_op *operands = raw->detail->x86.operands;
    switch (raw->id) {
    case X86_INS_MOV:
    case X86_INS_MOVABS:
        mov_decode(&operands[0], &operands[1], insn);
        break;
    case X86_INS_MOVUPS:
    case X86_INS_MOVAPS:
    case X86_INS_MOVDQU:
    case X86_INS_MOVDQA:
    case X86_INS_VMOVUPS:
    case X86_INS_VMOVAPS:
    case X86_INS_VMOVDQU:
    case X86_INS_VMOVDQA:
        vector_move_decode(&raw->detail->x86, insn);
        break;
    case X86_INS_LEA:
        lea_decode(&operands[0], &operands[1], insn);
        break;
    case X86_INS_ADD:
    case X86_INS_SUB:
        add_decode(&operands[0], &operands[1], raw->id == X86_INS_SUB, insn);
        break;
    case X86_INS_XOR:
        xor_decode(&operands[0], &operands[1], insn);
        break;
    case X86_INS_PUSH:
        push_decode(&operands[0], insn);
        break;
    case X86_INS_POP:
        insn->op = is_register(&operands[0], 8) ? EC_OP_POP : EC_OP_OTHER;
        insn->dst = insn->op == EC_OP_POP ? register_get(operands[0].reg) : EC_REG_NONE;
        break;
    case X86_INS_CALL:
        control_decode(raw, EC_OP_CALL, insn);
        break;
    case X86_INS_JMP:
        control_decode(raw, EC_OP_JUMP, insn);
        break;
    case X86_INS_UD2:
    case X86_INS_INT3:
    case X86_INS_HLT:
        insn->op = EC_OP_STOP;
        break;
    default:
        if (in_group(raw, X86_GRP_RET) || in_group(raw, X86_GRP_IRET)) {
            insn->op = EC_OP_STOP;
        } else if (in_group(raw, X86_GRP_JUMP)) {
            control_decode(raw, EC_OP_BRANCH, insn);
        } else if (strncmp(raw->mnemonic, "cmov", 4) == 0 && is_register(&operands[1], 4)) {
            insn->op = EC_OP_SELECT;
            insn->width = operands[0].size;
            insn->dst = insn->src2 = register_get(operands[0].reg);
            insn->src = register_get(operands[1].reg);
        }
    }
}

static void x86_decode(struct ec_decoder *decoder, const cs_insn *raw, struct ec_insn *insn)
{
    const cs_x86 *x86 = &raw->detail->x86;
    *insn = (struct ec_insn){.address = raw->address, .length = raw->size, .width = 8};
    insn->dst = insn->dst2 = insn->src = insn->src2 = insn->base = insn->index = EC_REG_NONE;
    insn->vector = insn->vector2 = EC_REG_NONE;
    for (uint8_t i = 0; i < x86->op_count; i++)
        if (x86->operands[i].type == X86_OP_MEM)
            memory_read(raw, &x86->operands[i], insn);
    writes_read(decoder, raw, insn);
    operands_decode(raw, insn);
    if (insn->op == EC_OP_LOAD && insn->base == EC_REG_NONE)
        insn->op = EC_OP_OTHER;
}

bool ec_decoder_read(struct ec_decoder *decoder, const uint8_t *code, size_t len, uint64_t address,
                     struct ec_insn *ret_insn)
{
    if (decoder->machine->elf_machine == EM_AARCH64) {
        uint32_t word = 0;
        if (len < sizeof(word))
            return false;
        memcpy(&word, code, sizeof(word));
        ec_insn_decode_arm64(GUINT32_FROM_LE(word), address, ret_insn);
        return true;
    }
    if (!cs_disasm_iter(decoder->capstone, &code, &len, &address, decoder->scratch))
        return false;
    x86_decode(decoder, decoder->scratch, ret_insn);
    return true;
}
