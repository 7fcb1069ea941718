/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "elf-image.h"
#include "hook-point.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { SEGMENTS = 100, NAMES_LEN = 32, BODY_LEN = 3 << 20 };

/* A library laid out by hand: two segments in use, a note, a debug link, a symbol table. */
struct file {
    Elf64_Ehdr header;
    Elf64_Phdr segments[SEGMENTS];
    Elf64_Shdr sections[6];
    struct {
        Elf64_Nhdr header;
        char name[4];
        uint8_t id[20];
    } note;
    char debug_link[16];
    char section_names[NAMES_LEN];
    Elf64_Sym symbols[4];
    char names[64];
    uint8_t body[BODY_LEN];
};

static struct file *file_new(void)
{
    struct file *file = g_new0(struct file, 1);
    file->header = (Elf64_Ehdr){.e_ident = "\177ELF\2\1\1",
                                .e_type = ET_DYN,
                                .e_machine = EM_X86_64,
                                .e_phoff = offsetof(struct file, segments),
                                .e_phentsize = sizeof(Elf64_Phdr),
                                .e_phnum = 3,
                                .e_shoff = offsetof(struct file, sections),
                                .e_shentsize = sizeof(Elf64_Shdr),
                                .e_shnum = G_N_ELEMENTS(file->sections),
                                .e_shstrndx = 3};
    file->segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = 0x10000, .p_filesz = 0x1000};
    file->segments[1] = (Elf64_Phdr){.p_type = PT_LOAD,
                                     .p_flags = PF_R | PF_X,
                                     .p_offset = offsetof(struct file, body),
                                     .p_vaddr = 0x40000,
                                     .p_filesz = BODY_LEN};
    file->note.header = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
    memcpy(file->note.name, "GNU", 4);
    memset(file->note.id, 0xab, sizeof(file->note.id));
    memcpy(file->debug_link, "lib.debug\0\0\0\x04\x03\x02\x01", 16);
    memcpy(file->section_names, "\0.gnu_debuglink", 16);
    file->sections[1] =
        (Elf64_Shdr){.sh_type = SHT_NOTE, .sh_offset = offsetof(struct file, note), .sh_size = sizeof(file->note)};
    file->sections[2] = (Elf64_Shdr){.sh_name = 1,
                                     .sh_type = SHT_PROGBITS,
                                     .sh_offset = offsetof(struct file, debug_link),
                                     .sh_size = sizeof(file->debug_link)};
    file->sections[3] =
        (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(struct file, section_names), .sh_size = NAMES_LEN};
    file->sections[4] = (Elf64_Shdr){.sh_type = SHT_SYMTAB,
                                     .sh_offset = offsetof(struct file, symbols),
                                     .sh_size = sizeof(file->symbols),
                                     .sh_link = 5};
    file->sections[5] =
        (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(struct file, names), .sh_size = sizeof(file->names)};
    memcpy(file->names, "\0prefix_wanted\0other\0", 22);
    file->symbols[1] = (Elf64_Sym){.st_name = 1, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x40010};
    file->symbols[2] = (Elf64_Sym){.st_name = 8, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x40020};
    file->symbols[3] = (Elf64_Sym){.st_name = 15, .st_info = STT_FUNC, .st_shndx = 1, .st_value = 0x40030};
    return file;
}

static struct ec_elf_image *file_open(const struct file *file, size_t len, int *ret_fd)
{
    *ret_fd = memfd_create("file", MFD_CLOEXEC);
    assert_int_equal(write(*ret_fd, file, len), len);
    return ec_elf_image_open(*ret_fd, NULL);
}

static void open_whole_file_reads_identity(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    uint32_t crc = 0;
    assert_non_null(image);
    assert_string_equal(ec_elf_image_get_build_id(image), "abababababababababababababababababababab");
    assert_string_equal(ec_elf_image_get_debug_link(image, &crc), "lib.debug");
    assert_int_equal(crc, 0x01020304);
    assert_int_equal(ec_elf_image_get_machine(image), EM_X86_64);
    assert_false(ec_elf_image_is_fixed(image));
    close(fd);
}

static void open_without_sections_uses_segments(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    file->header.e_shnum = 0;
    file->segments[2] =
        (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = offsetof(struct file, note), .p_filesz = sizeof(file->note)};
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    assert_non_null(image);
    assert_int_equal(strlen(ec_elf_image_get_build_id(image)), 40);
    assert_string_equal(ec_elf_image_get_debug_link(image, NULL), "");
    close(fd);
}

static void get_offset_maps_only_bytes_of_the_file(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    uint64_t offset = 0;
    assert_true(ec_elf_image_get_offset(image, 0x10000, &offset));
    assert_int_equal(offset, 0);
    assert_true(ec_elf_image_get_offset(image, 0x40000 + BODY_LEN - 1, &offset));
    assert_int_equal(offset, sizeof(*file) - 1);
    assert_false(ec_elf_image_get_offset(image, 0x40000 + BODY_LEN, &offset));
    assert_false(ec_elf_image_get_offset(image, 0xffff, &offset));
    assert_false(ec_elf_image_get_offset(image, UINT64_MAX, &offset));
    assert_false(ec_elf_image_find_segment(image, 0x10000)->executable);
    assert_true(ec_elf_image_find_segment(image, 0x40000)->executable);
    close(fd);
}

