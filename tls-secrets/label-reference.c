/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding references does not disassemble the program: position-independent x86-64 code holds the distance from the
 * instruction's end to the string in its last 4 bytes (lea, whose opcode is looked for), fixed-position code the
 * address itself as well (mov): there every 4 bytes of code are tried as either. What passes a bitmap of the wanted
 * addresses' low bits is decoded. An instruction stream that was mistaken for another gives no harm: what counts is on
 * which callee the labels agree. aarch64: every `add xd, xn, #imm12` with the string's page offset, and the nearest
 * `adrp xn` before it; likewise every `ldr xd, [xn, #imm12]` of a word that is relocated to the string: the global
 * offset table, by which NSS's libssl3 has them. (On x86-64 the linker makes a lea of such a load.)
 */
#include "label-reference.h"

#include "elf-relocation.h"

#include <elf.h>
#include <string.h>

enum {
    PLACES_MAX = 64,
    REFERENCES_MAX = 512,   /* instructions that load a label; a library has about ten */
    CANDIDATES_MAX = 16384, /* places in the code that look like one and are decoded */
    LOOKUPS_MAX = 1 << 22,  /* … that pass the bitmap; of 300 MB of real code, some ten thousand do */
    INSN_BACK_MAX = 9,      /* bytes of an x86-64 instruction in front of its last 4 */
    ADRP_BACK_MAX = 512,    /* bytes that an adrp may stand in front of its add or ldr */
    STRING_MARGIN = 64,     /* more than the longest label */
    PASSAGES_MAX = 64,
};

static void place_add(struct ec_label_strings *strings, uint64_t address, enum ec_secret_label label)
{
    for (size_t i = 0; i < strings->places->len; i++)
        if (g_array_index(strings->places, struct ec_label_place, i).address == address)
            return;
    struct ec_label_place place = {address, label};
    if (strings->places->len == PLACES_MAX)
        return;
    g_array_append_val(strings->places, place);
    strings->labels |= 1u << label;
}

struct string_scan {
    const struct ec_elf_segment *segment;
    struct ec_label_strings *strings;
};

/* `end`: a NUL behind a string that may end in labels. */
static void string_end_check(const struct string_scan *scan, const uint8_t *piece, size_t end, uint64_t at)
{
    for (int label = 0; label < EC_LABEL_MAX; label++) {
        const char *name = ec_secret_label_get_name(label);
        size_t len = strlen(name);
        if (len <= end && memcmp(piece + end - len, name, len) == 0)
            place_add(scan->strings, scan->segment->address + (at - scan->segment->offset) + end - len, label);
    }
}

static void needle_scan(const struct string_scan *scan, const uint8_t *piece, size_t len, uint64_t at,
                        const char *needle)
{
    const uint8_t *end = piece + len, *from = piece, *hit = NULL;
    size_t needle_len = strlen(needle);
    while ((hit = memmem(from, end - from, needle, needle_len))) {
        from = hit + needle_len;
        /* all labels end in the needle, or in the needle and two more characters ("_0") */
        for (size_t more = 0; more <= 2; more += 2)
            if ((size_t)(end - from) > more && from[more] == 0)
                string_end_check(scan, piece, from + more - piece, at);
    }
}

static bool has_any(const uint8_t *piece, size_t len, const char *const *needles)
{
    for (; *needles; needles++)
        if (memmem(piece, len, *needles, strlen(*needles)))
            return true;
    return false;
}

static bool strings_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char *const boringssl[] = {"third_party/boringssl", "BoringSSL", "AWS-LC", NULL};
    const struct string_scan *scan = data;
    needle_scan(scan, piece, len, at, "_SECRET");
    needle_scan(scan, piece, len, at, "CLIENT_RANDOM");
    if (!scan->strings->names_boringssl)
        scan->strings->names_boringssl = has_any(piece, len, boringssl);
    return true;
}

static void segments_scan(const struct ec_elf_image *image, bool executable, struct ec_label_strings *strings)
{
    const struct ec_elf_segment *segment = NULL;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++) {
        struct string_scan scan = {segment, strings};
        if (segment->executable == executable)
            ec_elf_image_scan(image, segment->offset, segment->size, STRING_MARGIN, strings_scan, &scan);
    }
}

