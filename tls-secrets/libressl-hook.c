/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libressl-hook.h"

#include "abi.h"
#include "label-reference.h"
#include "probe-place.h"
#include "random-place.h"

#include <string.h>

enum {
    LABEL_ARGUMENT = 3, /* from 0 */
    ENTRIES_MAX = 16,   /* tried for a call's function */
    FUNCTION_MAX = 4096,
    CALL_LEN = 5,
    OFFSET_MAX = 1024, /* of a secret in its object: as the attach cookie has room for */
};

/* The secrets' order in their object, as bpf/libressl.bpf.c takes them. */
static const char *const labels[] = {"c hs traffic", "s hs traffic", "c ap traffic", "s ap traffic", "exp master"};

/* By which a thread enters the library; the first three are asked for. */
static const char *const entries[] = {"SSL_do_handshake", "SSL_connect", "SSL_accept",   "SSL_read",   "SSL_write",
                                      "SSL_peek",         "SSL_read_ex", "SSL_write_ex", "SSL_peek_ex"};
enum { ENTRIES_NEEDED = 3 };
_Static_assert(G_N_ELEMENTS(entries) == EC_LIBRESSL_ENTRIES, "room for each");

/* The one call that gets the label as its fourth argument. */
static bool call_find(ec_code *code, const ec_elf_image *image, const char *label, struct ec_label_passage *ret_call)
{
    struct ec_label_strings strings;
    struct ec_label_use use;
    unsigned found = 0;

    ec_label_strings_find_text(image, label, &strings);
    ec_label_use_find(code, image, &strings, &use);
    for (size_t i = 0; i < use.passages->len; i++) {
        const struct ec_label_passage *passage = &g_array_index(use.passages, struct ec_label_passage, i);

        if (passage->argument != LABEL_ARGUMENT)
            continue;
        *ret_call = *passage;
        found++;
    }
    found = use.exhausted ? 0 : found;
    ec_label_use_clear(&use);
    ec_label_strings_clear(&strings);
    return found == 1;
}

/* Targets of calls in front of an address, the nearest ones, in ascending order. */
struct entry_scan {
    const struct ec_elf_segment *segment;
    uint64_t before;
    uint64_t found[ENTRIES_MAX];
    size_t count;
};

static void entry_add(struct entry_scan *scan, uint64_t entry)
{
    size_t at = scan->count;

    while (at > 0 && scan->found[at - 1] > entry)
        at--;
    if ((at > 0 && scan->found[at - 1] == entry) || (at == 0 && scan->count == ENTRIES_MAX))
        return;
    if (scan->count == ENTRIES_MAX) {
        memmove(scan->found, scan->found + 1, (at - 1) * sizeof(entry));
        scan->found[at - 1] = entry;
        return;
    }
    memmove(scan->found + at + 1, scan->found + at, (scan->count - at) * sizeof(entry));
    scan->found[at] = entry;
    scan->count++;
}

static bool entries_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct entry_scan *scan = data;
    const uint64_t address = scan->segment->address + (at - scan->segment->offset);

    for (size_t i = 0; i + CALL_LEN <= len; i++) {
        int32_t distance;

        memcpy(&distance, piece + i + 1, sizeof(distance));
        const uint64_t target = address + i + CALL_LEN + (uint64_t)(int64_t)distance;
        if (piece[i] == 0xe8 && target < scan->before && scan->before - target <= FUNCTION_MAX)
            entry_add(scan, target);
    }
    return true;
}

struct call_visit {
    uint64_t call;
    int8_t first; /* register of the first argument */
    struct ec_value out;
};

static void call_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct call_visit *visit = data;

    if (insn->address == visit->call)
        visit->out = state->registers[visit->first];
}

/* How far the call's first argument is from that of the function which it is in: of the nearest entry before it from
 * which control gets there. */
