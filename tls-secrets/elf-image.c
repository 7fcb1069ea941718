/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf-image.h"

#include "hook-point.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_LEN = 1 << 20,   /* bytes read at a time by a scan */
    NOTES_MAX = 64 << 10,  /* bytes of notes that are looked at */
    SEGMENTS_MAX = 64,     /* that are kept; linkers make about ten */
    NOTE_RANGES_MAX = 64,  /* that are looked at */
    SYMBOLS_MAX = 1024,    /* whose names are read in one search */
    SHARED_NAMES_MAX = 64, /* strings with the wanted part that are kept */
    SYMBOLS_PER_READ = 1 << 13,
};

/* A range of the file, checked against its size. */
struct range {
    uint64_t offset;
    uint64_t size;
};

struct symbol_table {
    struct range symbols;
    struct range strings;
};

struct ec_elf_image {
    int fd;
    uint64_t file_size;
    int machine;
    bool fixed;
    size_t segment_count;
    struct ec_elf_segment *segments;
    struct symbol_table tables[EC_ELF_TABLE_MAX];
    uint64_t segment_bytes; /* sum of the segments' sizes */
    unsigned note_ranges;
    char build_id[41];
    char debug_link[256];
    uint32_t debug_crc;
};

/* pread until `len` bytes are there or the file ends. */
static ssize_t read_at(int fd, uint64_t offset, void *buffer, size_t len)
{
    size_t done = 0;
    while (done < len) {
        ssize_t got = pread(fd, (char *)buffer + done, len - done, offset + done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += got;
    }
    return done;
}

static bool range_is_inside(uint64_t offset, uint64_t size, uint64_t limit)
{
    return offset <= limit && size <= limit - offset;
}

static bool image_has(const struct ec_elf_image *image, uint64_t offset, uint64_t size)
{
    return range_is_inside(offset, size, image->file_size);
}

/* The bytes of a table of the file, or NULL. */
static void *table_read(const struct ec_elf_image *image, uint64_t offset, size_t count, size_t size)
{
    if (count == 0 || !image_has(image, offset, count * size))
        return NULL;
    g_autofree void *table = g_malloc(count * size);
    if (read_at(image->fd, offset, table, count * size) != (ssize_t)(count * size))
        return NULL;
    return g_steal_pointer(&table);
}

static bool header_read(struct ec_elf_image *image, Elf64_Ehdr *ret_header, GError **error)
{
    struct stat status;
    ssize_t got = read_at(image->fd, 0, ret_header, sizeof(*ret_header));
    if (got < 0 || fstat(image->fd, &status) < 0) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_IO, "can't read the file: %s", g_strerror(errno));
        return false;
    }
    image->file_size = MAX(status.st_size, 0);
    if (got != sizeof(*ret_header) || memcmp(ret_header->e_ident, ELFMAG, SELFMAG) != 0) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_ELF, "not an ELF file");
        return false;
    }
    image->machine = ret_header->e_machine;
    image->fixed = ret_header->e_type == ET_EXEC;
    if (ret_header->e_ident[EI_CLASS] != ELFCLASS64 || ret_header->e_ident[EI_DATA] != ELFDATA2LSB ||
        (image->machine != EM_X86_64 && image->machine != EM_AARCH64)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_MACHINE, "not a program for x86-64 or aarch64");
        return false;
    }
    return true;
}

/* A debug file's segments are described but hold no bytes (SHT_NOBITS); their ranges may lie outside the file.
 * Segments that cover the file over and over are a trap: every byte of them is searched. */
static void segment_add(struct ec_elf_image *image, const Elf64_Phdr *header)
{
    if (header->p_filesz == 0 || !image_has(image, header->p_offset, header->p_filesz) ||
        header->p_vaddr > UINT64_MAX - header->p_filesz || image->segment_count == SEGMENTS_MAX ||
        header->p_filesz > 2 * image->file_size - image->segment_bytes)
        return;
    image->segment_bytes += header->p_filesz;
    image->segments[image->segment_count++] = (struct ec_elf_segment){
        .offset = header->p_offset,
        .address = header->p_vaddr,
        .size = header->p_filesz,
        .executable = header->p_flags & PF_X,
        .writable = header->p_flags & PF_W,
    };
}

