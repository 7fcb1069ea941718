/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every error that BoringSSL reports hands its library (16), a reason's number, which is never given anew
 * (include/openssl/ssl.h), and the source file's name to one function, ERR_put_error(). So the functions of
 * ssl/ssl_lib.cc are seen, and what they complain of. A function is what direct calls go to, at a multiple of 16. What
 * is proven:
 *
 *   ssl_read_impl(): complains of UNINITIALIZED and SSL_HANDSHAKE_FAILURE, but not of BAD_LENGTH.
 *   SSL_write(): the only one that complains of these three, and it calls a function that the connection's first word
 *       leads to (struct SSL_PROTOCOL_METHOD) with the connection and its own second argument.
 *   SSL_read(): the only one that complains of SHOULD_NOT_HAVE_BEEN_CALLED, calls ssl_read_impl() with the connection,
 *       hands its second argument to another function as the first (memcpy()), and reads and writes two adjacent words
 *       of what a word of the connection leads to (ssl->s3->pending_app_data): the compiler put SSL_peek() into it.
 *   SSL_peek(): likewise, but it writes nothing there. It may be missing, where nobody calls it.
 *   tls_free(): the second function of a table that begins with 0 (is_dtls) and whose function in the place that
 *       SSL_write() calls complains of PROTOCOL_IS_SHUTDOWN; it writes NULL to the word of the connection that leads to
 *       what SSL_read() writes. Where a table begins with 1, its second function calls that one with the connection.
 *
 * Seen in bun 1.4 and Chromium 156, x86-64; live captures of them showed it to be right.
 */
#include "boringssl-calls.h"

#include "elf-relocation.h"
#include "label-reference.h"

#include <elf.h>
#include <string.h>

static const char source_file[] = "/ssl/ssl_lib.cc";

enum {
    WORD = 8,
    FILE_ARGUMENT = 3, /* of ERR_put_error(library, unused, reason, file, line), from 0 */
    REASON_ARGUMENT = 2,
    CALL_LEN = 5,
    ALIGNMENT = 16,      /* of functions: what merely looks like a call soon goes to the midst of one */
    FUNCTION_MAX = 4096, /* bytes from a function's entry to where it names the file */
    PAGE_SHIFT = 12,
    ENTRIES_MAX = 4096, /* of what may be such functions */
    CALLEES_MAX = 24,
    ACCESSES_MAX = 48,
    CONSTANTS_MAX = 24,
    PATH_LEN = 256, /* of the source file */
    TABLE_MIN = 14, /* functions of struct SSL_PROTOCOL_METHOD; there are 17 to 20 */
    TABLES_MAX = 16,
};

/* include/openssl/ssl.h, err.h */
enum { UNINITIALIZED, HANDSHAKE_FAILURE, BAD_LENGTH, NOT_TO_BE_CALLED, IS_SHUTDOWN, REASON_MAX };
static const uint16_t reasons[REASON_MAX] = {
    [UNINITIALIZED] = 226, [HANDSHAKE_FAILURE] = 215, [BAD_LENGTH] = 111, [NOT_TO_BE_CALLED] = 66, [IS_SHUTDOWN] = 194};
#define BIT(reason) (1u << (reason))
static const uint32_t of_read = BIT(UNINITIALIZED) | BIT(HANDSHAKE_FAILURE);

/* ---- what a function does ---- */

/* To a word of what a word of the first argument leads to. */
struct access {
    int32_t pointer;
    int64_t at;
    bool reads, stores;
};

struct facts {
    uint64_t entry;
    uint32_t complains; /* bit per reason */
    bool names_file;
    bool copies;    /* calls something with the second argument as its first */
    int64_t writer; /* where in the table that the first word leads to it has a function that it calls with both; 0 */
    uint64_t callees[CALLEES_MAX]; /* with its own first argument */
    size_t n_callees;
    struct access accesses[ACCESSES_MAX];
    size_t n_accesses;
};

struct walk {
    struct ec_code *code;
    GHashTable *references; /* addresses of instructions that load the file's name */
    struct facts *facts;
    struct {
        uint64_t behind; /* the instruction that puts the reason where it is handed over */
        unsigned reason;
    } constants[CONSTANTS_MAX];
    size_t n_constants;
};

static bool is_argument(const struct walk *walk, const struct ec_state *state, unsigned at, int number)
{
    const struct ec_value *value = &state->registers[ec_code_get_machine(walk->code)->args[at]];

    return value->kind == EC_VALUE_ARG && value->pointer == number && value->offset == 0;
}