void ec_label_strings_find(const struct ec_elf_image *image, struct ec_label_strings *ret_strings)
{
    *ret_strings = (struct ec_label_strings){.places = g_array_new(FALSE, FALSE, sizeof(struct ec_label_place))};
    /* Linkers of before 2018 put strings and code into one segment; else code is not worth the time. */
    segments_scan(image, false, ret_strings);
    if (!ret_strings->labels)
        segments_scan(image, true, ret_strings);
}

struct text_scan {
    const struct ec_elf_segment *segment;
    struct ec_label_strings *strings;
    const char *text;
};

/* It may be the tail of a longer string, but ends where that ends. */
static bool text_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    const struct text_scan *scan = data;
    const uint8_t *end = piece + len, *hit = NULL;
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, scan->text, strlen(scan->text) + 1));
         from = hit + 1)
        place_add(scan->strings, scan->segment->address + (at - scan->segment->offset) + (hit - piece), 0);
    return true;
}

void ec_label_strings_find_text(const struct ec_elf_image *image, const char *text,
                                struct ec_label_strings *ret_strings)
{
    *ret_strings = (struct ec_label_strings){.places = g_array_new(FALSE, FALSE, sizeof(struct ec_label_place))};
    const struct ec_elf_segment *segment = NULL;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++) {
        struct text_scan scan = {segment, ret_strings, text};
        ec_elf_image_scan(image, segment->offset, segment->size, STRING_MARGIN, text_scan, &scan);
    }
}

void ec_label_strings_clear(struct ec_label_strings *strings)
{
    g_clear_pointer(&strings->places, g_array_unref);
}

/* An instruction that loads a label's address. */
struct reference {
    struct ec_insn insn;
    enum ec_secret_label label;
};

struct reference_scan {
    struct ec_code *code;
    const struct ec_elf_segment *segment;
    const struct ec_label_strings *strings;
    GArray *words; /* struct ec_label_place, of words that hold a label's address; aarch64 */
    struct ec_label_use *use;
    GArray *references;         /* struct reference */
    enum ec_secret_label label; /* of the reference that is followed */
    unsigned candidates;
    unsigned lookups;
    bool fixed_position;
    uint32_t low_mask;         /* the bits of an address that low_bits tells apart */
    uint8_t low_bits[1 << 13]; /* bit per value of those bits that some label has */
};

static void taker_add(struct ec_label_use *use, const struct ec_insn *call, uint32_t labels)
{
    for (size_t i = 0; i < use->takers->len; i++) {
        struct ec_label_taker *taker = &g_array_index(use->takers, struct ec_label_taker, i);
        if (taker->address == call->target) {
            taker->call = call->address;
            taker->labels |= labels;
            return;
        }
    }
    struct ec_label_taker taker = {call->target, call->address, labels};
    g_array_append_val(use->takers, taker);
}

static void passage_add(struct ec_label_use *use, const struct ec_insn *call, int argument, uint32_t labels)
{
    for (size_t i = 0; i < use->passages->len; i++) {
        struct ec_label_passage *passage = &g_array_index(use->passages, struct ec_label_passage, i);
        if (passage->address == call->target && passage->argument == argument) {
            passage->call = call->address;
            passage->labels |= labels;
            return;
        }
    }
    struct ec_label_passage passage = {call->target, call->address, labels, argument};
    if (use->passages->len < PASSAGES_MAX)
        g_array_append_val(use->passages, passage);
}

static void taker_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct reference_scan *scan = data;
    const struct ec_machine *machine = ec_code_get_machine(scan->code);
    bool calls = insn->op == EC_OP_CALL || (insn->op == EC_OP_JUMP && ec_code_is_function(scan->code, insn->target));
    for (size_t i = 0; calls && insn->target && i < G_N_ELEMENTS(machine->args); i++) {
        if (machine->args[i] == EC_REG_NONE || state->registers[machine->args[i]].kind != EC_VALUE_TRACKED)
            continue;
        if (i == 1)
            taker_add(scan->use, insn, 1u << scan->label);
        else
            passage_add(scan->use, insn, (int)i, 1u << scan->label);
    }
}