static void notes_read(struct ec_elf_image *image, uint64_t offset, uint64_t size)
{
    if (image->build_id[0] || image->note_ranges++ >= NOTE_RANGES_MAX)
        return;
    size = MIN(size, NOTES_MAX);
    g_autofree uint8_t *notes = table_read(image, offset, size, 1);
    if (!notes)
        return;
    for (uint64_t at = 0; range_is_inside(at, sizeof(Elf64_Nhdr), size);) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof(note));
        uint64_t name = at + sizeof(note), data = name + ((note.n_namesz + 3ull) & ~3ull);
        if (!range_is_inside(data, note.n_descsz, size))
            return;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(notes + name, "GNU", 4) == 0) {
            size_t bytes = MIN(note.n_descsz, sizeof(image->build_id) / 2);
            for (size_t i = 0; i < bytes; i++)
                g_snprintf(image->build_id + 2 * i, 3, "%02x", notes[data + i]);
            return;
        }
        at = data + ((note.n_descsz + 3ull) & ~3ull);
    }
}

static void dynamic_get(const Elf64_Dyn *entries, size_t count, Elf64_Sxword tag, uint64_t *value)
{
    for (size_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++)
        if (entries[i].d_tag == tag)
            *value = entries[i].d_un.d_val;
}

/* Without section headers: linkers put the string table behind the symbols, which alone tells their number. */
static void dynamic_read(struct ec_elf_image *image, const Elf64_Phdr *header)
{
    size_t count = MIN(header->p_filesz / sizeof(Elf64_Dyn), 4096u);
    g_autofree Elf64_Dyn *entries = table_read(image, header->p_offset, count, sizeof(Elf64_Dyn));
    if (!entries)
        return;
    uint64_t symbols = 0, strings = 0, strings_size = 0, symbols_offset = 0, strings_offset = 0;
    dynamic_get(entries, count, DT_SYMTAB, &symbols);
    dynamic_get(entries, count, DT_STRTAB, &strings);
    dynamic_get(entries, count, DT_STRSZ, &strings_size);
    if (!ec_elf_image_get_offset(image, symbols, &symbols_offset) ||
        !ec_elf_image_get_offset(image, strings, &strings_offset) || strings_offset < symbols_offset ||
        !image_has(image, strings_offset, strings_size))
        return;
    image->tables[EC_ELF_DYNSYM] = (struct symbol_table){
        .symbols = {symbols_offset, strings_offset - symbols_offset},
        .strings = {strings_offset, strings_size},
    };
}

static void segments_read(struct ec_elf_image *image, const Elf64_Ehdr *header)
{
    size_t count = header->e_phnum;
    g_autofree Elf64_Phdr *headers = NULL;
    if (header->e_phentsize == sizeof(Elf64_Phdr))
        headers = table_read(image, header->e_phoff, count, sizeof(Elf64_Phdr));
    if (!headers)
        return;
    image->segments = g_new0(struct ec_elf_segment, SEGMENTS_MAX);
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_LOAD)
            segment_add(image, &headers[i]);
    for (size_t i = 0; i < count; i++) {
        if (headers[i].p_type == PT_NOTE)
            notes_read(image, headers[i].p_offset, headers[i].p_filesz);
        else if (headers[i].p_type == PT_DYNAMIC)
            dynamic_read(image, &headers[i]);
    }
}