/* Through which word of the first argument the instruction's memory operand goes; false if through none. */
static bool operand_get(const struct ec_insn *insn, const struct ec_state *state, int32_t *ret_pointer)
{
    if (insn->size < WORD || insn->index != EC_REG_NONE || insn->base == EC_REG_NONE)
        return false;
    const struct ec_value *base = &state->registers[insn->base];
    if (base->kind != EC_VALUE_DEREF || base->offset != 0)
        return false;
    *ret_pointer = base->pointer;
    return true;
}

static void access_add(struct facts *facts, const struct access *access)
{
    for (size_t i = 0; i < facts->n_accesses; i++) {
        struct access *known = &facts->accesses[i];

        if (known->pointer != access->pointer || known->at != access->at)
            continue;
        known->reads |= access->reads;
        known->stores |= access->stores;
        return;
    }
    if (facts->n_accesses < ACCESSES_MAX)
        facts->accesses[facts->n_accesses++] = *access;
}

static void operand_visit(const struct walk *walk, const struct ec_insn *insn, const struct ec_state *state)
{
    struct access access = {.at = insn->displacement, .reads = insn->reads, .stores = insn->stores};

    if (!operand_get(insn, state, &access.pointer))
        return;
    if (insn->op == EC_OP_CALL) {
        if (access.pointer == 0 && is_argument(walk, state, 0, 0) &&
            (is_argument(walk, state, 2, 1) || is_argument(walk, state, 3, 1)))
            walk->facts->writer = insn->displacement;
        return;
    }
    for (; access.at < insn->displacement + insn->size; access.at += WORD)
        access_add(walk->facts, &access);
}

static void call_visit(const struct walk *walk, const struct ec_insn *insn, const struct ec_state *state)
{
    struct facts *facts = walk->facts;

    facts->copies |= is_argument(walk, state, 0, 1);
    if (insn->target && is_argument(walk, state, 0, 0) && facts->n_callees < CALLEES_MAX)
        facts->callees[facts->n_callees++] = insn->target;
}

static void constant_visit(struct walk *walk, const struct ec_insn *insn)
{
    if (insn->dst != ec_code_get_machine(walk->code)->args[REASON_ARGUMENT])
        return;
    for (unsigned reason = 0; reason < REASON_MAX; reason++)
        if (insn->value == reasons[reason] && walk->n_constants < CONSTANTS_MAX) {
            walk->constants[walk->n_constants].behind = insn->address + insn->length;
            walk->constants[walk->n_constants++].reason = reason;
        }
}

static void function_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct walk *walk = data;

    walk->facts->names_file |= g_hash_table_contains(walk->references, &insn->address);
    operand_visit(walk, insn, state);
    if (insn->op == EC_OP_CALL)
        call_visit(walk, insn, state);
    else if (insn->op == EC_OP_CONST)
        constant_visit(walk, insn);
}

struct handover {
    const struct ec_machine *machine;
    uint64_t function;
    bool found;
};

static void handover_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct handover *handover = data;

    handover->found |= insn->op == EC_OP_CALL && insn->target == handover->function &&
                       state->registers[handover->machine->args[REASON_ARGUMENT]].kind == EC_VALUE_TRACKED;
}

/* Whether what the instruction in front of this address put there is handed to that function as a reason. */
static bool is_handed_over(struct ec_code *code, uint64_t address, uint64_t function)
{
    struct handover handover = {.machine = ec_code_get_machine(code), .function = function};
    struct ec_state state;

    ec_state_init(&state);
    state.registers[handover.machine->args[REASON_ARGUMENT]] = (struct ec_value){.kind = EC_VALUE_TRACKED};
    return ec_flow_run(code, address, &state, EC_JOIN_MAY, handover_visit, &handover) && handover.found;
}

/* What is known of the file while it is worked on. */
struct search {
    const struct ec_elf_image *image;
    struct ec_code *code;
    GHashTable *references; /* as in struct walk */
    uint64_t put_error;     /* address of ERR_put_error() */
    GArray *functions;      /* struct facts, of those that name the file */
    GArray *reports;        /* uint64_t: addresses of calls of ERR_put_error(), ascending */
};

