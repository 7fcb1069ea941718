/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe-place.h"

#include <elf.h>
#include <string.h>

/* Bytes behind the entry in which a cheap instruction is looked for. */
enum { SEARCH_LEN = 64 };

/* Instructions that x86-64 kernels emulate: push, nop, 5-byte nop, jumps (arch/x86/kernel/uprobes.c,
 * push_setup_xol_ops and branch_setup_xol_ops). */
static bool is_cheap(const struct ec_elf_image *image, const struct ec_insn *insn)
{
    uint8_t bytes[EC_INSN_LEN] = {};
    uint64_t offset = 0;
    if (!ec_elf_image_get_offset(image, insn->address, &offset) ||
        ec_elf_image_read(image, offset, bytes, insn->length) != insn->length)
        return false;
    switch (insn->length) {
    case 1:
        return bytes[0] == 0x90 || (bytes[0] >= 0x50 && bytes[0] <= 0x57);
    case 2:
        return (bytes[0] == 0x41 && bytes[1] >= 0x50 && bytes[1] <= 0x57) || bytes[0] == 0xeb ||
               (bytes[0] >= 0x70 && bytes[0] <= 0x7f);
    case 5:
        return bytes[0] == 0xe9 || memcmp(bytes, "\x0f\x1f\x44\x00\x00", 5) == 0;
    case 6:
        return bytes[0] == 0x0f && bytes[1] >= 0x80 && bytes[1] <= 0x8f;
    default:
        return false;
    }
}

struct target_search {
    uint64_t entry;
    uint64_t first; /* lowest address behind the entry that some jump goes to */
};

static void target_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct target_search *search = data;
    (void)state;
    if ((insn->op == EC_OP_JUMP || insn->op == EC_OP_BRANCH) && insn->target > search->entry)
        search->first = MIN(search->first, insn->target);
}

static bool holds_argument(const struct ec_state *state, int8_t reg, int argument)
{
    const struct ec_value *value = &state->registers[reg];
    return value->kind == EC_VALUE_ARG && value->pointer == argument && value->offset == 0;
}

/* The registers that hold the first arguments; false if one is in none that will do. */
static bool arguments_locate(const struct ec_machine *machine, const struct ec_state *state, int n_arguments,
                             enum ec_arguments arguments, uint8_t ret_registers[EC_PROBE_ARGUMENTS])
{
    for (int argument = 0; argument < MIN(n_arguments, EC_PROBE_ARGUMENTS); argument++) {
        int8_t reg = machine->args[argument];
        for (int8_t other = 0; !holds_argument(state, reg, argument); other++) {
            if (other == 16 || arguments != EC_ARGUMENTS_MAY_MOVE)
                return false;
            reg = other;
        }
        ret_registers[argument] = (uint8_t)reg;
    }
    return true;
}

/* True if control reaches the next instruction and what the arguments point to is still as it was. */
static bool can_pass(const struct ec_machine *machine, const struct ec_insn *insn)
{
    bool on_stack = insn->base == machine->stack || insn->base == machine->frame;
    return insn->op < EC_OP_CALL && (!insn->stores || on_stack);
}

/* OpenSSL 3's ssl_log_secret is a shuffle of registers and a jump: the jump is such a place. */
void ec_probe_place_find(const struct ec_elf_image *image, struct ec_code *code, uint64_t function, int n_arguments,
                         enum ec_arguments arguments, struct ec_probe_place *ret_place)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    struct target_search targets = {function, UINT64_MAX};
    struct ec_probe_place place = {.address = function};
    struct ec_state state;

    ec_state_init_entry(&state, machine);
    arguments_locate(machine, &state, n_arguments, arguments, place.registers);
    *ret_place = place;
    if (machine->elf_machine != EM_X86_64 || !ec_flow_run(code, function, &state, EC_JOIN_MUST, target_visit, &targets))
        return;
    for (uint64_t at = function; at - function < SEARCH_LEN && at < targets.first;) {
        struct ec_insn insn;
        if (!ec_code_read(code, at, &insn) ||
            !arguments_locate(machine, &state, n_arguments, arguments, place.registers))
            return;
        if (arguments == EC_ARGUMENTS_AND_STACK_STAY && state.stack != 0)
            return;
        place.address = at;
        if (is_cheap(image, &insn)) {
            place.emulated = true;
            *ret_place = place;
            return;
        }
        if (!can_pass(machine, &insn))
            return;
        ec_state_step(&state, machine, &insn, EC_JOIN_MUST);
        at += insn.length;
    }
}

/* The first call behind the entry; branches are passed by. `ret_state`: as it is there. */
static bool call_find(struct ec_code *code, uint64_t function, struct ec_insn *ret_call, struct ec_state *ret_state,
                      bool *ret_straight)
{
    const struct ec_machine *machine = ec_code_get_machine(code);

    *ret_straight = true;
    ec_state_init_entry(ret_state, machine);
    for (uint64_t at = function; at - function < SEARCH_LEN; at += ret_call->length) {
        if (machine->elf_machine != EM_X86_64 || !ec_code_read(code, at, ret_call) || ret_call->op == EC_OP_JUMP ||
            ret_call->op == EC_OP_STOP)
            return false;
        if (ret_call->op == EC_OP_CALL)
            return ret_call->target != 0;
        *ret_straight = *ret_straight && ret_call->op != EC_OP_BRANCH;
        ec_state_step(ret_state, machine, ret_call, EC_JOIN_MUST);
    }
    return false;
}

static bool is_zero(const struct ec_state *state, int8_t reg)
{
    return reg != EC_REG_NONE && state->registers[reg].kind == EC_VALUE_CONST && state->registers[reg].offset == 0;
}

/* From behind a call: whether its result is returned, or 0 in its place. */
static bool returns_result(struct ec_code *code, uint64_t address)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    const int8_t result = 0; /* rax */
    struct ec_state state;
    struct ec_insn insn;

    ec_state_init(&state);
    for (uint64_t at = address; at - address < SEARCH_LEN && ec_code_read(code, at, &insn); at += insn.length) {
        if (insn.op >= EC_OP_CALL)
            return insn.op == EC_OP_STOP;
        if (insn.writes & 1u << result) {
            if (insn.op != EC_OP_SELECT || !is_zero(&state, insn.src == result ? insn.src2 : insn.src))
                return false;
            continue;
        }
        ec_state_step(&state, machine, &insn, EC_JOIN_MUST);
    }
    return false;
}

bool ec_wrapped_find(struct ec_code *code, uint64_t function, int n_arguments, uint64_t *ret_wrapped)
{
    uint8_t registers[EC_PROBE_ARGUMENTS];
    struct ec_state state;
    struct ec_insn call;
    bool straight;

    if (!call_find(code, function, &call, &state, &straight) || !straight ||
        !arguments_locate(ec_code_get_machine(code), &state, n_arguments, EC_ARGUMENTS_STAY, registers) ||
        !returns_result(code, call.address + call.length))
        return false;
    *ret_wrapped = call.target;
    return true;
}

bool ec_function_calls(struct ec_code *code, uint64_t function, int n_arguments, uint64_t callee)
{
    uint8_t registers[EC_PROBE_ARGUMENTS];
    struct ec_state state;
    struct ec_insn call;
    bool straight;

    return call_find(code, function, &call, &state, &straight) && call.target == callee &&
           arguments_locate(ec_code_get_machine(code), &state, n_arguments, EC_ARGUMENTS_STAY, registers);
}
