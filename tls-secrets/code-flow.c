/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "code-flow.h"

#include <string.h>

enum {
    WINDOW_LEN = 64 << 10, /* bytes of code held */
    NODES_MAX = 4096,      /* instructions of one run */
    STEPS_MAX = 400000,    /* instructions evaluated in all runs */
    CACHE_MAX = 32768,     /* decoded instructions held */
};

struct ec_code {
    const struct ec_elf_image *image;
    const struct ec_machine *machine;
    struct ec_decoder *decoder;
    GHashTable *decoded;   /* address → struct ec_insn, both in the value */
    GHashTable *functions; /* set of addresses */
    GHashTable *followed;  /* … that jumps were followed to */
    bool followed_function;
    unsigned steps;
    uint64_t window_address;
    size_t window_len;
    uint8_t window[WINDOW_LEN];
};

struct ec_code *ec_code_new(const struct ec_elf_image *image)
{
    const struct ec_machine *machine = ec_machine_get(ec_elf_image_get_machine(image));
    struct ec_decoder *decoder = machine ? ec_decoder_new(machine) : NULL;
    if (!decoder)
        return NULL;
    struct ec_code *code = g_new0(struct ec_code, 1);
    code->image = image;
    code->machine = machine;
    code->decoder = decoder;
    code->decoded = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    code->functions = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    code->followed = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return code;
}

void ec_code_free(struct ec_code *code)
{
    if (!code)
        return;
    ec_decoder_free(code->decoder);
    g_hash_table_unref(code->decoded);
    g_hash_table_unref(code->functions);
    g_hash_table_unref(code->followed);
    g_free(code);
}

const struct ec_machine *ec_code_get_machine(const struct ec_code *code)
{
    return code->machine;
}

bool ec_code_is_exhausted(const struct ec_code *code)
{
    return code->steps >= STEPS_MAX;
}

bool ec_code_is_function(const struct ec_code *code, uint64_t address)
{
    return g_hash_table_contains(code->functions, &address);
}

bool ec_code_has_followed_function(const struct ec_code *code)
{
    return code->followed_function;
}

static void address_add(GHashTable *set, uint64_t address)
{
    if (!g_hash_table_contains(set, &address))
        g_hash_table_add(set, g_memdup2(&address, sizeof(address)));
}

static void function_add(struct ec_code *code, uint64_t address)
{
    address_add(code->functions, address);
    code->followed_function |= g_hash_table_contains(code->followed, &address);
}

static bool window_has(const struct ec_code *code, uint64_t address, size_t len)
{
    return address >= code->window_address && address - code->window_address < code->window_len &&
           code->window_len - (address - code->window_address) >= len;
}

/* A new window begins a little before the address: the next wish is as often behind as before it. */
static bool window_load(struct ec_code *code, uint64_t address)
{
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(code->image, address);
    if (!segment || !segment->executable)
        return false;
    uint64_t back = MIN(address - segment->address, WINDOW_LEN / 4u), start = address - segment->address - back;
    size_t len = MIN(WINDOW_LEN, segment->size - start);
    code->window_address = segment->address + start;
    code->window_len = ec_elf_image_read(code->image, segment->offset + start, code->window, len);
    return window_has(code, address, 1);
}

bool ec_code_read(struct ec_code *code, uint64_t address, struct ec_insn *ret_insn)
{
    const struct ec_insn *known = g_hash_table_lookup(code->decoded, &address);
    if (known) {
        *ret_insn = *known;
        return true;
    }
    if (!window_has(code, address, EC_INSN_LEN) && !window_load(code, address))
        return false;
    size_t at = address - code->window_address;
    struct ec_insn insn;
    if (!ec_decoder_read(code->decoder, code->window + at, MIN(code->window_len - at, EC_INSN_LEN), address, &insn))
        return false;
    if (g_hash_table_size(code->decoded) == CACHE_MAX)
        g_hash_table_remove_all(code->decoded);
    struct ec_insn *kept = g_memdup2(&insn, sizeof(insn));
    g_hash_table_insert(code->decoded, &kept->address, kept);
    *ret_insn = insn;
    return true;
}

void ec_state_init(struct ec_state *state)
{
    memset(state, 0, sizeof(*state));
    for (size_t i = 0; i < EC_STATE_SLOTS; i++)
        state->slots[i].base = EC_REG_NONE;
}

void ec_state_init_entry(struct ec_state *state, const struct ec_machine *machine)
{
    ec_state_init(state);
    for (size_t i = 0; i < G_N_ELEMENTS(machine->args) && machine->args[i] != EC_REG_NONE; i++)
        state->registers[machine->args[i]] = (struct ec_value){.kind = EC_VALUE_ARG, .pointer = i};
}

