/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysqld.h"

#include "accessor.h"
#include "hook-point.h"
#include "symbol-plan.h"

#include <string.h>

/* dispatch_command(enum_server_command, THD *, …); what follows differs between versions. */
#define DISPATCH_COMMAND "_Z16dispatch_command"
#define DISPATCH_COMMAND_MARIADB DISPATCH_COMMAND "19enum_server_commandP3THD"
/* Bytes of the version's text that are looked at. */
enum { TEXT_LEN = 32 };

/* Exported accessors, and where what they tell goes. */
static const struct member {
    const char *function;
    enum ec_accessor_kind kind;
    size_t offset, pointer; /* members of ec_mysqld_layout; `pointer` of the far kinds alone */
} members[] = {
#define MEMBER(name) offsetof(struct ec_mysqld_layout, name)
    {"thd_query_string", EC_ACCESSOR_ADDRESS, MEMBER(query), 0},
    {"thd_current_db", EC_ACCESSOR_ADDRESS, MEMBER(database), 0},
    {"thd_get_thread_id", EC_ACCESSOR_FIELD, MEMBER(connection), 0},
    {"thd_user_name", EC_ACCESSOR_FAR_FIELD, MEMBER(user), MEMBER(user_pointer)},
    {"thd_get_error_number", EC_ACCESSOR_FAR_FIELD, MEMBER(error), MEMBER(status_pointer)},
    {"thd_get_error_message", EC_ACCESSOR_FAR_ADDRESS, MEMBER(message), MEMBER(status_pointer)},
#undef MEMBER
};

static uint32_t *layout_at(struct ec_mysqld_layout *layout, size_t member)
{
    return (uint32_t *)((char *)layout + member);
}

/* What isn't exported, or does something else than it should, stays unknown. */
static void layout_read_member(const ec_elf_image *image, ec_code *code, const struct member *member,
                               struct ec_mysqld_layout *layout)
{
    struct ec_accessor accessor;
    uint64_t function;

    if (!ec_symbol_find(image, member->function, &function) || !ec_accessor_find(code, function, &accessor) ||
        accessor.kind != member->kind)
        return;
    /* Two members of one structure must agree on the pointer to it. */
    if (member->pointer && *layout_at(layout, member->pointer) != EC_LAYOUT_UNKNOWN &&
        *layout_at(layout, member->pointer) != accessor.pointer)
        return;
    if (member->pointer)
        *layout_at(layout, member->pointer) = accessor.pointer;
    *layout_at(layout, member->offset) = accessor.offset;
}

/* THD::set_sent_row_count(ulonglong) */
static void layout_read_rows(const ec_elf_image *image, ec_code *code, struct ec_mysqld_layout *layout)
{
    uint64_t function;

    if (ec_symbol_find(image, "_ZN3THD18set_sent_row_countEy", &function))
        ec_setter_find(code, function, &layout->rows_sent);
}

static bool layout_read(const ec_elf_image *image, struct ec_mysqld_layout *layout, GError **error)
{
    g_autoptr(ec_code) code = ec_code_new(image);

    memset(layout, 0xff, sizeof(*layout));
    for (size_t i = 0; code && i < G_N_ELEMENTS(members); i++)
        layout_read_member(image, code, &members[i], layout);
    if (code)
        layout_read_rows(image, code, layout);
    if (layout->query != EC_LAYOUT_UNKNOWN)
        return true;
    g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                "it does not export thd_query_string() as MariaDB does: MySQL and Percona are not supported");
    return false;
}

/* "10.11.19-MariaDB", "11.8.3-MariaDB-ubu2404" */
static bool version_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char behind[] = "-MariaDB";
    const uint8_t *end = piece + len, *hit;
    (void)at;

    for (const uint8_t *from = piece; (hit = memmem(from, (size_t)(end - from), behind, strlen(behind)));
         from = hit + 1) {
        const uint8_t *start = hit;

        while (start > piece && hit - start < TEXT_LEN - 1 && (g_ascii_isdigit(start[-1]) || start[-1] == '.'))
            start--;
        if (hit == start || !g_ascii_isdigit(*start))
            continue;
        memcpy(data, start, (size_t)(hit - start));
        return false;
    }
    return true;
}

static void version_find(const ec_elf_image *image, struct ec_probe_plan *plan)
{
    const struct ec_elf_segment *segment;

    for (size_t i = 0; !plan->version[0] && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (!segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, TEXT_LEN, version_scan, plan->version);
}

bool ec_mysqld_matches(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    char name[EC_ELF_NAME_LEN];

    return image && ec_symbol_find_prefix(image, DISPATCH_COMMAND, name);
}

bool ec_mysqld_find(int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    struct ec_probe_plan plan = {.has_layout = true};
    char dispatch[EC_ELF_NAME_LEN] = DISPATCH_COMMAND_MARIADB;

    if (!image || !layout_read(image, &plan.layout, error))
        return false;
    /* If there is none, its name is in the error. */
    ec_symbol_find_prefix(image, DISPATCH_COMMAND_MARIADB, dispatch);
    const struct ec_symbol_probe symbols[] = {
        {dispatch, EC_UPROBE_MYSQLD_BEGIN, false, 1, 0},
        {"_ZN16Diagnostics_area13set_ok_statusEyyPKc", EC_UPROBE_MYSQLD_OK, false, 2, 0},
        {"_Z18log_slow_statementP3THD", EC_UPROBE_MYSQLD_END, false, 1, 0},
    };
    if (!ec_symbol_plan_add(image, symbols, G_N_ELEMENTS(symbols), &plan, error))
        return false;
    version_find(image, &plan);
    *ret_plan = plan;
    return true;
}