/* False if it can't be followed to its end. */
static bool facts_find(const struct search *search, uint64_t entry, struct facts *ret_facts)
{
    struct walk walk = {.code = search->code, .references = search->references, .facts = ret_facts};
    struct ec_state state;

    *ret_facts = (struct facts){.entry = entry};
    ec_state_init_entry(&state, ec_code_get_machine(search->code));
    if (!ec_flow_run(search->code, entry, &state, EC_JOIN_MAY, function_visit, &walk))
        return false;
    for (size_t i = 0; i < walk.n_constants; i++)
        if (is_handed_over(search->code, walk.constants[i].behind, search->put_error))
            ret_facts->complains |= BIT(walk.constants[i].reason);
    return true;
}

/* ---- the functions that name the file ---- */

/* Where their entries may be: in the pages up to FUNCTION_MAX in front of a reference. */
struct entries {
    const struct ec_elf_segment *segment;
    uint64_t low, high; /* of the references */
    GHashTable *pages;  /* set of uint64_t */
    GHashTable *found;  /* set of addresses that direct calls go to, uint64_t */
    const struct search *search;
};

static void set_add(GHashTable *set, uint64_t value)
{
    if (!g_hash_table_contains(set, &value))
        g_hash_table_add(set, g_memdup2(&value, sizeof(value)));
}

static bool calls_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct entries *entries = data;
    const uint64_t address = entries->segment->address + (at - entries->segment->offset);

    for (size_t i = 0; i + CALL_LEN <= len; i++) {
        int32_t distance;

        if (piece[i] != 0xe8)
            continue;
        memcpy(&distance, piece + i + 1, sizeof(distance));
        const uint64_t target = address + i + CALL_LEN + (uint64_t)(int64_t)distance, page = target >> PAGE_SHIFT;
        if (target == entries->search->put_error) {
            const uint64_t report = address + i;

            g_array_append_val(entries->search->reports, report);
        }
        if (target % ALIGNMENT == 0 && target >= entries->low - FUNCTION_MAX && target < entries->high &&
            g_hash_table_contains(entries->pages, &page) && g_hash_table_size(entries->found) < ENTRIES_MAX)
            set_add(entries->found, target);
    }
    return true;
}

static void entries_find(const struct search *search, GHashTable *pages, GHashTable *found)
{
    struct entries entries = {.low = UINT64_MAX, .pages = pages, .found = found, .search = search};
    GHashTableIter references;
    gpointer reference;

    g_hash_table_iter_init(&references, search->references);
    while (g_hash_table_iter_next(&references, &reference, NULL)) {
        const uint64_t address = *(const uint64_t *)reference;

        entries.low = MIN(entries.low, address);
        entries.high = MAX(entries.high, address);
        for (uint64_t page = (address - FUNCTION_MAX) >> PAGE_SHIFT; page <= address >> PAGE_SHIFT; page++)
            set_add(pages, page);
    }
    for (size_t i = 0; (entries.segment = ec_elf_image_get_segment(search->image, i)); i++)
        if (entries.segment->executable)
            ec_elf_image_scan(search->image, entries.segment->offset, entries.segment->size, CALL_LEN - 1, calls_scan,
                              &entries);
}

static void functions_find(struct search *search)
{
    g_autoptr(GHashTable) pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GHashTable) found = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    GHashTableIter entries;
    gpointer entry;

    entries_find(search, pages, found);
    g_hash_table_iter_init(&entries, found);
    while (g_hash_table_iter_next(&entries, &entry, NULL)) {
        struct facts facts;

        if (facts_find(search, *(const uint64_t *)entry, &facts) && facts.names_file)
            g_array_append_val(search->functions, facts);
    }
}

/* ---- which is which ---- */

static bool is_read_impl(const struct facts *facts)
{
    return (facts->complains & (of_read | BIT(BAD_LENGTH) | BIT(NOT_TO_BE_CALLED))) == of_read;
}

static bool is_write(const struct facts *facts)
{
    return (facts->complains & (of_read | BIT(BAD_LENGTH))) == (of_read | BIT(BAD_LENGTH)) &&
           facts->writer >= 2 * WORD && facts->writer < TABLE_MIN * WORD && facts->writer % WORD == 0;
}

static bool calls_read_impl(const struct search *search, const struct facts *facts)
{
    for (guint i = 0; i < search->functions->len; i++) {
        const struct facts *other = &g_array_index(search->functions, struct facts, i);

        for (size_t callee = 0; is_read_impl(other) && callee < facts->n_callees; callee++)
            if (facts->callees[callee] == other->entry)
                return true;
    }
    return false;
}

static const struct access *access_find(const struct facts *facts, int32_t pointer, int64_t at)
{
    for (size_t i = 0; i < facts->n_accesses; i++)
        if (facts->accesses[i].pointer == pointer && facts->accesses[i].at == at)
            return &facts->accesses[i];
    return NULL;
}

