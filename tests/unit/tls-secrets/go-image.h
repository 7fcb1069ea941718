/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Builds a miniature of what Go's linker writes, in memory: as much of an ELF file as the finder reads. */
#include <elf.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    GO_BASE = 0x400000,
    GO_TEXT = 0x1000, /* file offset; at GO_BASE + GO_TEXT. Code begins GO_LEAD behind, as behind a C runtime's */
    GO_LEAD = 0x20,
    GO_FUNCTION_LEN = 0x40,
    GO_DATA = 0x2000, /* file offset */
    GO_DATA_SHIFT = GO_BASE + 0x1000,
    GO_STRING = GO_DATA + 0x40, /* file offsets of what is in the data */
    GO_TABLE = GO_DATA + 0x100,
    GO_MODULE = GO_DATA + 0x600,
    GO_DYNAMIC = GO_DATA + 0x800,
    GO_RELA = GO_DATA + 0x900,
    GO_SECTIONS = GO_DATA + 0xc00,
    GO_SIZE = 0x3000,
    GO_FUNCTIONS = 4,
    GO_KEY_LOG = 2, /* which of them is which */
    GO_RESUME = 3,
};

struct go_image {
    uint32_t magic;      /* pclntab's */
    const char *version; /* NULL: no buildinfo */
    bool pointer;        /* buildinfo of Go 1.13 to 1.17 */
    bool relocated;      /* position-independent: pointers are in relocations only */
    bool no_text;        /* the header doesn't tell where the code begins */
    bool sections;
    uint16_t machine;    /* 0: x86-64 */
    const char *key_log; /* NULL: the right name */
    const uint8_t *prologue;
    size_t prologue_len;
    uint8_t bytes[GO_SIZE];
    size_t rela_count;
};

static inline uint64_t go_address(uint64_t offset)
{
    return offset + GO_DATA_SHIFT;
}

static inline uint64_t go_text(void)
{
    return GO_BASE + GO_TEXT + GO_LEAD;
}

static inline void go_put(struct go_image *image, uint64_t offset, uint64_t value, size_t len)
{
    memcpy(image->bytes + offset, &value, len);
}

/* A pointer, in place or as a relocation. */
static inline void go_put_pointer(struct go_image *image, uint64_t offset, uint64_t value)
{
    const bool arm = image->machine == EM_AARCH64;
    const Elf64_Rela rela = {.r_offset = go_address(offset),
                             .r_info = ELF64_R_INFO(0, arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE),
                             .r_addend = (int64_t)value};

    if (image->relocated)
        memcpy(image->bytes + GO_RELA + sizeof(rela) * image->rela_count++, &rela, sizeof(rela));
    else
        go_put(image, offset, value, 8);
}

static inline void go_put_elf(struct go_image *image)
{
    const Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                               .e_type = image->relocated ? ET_DYN : ET_EXEC,
                               .e_machine = image->machine ? image->machine : EM_X86_64,
                               .e_phoff = sizeof(Elf64_Ehdr),
                               .e_shoff = image->sections ? GO_SECTIONS : 0,
                               .e_phentsize = sizeof(Elf64_Phdr),
                               .e_phnum = 3,
                               .e_shentsize = sizeof(Elf64_Shdr),
                               .e_shnum = image->sections ? 4 : 0,
                               .e_shstrndx = image->sections ? 1 : 0};
    const Elf64_Phdr segments[] = {
        {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = GO_BASE, .p_filesz = GO_DATA},
        {.p_type = PT_LOAD,
         .p_flags = PF_R | PF_W,
         .p_offset = GO_DATA,
         .p_vaddr = GO_DATA + GO_DATA_SHIFT,
         .p_filesz = GO_SIZE - GO_DATA},
        {.p_type = PT_DYNAMIC, .p_offset = GO_DYNAMIC, .p_filesz = 3 * sizeof(Elf64_Dyn)},
    };

    memcpy(image->bytes, &header, sizeof(header));
    memcpy(image->bytes + sizeof(header), segments, sizeof(segments));
}

static inline void go_put_sections(struct go_image *image)
{
    static const char names[] = "\0.go.buildinfo\0.data.rel.ro.gopclntab";
    const Elf64_Shdr sections[] = {
        {0},
        {.sh_name = 0,
         .sh_type = SHT_STRTAB,
         .sh_offset = GO_SECTIONS + 4 * sizeof(Elf64_Shdr),
         .sh_size = sizeof(names)},
        {.sh_name = 1, .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addr = go_address(GO_DATA), .sh_size = 32},
        {.sh_name = 15, .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addr = go_address(GO_TABLE), .sh_size = 99},
    };

    memcpy(image->bytes + GO_SECTIONS, sections, sizeof(sections));
    memcpy(image->bytes + GO_SECTIONS + sizeof(sections), names, sizeof(names));
}

