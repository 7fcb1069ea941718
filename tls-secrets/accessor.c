/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "accessor.h"

#include <elf.h>

/* Instructions of the longest accessor that is believed. */
enum { INSNS_MAX = 8 };

struct evidence {
    int8_t result, result2; /* the registers of the return value */
    unsigned n_insns, n_near, n_far;
    int64_t near, pointer, far; /* displacements of loads from the argument, and from what it points to */
    uint8_t size;               /* of the last load */
    bool half;                  /* it is one of 4 bytes into the result's register */
    unsigned n_sets;            /* instructions that write that register */
    bool strange;
    struct ec_value returned, returned2;
    unsigned n_returns;
};

static void load_take(struct evidence *evidence, const struct ec_insn *insn, const struct ec_value *base)
{
    evidence->size = insn->size;
    evidence->half = insn->op == EC_OP_LOAD_HALF && insn->dst == evidence->result;
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
    evidence->n_sets += insn->writes >> evidence->result & 1;
    if (insn->reads && insn->base != EC_REG_NONE)
        load_take(evidence, insn, &state->registers[insn->base]);
    else if (insn->op == EC_OP_CALL || insn->stores)
        evidence->strange = true;
    else if (insn->op == EC_OP_STOP) {
        evidence->n_returns++;
        evidence->returned = state->registers[evidence->result];
        evidence->returned2 = state->registers[evidence->result2];
    }
}

static bool is_offset(int64_t value)
{
    return value >= 0 && value <= INT32_MAX;
}

static bool accessor_set(struct ec_accessor *accessor, enum ec_accessor_kind kind, int64_t pointer, int64_t offset)
{
    *accessor = (struct ec_accessor){kind, (uint32_t)pointer, (uint32_t)offset, 0};
    return is_offset(pointer) && is_offset(offset);
}

static bool is_member(const struct ec_value *value)
{
    return value->kind == EC_VALUE_DEREF && value->offset == 0;
}

/* By two loads, or by one of 16 bytes. */
static bool returns_pair(const struct evidence *evidence)
{
    return evidence->n_far == 0 && is_member(&evidence->returned) && is_member(&evidence->returned2) &&
           evidence->returned2.pointer == evidence->returned.pointer + (int)sizeof(uint64_t) &&
           (evidence->n_near == 2 || (evidence->n_near == 1 && evidence->size == 2 * sizeof(uint64_t)));
}

bool ec_accessor_find(struct ec_code *code, uint64_t function, struct ec_accessor *ret_accessor)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    struct evidence evidence = {.result = 0,
                                .result2 = machine->elf_machine == EM_X86_64 ? 2 : 1}; /* rax, x0; rdx, x1 */
    const struct ec_value *returned = &evidence.returned;
    struct ec_accessor accessor;
    struct ec_state state;
    bool ok = false;

    ec_state_init_entry(&state, machine);
    if (!ec_flow_run(code, function, &state, EC_JOIN_MAY, insn_visit, &evidence) || evidence.strange ||
        evidence.n_insns > INSNS_MAX || evidence.n_returns == 0)
        return false;
    if (returns_pair(&evidence))
        ok = accessor_set(&accessor, EC_ACCESSOR_PAIR, 0, returned->pointer);
    else if (evidence.n_near == 0 && evidence.n_far == 0)
        ok = returned->kind == EC_VALUE_ARG && returned->pointer == 0 &&
             accessor_set(&accessor, EC_ACCESSOR_ADDRESS, 0, returned->offset);
    else if (evidence.n_near == 1 && evidence.n_far == 1)
        ok = evidence.pointer == evidence.near &&
             accessor_set(&accessor, EC_ACCESSOR_FAR_FIELD, evidence.pointer, evidence.far);
    else if (evidence.n_near == 1 && evidence.n_far == 0 && returned->kind == EC_VALUE_DEREF)
        ok = returned->offset == 0 ? accessor_set(&accessor, EC_ACCESSOR_FIELD, 0, evidence.near)
                                   : accessor_set(&accessor, EC_ACCESSOR_FAR_ADDRESS, evidence.near, returned->offset);
    else if (evidence.n_near == 1 && evidence.n_far == 0 && evidence.half && evidence.n_sets == 1)
        ok = accessor_set(&accessor, EC_ACCESSOR_FIELD, 0, evidence.near);
    if (!ok)
        return false;
    accessor.size = evidence.size;
    *ret_accessor = accessor;
    return true;
}