static bool value_equals(const struct ec_value *a, const struct ec_value *b)
{
    return memcmp(a, b, sizeof(*a)) == 0; /* which has no padding */
}

/* The first argument, and a pointer in what it points to. */
static bool value_owns(struct ec_value owner, struct ec_value value)
{
    return owner.kind == EC_VALUE_ARG && owner.pointer == 0 && owner.offset == 0 && value.kind == EC_VALUE_DEREF &&
           value.offset == 0;
}

static struct ec_value value_join(struct ec_value a, struct ec_value b, enum ec_flow_join join)
{
    if (value_equals(&a, &b))
        return a;
    if (join == EC_JOIN_MUST)
        return (struct ec_value){};
    if (a.kind == EC_VALUE_TRACKED || b.kind == EC_VALUE_TRACKED)
        return (struct ec_value){.kind = EC_VALUE_TRACKED};
    if (a.kind == EC_VALUE_NONE)
        return b;
    if (join == EC_JOIN_OWN && (value_owns(a, b) || value_owns(b, a)))
        return (struct ec_value){.kind = EC_VALUE_ARG};
    return b.kind == EC_VALUE_NONE ? a : (struct ec_value){.kind = EC_VALUE_MIXED};
}

static struct ec_value value_add(struct ec_value value, int64_t by)
{
    if (by == 0)
        return value;
    if (value.kind != EC_VALUE_CONST && value.kind != EC_VALUE_ARG && value.kind != EC_VALUE_DEREF)
        return (struct ec_value){};
    value.offset = (int64_t)((uint64_t)value.offset + (uint64_t)by);
    return value;
}

/* What is left of a value in an operation of `width` bytes: addresses of a fixed-position program fit 4 bytes,
 * those of the heap do not. */
static struct ec_value value_narrow(struct ec_value value, uint8_t width)
{
    if (width >= 8 || value.kind == EC_VALUE_TRACKED)
        return value;
    if (width == 4 && value.kind == EC_VALUE_CONST) {
        value.offset = (uint32_t)value.offset;
        return value;
    }
    return (struct ec_value){};
}

static struct ec_value register_get(const struct ec_state *state, int8_t reg)
{
    return reg == EC_REG_NONE ? (struct ec_value){} : state->registers[reg];
}

/* The place of a memory operand among the slots; false if it is not on the stack. */
static bool slot_locate(const struct ec_machine *machine, const struct ec_state *state, const struct ec_insn *insn,
                        int64_t *ret_at)
{
    if (insn->index != EC_REG_NONE || (insn->base != machine->stack && insn->base != machine->frame))
        return false;
    uint64_t base = insn->base == machine->stack ? state->stack : 0;
    *ret_at = (int64_t)(base + (uint64_t)insn->displacement);
    return true;
}

static void slots_drop(struct ec_state *state, int8_t base)
{
    for (size_t i = 0; i < EC_STATE_SLOTS; i++)
        if (state->slots[i].base == base)
            state->slots[i].base = EC_REG_NONE;
}

static void slot_write(struct ec_state *state, int8_t base, int64_t at, uint8_t size, struct ec_value value)
{
    struct ec_state_slot *room = NULL;
    for (size_t i = 0; i < EC_STATE_SLOTS; i++) {
        struct ec_state_slot *slot = &state->slots[i];
        int64_t distance = (int64_t)((uint64_t)slot->at - (uint64_t)at);
        if (slot->base == base && distance < size && distance > -8)
            slot->base = EC_REG_NONE;
        if (slot->base == EC_REG_NONE && !room)
            room = slot;
    }
    if (value.kind != EC_VALUE_NONE && size == 8 && room)
        *room = (struct ec_state_slot){.value = value, .at = at, .base = base};
}

static struct ec_value slot_read(const struct ec_state *state, int8_t base, int64_t at)
{
    for (size_t i = 0; i < EC_STATE_SLOTS; i++)
        if (state->slots[i].base == base && state->slots[i].at == at)
            return state->slots[i].value;
    return (struct ec_value){};
}

static struct ec_value memory_get(const struct ec_machine *machine, const struct ec_state *state,
                                  const struct ec_insn *insn, int64_t behind)
{
    int64_t at = 0;
    if (slot_locate(machine, state, insn, &at))
        return slot_read(state, insn->base, (int64_t)((uint64_t)at + behind));
    struct ec_value base = register_get(state, insn->base);
    int64_t pointer = (int64_t)((uint64_t)base.offset + (uint64_t)insn->displacement + behind);
    if (base.kind != EC_VALUE_ARG || base.pointer != 0 || insn->index != EC_REG_NONE || pointer < 0 ||
        pointer > UINT16_MAX)
        return (struct ec_value){};
    return (struct ec_value){.kind = EC_VALUE_DEREF, .pointer = pointer};
}

