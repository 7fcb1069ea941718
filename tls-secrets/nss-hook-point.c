/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libssl3 is hook-point.c's, libnss3 a look into the symbol table; the rest of this file is about libsoftokn3.
 *
 * Wanted: sftk_forceAttribute and sftk_AddAttributeType, both (object, type, value, length), by which softoken stores
 * an attribute of a key object. Every instruction that loads CKA_VALUE, 0x11, into the register of a second argument
 * is followed to the calls that get it as such. Of their targets those are taken that treat their third and fourth
 * argument as a value and its length: that copy both, and pass the third on as the second argument of a call, which
 * is memcpy(place, value, length). sftk_FindAttribute(object, type) and its likes read neither; the function that
 * checks a number's range reads both but passes none on as a source. A function that hands all its four arguments to
 * another at once is judged by that one.
 *
 * Seen to be right, by what live captures of them decrypted, in Debian's NSS 3.61, 3.87, 3.110 and 3.131 and in Firefox
 * ESR 153, which brings NSS 3.125; all on x86-64. On arm64, in Debian's 3.87.
 */
#include "nss-hook-point.h"

#include "code-flow.h"
#include "probe-place.h"

#include <elf.h>
#include <string.h>

enum {
    CKA_VALUE = 0x11, /* PKCS #11 v3.0, 4.1 */
    SITES_MAX = 512,  /* instructions that load it; softoken has about 130 */
    SITES_MIN = 4,    /* of which a setter is called at */
    TARGETS_MAX = 64,
    HANDOVERS_MAX = 2,   /* from one function to the next */
    CONSTANT_MARGIN = 8, /* more than an instruction's bytes in front of its constant */
};

struct target {
    uint64_t address;
    unsigned sites;
};

struct token_search {
    const struct ec_elf_image *image;
    struct ec_code *code;
    const struct ec_elf_segment *segment;
    struct target targets[TARGETS_MAX];
    size_t target_count;
    uint64_t last_hit; /* target counted for the site that is followed */
    unsigned sites;
    bool exhausted;
};

static bool fail(GError **error, enum ec_hook_error code, const char *message)
{
    g_set_error_literal(error, EC_HOOK_ERROR, code, message);
    return false;
}

/* ---- what a file exports ---- */

struct export_search {
    const char *name;
    uint64_t address;
    bool found;
};

static bool export_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct export_search *search = data;
    if (strcmp(symbol->name, search->name) != 0)
        return true;
    search->address = symbol->address;
    search->found = true;
    return false;
}

static bool export_find(const struct ec_elf_image *image, const char *name, uint64_t *ret_address)
{
    struct export_search search = {.name = name};
    ec_elf_image_foreach_function(image, EC_ELF_DYNSYM, name, export_visit, &search);
    if (search.found && ret_address)
        *ret_address = search.address;
    return search.found;
}

/* One function of each kind's public interface, since NSS 3.2, 3.14 and 3.4. */
static const struct {
    enum ec_library_kind kind;
    const char *name;
} exports[] = {
    {EC_LIBRARY_NSS, "SSL_ExportKeyingMaterial"},
    {EC_LIBRARY_NSS_KEYS, "PK11_Derive"},
    {EC_LIBRARY_NSS_TOKEN, "NSC_ModuleDBFunc"},
};

/* EC_LIBRARY_KIND_MAX: none of the three. */
static enum ec_library_kind kind_get(const struct ec_elf_image *image, uint64_t *ret_address)
{
    for (size_t i = 0; i < G_N_ELEMENTS(exports); i++)
        if (export_find(image, exports[i].name, ret_address))
            return exports[i].kind;
    return EC_LIBRARY_KIND_MAX;
}

bool ec_nss_file_is_nss(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    return image && kind_get(image, NULL) != EC_LIBRARY_KIND_MAX;
}

/* ---- who is called with CKA_VALUE ---- */

static void target_add(struct token_search *search, uint64_t address)
{
    size_t i = 0;
    while (i < search->target_count && search->targets[i].address != address)
        i++;
    if (i == TARGETS_MAX) {
        search->exhausted = true;
        return;
    }
    search->targets[i].address = address;
    search->targets[i].sites++;
    search->target_count = MAX(search->target_count, i + 1);
}

