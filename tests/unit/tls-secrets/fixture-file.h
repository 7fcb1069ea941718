/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The files of fixture/, EC_TEST_FIXTURES, and what the symbols of the unstripped ones say. */
#include "elf-image.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* CMakeLists.txt gives it. */
#ifndef EC_TEST_FIXTURES
#define EC_TEST_FIXTURES "."
#endif

static inline int fixture_open(const char *name, const char *suffix)
{
    g_autofree char *path = g_strconcat(EC_TEST_FIXTURES "/", name, suffix, NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        print_error("%s: %s\n", path, g_strerror(errno));
    assert_true(fd >= 0);
    return fd;
}

struct symbol {
    const char *name;
    uint64_t address;
};

static inline bool symbol_visit(const struct ec_elf_symbol *found, void *data)
{
    struct symbol *symbol = data;
    if (strcmp(found->name, symbol->name) != 0)
        return true;
    symbol->address = found->address;
    return false;
}

/* File offset of a function, by the unstripped file's symbols. */
static inline uint64_t function_get(const char *fixture, const char *name)
{
    int fd = fixture_open(fixture, "");
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    struct symbol symbol = {.name = name};
    uint64_t offset = 0;
    assert_non_null(image);
    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, name, symbol_visit, &symbol);
    assert_true(ec_elf_image_get_offset(image, symbol.address, &offset));
    close(fd);
    return offset;
}