/* From behind the instruction that loads the label's address on. */
static void reference_follow(struct reference_scan *scan, const struct reference *reference)
{
    const struct ec_insn *insn = &reference->insn;
    struct ec_state state;
    ec_state_init(&state);
    struct ec_value tracked = {.kind = EC_VALUE_TRACKED};
    if (insn->op == EC_OP_STORE_CONST)
        state.slots[0] = (struct ec_state_slot){.value = tracked, .at = insn->displacement, .base = insn->base};
    else
        state.registers[insn->dst] = tracked;
    scan->label = reference->label;
    if (!ec_flow_run(scan->code, insn->address + insn->length, &state, EC_JOIN_MAY, taker_visit, scan))
        scan->use->exhausted = true;
}

/* Twice, if only after the first round it is known which jumps are calls in tail position. */
static void references_follow(struct reference_scan *scan)
{
    for (int round = 0; round == 0 || (round == 1 && ec_code_has_followed_function(scan->code)); round++) {
        g_array_set_size(scan->use->takers, 0);
        g_array_set_size(scan->use->passages, 0);
        for (size_t i = 0; i < scan->references->len && !scan->use->exhausted; i++)
            reference_follow(scan, &g_array_index(scan->references, struct reference, i));
    }
}

static void reference_add(struct reference_scan *scan, const struct ec_insn *insn, enum ec_secret_label label)
{
    const struct ec_machine *machine = ec_code_get_machine(scan->code);
    bool on_stack = insn->base == machine->stack || insn->base == machine->frame;
    if (insn->op == EC_OP_STORE_CONST ? !on_stack : insn->dst == EC_REG_NONE)
        return;
    struct reference reference = {*insn, label};
    if (scan->references->len == REFERENCES_MAX)
        scan->use->exhausted = true;
    else
        g_array_append_val(scan->references, reference);
    g_array_append_val(scan->use->references, insn->address);
    scan->use->referenced |= 1u << label;
}

static const struct ec_label_place *place_find(const struct ec_label_strings *strings, uint64_t address)
{
    for (size_t i = 0; i < strings->places->len; i++) {
        const struct ec_label_place *place = &g_array_index(strings->places, struct ec_label_place, i);
        if (place->address == address)
            return place;
    }
    return NULL;
}

/* Bounds the work on a file made to look like references all over. */
static bool candidate_count(struct reference_scan *scan)
{
    if (scan->candidates++ < CANDIDATES_MAX)
        return true;
    scan->use->exhausted = true;
    return false;
}

static bool maybe_wanted(struct reference_scan *scan, uint64_t address)
{
    uint32_t low = address & scan->low_mask;
    if (!(scan->low_bits[low >> 3] >> (low & 7) & 1))
        return false;
    scan->use->exhausted |= scan->lookups++ >= LOOKUPS_MAX;
    return true;
}

/* Instructions that end with the 4 bytes at `last` and load the label's address. */
static void x86_candidate(struct reference_scan *scan, uint64_t last, const struct ec_label_place *place)
{
    if (!candidate_count(scan))
        return;
    for (unsigned back = 1; back <= INSN_BACK_MAX && back <= last; back++) {
        struct ec_insn insn;
        if (ec_code_read(scan->code, last - back, &insn) && insn.length == back + 4 &&
            (insn.op == EC_OP_CONST || insn.op == EC_OP_STORE_CONST) && (uint64_t)insn.value == place->address)
            reference_add(scan, &insn, place->label);
    }
}

/* The next place, from `i` on, whose low bits some label's address has; behind the piece if there is none. */
static size_t x86_skip(const struct reference_scan *scan, const uint8_t *piece, size_t i, size_t len, uint64_t address)
{
    const uint8_t *bits = scan->low_bits;
    for (; i + 4 <= len; i++) {
        uint16_t value, relative;
        memcpy(&value, piece + i, sizeof(value));
        relative = (uint16_t)(address + i + 4 + value);
        if (bits[relative >> 3] >> (relative & 7) & 1 || bits[value >> 3] >> (value & 7) & 1)
            break;
    }
    return i;
}

static void x86_try(struct reference_scan *scan, uint64_t last, uint64_t target)
{
    const struct ec_label_place *place = NULL;
    if (maybe_wanted(scan, target) && (place = place_find(scan->strings, target)))
        x86_candidate(scan, last, place);
}

static uint64_t x86_relative(const uint8_t *last, uint64_t address)
{
    int32_t distance;
    memcpy(&distance, last, sizeof(distance));
    return address + sizeof(distance) + (uint64_t)(int64_t)distance;
}