static void site_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct token_search *search = data;
    const struct ec_machine *machine = ec_code_get_machine(search->code);
    if (insn->op == EC_OP_CALL && insn->target && insn->target != search->last_hit &&
        state->registers[machine->args[1]].kind == EC_VALUE_TRACKED) {
        search->last_hit = insn->target;
        target_add(search, insn->target);
    }
}

/* An instruction that loads the constant as a second argument, if there is one at this address. */
static void site_try(struct token_search *search, uint64_t address)
{
    const struct ec_machine *machine = ec_code_get_machine(search->code);
    struct ec_state state;
    struct ec_insn insn;
    if (!ec_code_read(search->code, address, &insn) || insn.op != EC_OP_CONST || insn.value != CKA_VALUE ||
        insn.dst != machine->args[1])
        return;
    if (search->sites++ == SITES_MAX) {
        search->exhausted = true;
        return;
    }
    ec_state_init(&state);
    state.registers[insn.dst] = (struct ec_value){.kind = EC_VALUE_TRACKED};
    search->last_hit = 0;
    if (!ec_flow_run(search->code, address + insn.length, &state, EC_JOIN_MAY, site_visit, search))
        search->exhausted = true;
}

/* mov esi, 0x11; mov w1, #0x11 and mov x1, #0x11, but for the last byte */
static bool sites_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const uint8_t x86[] = {0xbe, CKA_VALUE, 0, 0, 0}, arm64[] = {0x21, 0x02, 0x80};
    struct token_search *search = data;
    bool is_arm64 = ec_elf_image_get_machine(search->image) == EM_AARCH64;
    const uint8_t *wanted = is_arm64 ? arm64 : x86, *end = piece + len, *hit = NULL;
    size_t wanted_len = is_arm64 ? sizeof(arm64) : sizeof(x86);
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, wanted, wanted_len)); from = hit + 1)
        if (!search->exhausted)
            site_try(search, search->segment->address + (at - search->segment->offset) + (hit - piece));
    return !search->exhausted;
}

static void sites_find(struct token_search *search)
{
    const struct ec_elf_segment *segment = NULL;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(search->image, i)); i++) {
        search->segment = segment;
        if (segment->executable)
            ec_elf_image_scan(search->image, segment->offset, segment->size, CONSTANT_MARGIN, sites_scan, search);
    }
}

/* ---- which of them are setters ---- */

struct setter_evidence {
    const struct ec_machine *machine;
    bool copies_value, copies_length, passes_value;
    uint64_t handover; /* a function that gets all four arguments as they came */
};

static bool is_argument(const struct ec_value *value, int number)
{
    return value->kind == EC_VALUE_ARG && value->pointer == number && value->offset == 0;
}

static void setter_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct setter_evidence *evidence = data;
    const int8_t *args = evidence->machine->args;
    bool moves = insn->op == EC_OP_COPY || insn->op == EC_OP_STORE || insn->op == EC_OP_PUSH;
    if (moves && insn->src != EC_REG_NONE) {
        evidence->copies_value |= is_argument(&state->registers[insn->src], 2);
        evidence->copies_length |= is_argument(&state->registers[insn->src], 3);
    }
    if (insn->op != EC_OP_CALL && insn->op != EC_OP_JUMP)
        return;
    evidence->passes_value |= insn->op == EC_OP_CALL && is_argument(&state->registers[args[1]], 2);
    bool all = insn->op == EC_OP_CALL && insn->target;
    for (int i = 0; i < EC_HOOK_ARGUMENTS; i++)
        all = all && is_argument(&state->registers[args[i]], i);
    if (all)
        evidence->handover = insn->target;
}

/* A register that holds what was an argument at the entry still holds it where paths meet, so EC_JOIN_MUST. */
static bool is_setter(struct token_search *search, uint64_t address)
{
    for (int depth = 0; depth <= HANDOVERS_MAX; depth++) {
        struct setter_evidence evidence = {.machine = ec_code_get_machine(search->code)};
        struct ec_state state;
        ec_state_init_entry(&state, evidence.machine);
        if (!ec_flow_run(search->code, address, &state, EC_JOIN_MUST, setter_visit, &evidence))
            return false;
        if (evidence.copies_value && evidence.copies_length && evidence.passes_value)
            return true;
        if (evidence.handover == 0 || evidence.copies_value || evidence.copies_length)
            return false;
        address = evidence.handover;
    }
    return false;
}