/* Two adjacent words that it reads and, if `stores`, writes; else it writes none at all. NULL: there are none. */
static const struct access *words_find(const struct facts *facts, bool stores)
{
    for (size_t i = 0; i < facts->n_accesses; i++) {
        const struct access *first = &facts->accesses[i];
        const struct access *second = access_find(facts, first->pointer, first->at + WORD);

        if (second && first->reads && second->reads && first->stores == stores && second->stores == stores)
            return first;
    }
    return NULL;
}

static bool stores_any(const struct facts *facts)
{
    for (size_t i = 0; i < facts->n_accesses; i++)
        if (facts->accesses[i].stores)
            return true;
    return false;
}

static bool moves_data(const struct search *search, const struct facts *facts, bool consumes)
{
    return facts->complains & BIT(NOT_TO_BE_CALLED) && !(facts->complains & BIT(BAD_LENGTH)) && facts->copies &&
           (consumes || !stores_any(facts)) && words_find(facts, consumes) &&
           (calls_read_impl(search, facts) || (facts->complains & of_read) == of_read);
}

enum call { CALL_READ, CALL_PEEK, CALL_WRITE, CALL_MAX };

static bool is_call(const struct search *search, const struct facts *facts, enum call call)
{
    return call == CALL_WRITE ? is_write(facts) : moves_data(search, facts, call == CALL_READ);
}

/* How many of the functions are this one; *ret_function is the last of them. */
static unsigned call_find(const struct search *search, enum call call, const struct facts **ret_function)
{
    unsigned n = 0;

    for (guint i = 0; i < search->functions->len; i++) {
        const struct facts *facts = &g_array_index(search->functions, struct facts, i);

        if (!is_call(search, facts, call))
            continue;
        *ret_function = facts;
        n++;
    }
    return n;
}

/* ---- where a connection ends ---- */

/* A run of words that hold addresses of code, as struct SSL_PROTOCOL_METHOD is. */
struct table {
    bool is_dtls;
    uint64_t free, write;
};

struct tables {
    const struct search *search;
    unsigned writer; /* index of its function */
    uint64_t code_low, code_high;
    uint64_t before; /* address of the last word that held an address of another kind */
    uint64_t start;
    size_t n;
    struct table run;
    struct table found[TABLES_MAX];
    size_t n_found;
    bool exhausted;
};

static bool is_code(const struct tables *tables, uint64_t address)
{
    const struct ec_elf_segment *segment = NULL;

    return address >= tables->code_low && address < tables->code_high &&
           (segment = ec_elf_image_find_segment(tables->search->image, address)) && segment->executable;
}

/* Whether a call of ERR_put_error() is so near behind it that it may be the function's. */
static bool may_report(const struct search *search, uint64_t function)
{
    const uint64_t *reports = (const uint64_t *)search->reports->data;
    size_t low = 0, high = search->reports->len;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (reports[middle] < function)
            low = middle + 1;
        else
            high = middle;
    }
    return low < search->reports->len && reports[low] - function < FUNCTION_MAX;
}

static void table_end(struct tables *tables)
{
    uint64_t offset = 0, head = UINT64_MAX;

    if (tables->n >= TABLE_MIN && tables->before != tables->start - WORD &&
        may_report(tables->search, tables->run.write) &&
        ec_elf_image_get_offset(tables->search->image, tables->start - WORD, &offset) &&
        ec_elf_image_read(tables->search->image, offset, &head, sizeof(head)) == sizeof(head) && head <= 1) {
        tables->run.is_dtls = head == 1;
        tables->exhausted |= tables->n_found == TABLES_MAX;
        if (!tables->exhausted)
            tables->found[tables->n_found++] = tables->run;
    }
    tables->n = 0;
}

/* In ascending order of their addresses. */
static void word_take(struct tables *tables, uint64_t address, uint64_t value)
{
    const bool code = is_code(tables, value);

    if (tables->n > 0 && (!code || address != tables->start + tables->n * WORD))
        table_end(tables);
    if (!code) {
        tables->before = address;
        return;
    }
    if (tables->n == 0)
        tables->start = address;
    if (tables->n == 1)
        tables->run.free = value;
    if (tables->n == tables->writer)
        tables->run.write = value;
    tables->n++;
}

static bool relocation_visit(const Elf64_Rela *relocation, void *data)
{
    word_take(data, relocation->r_offset, (uint64_t)relocation->r_addend);
    return true;
}

