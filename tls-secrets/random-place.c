/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "random-place.h"

#include "hook-point.h"

enum { PLACES_MAX = 32, RANDOM_LEN = 32 };

/* Distinct places that one kind of evidence shows. */
struct places {
    struct ec_random_place list[PLACES_MAX];
    size_t count;
    bool full;
};

struct evidence {
    const struct ec_machine *machine;
    struct places passed;  /* to a function, with the length 32 behind it */
    struct places indexed; /* read byte by byte in a loop */
    struct places pointed; /* addresses made */
    struct places given;   /* addresses stored where the second argument points to */
};

static bool place_equals(const struct ec_random_place *a, const struct ec_random_place *b)
{
    return a->indirect == b->indirect && a->pointer == b->pointer && a->offset == b->offset;
}

static bool places_have(const struct places *places, const struct ec_random_place *place)
{
    for (size_t i = 0; i < places->count; i++)
        if (place_equals(&places->list[i], place))
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

/* f(…, random, 32, …), also as a jump to f in place of a call and a return */
static void arguments_check(struct evidence *evidence, const struct ec_state *state)
{
    const int8_t *args = evidence->machine->args;
    for (size_t i = 0; i + 1 < G_N_ELEMENTS(evidence->machine->args) && args[i + 1] != EC_REG_NONE; i++) {
        const struct ec_value *len = &state->registers[args[i + 1]];
        if (len->kind == EC_VALUE_CONST && len->offset == RANDOM_LEN)
            places_add(&evidence->passed, state->registers[args[i]], 0);
    }
}

static void evidence_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct evidence *evidence = data;
    if (insn->op == EC_OP_CALL || insn->op == EC_OP_JUMP)
        arguments_check(evidence, state);
    if (insn->reads && insn->size == 1 && insn->base != EC_REG_NONE && insn->index != EC_REG_NONE)
        places_add(&evidence->indexed, state->registers[insn->base], insn->displacement);
    if (insn->op == EC_OP_ADD && insn->value != 0 && insn->dst != evidence->machine->stack)
        places_add(&evidence->pointed, state->registers[insn->src], insn->value);
    if (insn->op == EC_OP_STORE && insn->base != EC_REG_NONE && insn->src != EC_REG_NONE) {
        const struct ec_value *base = &state->registers[insn->base];
        if (base->kind == EC_VALUE_ARG && base->pointer == 1 && base->offset + insn->displacement == 0)
            places_add(&evidence->given, state->registers[insn->src], 0);
    }
}

/* A loop over two pointers, the second 32 bytes on. */
static void ends_collect(const struct places *pointed, struct places *starts)
{
    for (size_t i = 0; i < pointed->count; i++) {
        struct ec_random_place end = pointed->list[i];
        struct ec_value start = {
            .kind = end.indirect ? EC_VALUE_DEREF : EC_VALUE_ARG, .pointer = end.pointer, .offset = end.offset};
        if (end.offset > UINT16_MAX - RANDOM_LEN)
            continue;
        end.offset += RANDOM_LEN;
        if (places_have(pointed, &end))
            places_add(starts, start, 0);
    }
}

/* An unrolled loop reads at the start and a few bytes behind it: keep the start. */
static void indexed_reduce(struct places *indexed)
{
    struct ec_random_place first = indexed->list[0];
    for (size_t i = 0; i < indexed->count; i++) {
        const struct ec_random_place *place = &indexed->list[i];
        if (place->indirect != first.indirect || place->pointer != first.pointer ||
            ABS(place->offset - first.offset) >= RANDOM_LEN)
            return;
        if (place->offset < first.offset)
            first = *place;
    }
    for (size_t i = 0; i < indexed->count; i++)
        if (indexed->list[i].offset - first.offset >= RANDOM_LEN)
            return;
    indexed->list[0] = first;
    indexed->count = MIN(indexed->count, 1u);
}

/* What the function that logs secrets shows: the strongest kind of evidence there is. */
static bool logger_read(struct ec_code *code, uint64_t address, struct places *ret_places)
{
    struct evidence evidence = {.machine = ec_code_get_machine(code)};
    struct ec_state state;
    ec_state_init_entry(&state, evidence.machine);
    if (!ec_flow_run(code, address, &state, EC_JOIN_MUST, evidence_visit, &evidence))
        return false;
    if (evidence.passed.count > 0) {
        *ret_places = evidence.passed;
        return true;
    }
    indexed_reduce(&evidence.indexed);
    *ret_places = evidence.indexed;
    if (ret_places->count == 0)
        ends_collect(&evidence.pointed, ret_places);
    return true;
}

/* From OpenSSL 3.2 on a QUIC object is turned into its connection first, by a call: its result is unknown, what
 * joins it is not; hence EC_JOIN_MAY. */
static bool accessor_read(struct ec_code *code, enum ec_random_accessor kind, uint64_t address,
                          struct places *ret_places)
{
    struct evidence evidence = {.machine = ec_code_get_machine(code)};
    struct ec_state state;
    ec_state_init_entry(&state, evidence.machine);
    if (kind == EC_ACCESSOR_NONE)
        return true;
    if (!ec_flow_run(code, address, &state, EC_JOIN_MAY, evidence_visit, &evidence))
        return false;
    *ret_places = kind == EC_ACCESSOR_COPIES ? evidence.pointed : evidence.given;
    return true;
}

static char *place_describe(const struct ec_random_place *place)
{
    return place->indirect ? g_strdup_printf("*(ssl + 0x%x) + 0x%x", place->pointer, place->offset)
                           : g_strdup_printf("ssl + 0x%x", place->offset);
}

/* The one place of `a`, unless `b` speaks against it: where `b` tells anything, the place must be in it. */
static bool places_agree(const struct places *a, const struct places *b, struct ec_random_place *ret_place)
{
    if (a->count != 1 || a->full || (b->count > 0 && !places_have(b, &a->list[0])))
        return false;
    *ret_place = a->list[0];
    return true;
}

bool ec_random_place_find(struct ec_code *code, uint64_t logger, enum ec_random_accessor kind, uint64_t accessor,
                          struct ec_random_place *ret_place, GError **error)
{
    struct places logged = {}, accessed = {};
    if (!logger_read(code, logger, &logged) || !accessor_read(code, kind, accessor, &accessed)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "the function at 0x%" G_GINT64_MODIFIER "x is too large to follow", logger);
        return false;
    }
    if (places_agree(&logged, &accessed, ret_place) || places_agree(&accessed, &logged, ret_place))
        return true;
    if (logged.count == 1 && accessed.count == 1) {
        g_autofree char *left = place_describe(&logged.list[0]), *right = place_describe(&accessed.list[0]);
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "the client random is at %s by the function that logs secrets, at %s by its accessor", left, right);
    } else {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "the client random's place is %s in the function at 0x%" G_GINT64_MODIFIER "x",
                    logged.count + accessed.count ? "ambiguous" : "not seen", logger);
    }
    return false;
}
