/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Probes at functions that a program exports: found by their names alone. */
#include "elf-image.h"
#include "probe.h"

#include <glib.h>
#include <stdbool.h>

struct ec_symbol_probe {
    const char *name; /* as in the dynamic symbol table */
    enum ec_uprobe uprobe;
    bool at_return;
    int n_arguments; /* that must be where they were at the entry: at most EC_PROBE_ARGUMENTS of probe-place.h */
    uint64_t cookie;
    uint64_t variables[2]; /* their addresses go into the cookie instead; 0: it has none */
};

/* Whether the file exports a function of this name. */
bool ec_symbol_is_exported(const ec_elf_image *image, const char *name);
/* The first exported function whose name begins so; false if there is none. */
bool ec_symbol_find_prefix(const ec_elf_image *image, const char *prefix, char ret_name[static EC_ELF_NAME_LEN]);
/* Its address. */
bool ec_symbol_find(const ec_elf_image *image, const char *name, uint64_t *ret_address);
/* EC_VARIABLES_COOKIE() of a probe; false if one is too far away. Of a variable at 0 there is none. */
bool ec_variables_cookie_make(const uint64_t variables[static 2], uint64_t probe, uint64_t *ret_cookie);
/* Adds a probe at an instruction. */
bool ec_symbol_plan_add_at(const ec_elf_image *image, uint64_t address, const struct ec_symbol_probe *symbol,
                           struct ec_probe_plan *plan);
/* Adds a probe for each to the plan, in order. Fails with EC_HOOK_ERROR_UNPROVEN, naming the first function that is not
 * there. */
bool ec_symbol_plan_add(const ec_elf_image *image, const struct ec_symbol_probe *symbols, size_t n_symbols,
                        struct ec_probe_plan *plan, GError **error);