/* .gnu_debuglink: a name with its NUL, padded to 4 bytes, then the CRC-32 (gdb manual, Separate Debug Files) */
static void debug_link_read(struct ec_elf_image *image, const Elf64_Shdr *section)
{
    char bytes[sizeof(image->debug_link) + 8] = "";
    size_t size = MIN(section->sh_size, sizeof(bytes));
    if (!image_has(image, section->sh_offset, size) ||
        read_at(image->fd, section->sh_offset, bytes, size) != (ssize_t)size)
        return;
    size_t len = strnlen(bytes, size), crc = (len + 4) & ~(size_t)3;
    if (len >= sizeof(image->debug_link) || crc + 4 > size || memchr(bytes, '/', len))
        return;
    memcpy(image->debug_link, bytes, len + 1);
    memcpy(&image->debug_crc, bytes + crc, 4);
}

static void symbol_section_read(struct ec_elf_image *image, const Elf64_Shdr *sections, size_t count, size_t i)
{
    const Elf64_Shdr *symbols = &sections[i];
    if (symbols->sh_link >= count)
        return;
    const Elf64_Shdr *strings = &sections[symbols->sh_link];
    if (strings->sh_type != SHT_STRTAB || !image_has(image, symbols->sh_offset, symbols->sh_size) ||
        !image_has(image, strings->sh_offset, strings->sh_size))
        return;
    image->tables[symbols->sh_type == SHT_DYNSYM ? EC_ELF_DYNSYM : EC_ELF_SYMTAB] = (struct symbol_table){
        .symbols = {symbols->sh_offset, symbols->sh_size},
        .strings = {strings->sh_offset, strings->sh_size},
    };
}

static bool section_is_named(const struct ec_elf_image *image, const Elf64_Shdr *names, const Elf64_Shdr *section,
                             const char *name)
{
    char found[32] = "";
    size_t len = strlen(name) + 1;
    return range_is_inside(section->sh_name, len, names->sh_size) &&
           range_is_inside(names->sh_offset, names->sh_size, image->file_size) && len <= sizeof(found) &&
           read_at(image->fd, names->sh_offset + section->sh_name, found, len) == (ssize_t)len &&
           memcmp(found, name, len) == 0;
}

static void sections_read(struct ec_elf_image *image, const Elf64_Ehdr *header)
{
    size_t count = header->e_shnum;
    g_autofree Elf64_Shdr *sections = NULL;
    if (header->e_shentsize == sizeof(Elf64_Shdr))
        sections = table_read(image, header->e_shoff, count, sizeof(Elf64_Shdr));
    if (!sections)
        return;
    for (size_t i = 0; i < count; i++) {
        const Elf64_Shdr *section = &sections[i];
        if (section->sh_type == SHT_DYNSYM || section->sh_type == SHT_SYMTAB)
            symbol_section_read(image, sections, count, i);
        else if (section->sh_type == SHT_NOTE)
            notes_read(image, section->sh_offset, section->sh_size);
        else if (section->sh_type == SHT_PROGBITS && !(section->sh_flags & SHF_ALLOC) && !image->debug_link[0] &&
                 section->sh_size <= sizeof(image->debug_link) + 8 && header->e_shstrndx < count &&
                 section_is_named(image, &sections[header->e_shstrndx], section, ".gnu_debuglink"))
            debug_link_read(image, section);
    }
}

struct ec_elf_image *ec_elf_image_open(int fd, GError **error)
{
    g_autoptr(ec_elf_image) image = g_new0(struct ec_elf_image, 1);
    image->fd = fd;
    Elf64_Ehdr header;
    if (!header_read(image, &header, error))
        return NULL;
    segments_read(image, &header);
    sections_read(image, &header);
    if (image->segment_count == 0 && image->tables[EC_ELF_SYMTAB].symbols.size == 0) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_ELF,
                    "the ELF file is truncated: no segment and no symbol table lies inside it");
        return NULL;
    }
    return g_steal_pointer(&image);
}

void ec_elf_image_free(struct ec_elf_image *image)
{
    if (!image)
        return;
    g_free(image->segments);
    g_free(image);
}

int ec_elf_image_get_machine(const struct ec_elf_image *image)
{
    return image->machine;
}

