/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Format: debug/buildinfo/buildinfo.go of Go 1.13 to 1.27 for the version. A position-independent program's pointers
 * lie in its relative relocations.
 */
#include "go-program.h"

#include "elf-relocation.h"

#include <string.h>

enum {
    SECTIONS_MAX = 1 << 14,
    WORDS_PER_READ = 1 << 13,
    PIECE_OVERLAP = 64,
    /* buildinfo: magic, pointer size and flags, then at 16 two pointers to string headers, or at 32 the strings */
    BUILD_INFO_LEN = 32,
    BUILD_INFO_POINTERS = 16,
    BUILD_INFO_BIG_ENDIAN = 1,
    BUILD_INFO_INLINE = 2,
};
static const char build_info_magic[] = "\xff Go buildinf:";
#define BUILD_INFO_MAGIC_LEN (sizeof(build_info_magic) - 1)

struct ec_go_program {
    const struct ec_elf_image *image;
    bool has_sections;
    uint64_t build_info; /* address, 0: not found */
    uint64_t table;      /* address of pclntab, 0: not found */
    uint64_t module;     /* address of moduledata, 0: not found */
    struct ec_elf_relocations relocations;
    char version[48];
};

/* ---- sections ---- */

static void *table_read(const struct ec_elf_image *image, uint64_t offset, size_t count, size_t size)
{
    g_autofree void *table = g_malloc(MAX(count * size, 1));
    if (ec_elf_image_read(image, offset, table, count * size) != count * size)
        return NULL;
    return g_steal_pointer(&table);
}

static void section_take(ec_go_program *program, const Elf64_Shdr *section, const char *name)
{
    if (!(section->sh_flags & SHF_ALLOC) || section->sh_size == 0)
        return;
    if (strcmp(name, ".go.buildinfo") == 0)
        program->build_info = section->sh_addr;
    else if (g_str_has_suffix(name, ".gopclntab")) /* ".gopclntab", ".data.rel.ro.gopclntab" */
        program->table = section->sh_addr;
    else if (strcmp(name, ".go.module") == 0)
        program->module = section->sh_addr;
}

static void sections_read(ec_go_program *program, const Elf64_Ehdr *header)
{
    const size_t count = header->e_shnum;
    g_autofree Elf64_Shdr *sections = NULL;

    if (header->e_shentsize == sizeof(Elf64_Shdr) && count > 1 && count <= SECTIONS_MAX && header->e_shstrndx < count)
        sections = table_read(program->image, header->e_shoff, count, sizeof(Elf64_Shdr));
    if (!sections)
        return;
    const Elf64_Shdr *names = &sections[header->e_shstrndx];
    for (size_t i = 1; i < count; i++) {
        char name[32] = "";
        if (sections[i].sh_name >= names->sh_size || names->sh_offset > UINT64_MAX - sections[i].sh_name)
            continue;
        ec_elf_image_read(program->image, names->sh_offset + sections[i].sh_name, name, sizeof(name) - 1);
        program->has_sections |= name[0] != '\0';
        section_take(program, &sections[i], name);
    }
}

/* ---- relocations ---- */

struct word_range {
    uint64_t address;
    uint64_t count;
    uint64_t *words;
};

static bool word_relocate(const Elf64_Rela *relocation, void *data)
{
    const struct word_range *range = data;
    const uint64_t at = relocation->r_offset - range->address;

    if (relocation->r_offset >= range->address && at % sizeof(uint64_t) == 0 && at / sizeof(uint64_t) < range->count)
        range->words[at / sizeof(uint64_t)] = (uint64_t)relocation->r_addend;
    return true;
}

bool ec_go_program_read_words(const ec_go_program *program, uint64_t address, size_t count, uint64_t *ret_words)
{
    struct word_range range = {.address = address, .count = count, .words = ret_words};
    uint64_t offset = 0;

    if (!ec_elf_image_get_offset(program->image, address, &offset) ||
        ec_elf_image_read(program->image, offset, ret_words, count * sizeof(uint64_t)) != count * sizeof(uint64_t))
        return false;
    ec_elf_relocations_foreach(program->image, &program->relocations, word_relocate, &range);
    return true;
}

bool ec_go_program_read_word(const ec_go_program *program, uint64_t address, uint64_t *ret_word)
{
    uint64_t word = 0;

    if (!ec_go_program_read_words(program, address, 1, &word))
        return false;
    *ret_word = word;
    return true;
}

/* ---- search ---- */

struct word_search {
    uint64_t word;
    uint64_t shift; /* address - file offset, of the segment that is scanned */
    ec_go_word_visit visit;
    void *data;
    bool stopped;
};

static bool word_in_relocation(const Elf64_Rela *relocation, void *data)
{
    struct word_search *search = data;

    if ((uint64_t)relocation->r_addend != search->word)
        return true;
    search->stopped = !search->visit(relocation->r_offset, search->data);
    return !search->stopped;
}

static bool word_in_piece(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct word_search *search = data;
    const size_t first = (size_t)(-(at + search->shift) % sizeof(uint64_t));

    for (size_t i = first; i + sizeof(uint64_t) <= len && !search->stopped; i += sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, piece + i, sizeof(word));
        if (word == search->word)
            search->stopped = !search->visit(at + i + search->shift, search->data);
    }
    return !search->stopped;
}

