/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A 64-bit little-endian ELF file of x86-64 or aarch64, read by pread in bounded pieces: nothing is mapped (a file
 * that shrinks while it is read would kill us with SIGBUS) and memory does not grow with the file. Every range is
 * checked against the file's size when the image is opened; what does not fit is dropped or refused there.
 * Format: System V ABI, gABI 4.3 (elf.h).
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ec_elf_image;
typedef struct ec_elf_image ec_elf_image;

/* `fd` is borrowed and must outlive the image. Errors are EC_HOOK_ERROR_IO, _NOT_ELF and _MACHINE of hook-point.h. */
struct ec_elf_image *ec_elf_image_open(int fd, GError **error);
void ec_elf_image_free(struct ec_elf_image *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_elf_image, ec_elf_image_free)

/* EM_X86_64 or EM_AARCH64 */
int ec_elf_image_get_machine(const struct ec_elf_image *image);
/* Linked for fixed addresses (ET_EXEC): its code may hold them as they are. */
bool ec_elf_image_is_fixed(const struct ec_elf_image *image);
/* Hex, "" if there is none. Owned by the image. */
const char *ec_elf_image_get_build_id(const struct ec_elf_image *image);
/* The file name in .gnu_debuglink, "" if there is none; its CRC-32 goes to *ret_crc if that is not NULL. */
const char *ec_elf_image_get_debug_link(const struct ec_elf_image *image, uint32_t *ret_crc);

/* Up to `len` bytes at the file offset; the number read, 0 at the end of the file or on an error. */
size_t ec_elf_image_read(const struct ec_elf_image *image, uint64_t offset, void *buffer, size_t len);

/* The part of a loaded segment that the file holds. */
struct ec_elf_segment {
    uint64_t offset; /* bytes in the file */
    uint64_t address;
    uint64_t size; /* bytes in the file */
    bool executable, writable;
};
/* The i-th one, NULL behind the last. */
const struct ec_elf_segment *ec_elf_image_get_segment(const struct ec_elf_image *image, size_t i);
/* The segment whose bytes in the file hold this address, or NULL. */
const struct ec_elf_segment *ec_elf_image_find_segment(const struct ec_elf_image *image, uint64_t address);
/* False if no byte of the file is loaded there. */
bool ec_elf_image_get_offset(const struct ec_elf_image *image, uint64_t address, uint64_t *ret_offset);

/* Calls `visit` for pieces of [offset, offset + size) in order, each beginning with the last `overlap` bytes of the
 * one before. `at`: file offset of the piece. Stops when `visit` returns false. */
typedef bool (*ec_elf_visit)(const uint8_t *piece, size_t len, uint64_t at, void *data);
void ec_elf_image_scan(const struct ec_elf_image *image, uint64_t offset, uint64_t size, size_t overlap,
                       ec_elf_visit visit, void *data);

enum ec_elf_table { EC_ELF_DYNSYM, EC_ELF_SYMTAB, EC_ELF_TABLE_MAX };
#define EC_ELF_NAME_LEN 512
struct ec_elf_symbol {
    uint64_t address;
    uint64_t size;              /* 0: unknown */
    char name[EC_ELF_NAME_LEN]; /* NUL-terminated */
};
/* Visits each defined function whose name contains `part`; names longer than EC_ELF_NAME_LEN - 1 are passed over.
 * Stops when `visit` returns false. */
typedef bool (*ec_elf_symbol_visit)(const struct ec_elf_symbol *symbol, void *data);
void ec_elf_image_foreach_function(const struct ec_elf_image *image, enum ec_elf_table table, const char *part,
                                   ec_elf_symbol_visit visit, void *data);
/* The function or variable of just this name; false if the file defines none. */
bool ec_elf_image_find_symbol(const struct ec_elf_image *image, enum ec_elf_table table, const char *name,
                              struct ec_elf_symbol *ret_symbol);
