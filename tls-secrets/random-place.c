/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random-place.h"

enum { PLACES_MAX = 32, RANDOM_LEN = 32 };

/* Distinct places that one kind of evidence shows. */
struct places {
    struct ec_random_place list[PLACES_MAX];
    size_t count;
    bool full;
};

struct evidence {
    const struct ec_machine *machine;
    struct places used;    /* passed on with the length 32, or read byte by byte in a loop */
    struct places pointed; /* addresses made */
};

bool ec_random_place_equals(const struct ec_random_place *a, const struct ec_random_place *b)
{
    return a->indirect == b->indirect && a->pointer == b->pointer && a->offset == b->offset;
}

static bool places_have(const struct places *places, const struct ec_random_place *place)
{
    for (size_t i = 0; i < places->count; i++)
        if (ec_random_place_equals(&places->list[i], place))
            return true;
    return false;
}

/* The first bytes of an object are never its client random: type, reference count, version. */
static void places_add(struct places *places, struct ec_value value, int64_t more)
{
    int64_t offset = (int64_t)((uint64_t)value.offset + (uint64_t)more);
    bool is_argument = value.kind == EC_VALUE_ARG && value.pointer == 0;
    if ((!is_argument && value.kind != EC_VALUE_DEREF) || offset <= 0 || offset > UINT16_MAX)
        return;
    struct ec_random_place place = {
        .indirect = value.kind == EC_VALUE_DEREF, .pointer = value.pointer, .offset = offset};
    if (places_have(places, &place))
        return;
    if (places->count == PLACES_MAX)
        places->full = true;
    else
        places->list[places->count++] = place;
}

static enum ec_random_result places_decide(const struct places *places, struct ec_random_place *ret_place)
{
    if (places->count == 0)
        return EC_RANDOM_NONE;
    if (places->count > 1 || places->full)
        return EC_RANDOM_AMBIGUOUS;
    *ret_place = places->list[0];
    return EC_RANDOM_FOUND;
}

/* f(…, random, 32, …), also as a jump to f in place of a call and a return */
static void arguments_check(struct evidence *evidence, const struct ec_state *state)
{
    const int8_t *args = evidence->machine->args;
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(evidence->machine->args) && args[i + 1] != EC_REG_NONE; i++) {
        const struct ec_value *len = &state->registers[args[i + 1]];
        if (len->kind == EC_VALUE_CONST && len->offset == RANDOM_LEN)
            places_add(&evidence->used, state->registers[args[i]], 0);
    }
}

static void address_check(struct evidence *evidence, const struct ec_insn *insn, const struct ec_state *state)
{
    if (insn->op == EC_OP_ADD && insn->value != 0 && insn->dst != evidence->machine->stack)
        places_add(&evidence->pointed, state->registers[insn->src], insn->value);
}

static void logger_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct evidence *evidence = data;
    if (insn->op == EC_OP_CALL || insn->op == EC_OP_JUMP)
        arguments_check(evidence, state);
    if (insn->reads && insn->size == 1 && insn->base != EC_REG_NONE && insn->index != EC_REG_NONE)
        places_add(&evidence->used, state->registers[insn->base], insn->displacement);
    address_check(evidence, insn, state);
}

/* A loop over two pointers, the second 32 bytes on. */
static void ends_check(struct evidence *evidence)
{
    const struct places *pointed = &evidence->pointed;
    for (size_t i = 0; i < pointed->count; i++) {
        struct ec_random_place end = pointed->list[i];
        struct ec_value start = {
            .kind = end.indirect ? EC_VALUE_DEREF : EC_VALUE_ARG, .pointer = end.pointer, .offset = end.offset};
        end.offset += RANDOM_LEN;
        if (places_have(pointed, &end))
            places_add(&evidence->used, start, 0);
    }
}

enum ec_random_result ec_random_place_find_in_logger(struct ec_code *code, uint64_t address,
                                                     struct ec_random_place *ret_place)
{
    struct evidence evidence = {.machine = ec_code_get_machine(code)};
    struct ec_state state;
    ec_state_init_entry(&state, evidence.machine);
    if (!ec_flow_run(code, address, &state, EC_JOIN_MUST, logger_visit, &evidence))
        return EC_RANDOM_AMBIGUOUS;
    if (evidence.used.count == 0)
        ends_check(&evidence);
    return places_decide(&evidence.used, ret_place);
}

static void accessor_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    address_check(data, insn, state);
}

/* From OpenSSL 3.2 on a QUIC object is turned into its connection first, by a call: its result is unknown, what
 * joins it is not; hence EC_JOIN_MAY. */
enum ec_random_result ec_random_place_find_in_accessor(struct ec_code *code, uint64_t address,
                                                       struct ec_random_place *ret_place)
{
    struct evidence evidence = {.machine = ec_code_get_machine(code)};
    struct ec_state state;
    ec_state_init_entry(&state, evidence.machine);
    if (!ec_flow_run(code, address, &state, EC_JOIN_MAY, accessor_visit, &evidence))
        return EC_RANDOM_AMBIGUOUS;
    return places_decide(&evidence.pointed, ret_place);
}
