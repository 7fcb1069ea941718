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

static bool symbol_add(const ec_elf_image *image, ec_code *code, const struct ec_symbol_probe *symbol,
                       struct ec_probe_plan *plan)
{
    struct ec_probe probe = {.uprobe = symbol->uprobe, .at_return = symbol->at_return, .cookie = symbol->cookie};
    struct ec_probe_place place;
    uint64_t function;

    if (plan->n_probes == EC_PROBES_MAX || !ec_symbol_find(image, symbol->name, &function))
        return false;
    place.address = function;
    /* A return probe is set up at the entry, where the return address is. */
    if (!symbol->at_return)
        ec_probe_place_find(image, code, function, symbol->n_arguments, EC_ARGUMENTS_STAY, &place);
    if (!ec_elf_image_get_offset(image, place.address, &probe.offset))
        return false;
    plan->probes[plan->n_probes++] = probe;
    return true;
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
