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

/*
 * SSL_ExportKeyingMaterial of NSS first turns its descriptor into the socket, by a call, and then puts together what
 * the exporter's PRF gets: the client random, the server random behind it (RFC 5705, section 4). So of the two places
 * in the socket that are copied, the one that goes to the front is the client random's.
 */
enum { EXPORT_MOVES_MAX = 64, EXPORT_HEAD_MAX = 64, EXPORT_DISTANCE_MAX = 64 };

struct vector_move {
    uint64_t address;
    int64_t place; /* bytes from the socket, or from the copy's base register */
    int8_t vector, base;
    uint8_t size; /* bytes */
    bool stores;
};

struct export_moves {
    const struct ec_machine *machine;
    struct vector_move list[EXPORT_MOVES_MAX];
    size_t count;
};

static void export_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct export_moves *moves = data;
    if (insn->vector == EC_REG_NONE || insn->base == EC_REG_NONE || insn->index != EC_REG_NONE ||
        insn->base == moves->machine->stack)
        return;
    const struct ec_value *base = &state->registers[insn->base];
    bool of_socket = base->kind == EC_VALUE_ARG && base->pointer == 0;
    if (of_socket == insn->stores)
        return;
    const int8_t vectors[] = {insn->vector, insn->vector2};
    const int n = insn->vector2 == EC_REG_NONE ? 1 : 2, size = insn->size / n;
    for (int i = 0; i < n && moves->count < EXPORT_MOVES_MAX; i++)
        moves->list[moves->count++] =
            (struct vector_move){.address = insn->address,
                                 .place = insn->displacement + (of_socket ? base->offset : 0) + i * size,
                                 .vector = vectors[i],
                                 .base = insn->base,
                                 .size = (uint8_t)size,
                                 .stores = insn->stores};
}

/* The load that filled the register which this one stores: the nearest before it. */
static const struct vector_move *load_find(const struct export_moves *moves, const struct vector_move *store)
{
    const struct vector_move *load = NULL;
    for (size_t i = 0; i < moves->count; i++) {
        const struct vector_move *move = &moves->list[i];
        if (!move->stores && move->vector == store->vector && move->size == store->size &&
            move->address < store->address && store->address - move->address <= EXPORT_DISTANCE_MAX &&
            (!load || move->address > load->address))
            load = move;
    }
    return load;
}

/* Where each of the copy's 64 bytes comes from; false if two moves tell different things. */
static bool origins_collect(const struct export_moves *moves, int64_t origins[static 2 * RANDOM_LEN])
{
    for (size_t i = 0; i < moves->count; i++) {
        const struct vector_move *store = &moves->list[i], *load = store->stores ? load_find(moves, store) : NULL;
        for (int64_t byte = 0; load && byte < store->size; byte++) {
            int64_t to = store->place + byte, from = load->place + byte;
            if (to < 0 || to >= 2 * RANDOM_LEN)
                continue;
            if (origins[to] != 0 && origins[to] != from)
                return false;
            origins[to] = from;
        }
    }
    return true;
}

/* Two runs of 32 bytes that are neighbours in the socket too. */
static bool origins_are_randoms(const int64_t origins[static 2 * RANDOM_LEN])
{
    for (int64_t byte = 0; byte < RANDOM_LEN; byte++)
        if (origins[byte] != origins[0] + byte || origins[RANDOM_LEN + byte] != origins[RANDOM_LEN] + byte)
            return false;
    return origins[0] > 0 && origins[0] <= UINT16_MAX && ABS(origins[0] - origins[RANDOM_LEN]) == RANDOM_LEN;
}

static bool call_find(struct ec_code *code, uint64_t address, struct ec_insn *ret_call)
{
    for (int i = 0; i < EXPORT_HEAD_MAX && ec_code_read(code, address, ret_call); i++) {
        if (ret_call->op == EC_OP_CALL)
            return true;
        if (ret_call->op == EC_OP_JUMP || ret_call->op == EC_OP_STOP)
            return false;
        address += ret_call->length;
    }
    return false;
}

static bool export_read(struct ec_code *code, uint64_t address, struct places *ret_places)
{
    struct export_moves moves = {.machine = ec_code_get_machine(code)};
    int64_t origins[2 * RANDOM_LEN] = {0};
    struct ec_state state;
    struct ec_insn call;
    ec_state_init(&state);
    state.registers[0] = (struct ec_value){.kind = EC_VALUE_ARG}; /* rax, x0: what a call returns */
    if (!call_find(code, address, &call))
        return true;
    if (!ec_flow_run(code, call.address + call.length, &state, EC_JOIN_MUST, export_visit, &moves))
        return false;
    if (origins_collect(&moves, origins) && origins_are_randoms(origins))
        places_add(ret_places, state.registers[0], origins[0]);
    return true;
}

/* From OpenSSL 3.2 on a QUIC object is turned into its connection first, by a call, whose result is unknown, or,
 * inlined, by a load from it. The connection itself, which joins that, is what is wanted; hence EC_JOIN_OWN. */
static bool accessor_read(struct ec_code *code, enum ec_random_accessor kind, uint64_t address,
                          struct places *ret_places)
{
    struct evidence evidence = {.machine = ec_code_get_machine(code)};
    struct ec_state state;
    ec_state_init_entry(&state, evidence.machine);
    if (kind == EC_ACCESSOR_NONE)
        return true;
    if (kind == EC_ACCESSOR_EXPORTS)
        return export_read(code, address, ret_places);
    if (!ec_flow_run(code, address, &state, EC_JOIN_OWN, evidence_visit, &evidence))
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

bool ec_random_accessor_find(struct ec_code *code, enum ec_random_accessor kind, uint64_t accessor,
                             struct ec_random_place *ret_place)
{
    struct places places = {};
    if (!accessor_read(code, kind, accessor, &places) || places.count != 1)
        return false;
    *ret_place = places.list[0];
    return true;
}
