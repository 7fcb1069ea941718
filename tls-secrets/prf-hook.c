/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prf-hook.h"

#include "abi.h"
#include "label-reference.h"

#include <elf.h>
#include <string.h>

static const char label[] = "key expansion";
enum { BEFORE_CALL = 128, CALL_OPCODE = 0xe8, CALL_LEN = 5 };

/* What tells the function's calls from others that get the label, such as memcmp's: a length that is the fifth
 * argument. */
static const struct shape {
    int label_argument; /* from 0 */
    uint8_t length[6];  /* mov r8d, imm32 */
} shapes[] = {
    [EC_PRF_OPENSSL] = {1, {0x41, 0xb8, 32, 0, 0, 0}},  /* of the server random */
    [EC_PRF_LIBRESSL] = {3, {0x41, 0xb8, 13, 0, 0, 0}}, /* of the label */
    [EC_PRF_CONTROL] = {5, {0x41, 0xb8, 13, 0, 0, 0}},  /* likewise */
};
_Static_assert(G_N_ELEMENTS(shapes) == EC_PRF_MAX, "a shape for every kind");

/* Whether what was loaded at `at` is still there at the call: no other one lies between, which would clobber it. */
static bool reaches_call(struct ec_code *code, uint64_t at, uint64_t call)
{
    struct ec_insn insn;

    for (; at < call && ec_code_read(code, at, &insn); at += insn.length)
        if (insn.op == EC_OP_CALL || insn.op == EC_OP_STOP)
            return false;
    return at == call;
}

static bool before_call_read(const struct ec_elf_image *image, uint64_t call, uint8_t ret_bytes[static BEFORE_CALL])
{
    uint64_t offset = 0;

    return call >= BEFORE_CALL && ec_elf_image_get_offset(image, call - BEFORE_CALL, &offset) &&
           ec_elf_image_read(image, offset, ret_bytes, BEFORE_CALL) == BEFORE_CALL;
}

static bool call_has_shape(struct ec_code *code, const struct ec_elf_image *image, uint64_t call,
                           const struct shape *shape)
{
    uint8_t bytes[BEFORE_CALL];
    const uint8_t *end = bytes + sizeof(bytes), *hit = NULL;

    if (!before_call_read(image, call, bytes))
        return false;
    for (const uint8_t *from = bytes; (hit = memmem(from, end - from, shape->length, sizeof(shape->length)));
         from = hit + 1)
        if (reaches_call(code, call - (uint64_t)(end - hit), call))
            return true;
    return false;
}

/* The only function of this shape that gets the label; 0 if there is none, or more than one. *ret_call: where it is
 * called. */
static uint64_t function_choose(struct ec_code *code, const struct ec_elf_image *image, const struct ec_label_use *use,
                                const struct shape *shape, uint64_t *ret_call)
{
    uint64_t found = 0;

    for (size_t i = 0; i < use->takers->len + use->passages->len; i++) {
        const bool takes = i < use->takers->len;
        const struct ec_label_taker *taker = takes ? &g_array_index(use->takers, struct ec_label_taker, i) : NULL;
        const struct ec_label_passage *passage =
            takes ? NULL : &g_array_index(use->passages, struct ec_label_passage, i - use->takers->len);
        const uint64_t address = takes ? taker->address : passage->address, call = takes ? taker->call : passage->call;

        if ((takes ? 1 : passage->argument) != shape->label_argument || address == found ||
            !call_has_shape(code, image, call, shape))
            continue;
        if (found)
            return 0;
        found = address;
        *ret_call = call;
    }
    return found;
}

/* Likewise, of whichever kind there is. *ret_prf: EC_PRF_NONE if there is none. */
static uint64_t function_find(struct ec_code *code, const struct ec_elf_image *image, enum ec_prf *ret_prf,
                              uint64_t *ret_call)
{
    struct ec_label_strings strings;
    uint64_t function = 0;

    *ret_prf = EC_PRF_NONE;
    ec_label_strings_find_text(image, label, &strings);
    if (ec_elf_image_get_machine(image) == EM_X86_64 && strings.places->len > 0) {
        struct ec_label_use use;

        ec_label_use_find(code, image, &strings, &use);
        for (enum ec_prf prf = EC_PRF_NONE + 1; !use.exhausted && !*ret_prf && prf < EC_PRF_MAX; prf++)
            if ((function = function_choose(code, image, &use, &shapes[prf], ret_call)))
                *ret_prf = prf;
        ec_label_use_clear(&use);
    }
    ec_label_strings_clear(&strings);
    return function;
}

