/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL 13 to 18, whose exported functions pass everything that is needed; no structure of the server is read but
 * StringInfoData (lib/stringinfo.h) and QueryCompletion (tcop/cmdtag.h), which extensions are compiled against and
 * which did not change in these versions. A backend is a process and serves one connection.
 */
#include "cookie.bpf.h"
#include "statement.bpf.h"

struct string_info {
    const char *data;
    uint32_t len, maxlen;
    uint32_t cursor; /* what has been read of it; of a message that is being made: its type (libpq/pqformat.c) */
};

struct query_completion {
    int tag;
    uint64_t n_processed;
};

/* Where a backend has its client's latest message. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, uint32_t); /* process */
    __type(value, uint64_t);
} postgres_messages SEC(".maps");

/* pq_getmessage(StringInfo s, int maxlen): the backend is about to read a message, nearly always to where the last one
 * was. To put the same there again would cost more than all the rest. */
SEC("uprobe")
int ec_postgres_receive(struct pt_regs *ctx)
{
    uint32_t pid = bpf_get_current_pid_tgid() >> 32;
    uint64_t message = PT_REGS_PARM1(ctx);
    const uint64_t *known = bpf_map_lookup_elem(&postgres_messages, &pid);

    if (known && *known == message)
        return 0;
    if (statement_is_wanted() && bpf_map_update_elem(&postgres_messages, &pid, &message, BPF_ANY))
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
    return 0;
}

/* The message that the text belongs to, if it is a Bind: of the others everything has been read when the text is
 * reported, of a Bind the two names at its beginning alone (exec_bind_message, tcop/postgres.c). */
static __always_inline void put_bind(void)
{
    uint32_t pid = bpf_get_current_pid_tgid() >> 32;
    const uint64_t *at = bpf_map_lookup_elem(&postgres_messages, &pid);
    struct string_info message = {};

    if (!at)
        return;
    if (bpf_probe_read_user(&message, sizeof(message), (const void *)*at))
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    else if (message.cursor > 0 && message.cursor < message.len)
        statement_put_bytes(EC_STATEMENT_BIND, 0, message.data, &message.len);
}

/* pgstat_report_activity(BackendState state, const char *cmd_str): RUNNING with the text at a simple query, Parse, Bind
 * and Execute, whether or not track_activities is on. The cookie is RUNNING's value. */
SEC("uprobe")
int ec_postgres_activity(struct pt_regs *ctx)
{
    const char *text = (const char *)PT_REGS_PARM2(ctx);

    if ((uint32_t)PT_REGS_PARM1(ctx) != (uint32_t)attach_cookie(ctx) || !text || !statement_is_wanted())
        return 0;
    statement_put_text(text, 0);
    put_bind();
    return 0;
}

/* EndCommand(const QueryCompletion *qc, CommandDest dest, …): a statement has succeeded. */
SEC("uprobe")
int ec_postgres_end_command(struct pt_regs *ctx)
{
    struct query_completion completion = {};

    if (!statement_is_wanted())
        return 0;
    if (bpf_probe_read_user(&completion, sizeof(completion), (const void *)PT_REGS_PARM1(ctx)))
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    else
        statement_put(EC_STATEMENT_ROWS, 0, completion.n_processed);
    return 0;
}

static __always_inline void put_error(const struct string_info *message)
{
    struct ec_statement_event *event = statement_begin(EC_STATEMENT_ERROR, EC_STATEMENT_ERROR_LEN, 0, 0);
    uint32_t len = message->len;

    if (!event)
        return;
    if (len > EC_STATEMENT_ERROR_LEN)
        len = EC_STATEMENT_ERROR_LEN;
    asm volatile("" : "+r"(len));
    if (len > EC_STATEMENT_ERROR_LEN || bpf_probe_read_user(event->data, len, message->data))
        statement_end(event, -1);
    else
        statement_end(event, len);
}

/* pq_endmessage(StringInfo buf): a message to the client is complete. Rows go another way. */
SEC("uprobe")
int ec_postgres_message(struct pt_regs *ctx)
{
    struct string_info message = {};

    if (!statement_is_wanted())
        return 0;
    if (bpf_probe_read_user(&message, sizeof(message), (const void *)PT_REGS_PARM1(ctx)))
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    else if (message.cursor == 'E')
        put_error(&message);
    else if (message.cursor == 'Z')
        statement_put(EC_STATEMENT_READY, 0, 0);
    return 0;
}

/* InitPostgres(const char *in_dbname, Oid dboid, const char *username, …): a backend begins. */
SEC("uprobe")
int ec_postgres_login(struct pt_regs *ctx)
{
    const char *database = (const char *)PT_REGS_PARM1(ctx), *user = (const char *)PT_REGS_PARM3(ctx);
    struct ec_statement_event *event;
    long user_len, database_len = -1;
    uint32_t at;

    if (!user || !database || !statement_is_wanted())
        return 0;
    event = statement_begin(EC_STATEMENT_LOGIN, 2 * EC_STATEMENT_NAME_LEN, 0, 0);
    if (!event)
        return 0;
    user_len = bpf_probe_read_user_str(event->data, EC_STATEMENT_NAME_LEN, user);
    at = (uint32_t)user_len;
    /* The verifier of Linux 6.1 learns nothing of a signed value whose bounds are tested by a detour. */
    asm volatile("" : "+r"(at));
    if (user_len > 0 && at <= EC_STATEMENT_NAME_LEN)
        database_len = bpf_probe_read_user_str(event->data + at, EC_STATEMENT_NAME_LEN, database);
    statement_end(event, database_len < 0 ? -1 : user_len + database_len);
    return 0;
}
