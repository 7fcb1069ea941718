/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysqld.h"

#include "accessor.h"
#include "hook-point.h"
#include "symbol-plan.h"

#include <string.h>

#define DISPATCH_COMMAND "_Z16dispatch_command"
#define SET_OK_STATUS "_ZN16Diagnostics_area13set_ok_statusEyyPKc"
#define SET_SENT_ROW_COUNT "_ZN3THD18set_sent_row_countEy"
/* Bytes of the version's text that are looked at. */
enum { TEXT_LEN = 32 };

/* An exported function that reads a member, and where what it tells goes. */
struct member {
    const char *function;
    enum ec_accessor_kind kind;
    size_t offset, pointer; /* members of ec_mysqld_layout; `pointer` of the far kinds alone */
    size_t more;            /* likewise, or 0: of a number its size, of a text the offset of its length */
};

/* One that sets a member, or hands it out. */
struct setter {
    const char *function;
    bool (*find)(ec_code *code, uint64_t function, uint32_t *ret_offset);
    size_t offset;
};

#define MEMBER(name) offsetof(struct ec_mysqld_layout, name)
/* The first member is the query's. */
static const struct server {
    const char *name;
    const char *dispatch; /* how its dispatch_command()'s name begins; what follows differs between versions */
    uint64_t command;     /* EC_MYSQLD_COMMAND_* */
    const char *end;      /* which each statement ends with, handed the THD, while the query is still there */
    bool keeps_affected;  /* rows, at the statement's end */
    const char *before_version, *behind_version;
    struct member members[6];
    struct setter setters[3];
} servers[] = {
    {.name = "MariaDB",
     .dispatch = DISPATCH_COMMAND "19enum_server_commandP3THD",
     .command = EC_MYSQLD_COMMAND_FIRST,
     .end = "_Z18log_slow_statementP3THD",
     .before_version = "",
     .behind_version = "-MariaDB",
     .members = {{"thd_query_string", EC_ACCESSOR_ADDRESS, MEMBER(query), 0, 0},
                 {"thd_current_db", EC_ACCESSOR_ADDRESS, MEMBER(database), 0, 0},
                 {"thd_get_thread_id", EC_ACCESSOR_FIELD, MEMBER(connection), 0, MEMBER(connection_size)},
                 {"thd_user_name", EC_ACCESSOR_FAR_FIELD, MEMBER(user), MEMBER(user_pointer), 0},
                 {"thd_get_error_number", EC_ACCESSOR_FAR_FIELD, MEMBER(error), MEMBER(status_pointer), 0},
                 {"thd_get_error_message", EC_ACCESSOR_FAR_ADDRESS, MEMBER(message), MEMBER(status_pointer), 0}},
     .setters = {{SET_SENT_ROW_COUNT, ec_setter_find, MEMBER(rows_sent)}}},
    {.name = "MySQL",
     .dispatch = DISPATCH_COMMAND "P3THDPK8COM_DATA19enum_server_command",
     .command = EC_MYSQLD_COMMAND_THIRD,
     .end = "_ZN3THD21send_statement_statusEv", /* log_slow_statement() is inlined in Ubuntu's builds */
     .keeps_affected = true,
     .before_version = "MySQL ",
     .behind_version = "",
     .members = {{"_Z16thd_query_unsafeP3THD", EC_ACCESSOR_PAIR, MEMBER(query), 0, 0},
                 {"thd_get_thread_id", EC_ACCESSOR_FIELD, MEMBER(connection), 0, MEMBER(connection_size)},
                 {"_ZNK16Security_context4userEv", EC_ACCESSOR_PAIR, MEMBER(user), 0, MEMBER(user_len)},
                 {"_Z12thd_is_errorPK3THD", EC_ACCESSOR_FAR_FIELD, MEMBER(state), MEMBER(status_pointer), 0}},
     .setters = {{"_Z24thd_get_security_contextP3THDPP16Security_context", ec_accessor_find_stored,
                  MEMBER(user_pointer)},
                 {"_ZN3THD6set_dbERK17MYSQL_LEX_CSTRING", ec_setter_find_pair, MEMBER(database)},
                 {SET_SENT_ROW_COUNT, ec_setter_find, MEMBER(rows_sent)}}},
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
    if (member->more)
        *layout_at(layout, member->more) =
            accessor.kind == EC_ACCESSOR_PAIR ? accessor.offset + (uint32_t)sizeof(char *) : accessor.size;
    *layout_at(layout, member->offset) = accessor.offset;
}

/* MySQL has no accessors for what Diagnostics_area::set_ok_status(rows, …) and set_error_status(number, message, …)
 * set. That it is of the structure which thd_is_error() looks at, the state tells that they set. */
static void layout_read_status(const ec_elf_image *image, ec_code *code, struct ec_mysqld_layout *layout)
{
    uint64_t function;

    if (layout->state == EC_LAYOUT_UNKNOWN)
        return;
    if (ec_symbol_find(image, SET_OK_STATUS, &function))
        ec_state_setter_find(code, function, layout->state, EC_MYSQLD_OK, &layout->affected);
    if (ec_symbol_find(image, "_ZN16Diagnostics_area16set_error_statusEjPKcS1_", &function) &&
        ec_state_setter_find(code, function, layout->state, EC_MYSQLD_FAILED, &layout->error))
        ec_handed_on_find(code, function, &layout->message);
}