static void open_segment_beyond_file_drops_it(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file) - 1, &fd);
    assert_non_null(ec_elf_image_get_segment(image, 0));
    assert_null(ec_elf_image_get_segment(image, 1));
    close(fd);
}

static void open_segments_over_and_over_keeps_few(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    file->header.e_phnum = SEGMENTS;
    for (size_t i = 0; i < SEGMENTS; i++)
        file->segments[i] = file->segments[1];
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    assert_null(ec_elf_image_get_segment(image, 2));
    close(fd);
}

static void open_wild_tables_end_quietly(void **state)
{
    (void)state;
    static const uint64_t wild[] = {1, 0x7fff, UINT32_MAX, (uint64_t)1 << 62, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < G_N_ELEMENTS(wild); i++)
        for (size_t section = 1; section < 6; section++) {
            g_autofree struct file *file = file_new();
            file->sections[section].sh_offset = wild[i];
            file->sections[section].sh_link = wild[G_N_ELEMENTS(wild) - 1 - i];
            int fd = -1;
            struct ec_elf_image *image = file_open(file, sizeof(*file), &fd);
            assert_non_null(image);
            ec_elf_image_free(image);
            close(fd);
            fd = -1;
            file->sections[section].sh_offset = 64;
            file->sections[section].sh_size = wild[i];
            file->header.e_phoff = wild[i];
            image = file_open(file, sizeof(*file), &fd);
            ec_elf_image_free(image);
            close(fd);
        }
}

static bool symbol_collect(const struct ec_elf_symbol *symbol, void *data)
{
    g_string_append_printf(data, "%s=%x ", symbol->name, (unsigned)symbol->address);
    return true;
}

static void foreach_function_finds_tails_of_names(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    g_autoptr(GString) found = g_string_new(NULL);
    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, "wanted", symbol_collect, found);
    assert_string_equal(found->str, "prefix_wanted=40010 wanted=40020 ");
    g_string_truncate(found, 0);
    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, "absent", symbol_collect, found);
    ec_elf_image_foreach_function(image, EC_ELF_DYNSYM, "wanted", symbol_collect, found);
    assert_string_equal(found->str, "");
    close(fd);
}

static void find_symbol_takes_whole_names_alone(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    file->symbols[3].st_info = STT_OBJECT;
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    struct ec_elf_symbol symbol = {.address = 1};
    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "wanted", &symbol));
    assert_int_equal(symbol.address, 0x40020);
    assert_true(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "other", &symbol));
    assert_int_equal(symbol.address, 0x40030);
    assert_false(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "prefix", &symbol));
    assert_false(ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, "anted", &symbol));
    assert_false(ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, "wanted", &symbol));
    assert_int_equal(symbol.address, 0x40030);
    close(fd);
}

struct scan_sum {
    uint64_t expected; /* offset of the next new byte */
    uint64_t bytes;
    size_t overlap;
    unsigned pieces;
};

static bool scan_visit(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct scan_sum *sum = data;
    size_t kept = sum->pieces ? sum->overlap : 0;
    (void)piece;
    assert_int_equal(at + kept, sum->expected);
    sum->expected = at + len;
    sum->bytes += len - kept;
    sum->pieces++;
    return true;
}

static void scan_large_range_comes_in_overlapping_pieces(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    struct scan_sum sum = {.expected = 100, .overlap = 7};
    ec_elf_image_scan(image, 100, sizeof(*file) - 100, 7, scan_visit, &sum);
    assert_int_equal(sum.bytes, sizeof(*file) - 100);
    assert_true(sum.pieces > 2);
    sum = (struct scan_sum){};
    ec_elf_image_scan(image, 100, sizeof(*file) - 99, 7, scan_visit, &sum);
    assert_int_equal(sum.pieces, 0);
    close(fd);
}

static void scan_file_that_shrank_ends_early(void **state)
{
    (void)state;
    g_autofree struct file *file = file_new();
    int fd = -1;
    g_autoptr(ec_elf_image) image = file_open(file, sizeof(*file), &fd);
    assert_int_equal(ftruncate(fd, 5000), 0);
    struct scan_sum sum = {};
    ec_elf_image_scan(image, 0, sizeof(*file), 0, scan_visit, &sum);
    assert_int_equal(sum.bytes, 5000);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_whole_file_reads_identity),
        cmocka_unit_test(open_without_sections_uses_segments),
        cmocka_unit_test(get_offset_maps_only_bytes_of_the_file),
        cmocka_unit_test(open_segment_beyond_file_drops_it),
        cmocka_unit_test(open_segments_over_and_over_keeps_few),
        cmocka_unit_test(open_wild_tables_end_quietly),
        cmocka_unit_test(foreach_function_finds_tails_of_names),
        cmocka_unit_test(find_symbol_takes_whole_names_alone),
        cmocka_unit_test(scan_large_range_comes_in_overlapping_pieces),
        cmocka_unit_test(scan_file_that_shrank_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