struct variable {
    int8_t result;
    unsigned n_insns, n_loads;
    unsigned n_sets, n_consts; /* instructions that write the result's register; those that make an address there */
    bool strange;
    uint64_t address;
};

static void variable_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    const struct ec_value *base = insn->base == EC_REG_NONE ? NULL : &state->registers[insn->base];
    struct variable *variable = data;

    variable->n_insns++;
    variable->n_sets += insn->writes >> variable->result & 1;
    variable->n_consts += insn->op == EC_OP_CONST;
    variable->strange |= insn->op == EC_OP_CALL || insn->op == EC_OP_BRANCH || insn->stores;
    if (!insn->reads)
        return;
    variable->n_loads++;
    /* The decoder calls a move from an absolute address no load. */
    variable->strange |= (insn->op != EC_OP_LOAD && base) || insn->dst != variable->result ||
                         insn->index != EC_REG_NONE || insn->size != sizeof(uint64_t) ||
                         (base && base->kind != EC_VALUE_CONST);
    variable->address = (uint64_t)((base ? base->offset : 0) + insn->displacement);
}

bool ec_accessor_find_variable(ec_code *code, uint64_t function, uint64_t *ret_address)
{
    struct variable variable = {.result = 0}; /* rax, x0 */
    struct ec_state state;

    ec_state_init(&state);
    if (!ec_flow_run(code, function, &state, EC_JOIN_MUST, variable_visit, &variable) || variable.strange ||
        variable.n_loads != 1 || variable.n_sets > 1 + variable.n_consts || variable.n_insns > INSNS_MAX)
        return false;
    *ret_address = variable.address;
    return true;
}

static bool is_argument(const struct ec_state *state, int8_t reg, int32_t number)
{
    return reg != EC_REG_NONE && state->registers[reg].kind == EC_VALUE_ARG && state->registers[reg].pointer == number;
}

/* What a plain store sets of the first argument's structure: the member's offset. */
static bool store_find(const struct ec_insn *insn, const struct ec_state *state, int64_t *ret_offset)
{
    if (!insn->stores || insn->index != EC_REG_NONE || !is_argument(state, insn->base, 0))
        return false;
    *ret_offset = state->registers[insn->base].offset + insn->displacement;
    return true;
}

/* Of what is one place only. */
struct place {
    bool found, strange;
    int64_t offset;
};

static void place_take(struct place *place, int64_t offset)
{
    place->strange |= place->found && place->offset != offset;
    place->found = true;
    place->offset = offset;
}

static bool place_get(const struct place *place, uint32_t *ret_offset)
{
    if (!place->found || place->strange || !is_offset(place->offset))
        return false;
    *ret_offset = (uint32_t)place->offset;
    return true;
}

static bool run_find(ec_code *code, uint64_t function, ec_flow_visit visit, struct place *place, uint32_t *ret_offset)
{
    struct ec_state state;

    ec_state_init_entry(&state, ec_code_get_machine(code));
    return ec_flow_run(code, function, &state, EC_JOIN_MUST, visit, place) && place_get(place, ret_offset);
}

static void stored_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct place *place = data;
    const struct ec_value *value =
        insn->op == EC_OP_STORE && insn->src != EC_REG_NONE ? &state->registers[insn->src] : NULL;

    if (!insn->stores || !is_argument(state, insn->base, 1))
        return;
    if (value && insn->size == sizeof(uint64_t) && insn->index == EC_REG_NONE && insn->displacement == 0 &&
        is_member(value) && state->registers[insn->base].offset == 0)
        place_take(place, value->pointer);
    else
        place->strange = true;
}

bool ec_accessor_find_stored(ec_code *code, uint64_t function, uint32_t *ret_offset)
{
    struct place place = {.found = false};

    return run_find(code, function, stored_visit, &place, ret_offset);
}