static void layout_read(const ec_elf_image *image, const struct server *server, struct ec_mysqld_layout *layout)
{
    g_autoptr(ec_code) code = ec_code_new(image);
    uint64_t function;

    memset(layout, 0xff, sizeof(*layout));
    for (size_t i = 0; code && i < G_N_ELEMENTS(server->members) && server->members[i].function; i++)
        layout_read_member(image, code, &server->members[i], layout);
    for (size_t i = 0; code && i < G_N_ELEMENTS(server->setters) && server->setters[i].function; i++)
        if (ec_symbol_find(image, server->setters[i].function, &function))
            server->setters[i].find(code, function, layout_at(layout, server->setters[i].offset));
    if (!server->keeps_affected)
        return;
    if (code)
        layout_read_status(image, code, layout);
    /* Of rows the one without the other would mislead. */
    if (layout->state == EC_LAYOUT_UNKNOWN || layout->affected == EC_LAYOUT_UNKNOWN)
        layout->rows_sent = EC_LAYOUT_UNKNOWN;
}

struct version_search {
    const struct server *server;
    char *version;
};

static bool is_of_version(uint8_t byte)
{
    return g_ascii_isdigit(byte) || byte == '.';
}

/* "10.11.19-MariaDB", "11.8.3-MariaDB-ubu2404", "MySQL 9.7.4" */
static bool version_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    const struct version_search *search = data;
    const char *before = search->server->before_version, *behind = search->server->behind_version;
    const char *mark = *before ? before : behind;
    const uint8_t *end = piece + len, *hit;
    (void)at;

    for (const uint8_t *from = piece; (hit = memmem(from, (size_t)(end - from), mark, strlen(mark))); from = hit + 1) {
        const uint8_t *start = *before ? hit + strlen(before) : hit, *stop = start;

        while (!*before && start > piece && stop - start < TEXT_LEN - 1 && is_of_version(start[-1]))
            start--;
        while (*before && stop < end && stop - start < TEXT_LEN - 1 && is_of_version(*stop))
            stop++;
        if (stop == start || stop == end || !g_ascii_isdigit(*start) || (*before && *stop != '\0'))
            continue;
        memcpy(search->version, start, (size_t)(stop - start));
        return false;
    }
    return true;
}

static void version_find(const ec_elf_image *image, const struct server *server, struct ec_probe_plan *plan)
{
    struct version_search search = {server, plan->version};
    const struct ec_elf_segment *segment;

    for (size_t i = 0; !plan->version[0] && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (!segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, TEXT_LEN, version_scan, &search);
}

bool ec_mysqld_matches(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    char name[EC_ELF_NAME_LEN];

    return image && ec_symbol_find_prefix(image, DISPATCH_COMMAND, name);
}

/* By the function that tells the query; NULL: neither is exported. */
static const struct server *server_find(const ec_elf_image *image)
{
    for (size_t i = 0; i < G_N_ELEMENTS(servers); i++)
        if (ec_symbol_is_exported(image, servers[i].members[0].function))
            return &servers[i];
    return NULL;
}

/* What is not known of its statements, behind the version, which users are shown. */
static void plan_name_unknown(struct ec_probe_plan *plan)
{
    const struct ec_mysqld_layout *layout = &plan->layout;
    const struct {
        const char *name;
        uint32_t offset;
    } members[] = {
        {"user", layout->user},      {"db", layout->database}, {"conn", layout->connection},
        {"rows", layout->rows_sent}, {"error", layout->error},
    };
    const char *before = " without ";

    for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
        if (members[i].offset != EC_LAYOUT_UNKNOWN)
            continue;
        g_strlcat(plan->version, before, sizeof(plan->version));
        g_strlcat(plan->version, members[i].name, sizeof(plan->version));
        before = ", ";
    }
}

bool ec_mysqld_find(int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    const struct server *server = image ? server_find(image) : NULL;
    struct ec_probe_plan plan = {.has_layout = true};
    char dispatch[EC_ELF_NAME_LEN];

    if (server)
        layout_read(image, server, &plan.layout);
    if (!server || plan.layout.query == EC_LAYOUT_UNKNOWN) {
        if (image)
            g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                        "it exports no thd_query_string(), as MariaDB does, or thd_query_unsafe(), as MySQL does, that "
                        "tells where a query lies");
        return false;
    }
    /* If there is none, its name is in the error. */
    g_strlcpy(dispatch, server->dispatch, sizeof(dispatch));
    ec_symbol_find_prefix(image, server->dispatch, dispatch);
    const struct ec_symbol_probe symbols[] = {
        {dispatch, EC_UPROBE_MYSQLD_BEGIN, false, (int)server->command + 1, server->command, {0}},
        {server->end, EC_UPROBE_MYSQLD_END, false, 1, 0, {0}},
        /* Inlined in builds of MySQL, whose layout tells what it sets. */
        {SET_OK_STATUS, EC_UPROBE_MYSQLD_OK, false, 2, 0, {0}},
    };
    if (!ec_symbol_plan_add(image, symbols, G_N_ELEMENTS(symbols) - server->keeps_affected, &plan, error))
        return false;
    plan.product = server->name;
    version_find(image, server, &plan);
    plan_name_unknown(&plan);
    *ret_plan = plan;
    return true;
}
