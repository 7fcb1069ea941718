/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "postgres.h"

#include "hook-point.h"
#include "symbol-plan.h"

#include <string.h>

/* STATE_RUNNING of BackendState, utils/backend_status.h: 18 put STATE_STARTING before it. */
enum { RUNNING_UP_TO_17 = 2, RUNNING_FROM_18 = 3 };
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
    const struct ec_symbol_probe symbols[] = {
        {"pgstat_report_activity", EC_UPROBE_POSTGRES_ACTIVITY, false, 2,
         major < 18 ? RUNNING_UP_TO_17 : RUNNING_FROM_18},
        {"pq_getmessage", EC_UPROBE_POSTGRES_RECEIVE, false, 1, 0},
        {"EndCommand", EC_UPROBE_POSTGRES_END_COMMAND, false, 1, 0},
        {"pq_endmessage", EC_UPROBE_POSTGRES_MESSAGE, false, 1, 0},
        {"InitPostgres", EC_UPROBE_POSTGRES_LOGIN, false, 3, 0},
    };
    if (!ec_symbol_plan_add(image, symbols, G_N_ELEMENTS(symbols), &plan, error))
        return false;
    g_strlcpy(plan.version, version, sizeof(plan.version));
    *ret_plan = plan;
    return true;
}