static void setter_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct place *place = data;
    int64_t offset;

    /* What it adds to is another member: MariaDB 11.8 keeps a sum, too. */
    if (insn->reads || !store_find(insn, state, &offset))
        return;
    if (insn->op == EC_OP_STORE && insn->size == sizeof(uint64_t) && is_argument(state, insn->src, 1))
        place_take(place, offset);
    else
        place->strange = true;
}

bool ec_setter_find(ec_code *code, uint64_t function, uint32_t *ret_offset)
{
    struct place place = {.found = false};

    return run_find(code, function, setter_visit, &place, ret_offset);
}

/* Offsets of what is set of the structure, and of that which is set to more than a constant; behind the last byte too.
 */
struct pair {
    int64_t all, all_end;
    int64_t variable, variable_end;
};

static void pair_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct pair *pair = data;
    int64_t offset;

    if (!store_find(insn, state, &offset))
        return;
    pair->all = MIN(pair->all, offset);
    pair->all_end = MAX(pair->all_end, offset + insn->size);
    if (insn->op != EC_OP_STORE || insn->src == EC_REG_NONE || state->registers[insn->src].kind == EC_VALUE_CONST)
        return;
    pair->variable = MIN(pair->variable, offset);
    pair->variable_end = MAX(pair->variable_end, offset + insn->size);
}

bool ec_setter_find_pair(ec_code *code, uint64_t function, uint32_t *ret_offset)
{
    struct pair pair = {.all = INT64_MAX, .variable = INT64_MAX};
    struct ec_state state;

    ec_state_init_entry(&state, ec_code_get_machine(code));
    if (!ec_flow_run(code, function, &state, EC_JOIN_MUST, pair_visit, &pair) || !is_offset(pair.all) ||
        pair.all_end - pair.all != 2 * sizeof(uint64_t) || pair.variable != pair.all ||
        pair.variable_end != pair.all_end)
        return false;
    *ret_offset = (uint32_t)pair.all;
    return true;
}

struct state_search {
    int64_t state;
    uint32_t value;
    bool is_set;
};

static void state_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    const struct ec_value *value = insn->src != EC_REG_NONE ? &state->registers[insn->src] : NULL;
    struct state_search *search = data;
    int64_t offset;

    search->is_set |= insn->op == EC_OP_STORE_HALF && store_find(insn, state, &offset) && offset == search->state &&
                      (!value || value->kind == EC_VALUE_CONST) &&
                      (uint32_t)(value ? value->offset : insn->value) == search->value;
}

/* What is copied from the tracked second argument. */
static void number_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    int64_t offset;

    if ((insn->op == EC_OP_STORE || insn->op == EC_OP_STORE_HALF) && insn->src != EC_REG_NONE &&
        state->registers[insn->src].kind == EC_VALUE_TRACKED && store_find(insn, state, &offset))
        place_take(data, offset);
}

bool ec_state_setter_find(ec_code *code, uint64_t function, uint32_t state, uint32_t value, uint32_t *ret_offset)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    struct state_search search = {.state = state, .value = value};
    struct place number = {.found = false};
    struct ec_state entry;

    ec_state_init_entry(&entry, machine);
    if (!ec_flow_run(code, function, &entry, EC_JOIN_MUST, state_visit, &search) || !search.is_set)
        return false;
    entry.registers[machine->args[1]] = (struct ec_value){.kind = EC_VALUE_TRACKED};
    return ec_flow_run(code, function, &entry, EC_JOIN_MUST, number_visit, &number) && place_get(&number, ret_offset);
}

struct handed_on {
    int8_t first; /* the register of a call's first argument */
    struct place place;
};

static void handed_on_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct handed_on *search = data;

    if (insn->op == EC_OP_CALL && is_argument(state, search->first, 0) && state->registers[search->first].offset != 0)
        place_take(&search->place, state->registers[search->first].offset);
}

bool ec_handed_on_find(ec_code *code, uint64_t function, uint32_t *ret_offset)
{
    struct handed_on search = {.first = ec_code_get_machine(code)->args[0]};
    struct ec_state state;

    ec_state_init_entry(&state, ec_code_get_machine(code));
    return ec_flow_run(code, function, &state, EC_JOIN_MUST, handed_on_visit, &search) &&
           place_get(&search.place, ret_offset);
}
