/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "postgres.h"

#include "accessor.h"
#include "call-site.h"
#include "hook-point.h"
#include "symbol-plan.h"

#include <string.h>

/* EndCommand() takes a QueryCompletion from 13 on. */
enum { VERSION_MIN = 13, VERSION_MAX = 18 };
/* Bytes of the version's text that are looked at. */
enum { TEXT_LEN = 32 };

struct version_search {
    char version[TEXT_LEN];
};

/* PG_VERSION_STR: "PostgreSQL 15.18 (Debian 15.18-0+deb12u1) on x86_64-pc-linux-gnu, compiled by …" */
static bool version_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char before[] = "PostgreSQL ";
    struct version_search *search = data;
    const uint8_t *end = piece + len, *hit;
    (void)at;

    for (const uint8_t *from = piece; (hit = memmem(from, (size_t)(end - from), before, strlen(before))); from = hit) {
        char text[TEXT_LEN] = "";
        size_t n;

        hit += strlen(before);
        memcpy(text, hit, MIN((size_t)(end - hit), sizeof(text) - 1));
        n = strspn(text, "0123456789.");
        if (!g_ascii_isdigit(text[0]) || (text[n] != ' ' && !g_str_has_prefix(text + n, "beta") &&
                                          !g_str_has_prefix(text + n, "rc") && !g_str_has_prefix(text + n, "devel")))
            continue;
        text[n] = '\0';
        g_strlcpy(search->version, text, sizeof(search->version));
        return false;
    }
    return true;
}

static bool version_find(const ec_elf_image *image, char ret_version[static TEXT_LEN])
{
    struct version_search search = {""};
    const struct ec_elf_segment *segment;

    for (size_t i = 0; !search.version[0] && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (!segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, TEXT_LEN, version_scan, &search);
    memcpy(ret_version, search.version, TEXT_LEN);
    return search.version[0];
}

bool ec_postgres_matches(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);

    return image && ec_symbol_is_exported(image, "InitPostgres") && ec_symbol_is_exported(image, "PostgresMain");
}

/* Two functions that one of the server's own, which has no name, calls one behind the other. */
static bool calls_find(const ec_elf_image *image, ec_code *code, const char *first, const char *second,
                       struct ec_call_pair *ret_pair)
{
    uint64_t functions[3];

    return ec_symbol_find(image, first, &functions[0]) && ec_symbol_find(image, second, &functions[1]) &&
           ec_symbol_find(image, "errfinish", &functions[2]) &&
           ec_call_pair_find(image, code, functions[0], functions[1], functions[2], ret_pair);
}

/* exec_simple_query(), which a text of several commands goes through. If its calls aren't to be told from those for
 * pipelines, which 18 has, the functions are probed: the last statement of a pipeline comes with the next one then. */
static bool series_add(const ec_elf_image *image, ec_code *code, struct ec_probe_plan *plan, GError **error)
{
    static const char begin[] = "BeginImplicitTransactionBlock", end[] = "EndImplicitTransactionBlock";
    static const struct ec_symbol_probe symbols[] = {{.name = begin, .uprobe = EC_UPROBE_POSTGRES_SERIES},
                                                     {.name = end, .uprobe = EC_UPROBE_POSTGRES_SERIES_END}};
    struct ec_call_pair pair;

    return (calls_find(image, code, begin, end, &pair) && ec_symbol_plan_add_at(image, pair.first, &symbols[0], plan) &&
            ec_symbol_plan_add_at(image, pair.second, &symbols[1], plan)) ||
           ec_symbol_plan_add(image, symbols, G_N_ELEMENTS(symbols), plan, error);
}

/* exec_bind_message(): where it reads the number of parameters. Without it there are none, which is said. */
static void bind_add(const ec_elf_image *image, ec_code *code, const uint64_t variables[static 2],
                     struct ec_probe_plan *plan)
{
    const struct ec_symbol_probe bind = {.uprobe = EC_UPROBE_POSTGRES_BIND, .variables = {variables[0], variables[1]}};
    struct ec_call_pair pair;

    if (!calls_find(image, code, "pq_getmsgint", "makeParamList", &pair) ||
        !ec_symbol_plan_add_at(image, pair.first, &bind, plan))
        g_strlcat(plan->version, " without parameters", sizeof(plan->version));
}

/* The statement's text, and when the client's message began. */
static bool variables_find(const ec_elf_image *image, ec_code *code, uint64_t ret_variables[static 2], GError **error)
{
    struct ec_elf_symbol text;
    uint64_t accessor;

    if (ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, "debug_query_string", &text) &&
        ec_symbol_find(image, "GetCurrentStatementStartTimestamp", &accessor) &&
        ec_accessor_find_variable(code, accessor, &ret_variables[1])) {
        ret_variables[0] = text.address;
        return true;
    }
    g_set_error(
        error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
        "where its debug_query_string lies, or what GetCurrentStatementStartTimestamp() returns, can't be told");
    return false;
}

static bool probes_add(const ec_elf_image *image, struct ec_probe_plan *plan, GError **error)
{
    g_autoptr(ec_code) code = ec_code_new(image);
    uint64_t at[2];

    if (!code) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "the disassembler does not start");
        return false;
    }
    if (!variables_find(image, code, at, error))
        return false;
    const struct ec_symbol_probe symbols[] = {
        {"EndCommand", EC_UPROBE_POSTGRES_END_COMMAND, false, 2, 0, {at[0], at[1]}},
        {"pq_sendstring", EC_UPROBE_POSTGRES_ERROR, false, 2, 0, {at[0], at[1]}},
        {"InitPostgres", EC_UPROBE_POSTGRES_LOGIN, false, 3, 0, {0}},
    };
    if (!ec_symbol_plan_add(image, symbols, G_N_ELEMENTS(symbols), plan, error) ||
        !series_add(image, code, plan, error))
        return false;
    bind_add(image, code, at, plan);
    return true;
}

bool ec_postgres_find(int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    struct ec_probe_plan plan = {.n_probes = 0};
    char version[TEXT_LEN];
    uint64_t major;

    if (!image)
        return false;
    if (!version_find(image, version)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "it does not tell its version");
        return false;
    }
    major = g_ascii_strtoull(version, NULL, 10);
    if (major < VERSION_MIN || major > VERSION_MAX) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "PostgreSQL %s is not supported: %d to %d are",
                    version, VERSION_MIN, VERSION_MAX);
        return false;
    }
    g_strlcpy(plan.version, version, sizeof(plan.version));
    if (!probes_add(image, &plan, error))
        return false;
    *ret_plan = plan;
    return true;
}