bool ec_elf_image_is_fixed(const struct ec_elf_image *image)
{
    return image->fixed;
}

const char *ec_elf_image_get_build_id(const struct ec_elf_image *image)
{
    return image->build_id;
}

const char *ec_elf_image_get_debug_link(const struct ec_elf_image *image, uint32_t *ret_crc)
{
    if (ret_crc)
        *ret_crc = image->debug_crc;
    return image->debug_link;
}

size_t ec_elf_image_read(const struct ec_elf_image *image, uint64_t offset, void *buffer, size_t len)
{
    if (offset >= image->file_size)
        return 0;
    return MAX(read_at(image->fd, offset, buffer, MIN(len, image->file_size - offset)), 0);
}

const struct ec_elf_segment *ec_elf_image_get_segment(const struct ec_elf_image *image, size_t i)
{
    return i < image->segment_count ? &image->segments[i] : NULL;
}

const struct ec_elf_segment *ec_elf_image_find_segment(const struct ec_elf_image *image, uint64_t address)
{
    for (size_t i = 0; i < image->segment_count; i++)
        if (address >= image->segments[i].address && address - image->segments[i].address < image->segments[i].size)
            return &image->segments[i];
    return NULL;
}

bool ec_elf_image_get_offset(const struct ec_elf_image *image, uint64_t address, uint64_t *ret_offset)
{
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, address);
    if (!segment)
        return false;
    *ret_offset = segment->offset + (address - segment->address);
    return true;
}

void ec_elf_image_scan(const struct ec_elf_image *image, uint64_t offset, uint64_t size, size_t overlap,
                       ec_elf_visit visit, void *data)
{
    g_return_if_fail(overlap < PIECE_LEN);
    if (!image_has(image, offset, size))
        return;
    g_autofree uint8_t *piece = g_malloc(PIECE_LEN);
    uint64_t at = offset, end = offset + size;
    size_t kept = 0;
    while (at + kept < end) {
        size_t len = kept + ec_elf_image_read(image, at + kept, piece + kept, MIN(PIECE_LEN - kept, end - at - kept));
        if (len == kept || !visit(piece, len, at, data))
            return;
        kept = MIN(overlap, len);
        memmove(piece, piece + len - kept, kept);
        at += len - kept;
    }
}

/* Looking a name up symbol by symbol would read hundreds of megabytes of strings in no order. So the strings are
 * searched once for the wanted part; then a symbol is wanted if its name begins in one of the strings found. */
struct name_range {
    uint64_t first; /* offset in the string table of the string's first byte */
    uint64_t last;  /* … of the wanted part: a name may be the tail of a longer one */
};

struct name_search {
    const char *part;
    size_t part_len;
    uint64_t table; /* file offset of the string table */
    GArray *names;  /* struct name_range, ascending */
};

static bool names_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct name_search *search = data;
    for (const uint8_t *from = piece, *end = piece + len; from < end;) {
        const uint8_t *hit = memmem(from, end - from, search->part, search->part_len);
        if (!hit)
            return true;
        const uint8_t *first = hit;
        while (first > piece && first[-1] != 0 && hit - first < EC_ELF_NAME_LEN)
            first--;
        struct name_range range = {at + (first - piece) - search->table, at + (hit - piece) - search->table};
        g_array_append_val(search->names, range);
        if (search->names->len == SHARED_NAMES_MAX)
            return false;
        from = hit + search->part_len;
    }
    return true;
}

static bool name_is_wanted(const GArray *names, uint64_t name)
{
    for (size_t i = 0; i < names->len; i++) {
        const struct name_range *range = &g_array_index(names, struct name_range, i);
        if (name >= range->first && name <= range->last)
            return true;
    }
    return false;
}

struct symbol_search {
    const struct ec_elf_image *image;
    const struct symbol_table *table;
    GArray *names;
    uint64_t names_first;
    uint64_t names_last;
    unsigned types; /* bits of 1 << STT_* */
    unsigned visited;
    ec_elf_symbol_visit visit;
    void *data;
};