struct words_scan {
    struct tables *tables;
    const struct ec_elf_segment *segment;
};

/* Of a file for fixed addresses, which needs no relocations: each word that may be an address. */
static bool words_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    const struct words_scan *scan = data;
    const uint64_t address = scan->segment->address + (at - scan->segment->offset);

    for (size_t i = -address & (WORD - 1); i + WORD <= len; i += WORD) {
        uint64_t value;

        memcpy(&value, piece + i, sizeof(value));
        if (is_code(scan->tables, value))
            word_take(scan->tables, address + i, value);
    }
    return true;
}

static void words_find_fixed(struct tables *tables)
{
    const struct ec_elf_image *image = tables->search->image;
    struct words_scan scan = {.tables = tables};

    for (size_t i = 0; (scan.segment = ec_elf_image_get_segment(image, i)); i++)
        if (!scan.segment->executable)
            ec_elf_image_scan(image, scan.segment->offset, scan.segment->size, WORD - 1, words_scan, &scan);
}

static void tables_find(struct tables *tables)
{
    const struct ec_elf_image *image = tables->search->image;
    const struct ec_elf_segment *segment = NULL;
    struct ec_elf_relocations relocations;

    tables->code_low = UINT64_MAX;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++)
        if (segment->executable) {
            tables->code_low = MIN(tables->code_low, segment->address);
            tables->code_high = MAX(tables->code_high, segment->address + segment->size);
        }
    if (ec_elf_image_is_fixed(image)) {
        words_find_fixed(tables);
    } else {
        ec_elf_relocations_find(image, &relocations);
        ec_elf_relocations_foreach(image, &relocations, relocation_visit, tables);
    }
    table_end(tables);
}

/* What a function does with the connection's state. */
struct freeing {
    const struct ec_machine *machine;
    int64_t member; /* the word of the connection that leads to the state */
    uint64_t callee;
    bool clears; /* writes NULL there */
    bool calls;  /* calls that function with the connection */
};

static void freeing_visit(const struct ec_insn *insn, const struct ec_state *state, void *data)
{
    struct freeing *freeing = data;
    const struct ec_value *first = &state->registers[freeing->machine->args[0]];
    const struct ec_value *base = insn->base == EC_REG_NONE ? NULL : &state->registers[insn->base];
    const struct ec_value *value = insn->op == EC_OP_STORE ? &state->registers[insn->src] : NULL;

    if (insn->op == EC_OP_CALL || insn->op == EC_OP_JUMP)
        freeing->calls |=
            insn->target == freeing->callee && first->kind == EC_VALUE_ARG && first->pointer == 0 && first->offset == 0;
    if (!insn->stores || insn->size != WORD || insn->index != EC_REG_NONE || !base || base->kind != EC_VALUE_ARG ||
        base->pointer != 0 || base->offset + insn->displacement != freeing->member)
        return;
    freeing->clears |=
        value ? value->kind == EC_VALUE_CONST && value->offset == 0 : insn->op == EC_OP_STORE_CONST && insn->value == 0;
}

static void freeing_find(const struct search *search, uint64_t function, struct freeing *freeing)
{
    struct ec_state state;

    freeing->machine = ec_code_get_machine(search->code);
    ec_state_init_entry(&state, freeing->machine);
    ec_flow_run(search->code, function, &state, EC_JOIN_MAY, freeing_visit, freeing);
}

/* Whether it is one of struct SSL_PROTOCOL_METHOD. */
static bool is_method(const struct search *search, const struct table *table)
{
    struct facts facts;

    return facts_find(search, table->write, &facts) && facts.complains & BIT(IS_SHUTDOWN);
}

/* tls_free(); 0 if it isn't the only one, or a table's connections don't end there. */
static uint64_t free_choose(const struct tables *tables, int64_t member)
{
    uint64_t chosen = 0;

    for (size_t i = 0; i < tables->n_found; i++) {
        struct freeing freeing = {.member = member};

        if (tables->found[i].is_dtls || !is_method(tables->search, &tables->found[i]))
            continue;
        freeing_find(tables->search, tables->found[i].free, &freeing);
        if (!freeing.clears || (chosen && chosen != tables->found[i].free))
            return 0;
        chosen = tables->found[i].free;
    }
    for (size_t i = 0; i < tables->n_found; i++) {
        struct freeing freeing = {.member = member, .callee = chosen};

        if (!tables->found[i].is_dtls || !is_method(tables->search, &tables->found[i]))
            continue;
        freeing_find(tables->search, tables->found[i].free, &freeing);
        if (!freeing.calls)
            return 0;
    }
    return chosen;
}