static bool place_find(ec_code *code, const ec_elf_image *image, uint64_t call, uint16_t *ret_place)
{
    struct entry_scan scan = {.segment = ec_elf_image_find_segment(image, call), .before = call};

    if (!scan.segment)
        return false;
    ec_elf_image_scan(image, scan.segment->offset, scan.segment->size, CALL_LEN - 1, entries_scan, &scan);
    while (scan.count-- > 0) {
        const struct ec_machine *machine = ec_code_get_machine(code);
        struct call_visit visit = {.call = call, .first = machine->args[0]};
        struct ec_state state;

        ec_state_init_entry(&state, machine);
        if (!ec_flow_run(code, scan.found[scan.count], &state, EC_JOIN_MUST, call_visit, &visit) ||
            visit.out.kind != EC_VALUE_ARG || visit.out.pointer != 0)
            continue;
        *ret_place = (uint16_t)visit.out.offset;
        return visit.out.offset >= 0 && visit.out.offset < OFFSET_MAX && visit.out.offset % 8 == 0;
    }
    return false;
}

static bool derivation_find(ec_code *code, const ec_elf_image *image, uint64_t *ret_function,
                            struct ec_libressl_point *point)
{
    uint16_t places[G_N_ELEMENTS(labels)];
    uint64_t function = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(labels); i++) {
        struct ec_label_passage call = {.address = 0};

        if (!call_find(code, image, labels[i], &call) || (i > 0 && call.address != function) ||
            !place_find(code, image, call.call, &places[i]))
            return false;
        function = call.address;
    }
    if (places[1] != places[0] + EC_LIBRESSL_SECRET_LEN || places[3] != places[2] + EC_LIBRESSL_SECRET_LEN ||
        places[4] != places[3] + EC_LIBRESSL_SECRET_LEN)
        return false;
    *ret_function = function;
    point->handshake = places[0];
    point->application = places[2];
    return true;
}

static bool symbol_find(const ec_elf_image *image, const char *name, uint64_t *ret_address)
{
    struct ec_elf_symbol symbol;

    if (!ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, name, &symbol) &&
        !ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, name, &symbol))
        return false;
    *ret_address = symbol.address;
    return true;
}

/* The file offset of a place where the function's arguments are as at its entry. */
static bool probe_find(ec_code *code, const ec_elf_image *image, uint64_t function, int n_arguments,
                       uint64_t *ret_offset)
{
    struct ec_probe_place place;

    ec_probe_place_find(image, code, function, n_arguments, EC_ARGUMENTS_STAY, &place);
    return ec_elf_image_get_offset(image, place.address, ret_offset);
}

static bool entries_find(ec_code *code, const ec_elf_image *image, struct ec_libressl_point *point)
{
    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        uint64_t address = 0;

        if (symbol_find(image, entries[i], &address) &&
            probe_find(code, image, address, 1, &point->entries[point->n_entries]))
            point->n_entries++;
        else if (i < ENTRIES_NEEDED)
            return false;
    }
    return true;
}

/* The client random's place; the server's must be ahead of it (bpf/libressl.bpf.c). */
static bool random_find(ec_code *code, const ec_elf_image *image, struct ec_random_place *ret_place)
{
    struct ec_random_place server;
    uint64_t of_client = 0, of_server = 0;

    return symbol_find(image, "SSL_get_client_random", &of_client) &&
           symbol_find(image, "SSL_get_server_random", &of_server) &&
           ec_random_accessor_find(code, EC_ACCESSOR_COPIES, of_client, ret_place) && ret_place->indirect &&
           ec_random_accessor_find(code, EC_ACCESSOR_COPIES, of_server, &server) && server.indirect &&
           server.pointer == ret_place->pointer && server.offset + EC_RANDOM_LEN == ret_place->offset;
}

bool ec_libressl_find(ec_code *code, const ec_elf_image *image, struct ec_hook_point *point)
{
    struct ec_libressl_point found = {.n_entries = 0};
    struct ec_random_place random;
    uint64_t function = 0;

    if (!random_find(code, image, &random) || !derivation_find(code, image, &function, &found) ||
        !probe_find(code, image, function, LABEL_ARGUMENT + 1, &found.derive_offset) ||
        !entries_find(code, image, &found) || ec_code_is_exhausted(code))
        return false;
    point->libressl = found;
    point->random_indirect = random.indirect;
    point->random_pointer_offset = random.pointer;
    point->random_offset = random.offset;
    return true;
}
