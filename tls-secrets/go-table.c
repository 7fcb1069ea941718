/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Formats: debug/gosym/pclntab.go and runtime/symtab.go of Go 1.2 to 1.27; a magic number for each.
 *
 *   Go 1.2:        header {magic, nfunc}, functab
 *   Go 1.16:       header {magic, nfunc, nfiles, offsets of function names, …, of functab}
 *   Go 1.18, 1.20: header {magic, nfunc, nfiles, textStart, the same offsets}
 *
 * functab: nfunc pairs {code, func}, then the code's end. `func` is the offset of {code, int32 name, …}. Up to 1.17
 * `code` is an address (relocated), then a 32-bit offset from where the code begins: textStart, which Go 1.26 stopped
 * writing. The runtime's moduledata, whose first word points to the header, has it too, behind the lowest and highest
 * address of any function: a place that differs by version, but is recognised by their difference.
 */
#include "go-table.h"

#include <string.h>

enum {
    HEADER_LEN = 8, /* magic, two zeros, instruction size, pointer size; then words */
    HEADER_WORDS = 8,
    WORD_LEN = 8,
    FUNCTIONS_MAX = 1 << 24,
    WINDOW_LEN = 1 << 18,
    HITS_MAX = 16,     /* places where the name's text stands */
    TABLES_MAX = 8,    /* what looks like a header, in a file whose section headers don't tell */
    MODULE_WORDS = 64, /* of moduledata that are looked at */
};

/* Which word of the header holds what; 0: none does. */
static const struct layout {
    uint32_t magic;
    uint8_t text, names, functab;
    uint8_t code_len; /* bytes of `code`, and of `func` in functab */
} layouts[] = {
    {.magic = 0xfffffffb, .code_len = 8},                                      /* Go 1.2 */
    {.magic = 0xfffffffa, .names = 2, .functab = 6, .code_len = 8},            /* Go 1.16 */
    {.magic = 0xfffffff0, .text = 2, .names = 3, .functab = 7, .code_len = 4}, /* Go 1.18 */
    {.magic = 0xfffffff1, .text = 2, .names = 3, .functab = 7, .code_len = 4}, /* Go 1.20 */
};

/* A part of the file through which one goes upwards. */
struct window {
    const struct ec_elf_image *image;
    uint64_t offset;
    size_t len;
    uint8_t bytes[WINDOW_LEN];
};

/* Offsets and sizes in bytes; all but `offset` count from the table's start. */
struct table {
    const ec_go_program *program;
    const struct layout *layout;
    uint64_t address;
    uint64_t offset; /* in the file */
    uint64_t size;   /* to the segment's end */
    uint64_t count;  /* functions */
    uint64_t text;   /* address, 0: not told */
    uint64_t names, names_end;
    uint64_t functab;
    uint64_t functions;
};

struct match {
    uint64_t index; /* in functab */
    uint64_t code;
    bool found;
};

/* ---- reading ---- */

static const uint8_t *window_get(struct window *window, uint64_t offset, size_t len)
{
    const bool inside = offset >= window->offset && offset - window->offset <= window->len &&
                        len <= window->len - (offset - window->offset);

    if (!inside) {
        window->offset = offset;
        window->len = ec_elf_image_read(window->image, offset, window->bytes, sizeof(window->bytes));
    }
    return len <= window->len - (offset - window->offset) ? window->bytes + (offset - window->offset) : NULL;
}

static struct window *window_new(const struct ec_elf_image *image)
{
    struct window *window = g_new(struct window, 1);

    window->image = image;
    window->offset = 0;
    window->len = 0;
    return window;
}

/* An unsigned number of 4 or 8 bytes. */
static uint64_t number_get(const uint8_t *bytes, size_t len)
{
    uint64_t number = 0;

    memcpy(&number, bytes, len); /* little-endian, as both machines */
    return number;
}

static const struct layout *layout_find(const uint8_t header[HEADER_LEN])
{
    const uint64_t magic = number_get(header, 4);
    const bool is_header =
        header[4] == 0 && header[5] == 0 && (header[6] == 1 || header[6] == 4) && header[7] == WORD_LEN;

    for (size_t i = 0; is_header && i < G_N_ELEMENTS(layouts); i++)
        if (layouts[i].magic == magic)
            return &layouts[i];
    return NULL;
}

static bool table_has(const struct table *table, uint64_t at, uint64_t len)
{
    return at <= table->size && len <= table->size - at;
}