static void memory_set(const struct ec_machine *machine, struct ec_state *state, const struct ec_insn *insn)
{
    int64_t at = 0;
    if (!insn->stores || !slot_locate(machine, state, insn, &at))
        return;
    struct ec_value value = {};
    if (insn->op == EC_OP_STORE_CONST)
        value = (struct ec_value){.kind = EC_VALUE_CONST, .offset = insn->value};
    if (insn->op != EC_OP_STORE) {
        slot_write(state, insn->base, at, insn->size, value);
        return;
    }
    slot_write(state, insn->base, at, 8, register_get(state, insn->src));
    if (insn->size == 16)
        slot_write(state, insn->base, (int64_t)((uint64_t)at + 8), 8, register_get(state, insn->src2));
}

static void stack_move(struct ec_state *state, int64_t by)
{
    state->stack = (int64_t)((uint64_t)state->stack + (uint64_t)by);
}

static void push_pop(const struct ec_machine *machine, struct ec_state *state, const struct ec_insn *insn,
                     struct ec_value *result)
{
    if (insn->op == EC_OP_POP) {
        *result = slot_read(state, machine->stack, state->stack);
        stack_move(state, 8);
        return;
    }
    stack_move(state, -8);
    struct ec_value value = insn->src == EC_REG_NONE ? (struct ec_value){.kind = EC_VALUE_CONST, .offset = insn->value}
                                                     : register_get(state, insn->src);
    slot_write(state, machine->stack, state->stack, 8, value);
}

/* The stack register moves by a known number or not at all; a change of another kind loses its slots. */
static void registers_clear(const struct ec_machine *machine, struct ec_state *state, const struct ec_insn *insn)
{
    uint32_t writes = insn->op == EC_OP_CALL ? machine->volatiles : insn->writes;
    bool stack_known = insn->op == EC_OP_PUSH || insn->op == EC_OP_POP || insn->op == EC_OP_CALL ||
                       (insn->op == EC_OP_ADD && insn->src == machine->stack) || insn->base_add != 0;
    for (int reg = 0; reg < EC_REG_MAX; reg++)
        if (writes >> reg & 1)
            state->registers[reg] = (struct ec_value){};
    if (writes >> machine->stack & 1 && !stack_known)
        slots_drop(state, machine->stack);
    if (writes >> machine->frame & 1)
        slots_drop(state, machine->frame);
}

void ec_state_step(struct ec_state *state, const struct ec_machine *machine, const struct ec_insn *insn,
                   enum ec_flow_join join)
{
    struct ec_value result = {}, second = {};
    switch (insn->op) {
    case EC_OP_CONST:
        result = (struct ec_value){.kind = EC_VALUE_CONST, .offset = insn->value};
        break;
    case EC_OP_COPY:
        result = value_narrow(register_get(state, insn->src), insn->width);
        break;
    case EC_OP_SELECT:
        result = value_narrow(value_join(register_get(state, insn->src), register_get(state, insn->src2), join),
                              insn->width);
        break;
    case EC_OP_ADD:
        result = value_narrow(value_add(register_get(state, insn->src), insn->value), insn->width);
        break;
    case EC_OP_LOAD:
        result = memory_get(machine, state, insn, 0);
        second = memory_get(machine, state, insn, 8);
        break;
    case EC_OP_PUSH:
    case EC_OP_POP:
        push_pop(machine, state, insn, &result);
        break;
    }
    memory_set(machine, state, insn);
    registers_clear(machine, state, insn);
    if (insn->op == EC_OP_ADD && insn->dst == machine->stack && insn->src == machine->stack)
        stack_move(state, insn->value);
    else if (insn->base == machine->stack && insn->base_add)
        stack_move(state, insn->base_add);
    if (insn->dst != EC_REG_NONE && insn->dst != machine->stack)
        state->registers[insn->dst] = result;
    if (insn->dst2 != EC_REG_NONE)
        state->registers[insn->dst2] = second;
}

static bool state_tracks(const struct ec_machine *machine, const struct ec_state *state)
{
    for (int reg = 0; reg < machine->n_registers; reg++)
        if (state->registers[reg].kind == EC_VALUE_TRACKED)
            return true;
    for (size_t i = 0; i < EC_STATE_SLOTS; i++)
        if (state->slots[i].base != EC_REG_NONE && state->slots[i].value.kind == EC_VALUE_TRACKED)
            return true;
    return false;
}

static inline bool value_merge(struct ec_value *into, const struct ec_value *from, enum ec_flow_join join)
{
    if (value_equals(into, from))
        return false;
    struct ec_value merged = value_join(*into, *from, join);
    bool changed = !value_equals(&merged, into);
    *into = merged;
    return changed;
}