static uint64_t free_find(const struct search *search, int64_t writer, int64_t member)
{
    struct tables tables = {.search = search, .writer = (unsigned)(writer / WORD - 1)};

    tables_find(&tables);
    return tables.exhausted ? 0 : free_choose(&tables, member);
}

/* ---- all of it ---- */

/* To where the string begins whose end is there: the path of the source file. */
static void place_widen(const struct ec_elf_image *image, struct ec_label_place *place)
{
    char before[PATH_LEN];
    uint64_t offset = 0;
    size_t len = 0;

    if (!ec_elf_image_get_offset(image, place->address, &offset) || offset < sizeof(before) ||
        ec_elf_image_read(image, offset - sizeof(before), before, sizeof(before)) != sizeof(before))
        return;
    while (len < sizeof(before) && g_ascii_isprint(before[sizeof(before) - 1 - len]))
        len++;
    place->address -= len;
}

static void paths_find(const struct ec_elf_image *image, struct ec_label_strings *ret_paths)
{
    ec_label_strings_find_text(image, source_file, ret_paths);
    for (guint i = 0; i < ret_paths->places->len; i++)
        place_widen(image, &g_array_index(ret_paths->places, struct ec_label_place, i));
}

/* NULL if the references and ERR_put_error() are known. */
static const char *references_find(struct search *search)
{
    struct ec_label_strings strings;
    struct ec_label_use use;
    const char *cause = NULL;

    paths_find(search->image, &strings);
    ec_label_use_find(search->code, search->image, &strings, &use);
    for (guint i = 0; i < use.references->len; i++)
        set_add(search->references, g_array_index(use.references, uint64_t, i));
    for (guint i = 0; i < use.passages->len; i++) {
        const struct ec_label_passage *passage = &g_array_index(use.passages, struct ec_label_passage, i);

        if (passage->argument == FILE_ARGUMENT && search->put_error && search->put_error != passage->address)
            cause = "more than one of BoringSSL's functions takes errors";
        else if (passage->argument == FILE_ARGUMENT)
            search->put_error = passage->address;
    }
    if (use.exhausted || !search->put_error)
        cause = "where BoringSSL's functions report errors isn't seen";
    ec_label_use_clear(&use);
    ec_label_strings_clear(&strings);
    return cause;
}

static const char *calls_prove(struct search *search, struct ec_boringssl_calls *ret_calls)
{
    const struct facts *calls[CALL_MAX] = {NULL};
    const char *cause = references_find(search);

    if (cause)
        return cause;
    functions_find(search);
    if (call_find(search, CALL_WRITE, &calls[CALL_WRITE]) != 1)
        return "which of BoringSSL's functions is SSL_write() isn't seen";
    if (call_find(search, CALL_READ, &calls[CALL_READ]) != 1 || call_find(search, CALL_PEEK, &calls[CALL_PEEK]) > 1)
        return "which of BoringSSL's functions is SSL_read() isn't seen";
    const uint64_t freed = free_find(search, calls[CALL_WRITE]->writer, words_find(calls[CALL_READ], true)->pointer);
    if (!freed || ec_code_is_exhausted(search->code))
        return "where BoringSSL's connections end isn't seen";
    *ret_calls = (struct ec_boringssl_calls){.read = calls[CALL_READ]->entry,
                                             .peek = calls[CALL_PEEK] ? calls[CALL_PEEK]->entry : 0,
                                             .write = calls[CALL_WRITE]->entry,
                                             .free = freed};
    return NULL;
}

bool ec_boringssl_is_inside(const struct ec_elf_image *image)
{
    struct ec_label_strings strings;

    ec_label_strings_find_text(image, source_file, &strings);
    const bool found = strings.places->len > 0;
    ec_label_strings_clear(&strings);
    return found;
}

const char *ec_boringssl_calls_find(const struct ec_elf_image *image, struct ec_code *code,
                                    struct ec_boringssl_calls *ret_calls)
{
    g_autoptr(GHashTable) references = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_autoptr(GArray) functions = g_array_new(FALSE, FALSE, sizeof(struct facts));
    g_autoptr(GArray) reports = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    struct search search = {
        .image = image, .code = code, .references = references, .functions = functions, .reports = reports};

    if (ec_elf_image_get_machine(image) != EM_X86_64)
        return "the symbols of its TLS functions are stripped";
    return calls_prove(&search, ret_calls);
}