static bool table_open(struct table *table, const ec_go_program *program, uint64_t address)
{
    const struct ec_elf_image *image = ec_go_program_get_image(program);
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, address);
    uint64_t words[HEADER_WORDS] = {0};
    uint8_t header[HEADER_LEN];

    if (!segment)
        return false;
    *table = (struct table){.program = program, .address = address};
    table->offset = segment->offset + (address - segment->address);
    table->size = segment->size - (address - segment->address);
    if (ec_elf_image_read(image, table->offset, header, sizeof(header)) != sizeof(header) ||
        !(table->layout = layout_find(header)) ||
        !ec_go_program_read_words(program, address + HEADER_LEN, G_N_ELEMENTS(words), words))
        return false;

    const struct layout *layout = table->layout;
    table->count = words[0];
    table->text = layout->text ? words[layout->text] : 0;
    table->names = layout->names ? words[layout->names] : 0;
    table->names_end = layout->names ? words[layout->names + 1] : table->size;
    table->functab = layout->functab ? words[layout->functab] : HEADER_LEN + WORD_LEN;
    table->functions = layout->functab ? table->functab : 0;
    return table->count > 0 && table->count <= FUNCTIONS_MAX && table->names < table->names_end &&
           table_has(table, 0, table->names_end) &&
           table_has(table, table->functab, (2 * table->count + 1) * layout->code_len);
}

/* `code` of functab's entry, the address not yet relocated. */
static bool code_read(const struct table *table, uint64_t index, uint64_t *ret_code)
{
    uint8_t bytes[WORD_LEN];
    const size_t len = table->layout->code_len;

    if (ec_elf_image_read(ec_go_program_get_image(table->program), table->offset + table->functab + index * 2 * len,
                          bytes, len) != len)
        return false;
    *ret_code = number_get(bytes, len);
    return true;
}

/* ---- names ---- */

/* One function that is looked for. */
struct name_search {
    const char *name;
    size_t len;              /* with its NUL */
    uint64_t hits[HITS_MAX]; /* where its text stands, as the functions' name offsets count */
    size_t hit_count;
    struct match match;
};

struct search {
    struct name_search names[EC_GO_FUNCTIONS_MAX];
    size_t count;
    uint64_t from; /* file offset that name offsets count from */
};

static void name_take_piece(struct name_search *name, const uint8_t *piece, size_t len, uint64_t at)
{
    const uint8_t *hit = piece, *end = piece + len;

    while (name->hit_count < HITS_MAX && (hit = memmem(hit, (size_t)(end - hit), name->name, name->len)))
        name->hits[name->hit_count++] = at + (uint64_t)(hit++ - piece);
}

/* A hit that lies whole in what two pieces share comes twice, which does no harm. */
static bool names_in_piece(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct search *search = data;

    for (size_t i = 0; i < search->count; i++)
        name_take_piece(&search->names[i], piece, len, at - search->from);
    return true;
}

/* A longer name ends in the same text, but no function's name begins there: the linker shares no tails. */
static bool name_is_hit(const struct name_search *name, uint64_t offset)
{
    for (size_t i = 0; i < name->hit_count; i++)
        if (name->hits[i] == offset)
            return true;
    return false;
}

static bool search_is_done(const struct search *search)
{
    for (size_t i = 0; i < search->count; i++)
        if (search->names[i].hit_count > 0 && !search->names[i].match.found)
            return false;
    return true;
}

static void search_take(struct search *search, uint64_t name, const struct match *match)
{
    for (size_t i = 0; i < search->count; i++)
        if (name_is_hit(&search->names[i], name))
            search->names[i].match = *match;
}

/* False if the table contradicts itself. `func` must grow: a hostile file could else make each entry cost a read. */
static bool functions_match(const struct table *table, struct search *search)
{
    const struct ec_elf_image *image = ec_go_program_get_image(table->program);
    g_autofree struct window *entries = window_new(image), *functions = window_new(image);
    const size_t code_len = table->layout->code_len;
    uint64_t last = 0;

    for (uint64_t i = 0; i < table->count && !search_is_done(search); i++) {
        const uint8_t *entry = window_get(entries, table->offset + table->functab + i * 2 * code_len, 2 * code_len);
        const uint64_t function = entry ? number_get(entry + code_len, code_len) : 0;
        if (!entry || function < last || function > table->size ||
            !table_has(table, table->functions + function, code_len + 4))
            return false;
        const uint8_t *record = window_get(functions, table->offset + table->functions + function, code_len + 4);
        if (!record)
            return false;
        const struct match match = {.index = i, .code = number_get(entry, code_len), .found = true};
        search_take(search, number_get(record + code_len, 4), &match);
        last = function;
    }
    return true;
}

/* ---- where the code begins ---- */

struct module_search {
    const struct table *table;
    uint64_t first, end; /* `code` of the first function and behind the last */
    uint64_t text;       /* 0: not found */
    bool ambiguous;
};

static bool is_code(const ec_go_program *program, uint64_t address)
{
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(ec_go_program_get_image(program), address);

    return segment && segment->executable;
}

/* moduledata: pcHeader, funcnametab {pointer, length, capacity}, …, minpc, maxpc, text, … */
static bool module_visit(uint64_t address, void *data)
{
    struct module_search *search = data;
    const struct table *table = search->table;
    uint64_t words[MODULE_WORDS] = {0};

    if (!ec_go_program_read_words(table->program, address, G_N_ELEMENTS(words), words) || words[0] != table->address ||
        words[1] != table->address + table->names || words[2] != words[3])
        return true;
    for (size_t i = 4; i + 2 < MODULE_WORDS; i++) {
        const uint64_t text = words[i] - search->first;
        if (words[i + 1] - words[i] != search->end - search->first || words[i + 2] != text ||
            !is_code(table->program, text))
            continue;
        search->ambiguous |= search->text != 0 && search->text != text;
        search->text = text;
    }
    return true;
}

