/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accessor.h"

#include <elf.h>

/* Instructions of the longest accessor that is believed. */
enum { INSNS_MAX = 8 };

struct evidence {
    int8_t result; /* the register of the return value */
    unsigned n_insns, n_near, n_far;
    int64_t near, pointer, far; /* displacements of loads from the argument, and from what it points to */
    bool strange;
    struct ec_value returned;
    unsigned n_returns;
};

static void load_take(struct evidence *evidence, const struct ec_insn *insn, const struct ec_value *base)
{
    if (base->kind == EC_VALUE_ARG && base->pointer == 0 && insn->index == EC_REG_NONE) {
        evidence->n_near++;
        evidence->near = base->offset + insn->displacement;
    } else if (base->kind == EC_VALUE_DEREF && insn->index == EC_REG_NONE) {
        evidence->n_far++;
        evidence->pointer = base->pointer;
        evidence->far = base->offset + insn->displacement;
    } else {
        evidence->strange = true;
    }
}

/* A conditional way round the second load is the test for NULL. */
static void insn_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct evidence *evidence = data;

    evidence->n_insns++;
    if (insn->reads && insn->base != EC_REG_NONE)
        load_take(evidence, insn, &state->registers[insn->base]);
    else if (insn->op == EC_OP_CALL || insn->stores)
        evidence->strange = true;
    else if (insn->op == EC_OP_STOP) {
        evidence->n_returns++;
        evidence->returned = state->registers[evidence->result];
    }
}

static bool is_offset(int64_t value)
{
    return value >= 0 && value <= INT32_MAX;
}

static bool accessor_set(struct ec_accessor *accessor, enum ec_accessor_kind kind, int64_t pointer, int64_t offset)
{
    *accessor = (struct ec_accessor){kind, (uint32_t)pointer, (uint32_t)offset};
    return is_offset(pointer) && is_offset(offset);
}

bool ec_accessor_find(struct ec_code *code, uint64_t function, struct ec_accessor *ret_accessor)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    struct evidence evidence = {.result = 0}; /* rax, x0 */
    const struct ec_value *returned = &evidence.returned;
    struct ec_accessor accessor;
    struct ec_state state;
    bool ok = false;

    ec_state_init_entry(&state, machine);
    if (!ec_flow_run(code, function, &state, EC_JOIN_MAY, insn_visit, &evidence) || evidence.strange ||
        evidence.n_insns > INSNS_MAX || evidence.n_returns == 0)
        return false;
    if (evidence.n_near == 0 && evidence.n_far == 0)
        ok = returned->kind == EC_VALUE_ARG && returned->pointer == 0 &&
             accessor_set(&accessor, EC_ACCESSOR_ADDRESS, 0, returned->offset);
    else if (evidence.n_near == 1 && evidence.n_far == 1)
        ok = evidence.pointer == evidence.near &&
             accessor_set(&accessor, EC_ACCESSOR_FAR_FIELD, evidence.pointer, evidence.far);
    else if (evidence.n_near == 1 && evidence.n_far == 0 && returned->kind == EC_VALUE_DEREF)
        ok = returned->offset == 0 ? accessor_set(&accessor, EC_ACCESSOR_FIELD, 0, evidence.near)
                                   : accessor_set(&accessor, EC_ACCESSOR_FAR_ADDRESS, evidence.near, returned->offset);
    if (ok)
        *ret_accessor = accessor;
    return ok;
}

struct setter {
    unsigned n_insns, n_stores;
    bool strange;
    int64_t offset;
};

static bool is_argument(const struct ec_state *state, int8_t reg, int32_t number)
{
    return reg != EC_REG_NONE && state->registers[reg].kind == EC_VALUE_ARG && state->registers[reg].pointer == number;
}

static void setter_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct setter *setter = data;

    setter->n_insns++;
    /* What it adds to is another member: MariaDB 11.8 keeps a sum, too. */
    if (!insn->stores || insn->reads)
        return;
    setter->n_stores++;
    if (insn->op != EC_OP_STORE || insn->size != sizeof(uint64_t) || insn->index != EC_REG_NONE ||
        !is_argument(state, insn->base, 0) || !is_argument(state, insn->src, 1))
        setter->strange = true;
    else
        setter->offset = state->registers[insn->base].offset + insn->displacement;
}

bool ec_setter_find(ec_code *code, uint64_t function, uint32_t *ret_offset)
{
    struct setter setter = {.n_insns = 0};
    struct ec_state state;

    ec_state_init_entry(&state, ec_code_get_machine(code));
    if (!ec_flow_run(code, function, &state, EC_JOIN_MUST, setter_visit, &setter) || setter.strange ||
        setter.n_stores != 1 || setter.n_insns > 2 * INSNS_MAX || !is_offset(setter.offset))
        return false;
    *ret_offset = (uint32_t)setter.offset;
    return true;
}