static bool probe_make(const struct token_search *search, uint64_t function, struct ec_hook_probe *ret_probe)
{
    struct ec_probe_place place;
    ec_probe_place_find(search->image, search->code, function, EC_HOOK_ARGUMENTS, EC_ARGUMENTS_MAY_MOVE, &place);
    memcpy(ret_probe->registers, place.registers, sizeof(ret_probe->registers));
    return ec_elf_image_get_offset(search->image, place.address, &ret_probe->offset);
}

static bool function_take(const struct token_search *search, uint64_t function, struct ec_hook_point *point)
{
    struct ec_hook_probe probe;
    if (!probe_make(search, function, &probe))
        return false;
    if (point->probe_offset != 0) {
        if (point->n_more == EC_HOOK_MORE_MAX)
            return false;
        point->more[point->n_more++] = probe;
        return true;
    }
    point->probe_offset = probe.offset;
    memcpy(point->registers, probe.registers, sizeof(point->registers));
    return ec_elf_image_get_offset(search->image, function, &point->function_offset);
}

static bool token_find(const struct ec_elf_image *image, struct ec_code *code, struct ec_hook_point *point,
                       GError **error)
{
    g_autofree struct token_search *search = g_new0(struct token_search, 1);
    search->image = image;
    search->code = code;
    sites_find(search);
    for (size_t i = 0; i < search->target_count && !search->exhausted; i++)
        if (search->targets[i].sites >= SITES_MIN && is_setter(search, search->targets[i].address) &&
            !function_take(search, search->targets[i].address, point))
            return fail(error, EC_HOOK_ERROR_UNPROVEN, "too many functions seem to give keys their value");
    if (search->exhausted || ec_code_is_exhausted(code))
        return fail(error, EC_HOOK_ERROR_UNPROVEN, "the code that gives keys their value is too tangled to follow");
    if (point->probe_offset == 0)
        return fail(error, EC_HOOK_ERROR_UNPROVEN,
                    "no function is seen to give keys their value: link-time optimisation has put it into its callers");
    point->method = EC_HOOK_XREF;
    return true;
}

static bool keys_find(const struct ec_elf_image *image, struct ec_code *code, uint64_t function,
                      struct ec_hook_point *point, GError **error)
{
    struct ec_probe_place place;
    ec_probe_place_find(image, code, function, EC_HOOK_ARGUMENTS, EC_ARGUMENTS_MAY_MOVE, &place);
    memcpy(point->registers, place.registers, sizeof(point->registers));
    point->method = EC_HOOK_SYMBOL;
    return (ec_elf_image_get_offset(image, function, &point->function_offset) &&
            ec_elf_image_get_offset(image, place.address, &point->probe_offset)) ||
           fail(error, EC_HOOK_ERROR_UNPROVEN, "PK11_Derive lies outside the file");
}

bool ec_nss_hook_point_find(int fd, struct ec_hook_point *ret_point, GError **error)
{
    uint64_t address = 0;
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    if (!image)
        return false;
    struct ec_hook_point point = {.kind = kind_get(image, &address)};
    if (point.kind == EC_LIBRARY_KIND_MAX)
        return fail(error, EC_HOOK_ERROR_NOT_TLS, "no library of NSS that is hooked (libssl3, libnss3, libsoftokn3)");
    if (point.kind == EC_LIBRARY_NSS)
        return ec_hook_point_find(fd, -1, ret_point, error);
    g_autoptr(ec_code) code = ec_code_new(image);
    if (!code)
        return fail(error, EC_HOOK_ERROR_UNPROVEN, "the disassembler does not start");
    if (!(point.kind == EC_LIBRARY_NSS_KEYS ? keys_find(image, code, address, &point, error)
                                            : token_find(image, code, &point, error)))
        return false;
    g_strlcpy(point.build_id, ec_elf_image_get_build_id(image), sizeof(point.build_id));
    ec_nss_version_find(fd, point.version);
    *ret_point = point;
    return true;
}
