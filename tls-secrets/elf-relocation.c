/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf-relocation.h"

/* <elf.h> has them since glibc 2.36. */
#ifndef DT_RELR
#define DT_RELRSZ 35
#define DT_RELR 36
typedef Elf64_Xword Elf64_Relr;
#endif

enum {
    DYNAMIC_ENTRIES_MAX = 4096,
    RELOCATIONS_PER_READ = 1 << 12,
    PACKED_WORDS = 63,            /* that a bitmap speaks of */
    PACKED_ENTRIES_MAX = 1 << 17, /* each of which costs a read */
};

/* A table in the file, by what the dynamic section says of it. */
struct table {
    uint64_t address, size;
};

static void table_find(const struct ec_elf_image *image, const struct table *table, size_t entry_size,
                       uint64_t *ret_offset, uint64_t *ret_count)
{
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, table->address);

    if (!segment)
        return;
    const uint64_t skipped = table->address - segment->address;
    *ret_offset = segment->offset + skipped;
    *ret_count = MIN(table->size, segment->size - skipped) / entry_size;
}

static void entry_take(const Elf64_Dyn *entry, struct table *plain, struct table *packed)
{
    if (entry->d_tag == DT_RELA)
        plain->address = entry->d_un.d_val;
    else if (entry->d_tag == DT_RELASZ)
        plain->size = entry->d_un.d_val;
    else if (entry->d_tag == DT_RELR)
        packed->address = entry->d_un.d_val;
    else if (entry->d_tag == DT_RELRSZ)
        packed->size = entry->d_un.d_val;
}

static void dynamic_read(const struct ec_elf_image *image, const Elf64_Phdr *header,
                         struct ec_elf_relocations *relocations)
{
    const size_t count = MIN(header->p_filesz / sizeof(Elf64_Dyn), (uint64_t)DYNAMIC_ENTRIES_MAX);
    struct table plain = {0, 0}, packed = {0, 0};

    for (size_t i = 0; i < count; i++) {
        Elf64_Dyn entry;
        if (ec_elf_image_read(image, header->p_offset + i * sizeof(entry), &entry, sizeof(entry)) != sizeof(entry) ||
            entry.d_tag == DT_NULL)
            break;
        entry_take(&entry, &plain, &packed);
    }
    table_find(image, &plain, sizeof(Elf64_Rela), &relocations->offset, &relocations->count);
    table_find(image, &packed, sizeof(Elf64_Relr), &relocations->packed_offset, &relocations->packed_count);
}

void ec_elf_relocations_find(const struct ec_elf_image *image, struct ec_elf_relocations *ret_relocations)
{
    Elf64_Ehdr header;

    *ret_relocations = (struct ec_elf_relocations){
        .type = ec_elf_image_get_machine(image) == EM_AARCH64 ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE};
    if (ec_elf_image_read(image, 0, &header, sizeof(header)) != sizeof(header) ||
        header.e_phentsize != sizeof(Elf64_Phdr))
        return;
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        const uint64_t at = header.e_phoff + i * sizeof(segment);
        if (ec_elf_image_read(image, at, &segment, sizeof(segment)) != sizeof(segment))
            return;
        if (segment.p_type == PT_DYNAMIC)
            dynamic_read(image, &segment, ret_relocations);
    }
}

/* False if `visit` stopped. */
static bool plain_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
                          ec_elf_relocation_visit visit, void *data)
{
    g_autofree Elf64_Rela *entries = g_new(Elf64_Rela, RELOCATIONS_PER_READ);
    uint64_t done = 0;

    while (done < relocations->count) {
        const size_t wanted = MIN(relocations->count - done, (uint64_t)RELOCATIONS_PER_READ);
        const size_t got = ec_elf_image_read(image, relocations->offset + done * sizeof(*entries), entries,
                                             wanted * sizeof(*entries)) /
                           sizeof(*entries);
        for (size_t i = 0; i < got; i++)
            if (ELF64_R_TYPE(entries[i].r_info) == relocations->type && !visit(&entries[i], data))
                return false;
        if (got < wanted)
            return true;
        done += got;
    }
    return true;
}

/* Those of the 63 words at `address` whose bits are set. */
static bool bitmap_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
                           uint64_t address, uint64_t bits, ec_elf_relocation_visit visit, void *data)
{
    uint64_t words[PACKED_WORDS], offset;
    size_t count = 0;

    if (ec_elf_image_get_offset(image, address, &offset))
        count = ec_elf_image_read(image, offset, words, sizeof(words)) / sizeof(words[0]);
    for (size_t i = 0; i < count; i++) {
        const Elf64_Rela relocation = {.r_offset = address + i * sizeof(words[0]),
                                       .r_info = ELF64_R_INFO(0, relocations->type),
                                       .r_addend = (Elf64_Sxword)words[i]};
        if (bits >> i & 1 && !visit(&relocation, data))
            return false;
    }
    return true;
}

/* gABI 4.3, "Relative relocation table": an even entry is the address of a word; an odd one a bitmap of the 63 behind
 * what the entry before it spoke of. */
static void packed_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
                           ec_elf_relocation_visit visit, void *data)
{
    uint64_t next = 0;

    for (uint64_t i = 0; i < MIN(relocations->packed_count, (uint64_t)PACKED_ENTRIES_MAX); i++) {
        Elf64_Relr entry;
        const uint64_t at = relocations->packed_offset + i * sizeof(entry);
        if (ec_elf_image_read(image, at, &entry, sizeof(entry)) != sizeof(entry))
            return;
        const bool is_address = (entry & 1) == 0;
        const uint64_t address = is_address ? entry : next, bits = is_address ? 1 : entry >> 1;
        if (!bitmap_foreach(image, relocations, address, bits, visit, data))
            return;
        next = address + (is_address ? 1 : PACKED_WORDS) * sizeof(entry);
    }
}

void ec_elf_relocations_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
                                ec_elf_relocation_visit visit, void *data)
{
    if (plain_foreach(image, relocations, visit, data))
        packed_foreach(image, relocations, visit, data);
}
