/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A program that Go's linker made, read from an ELF image: which Go it was, and where its functions lie. Symbols are
 * not needed: the run-time table of functions, pclntab, is in stripped programs too.
 *
 * What follows holds of Go 1.13 to 1.27 on x86-64 and aarch64, linked by Go or by the system's linker, at fixed
 * addresses or not. Older programs carry no version; the table alone then tells about them.
 */
#include "elf-image.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ec_go_program ec_go_program;
/* NULL if the file is no Go program: told by its section headers, or, if it has none, by a look at its data. `image`
 * is borrowed and must outlive it. */
ec_go_program *ec_go_program_new(const struct ec_elf_image *image);
void ec_go_program_free(ec_go_program *program);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_go_program, ec_go_program_free)

const struct ec_elf_image *ec_go_program_get_image(const ec_go_program *program);
/* runtime.Version(): "go1.19.8", "go1.17.1 X:noregabi"; "" if it isn't told. Owned by the program. */
const char *ec_go_program_get_version(const ec_go_program *program);
/* Where section headers place pclntab, and the runtime's moduledata (Go 1.26); 0 if they don't. */
uint64_t ec_go_program_get_table(const ec_go_program *program);
uint64_t ec_go_program_get_module(const ec_go_program *program);

/* The 8 bytes at an address as they are once the program is loaded at the addresses it is linked for: a relative
 * relocation counts. False if the file holds no such bytes. */
bool ec_go_program_read_word(const ec_go_program *program, uint64_t address, uint64_t *ret_word);
/* Likewise `count` words in a row, for little more than the price of one. */
bool ec_go_program_read_words(const ec_go_program *program, uint64_t address, size_t count, uint64_t *ret_words);
/* Calls `visit` with the address of each aligned word in loaded data that holds `word`, until it returns false. */
typedef bool (*ec_go_word_visit)(uint64_t address, void *data);
void ec_go_program_foreach_word(const ec_go_program *program, uint64_t word, ec_go_word_visit visit, void *data);
