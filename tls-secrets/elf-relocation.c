/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf-relocation.h"

enum {
    DYNAMIC_ENTRIES_MAX = 4096,
    RELOCATIONS_PER_READ = 1 << 12,
};

static void dynamic_read(const struct ec_elf_image *image, const Elf64_Phdr *header,
                         struct ec_elf_relocations *relocations)
{
    const size_t count = MIN(header->p_filesz / sizeof(Elf64_Dyn), (uint64_t)DYNAMIC_ENTRIES_MAX);
    uint64_t address = 0, size = 0;

    for (size_t i = 0; i < count; i++) {
        Elf64_Dyn entry;
        if (ec_elf_image_read(image, header->p_offset + i * sizeof(entry), &entry, sizeof(entry)) != sizeof(entry) ||
            entry.d_tag == DT_NULL)
            break;
        if (entry.d_tag == DT_RELA)
            address = entry.d_un.d_val;
        else if (entry.d_tag == DT_RELASZ)
            size = entry.d_un.d_val;
    }
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, address);
    if (!segment)
        return;
    const uint64_t skipped = address - segment->address;
    relocations->offset = segment->offset + skipped;
    relocations->count = MIN(size, segment->size - skipped) / sizeof(Elf64_Rela);
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

void ec_elf_relocations_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
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
                return;
        if (got < wanted)
            return;
        done += got;
    }
}