static bool symbol_visit(const struct symbol_search *search, const Elf64_Sym *raw)
{
    struct ec_elf_symbol symbol = {.address = raw->st_value, .size = raw->st_size};
    const struct range *strings = &search->table->strings;
    size_t room = MIN(strings->size - raw->st_name, sizeof(symbol.name));
    size_t len = ec_elf_image_read(search->image, strings->offset + raw->st_name, symbol.name, room);
    if (strnlen(symbol.name, len) == len)
        return true;
    return search->visit(&symbol, search->data);
}

static bool symbols_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct symbol_search *search = data;
    (void)at;
    for (size_t i = 0; i + sizeof(Elf64_Sym) <= len; i += sizeof(Elf64_Sym)) {
        Elf64_Sym raw;
        memcpy(&raw, piece + i, sizeof(raw));
        if (raw.st_name < search->names_first || raw.st_name > search->names_last ||
            !(search->types & 1u << ELF64_ST_TYPE(raw.st_info)) || raw.st_shndx == SHN_UNDEF ||
            !name_is_wanted(search->names, raw.st_name))
            continue;
        if (search->visited++ == SYMBOLS_MAX || !symbol_visit(search, &raw))
            return false;
    }
    return true;
}

/* `part_len` may include the NUL: the names then end with the part. */
static void foreach_symbol(const struct ec_elf_image *image, enum ec_elf_table table, unsigned types, const char *part,
                           size_t part_len, ec_elf_symbol_visit visit, void *data)
{
    const struct symbol_table *tables = &image->tables[table];
    g_autoptr(GArray) names = g_array_new(FALSE, FALSE, sizeof(struct name_range));
    struct name_search search = {part, part_len, tables->strings.offset, names};
    ec_elf_image_scan(image, tables->strings.offset, tables->strings.size, EC_ELF_NAME_LEN, names_scan, &search);
    if (names->len == 0)
        return;

    struct symbol_search symbols = {
        .image = image, .table = tables, .names = names, .types = types, .visit = visit, .data = data};
    symbols.names_first = g_array_index(names, struct name_range, 0).first;
    symbols.names_last = g_array_index(names, struct name_range, names->len - 1).last;
    /* Pieces of whole symbols: the scan's own piece length is no multiple of a symbol's. */
    uint64_t bytes = SYMBOLS_PER_READ * sizeof(Elf64_Sym), end = tables->symbols.offset + tables->symbols.size;
    g_autofree uint8_t *piece = g_malloc(bytes);
    for (uint64_t at = tables->symbols.offset; at < end; at += bytes) {
        size_t len = ec_elf_image_read(image, at, piece, MIN(bytes, end - at));
        if (len == 0 || !symbols_scan(piece, len, at, &symbols))
            return;
    }
}

void ec_elf_image_foreach_function(const struct ec_elf_image *image, enum ec_elf_table table, const char *part,
                                   ec_elf_symbol_visit visit, void *data)
{
    foreach_symbol(image, table, 1u << STT_FUNC, part, strlen(part), visit, data);
}

struct exact_search {
    const char *name;
    bool found;
    struct ec_elf_symbol symbol;
};

static bool exact_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct exact_search *search = data;
    search->found = strcmp(symbol->name, search->name) == 0;
    if (search->found)
        search->symbol = *symbol;
    return !search->found;
}

bool ec_elf_image_find_symbol(const struct ec_elf_image *image, enum ec_elf_table table, const char *name,
                              struct ec_elf_symbol *ret_symbol)
{
    struct exact_search search = {.name = name};
    foreach_symbol(image, table, 1u << STT_FUNC | 1u << STT_OBJECT, name, strlen(name) + 1, exact_visit, &search);
    if (search.found)
        *ret_symbol = search.symbol;
    return search.found;
}
