/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "symbol-plan.h"

#include "hook-point.h"
#include "probe-place.h"

#include <string.h>

bool ec_symbol_find(const ec_elf_image *image, const char *name, uint64_t *ret_address)
{
    struct ec_elf_symbol symbol;

    if (!ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, name, &symbol))
        return false;
    *ret_address = symbol.address;
    return true;
}

struct prefix_search {
    const char *prefix;
    char *name;
    bool found;
};

static bool prefix_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct prefix_search *search = data;

    search->found = g_str_has_prefix(symbol->name, search->prefix);
    if (search->found)
        g_strlcpy(search->name, symbol->name, EC_ELF_NAME_LEN);
    return !search->found;
}

bool ec_symbol_find_prefix(const ec_elf_image *image, const char *prefix, char ret_name[static EC_ELF_NAME_LEN])
{
    struct prefix_search search = {.prefix = prefix, .name = ret_name};

    ec_elf_image_foreach_function(image, EC_ELF_DYNSYM, prefix, prefix_visit, &search);
    return search.found;
}

bool ec_symbol_is_exported(const ec_elf_image *image, const char *name)
{
    uint64_t address;

    return ec_symbol_find(image, name, &address);
}

bool ec_variables_cookie_make(const uint64_t variables[static 2], uint64_t probe, uint64_t *ret_cookie)
{
    int32_t distances[2];

    for (size_t i = 0; i < G_N_ELEMENTS(distances); i++) {
        const int64_t distance = variables[i] ? (int64_t)(variables[i] - probe) : 0;

        if (distance < INT32_MIN || distance > INT32_MAX)
            return false;
        distances[i] = (int32_t)distance;
    }
    *ret_cookie = EC_VARIABLES_COOKIE(distances[0], distances[1]);
    return true;
}

bool ec_symbol_plan_add_at(const ec_elf_image *image, uint64_t address, const struct ec_symbol_probe *symbol,
                           struct ec_probe_plan *plan)
{
    struct ec_probe probe = {.uprobe = symbol->uprobe, .at_return = symbol->at_return, .cookie = symbol->cookie};

    if (plan->n_probes == EC_PROBES_MAX || !ec_elf_image_get_offset(image, address, &probe.offset) ||
        (symbol->variables[0] && !ec_variables_cookie_make(symbol->variables, address, &probe.cookie)))
        return false;
    plan->probes[plan->n_probes++] = probe;
    return true;
}

static bool symbol_add(const ec_elf_image *image, ec_code *code, const struct ec_symbol_probe *symbol,
                       struct ec_probe_plan *plan)
{
    struct ec_probe_place place;
    uint64_t function;

    if (!ec_symbol_find(image, symbol->name, &function))
        return false;
    place.address = function;
    /* A return probe is set up at the entry, where the return address is. */
    if (!symbol->at_return)
        ec_probe_place_find(image, code, function, symbol->n_arguments, EC_ARGUMENTS_STAY, &place);
    return ec_symbol_plan_add_at(image, place.address, symbol, plan);
}

bool ec_symbol_plan_add(const ec_elf_image *image, const struct ec_symbol_probe *symbols, size_t n_symbols,
                        struct ec_probe_plan *plan, GError **error)
{
    g_autoptr(ec_code) code = ec_code_new(image);

    if (!code) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "the disassembler does not start");
        return false;
    }
    for (size_t i = 0; i < n_symbols; i++) {
        if (symbol_add(image, code, &symbols[i], plan))
            continue;
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "it does not export %s", symbols[i].name);
        return false;
    }
    return true;
}
