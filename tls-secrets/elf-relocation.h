/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The relative relocations of a position-independent file (System V ABI, DT_RELA and, since 2022, DT_RELR): the words
 * in it that hold addresses within the file. What the file has in the places of DT_RELA is up to the linker: Go's
 * writes the address there, ld writes 0. In those of DT_RELR, a bitmap of where such words are, it has the address.
 */
#include "elf-image.h"

#include <elf.h>

struct ec_elf_relocations {
    uint64_t offset;                      /* of the Elf64_Rela table in the file */
    uint64_t count;                       /* 0: there is none */
    uint32_t type;                        /* the machine's, of a relative one */
    uint64_t packed_offset, packed_count; /* likewise of the Elf64_Relr table */
};
void ec_elf_relocations_find(const struct ec_elf_image *image, struct ec_elf_relocations *ret_relocations);

/* Of each: the word's address is r_offset, the address that it holds r_addend; those of DT_RELR come last. Stops when
 * `visit` returns false. */
typedef bool (*ec_elf_relocation_visit)(const Elf64_Rela *relocation, void *data);
void ec_elf_relocations_foreach(const struct ec_elf_image *image, const struct ec_elf_relocations *relocations,
                                ec_elf_relocation_visit visit, void *data);