static inline void go_put_build_info(struct go_image *image)
{
    const size_t len = strlen(image->version);

    memcpy(image->bytes + GO_DATA, "\xff Go buildinf:\x08", 15);
    image->bytes[GO_DATA + 15] = image->pointer ? 0 : 2;
    if (image->pointer) {
        go_put_pointer(image, GO_DATA + 16, go_address(GO_STRING));
        go_put_pointer(image, GO_STRING, go_address(GO_STRING + 16));
        go_put(image, GO_STRING + 8, len, 8);
        memcpy(image->bytes + GO_STRING + 16, image->version, len);
    } else {
        image->bytes[GO_DATA + 32] = (uint8_t)len;
        memcpy(image->bytes + GO_DATA + 33, image->version, len);
    }
}

/* Names, then functab, then the functions' records, as every format but the oldest has them in this order too. */
static inline void go_put_table(struct go_image *image)
{
    const char *names[GO_FUNCTIONS] = {"main.main", "x/crypto/tls.(*Config).writeKeyLog",
                                       image->key_log ? image->key_log : "crypto/tls.(*Config).writeKeyLog",
                                       "crypto/tls.keysFromMasterSecret"};
    const bool old = image->magic == 0xfffffffb, offsets = image->magic == 0xfffffff0 || image->magic == 0xfffffff1;
    const size_t code_len = offsets ? 4 : 8, name_at = old ? 0xa0 : 0x50, functab = old ? 16 : 0x150;
    const size_t functions = functab + (2 * GO_FUNCTIONS + 1) * code_len, base = old ? 0 : functab;
    uint64_t header[8] = {GO_FUNCTIONS, 1};
    size_t name = name_at;

    go_put(image, GO_TABLE, image->magic, 4);
    go_put(image, GO_TABLE + 6, 0x0801, 2);
    header[offsets ? 3 : 2] = name_at;
    header[offsets ? 4 : 3] = functab;
    header[offsets ? 7 : 6] = functab;
    for (size_t i = 0; i < (old ? 1 : G_N_ELEMENTS(header)); i++)
        go_put(image, GO_TABLE + 8 + 8 * i, header[i], 8);
    if (offsets && !image->no_text)
        go_put_pointer(image, GO_TABLE + 8 + 16, go_text());
    for (size_t i = 0; i < GO_FUNCTIONS; i++) {
        const size_t entry = GO_TABLE + functab + 2 * i * code_len, record = functions + i * (code_len + 4);
        if (offsets)
            go_put(image, entry, i * GO_FUNCTION_LEN, 4);
        else
            go_put_pointer(image, entry, go_text() + i * GO_FUNCTION_LEN);
        go_put(image, entry + code_len, record - base, code_len);
        go_put(image, GO_TABLE + record + code_len, name - (old ? 0 : name_at), 4);
        memcpy(image->bytes + GO_TABLE + name, names[i], strlen(names[i]));
        name += strlen(names[i]) + 1;
    }
    go_put(image, GO_TABLE + functab + 2 * GO_FUNCTIONS * code_len, GO_FUNCTIONS * GO_FUNCTION_LEN, 4);
    go_put_pointer(image, GO_MODULE, go_address(GO_TABLE));
    go_put_pointer(image, GO_MODULE + 8, go_address(GO_TABLE + name_at));
    go_put_pointer(image, GO_MODULE + 160, go_text());
    go_put_pointer(image, GO_MODULE + 168, go_text() + GO_FUNCTIONS * GO_FUNCTION_LEN);
    go_put_pointer(image, GO_MODULE + 176, go_text());
}

static inline uint64_t go_offset(size_t function)
{
    return GO_TEXT + GO_LEAD + function * GO_FUNCTION_LEN;
}

static inline void go_image_build(struct go_image *image)
{
    memset(image->bytes, 0, sizeof(image->bytes));
    image->rela_count = 0;
    go_put_elf(image);
    if (image->sections)
        go_put_sections(image);
    if (image->version)
        go_put_build_info(image);
    if (image->magic)
        go_put_table(image);
    for (size_t i = 0; i < GO_FUNCTIONS; i++)
        memcpy(image->bytes + go_offset(i), image->prologue, image->prologue_len);
    const Elf64_Dyn dynamic[] = {{.d_tag = DT_RELA, .d_un.d_val = go_address(GO_RELA)},
                                 {.d_tag = DT_RELASZ, .d_un.d_val = image->rela_count * sizeof(Elf64_Rela)},
                                 {.d_tag = DT_NULL}};
    memcpy(image->bytes + GO_DYNAMIC, dynamic, sizeof(dynamic));
}