static enum ec_go_find text_find(struct table *table)
{
    struct module_search search = {.table = table};

    if (table->text != 0)
        return EC_GO_FOUND;
    if (!code_read(table, 0, &search.first) || !code_read(table, table->count, &search.end))
        return EC_GO_NO_TABLE;
    if (ec_go_program_get_module(table->program) != 0)
        module_visit(ec_go_program_get_module(table->program), &search);
    if (search.text == 0)
        ec_go_program_foreach_word(table->program, table->address, module_visit, &search);
    if (search.ambiguous)
        return EC_GO_AMBIGUOUS;
    table->text = search.text;
    return search.text != 0 ? EC_GO_FOUND : EC_GO_NO_TEXT;
}

static enum ec_go_find address_find(struct table *table, const struct match *match, uint64_t *ret_address)
{
    uint64_t address = 0;

    if (table->layout->text != 0) {
        enum ec_go_find found = text_find(table);
        if (found != EC_GO_FOUND)
            return found;
        address = table->text + match->code;
    } else if (!ec_go_program_read_word(table->program,
                                        table->address + table->functab + match->index * 2 * table->layout->code_len,
                                        &address)) {
        return EC_GO_NO_TABLE;
    }
    if (!is_code(table->program, address))
        return EC_GO_AMBIGUOUS;
    *ret_address = address;
    return EC_GO_FOUND;
}

/* ---- the table ---- */

static void functions_set(struct ec_go_function *functions, size_t count, enum ec_go_find found)
{
    for (size_t i = 0; i < count; i++) {
        functions[i].found = found;
        functions[i].address = 0;
    }
}

/* False if that is no table: `functions` are untouched. */
static bool table_find(const ec_go_program *program, uint64_t address, struct ec_go_function *functions, size_t count)
{
    struct search search = {.count = count};
    struct table table;
    size_t longest = 0;

    if (!table_open(&table, program, address))
        return false;
    search.from = table.offset + table.names;
    for (size_t i = 0; i < count; i++) {
        search.names[i].name = functions[i].name;
        search.names[i].len = strlen(functions[i].name) + 1;
        longest = MAX(longest, search.names[i].len);
    }
    ec_elf_image_scan(ec_go_program_get_image(program), search.from, table.names_end - table.names, longest - 1,
                      names_in_piece, &search);
    if (!functions_match(&table, &search))
        return false;
    functions_set(functions, count, EC_GO_NO_NAME);
    for (size_t i = 0; i < count; i++)
        if (search.names[i].match.found)
            functions[i].found = address_find(&table, &search.names[i].match, &functions[i].address);
    return true;
}

struct table_search {
    const ec_go_program *program;
    struct ec_go_function *functions;
    size_t function_count;
    uint64_t shift; /* address - file offset, of the segment that is scanned */
    unsigned table_count;
};

/* The runtime holds the magic number too, with zeros behind it by chance: what is no table says nothing. */
static bool table_in_piece(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct table_search *search = data;
    const size_t first = (size_t)(-(at + search->shift) % HEADER_LEN);

    for (size_t i = first; i + HEADER_LEN <= len && search->table_count < TABLES_MAX; i += HEADER_LEN) {
        if (piece[i + 3] != 0xff || !layout_find(piece + i))
            continue;
        search->table_count++;
        if (table_find(search->program, at + i + search->shift, search->functions, search->function_count) &&
            search->functions[0].found == EC_GO_FOUND)
            return false;
    }
    return search->table_count < TABLES_MAX;
}

static bool table_search_run(struct table_search *search)
{
    const struct ec_elf_image *image = ec_go_program_get_image(search->program);
    const struct ec_elf_segment *segment;

    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)) != NULL; i++) {
        search->shift = segment->address - segment->offset;
        ec_elf_image_scan(image, segment->offset, segment->size, HEADER_LEN - 1, table_in_piece, search);
        if (search->functions[0].found == EC_GO_FOUND)
            return true;
    }
    return false;
}

bool ec_go_table_find(const ec_go_program *program, struct ec_go_function *functions, size_t count)
{
    const uint64_t address = ec_go_program_get_table(program);
    struct table_search search = {.program = program, .functions = functions, .function_count = count};

    g_return_val_if_fail(count > 0 && count <= EC_GO_FUNCTIONS_MAX, false);
    for (size_t i = 0; i < count; i++)
        g_return_val_if_fail(strlen(functions[i].name) < EC_GO_NAME_LEN, false);
    functions_set(functions, count, EC_GO_NO_TABLE);
    if (address != 0 && table_find(program, address, functions, count))
        return functions[0].found == EC_GO_FOUND;
    return table_search_run(&search);
}