bool ec_prf_find(struct ec_code *code, const struct ec_elf_image *image, enum ec_prf *ret_prf, uint64_t *ret_function,
                 GError **error)
{
    enum ec_prf found = EC_PRF_NONE;
    uint64_t call = 0;
    const uint64_t function = function_find(code, image, &found, &call);

    if (!found) {
        g_set_error(
            error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS,
            "no TLS library that hands its secrets to a key log (OpenSSL >= 1.1.1, BoringSSL, AWS-LC, GnuTLS), and "
            "no function that makes keys as OpenSSL <= 1.1.0 and LibreSSL do on x86-64");
        return false;
    }
    *ret_prf = found;
    *ret_function = function;
    return true;
}

enum { SSL, SERVER_RANDOM = 3, SERVER_RANDOM_LEN, CLIENT_RANDOM }; /* arguments, from 0 */

struct call_visit {
    uint64_t call;
    struct ec_state state; /* once `seen` */
    bool seen;
};

static void call_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct call_visit *visit = data;

    if (insn->address != visit->call)
        return;
    visit->state = *state;
    visit->seen = true;
}

/* `state`: at the call, the connection being its argument 0. */
static bool randoms_read(const struct ec_machine *machine, const struct ec_state *state,
                         struct ec_random_place *ret_place)
{
    const struct ec_value *ssl = &state->registers[machine->args[SSL]],
                          *server = &state->registers[machine->args[SERVER_RANDOM]],
                          *len = &state->registers[machine->args[SERVER_RANDOM_LEN]],
                          *client = &state->registers[machine->args[CLIENT_RANDOM]];

    if (ssl->kind != EC_VALUE_ARG || ssl->offset != 0 || len->kind != EC_VALUE_CONST || len->offset != EC_RANDOM_LEN ||
        (client->kind != EC_VALUE_ARG && client->kind != EC_VALUE_DEREF) || server->kind != client->kind ||
        server->pointer != client->pointer || server->offset < 0 || client->offset != server->offset + EC_RANDOM_LEN ||
        client->offset > UINT16_MAX || client->pointer < 0 || client->pointer > UINT16_MAX)
        return false;
    *ret_place = (struct ec_random_place){.indirect = client->kind == EC_VALUE_DEREF,
                                          .pointer = (uint16_t)client->pointer,
                                          .offset = (uint16_t)client->offset};
    return true;
}

/* From `start` on, behind another call, where the connection must be in a register that calls keep. */
static bool randoms_find(struct ec_code *code, uint64_t start, uint64_t call, struct ec_random_place *ret_place)
{
    const struct ec_machine *machine = ec_code_get_machine(code);

    for (int reg = 0; reg < machine->n_registers; reg++) {
        struct call_visit visit = {.call = call};
        struct ec_state state;

        if (machine->volatiles >> reg & 1 || reg == machine->stack)
            continue;
        ec_state_init(&state);
        state.registers[reg] = (struct ec_value){.kind = EC_VALUE_ARG};
        if (ec_flow_run(code, start, &state, EC_JOIN_MUST, call_visit, &visit) && visit.seen &&
            randoms_read(machine, &visit.state, ret_place))
            return true;
    }
    return false;
}

bool ec_prf_random_find(struct ec_code *code, const struct ec_elf_image *image, struct ec_random_place *ret_place)
{
    uint8_t bytes[BEFORE_CALL];
    enum ec_prf prf = EC_PRF_NONE;
    uint64_t call = 0;

    if (!function_find(code, image, &prf, &call) || prf != EC_PRF_OPENSSL || !before_call_read(image, call, bytes))
        return false;
    for (size_t i = BEFORE_CALL - CALL_LEN + 1; i-- > 0;) {
        const uint64_t start = call - BEFORE_CALL + i + CALL_LEN;

        if (bytes[i] == CALL_OPCODE && reaches_call(code, start, call) && randoms_find(code, start, call, ret_place))
            return true;
    }
    return false;
}