static bool x86_fixed_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct reference_scan *scan = data;
    uint64_t address = scan->segment->address + (at - scan->segment->offset);
    for (size_t i = 0; (i = x86_skip(scan, piece, i, len, address)) + 4 <= len && !scan->use->exhausted; i++) {
        uint32_t value;
        memcpy(&value, piece + i, sizeof(value));
        x86_try(scan, address + i, x86_relative(piece + i, address + i));
        x86_try(scan, address + i, value);
    }
    return !scan->use->exhausted;
}

/* lea reg, [rip + distance]: opcode, ModR/M with mod 0 and r/m 5, 4 bytes (Intel SDM 2.2.1.6) */
enum { LEA = 0x8d, LEA_LEN = 6, MODRM_MASK = 0xc7, MODRM_RIP = 0x05 };

static bool x86_relative_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct reference_scan *scan = data;
    uint64_t address = scan->segment->address + (at - scan->segment->offset);
    const uint8_t *end = piece + len;
    for (const uint8_t *hit = piece; end - hit >= LEA_LEN && !scan->use->exhausted; hit++) {
        hit = memchr(hit, LEA, (size_t)(end - hit) - (LEA_LEN - 1));
        if (!hit)
            break;
        const uint8_t *last = hit + 2;
        if ((hit[1] & MODRM_MASK) == MODRM_RIP)
            x86_try(scan, address + (uint64_t)(last - piece), x86_relative(last, address + (uint64_t)(last - piece)));
    }
    return !scan->use->exhausted;
}

/* The page that the nearest adrp in front of the instruction puts into its register; false if there is none. */
static bool arm64_page(struct reference_scan *scan, const struct ec_insn *insn, uint64_t *ret_page)
{
    int8_t reg = insn->op == EC_OP_LOAD ? insn->base : insn->src;
    struct ec_insn before;
    for (unsigned back = 4; back <= ADRP_BACK_MAX && back <= insn->address; back += 4) {
        if (!ec_code_read(scan->code, insn->address - back, &before))
            return false;
        if (before.op != EC_OP_CONST || before.dst != reg)
            continue;
        *ret_page = before.value;
        return true;
    }
    return false;
}

/* An add or ldr at `address` with the page offset `low` that may be one of those places'. */
static void arm64_candidate(struct reference_scan *scan, uint64_t address, uint64_t low, const GArray *places)
{
    for (size_t i = 0; i < places->len; i++) {
        const struct ec_label_place *place = &g_array_index(places, struct ec_label_place, i);
        struct ec_insn insn;
        uint64_t page = 0;
        if ((place->address & 0xfff) == low && candidate_count(scan) && ec_code_read(scan->code, address, &insn) &&
            arm64_page(scan, &insn, &page) && page + low == place->address)
            reference_add(scan, &insn, place->label);
    }
}

static bool arm64_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct reference_scan *scan = data;
    uint64_t address = scan->segment->address + (at - scan->segment->offset);
    for (size_t i = -address & 3; i + 4 <= len && !scan->use->exhausted; i += 4) {
        uint32_t word;
        memcpy(&word, piece + i, sizeof(word));
        uint64_t immediate = word >> 10 & 0xfff;
        if ((word & 0xffc00000) == 0x91000000) { /* ADD (immediate), 64-bit, not shifted */
            if (maybe_wanted(scan, immediate))
                arm64_candidate(scan, address + i, immediate, scan->strings->places);
        } else if ((word & 0xffc00000) == 0xf9400000) { /* LDR (immediate), 64-bit, unsigned offset of words */
            if (maybe_wanted(scan, immediate * 8))
                arm64_candidate(scan, address + i, immediate * 8, scan->words);
        }
    }
    return !scan->use->exhausted;
}

static bool word_take(const Elf64_Rela *relocation, void *data)
{
    struct reference_scan *scan = data;
    const struct ec_label_place *string = place_find(scan->strings, (uint64_t)relocation->r_addend);
    if (string) {
        struct ec_label_place word = {relocation->r_offset, string->label};
        g_array_append_val(scan->words, word);
    }
    return scan->words->len < PLACES_MAX;
}