void ec_go_program_foreach_word(const ec_go_program *program, uint64_t word, ec_go_word_visit visit, void *data)
{
    struct word_search search = {.word = word, .visit = visit, .data = data};
    const struct ec_elf_segment *segment;

    ec_elf_relocations_foreach(program->image, &program->relocations, word_in_relocation, &search);
    for (size_t i = 0; !search.stopped && (segment = ec_elf_image_get_segment(program->image, i)); i++) {
        if (segment->executable)
            continue;
        search.shift = segment->address - segment->offset;
        ec_elf_image_scan(program->image, segment->offset, segment->size, sizeof(uint64_t) - 1, word_in_piece, &search);
    }
}

/* ---- version ---- */

struct magic_search {
    uint64_t shift;
    uint64_t address; /* 0: not found */
};

/* The linker aligns it to 16 bytes. */
static bool magic_in_piece(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct magic_search *search = data;
    const uint8_t *from = piece, *end = piece + len;

    while ((from = memmem(from, (size_t)(end - from), build_info_magic, BUILD_INFO_MAGIC_LEN))) {
        const uint64_t address = at + (uint64_t)(from - piece) + search->shift;
        if (address % 16 == 0) {
            search->address = address;
            return false;
        }
        from++;
    }
    return true;
}

static void build_info_search(ec_go_program *program)
{
    const struct ec_elf_segment *segment;
    struct magic_search search = {0};

    for (size_t i = 0; !search.address && (segment = ec_elf_image_get_segment(program->image, i)); i++) {
        search.shift = segment->address - segment->offset;
        if (!segment->executable)
            ec_elf_image_scan(program->image, segment->offset, segment->size, PIECE_OVERLAP, magic_in_piece, &search);
    }
    program->build_info = search.address;
}

static size_t bytes_read(const ec_go_program *program, uint64_t address, void *buffer, size_t len)
{
    uint64_t offset = 0;

    return ec_elf_image_get_offset(program->image, address, &offset)
               ? ec_elf_image_read(program->image, offset, buffer, len)
               : 0;
}

/* Takes what looks like a version; else the program's stays "". */
static void version_take(ec_go_program *program, uint64_t address, uint64_t len)
{
    char text[sizeof(program->version)] = "";

    if (len == 0 || len >= sizeof(text) || bytes_read(program, address, text, len) != len)
        return;
    for (size_t i = 0; i < len; i++)
        if (!g_ascii_isprint(text[i]))
            return;
    g_strlcpy(program->version, text, sizeof(program->version));
}

/* Go 1.18 and later: a varint of the length, then the text. */
static void version_read_inline(ec_go_program *program)
{
    const uint64_t address = program->build_info + BUILD_INFO_LEN;
    uint8_t len = 0;

    if (bytes_read(program, address, &len, 1) == 1 && len < 0x80)
        version_take(program, address + 1, len);
}

/* Before: a pointer to a Go string, which is a pointer and a length. */
static void version_read_pointer(ec_go_program *program)
{
    uint64_t string = 0, text[2] = {0};

    if (ec_go_program_read_word(program, program->build_info + BUILD_INFO_POINTERS, &string) &&
        ec_go_program_read_words(program, string, G_N_ELEMENTS(text), text))
        version_take(program, text[0], text[1]);
}

static void version_read(ec_go_program *program)
{
    uint8_t info[BUILD_INFO_LEN];

    if (bytes_read(program, program->build_info, info, sizeof(info)) != sizeof(info) ||
        memcmp(info, build_info_magic, BUILD_INFO_MAGIC_LEN) != 0)
        return;
    const uint8_t flags = info[BUILD_INFO_MAGIC_LEN + 1];
    if (flags & BUILD_INFO_INLINE)
        version_read_inline(program);
    else if (info[BUILD_INFO_MAGIC_LEN] == sizeof(uint64_t) && !(flags & BUILD_INFO_BIG_ENDIAN))
        version_read_pointer(program);
}

/* ---- the program ---- */

ec_go_program *ec_go_program_new(const struct ec_elf_image *image)
{
    g_autoptr(ec_go_program) program = g_new0(ec_go_program, 1);
    Elf64_Ehdr header;

    program->image = image;
    if (ec_elf_image_read(image, 0, &header, sizeof(header)) != sizeof(header))
        return NULL;
    sections_read(program, &header);
    if (!program->has_sections)
        build_info_search(program);
    if (program->build_info == 0 && program->table == 0)
        return NULL;
    ec_elf_relocations_find(program->image, &program->relocations);
    if (program->build_info != 0)
        version_read(program);
    return g_steal_pointer(&program);
}

void ec_go_program_free(ec_go_program *program)
{
    g_free(program);
}

const struct ec_elf_image *ec_go_program_get_image(const ec_go_program *program)
{
    return program->image;
}

const char *ec_go_program_get_version(const ec_go_program *program)
{
    return program->version;
}

uint64_t ec_go_program_get_table(const ec_go_program *program)
{
    return program->table;
}

uint64_t ec_go_program_get_module(const ec_go_program *program)
{
    return program->module;
}