/* True if `into` changed. The stack's depth is taken from the first path: compilers keep it equal. */
static bool state_merge(const struct ec_machine *machine, struct ec_state *into, const struct ec_state *from,
                        enum ec_flow_join join)
{
    bool changed = false;
    for (int reg = 0; reg < machine->n_registers; reg++)
        changed |= value_merge(&into->registers[reg], &from->registers[reg], join);
    for (size_t i = 0; i < EC_STATE_SLOTS; i++) {
        struct ec_state_slot *slot = &into->slots[i];
        if (slot->base == EC_REG_NONE)
            continue;
        struct ec_value other = slot_read(from, slot->base, slot->at);
        changed |= value_merge(&slot->value, &other, join);
        if (slot->value.kind == EC_VALUE_NONE)
            slot->base = EC_REG_NONE;
    }
    for (size_t i = 0; join != EC_JOIN_MUST && i < EC_STATE_SLOTS; i++) {
        const struct ec_state_slot *slot = &from->slots[i];
        if (slot->base == EC_REG_NONE || slot_read(into, slot->base, slot->at).kind != EC_VALUE_NONE)
            continue;
        slot_write(into, slot->base, slot->at, 8, slot->value);
        changed |= slot_read(into, slot->base, slot->at).kind != EC_VALUE_NONE;
    }
    return changed;
}

struct node {
    struct ec_insn insn;
    struct ec_state state;
    struct node *next, *target; /* where control goes on; NULL: not known yet */
    bool queued;
};

struct run {
    struct ec_code *code;
    enum ec_flow_join join;
    bool tracks;
    bool complete;
    GHashTable *by_address;
    GPtrArray *nodes;
    GQueue queue;
};

/* NULL if there is no instruction, or no room. */
static struct node *node_add(struct run *run, uint64_t address, const struct ec_state *state)
{
    struct ec_insn insn;
    if (!ec_code_read(run->code, address, &insn))
        return NULL;
    if (run->nodes->len == NODES_MAX) {
        run->complete = false;
        return NULL;
    }
    struct node *node = g_new(struct node, 1);
    node->insn = insn;
    node->state = *state;
    node->next = node->target = NULL;
    node->queued = false;
    g_ptr_array_add(run->nodes, node);
    g_hash_table_insert(run->by_address, &node->insn.address, node);
    return node;
}

/* `known`: the node there, once it has been met. */
static void run_reach(struct run *run, uint64_t address, const struct ec_state *state, struct node **known)
{
    if (run->tracks && !state_tracks(run->code->machine, state))
        return;
    if (!*known)
        *known = g_hash_table_lookup(run->by_address, &address);
    if (*known ? !state_merge(run->code->machine, &(*known)->state, state, run->join)
               : !(*known = node_add(run, address, state)))
        return;
    if (!(*known)->queued)
        g_queue_push_tail(&run->queue, *known);
    (*known)->queued = true;
}

static void run_step(struct run *run, struct node *node)
{
    const struct ec_insn *insn = &node->insn;
    struct ec_state state = node->state;
    ec_state_step(&state, run->code->machine, insn, run->join);
    if ((insn->op == EC_OP_JUMP || insn->op == EC_OP_BRANCH) && insn->target &&
        !ec_code_is_function(run->code, insn->target)) {
        address_add(run->code->followed, insn->target);
        run_reach(run, insn->target, &state, &node->target);
    }
    if (insn->op != EC_OP_JUMP && insn->op != EC_OP_STOP)
        run_reach(run, insn->address + insn->length, &state, &node->next);
}

bool ec_flow_run(struct ec_code *code, uint64_t address, const struct ec_state *state, enum ec_flow_join join,
                 ec_flow_visit visit, void *data)
{
    g_autoptr(GHashTable) by_address = g_hash_table_new(g_int64_hash, g_int64_equal);
    g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(g_free);
    struct run run = {.code = code,
                      .join = join,
                      .tracks = state_tracks(code->machine, state),
                      .complete = true,
                      .by_address = by_address,
                      .nodes = nodes,
                      .queue = G_QUEUE_INIT};
    struct node *first = NULL;
    run_reach(&run, address, state, &first);
    for (struct node *node; (node = g_queue_pop_head(&run.queue));) {
        node->queued = false;
        if (++code->steps >= STEPS_MAX) {
            run.complete = false;
            break;
        }
        run_step(&run, node);
    }
    g_queue_clear(&run.queue);
    for (size_t i = 0; i < nodes->len; i++) {
        const struct node *node = g_ptr_array_index(nodes, i);
        if (node->insn.op == EC_OP_CALL && node->insn.target)
            function_add(code, node->insn.target);
        visit(&node->insn, &node->state, data);
    }
    return run.complete;
}