static void low_bits_set(struct reference_scan *scan, const GArray *places)
{
    for (size_t i = 0; i < places->len; i++) {
        uint32_t low = g_array_index(places, struct ec_label_place, i).address & scan->low_mask;
        scan->low_bits[low >> 3] |= 1 << (low & 7);
    }
}

static void words_find(struct reference_scan *scan, const struct ec_elf_image *image)
{
    struct ec_elf_relocations relocations;
    ec_elf_relocations_find(image, &relocations);
    ec_elf_relocations_foreach(image, &relocations, word_take, scan);
    low_bits_set(scan, scan->words);
}

static int taker_compare(const void *a, const void *b)
{
    const struct ec_label_taker *left = a, *right = b;
    return __builtin_popcount(right->labels) - __builtin_popcount(left->labels);
}

void ec_label_use_find(struct ec_code *code, const struct ec_elf_image *image, const struct ec_label_strings *strings,
                       struct ec_label_use *ret_use)
{
    *ret_use = (struct ec_label_use){.takers = g_array_new(FALSE, FALSE, sizeof(struct ec_label_taker)),
                                     .passages = g_array_new(FALSE, FALSE, sizeof(struct ec_label_passage)),
                                     .references = g_array_new(FALSE, FALSE, sizeof(uint64_t))};
    g_autofree struct reference_scan *scan = g_new0(struct reference_scan, 1);
    g_autoptr(GArray) references = g_array_new(FALSE, FALSE, sizeof(struct reference));
    g_autoptr(GArray) words = g_array_new(FALSE, FALSE, sizeof(struct ec_label_place));
    scan->references = references;
    scan->words = words;
    scan->code = code;
    scan->strings = strings;
    scan->use = ret_use;
    scan->fixed_position = ec_elf_image_is_fixed(image);
    bool arm64 = ec_elf_image_get_machine(image) == EM_AARCH64;
    scan->low_mask = arm64 ? 0xfff : 0xffff;
    low_bits_set(scan, strings->places);
    if (arm64)
        words_find(scan, image);
    ec_elf_visit visit = arm64 ? arm64_scan : scan->fixed_position ? x86_fixed_scan : x86_relative_scan;
    size_t overlap = arm64 ? 0 : scan->fixed_position ? 3 : LEA_LEN - 1;
    for (size_t i = 0; (scan->segment = ec_elf_image_get_segment(image, i)); i++)
        if (scan->segment->executable)
            ec_elf_image_scan(image, scan->segment->offset, scan->segment->size, overlap, visit, scan);
    references_follow(scan);
    g_array_sort(ret_use->takers, taker_compare);
    ret_use->exhausted |= ec_code_is_exhausted(code);
}

struct passage_run {
    struct ec_code *code;
    struct ec_label_use *use;
    uint32_t labels;
};

static void passage_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct passage_run *run = data;
    const struct ec_machine *machine = ec_code_get_machine(run->code);
    const struct ec_value *first = &state->registers[machine->args[0]];
    bool calls = insn->op == EC_OP_CALL || (insn->op == EC_OP_JUMP && ec_code_is_function(run->code, insn->target));
    if (calls && insn->target && state->registers[machine->args[1]].kind == EC_VALUE_TRACKED &&
        first->kind == EC_VALUE_ARG && first->pointer == 0 && first->offset == 0)
        taker_add(run->use, insn, run->labels);
}

void ec_label_use_deepen(struct ec_code *code, struct ec_label_use *use)
{
    const struct ec_machine *machine = ec_code_get_machine(code);
    for (size_t i = 0; i < use->passages->len; i++) {
        const struct ec_label_passage *passage = &g_array_index(use->passages, struct ec_label_passage, i);
        struct passage_run run = {code, use, passage->labels};
        struct ec_state state;
        ec_state_init_entry(&state, machine);
        state.registers[machine->args[passage->argument]] = (struct ec_value){.kind = EC_VALUE_TRACKED};
        if (!ec_flow_run(code, passage->address, &state, EC_JOIN_MAY, passage_visit, &run))
            use->exhausted = true;
    }
    g_array_sort(use->takers, taker_compare);
    use->exhausted |= ec_code_is_exhausted(code);
}

void ec_label_use_clear(struct ec_label_use *use)
{
    g_clear_pointer(&use->references, g_array_unref);
    g_clear_pointer(&use->passages, g_array_unref);
    g_clear_pointer(&use->takers, g_array_unref);
}
