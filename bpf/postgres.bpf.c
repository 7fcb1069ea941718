/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PostgreSQL 13 to 18, by functions and variables that it exports; no structure of the server is read but
 * StringInfoData (lib/stringinfo.h) and QueryCompletion (tcop/cmdtag.h), which extensions are compiled against and
 * which did not change in these versions. A backend is a process and serves one connection.
 *
 * A statement costs one probe, at its end, where its text is still to be had (debug_query_string), and one more for a
 * Bind message. What else is probed happens with errors, logins and texts of several commands alone.
 */
#include "statement.bpf.h"
#include "variable.bpf.h"

struct string_info {
    const char *data;
    uint32_t len, maxlen;
    uint32_t cursor; /* of a message that is being made: its type (libpq/pqformat.c) */
};

struct query_completion {
    int tag;
    uint64_t n_processed;
};

/* DestRemoteExecute of CommandDest, tcop/dest.h: for an Execute message */
enum { DEST_REMOTE_EXECUTE = 3 };

/* What the backend is at. */
struct query {
    const char *text; /* debug_query_string; NULL: nothing */
    uint64_t start;   /* stmtStartTimestamp */
};

/* Of an ErrorResponse what stands before its message: severity and code. */
enum { ERROR_HEAD_LEN = 128 };

enum series { SERIES_GOES_ON, SERIES_ENDS };

/* Processes that are at a text of several commands. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, uint32_t);
    __type(value, uint8_t); /* enum series */
} postgres_series SEC(".maps");

/* False, counted, if it can't be read. */
static __always_inline bool query_read(struct pt_regs *ctx, struct query *query)
{
    uint64_t cookie = attach_cookie(ctx);

    if (variable_read(ctx, EC_VARIABLES_COOKIE_FIRST(cookie), &query->text, sizeof(query->text)) &&
        variable_read(ctx, EC_VARIABLES_COOKIE_SECOND(cookie), &query->start, sizeof(query->start)))
        return true;
    counter_add(EC_DROP_MESSAGE_FAULT, 1);
    return false;
}

/* A piece of at most `limit` - 1 bytes, a constant, of a text; `final`: no more will be read. The length of a piece
 * that isn't the last; else 0. */
static __always_inline uint32_t put_piece(const struct query *query, uint32_t limit, uint64_t offset, bool final)
{
    struct ec_statement_event *event = statement_begin(EC_STATEMENT_TEXT, limit, 0, offset);
    long n;

    if (!event)
        return 0;
    event->start = query->start;
    n = bpf_probe_read_user_str(event->data, limit, query->text + offset);
    event->last = n < (long)limit ? EC_STATEMENT_WHOLE : final ? EC_STATEMENT_CUT : EC_STATEMENT_MORE;
    statement_end(event, n - 1);
    return n == (long)limit ? limit - 1 : 0;
}

/* Not static: so the verifier looks at it once, by itself, and not again at all that comes behind for each piece that
 * may be the last. Linux 6.1 gives up on that. */
__noinline int ec_postgres_put_rest(uint64_t text, uint64_t start)
{
    const struct query query = {(const char *)text, start};
    uint32_t offset = EC_STATEMENT_PIECE_FIRST - 1, len = offset;

    for (int i = 0; i < EC_STATEMENT_PIECES && len > 0; i++) {
        len = put_piece(&query, EC_STATEMENT_PIECE, offset, i == EC_STATEMENT_PIECES - 1);
        offset += len;
    }
    return 0;
}

/* What follows the first piece. */
static __always_inline void put_rest(const struct query *query)
{
    ec_postgres_put_rest((uint64_t)query->text, query->start);
}

static __always_inline void put_text(const struct query *query)
{
    if (put_piece(query, EC_STATEMENT_PIECE_FIRST, 0, false))
        put_rest(query);
}

/* Its text in the same record, unless it is long. */
static __always_inline void put_rows(const struct query *query, uint64_t rows, uint8_t flags)
{
    struct ec_statement_event *event = statement_begin(EC_STATEMENT_ROWS, EC_STATEMENT_PIECE_FIRST, 0, rows);
    long n;

    if (!event)
        return;
    event->start = query->start;
    event->flags = flags;
    n = bpf_probe_read_user_str(event->data, EC_STATEMENT_PIECE_FIRST, query->text);
    if (n < EC_STATEMENT_PIECE_FIRST) {
        event->last = EC_STATEMENT_WHOLE;
        statement_end(event, n - 1);
        return;
    }
    event->part = EC_STATEMENT_TEXT;
    event->value = event->flags = 0;
    statement_end(event, n - 1);
    put_rest(query);
    event = statement_begin(EC_STATEMENT_ROWS, 0, 0, rows);
    if (!event)
        return;
    event->start = query->start;
    event->flags = flags;
    statement_end(event, 0);
}

/* Whether the command that ends now is one of several, and not the last. */
static __always_inline uint8_t series_step(void)
{
    uint32_t pid = bpf_get_current_pid_tgid() >> 32;
    const uint8_t *series = bpf_map_lookup_elem(&postgres_series, &pid);

    if (!series)
        return 0;
    if (*series == SERIES_GOES_ON)
        return EC_STATEMENT_SERIES;
    bpf_map_delete_elem(&postgres_series, &pid);
    return 0;
}

/* EndCommand(const QueryCompletion *qc, CommandDest dest, …): a command has succeeded; of a simple query's last one,
 * and without a transaction block, it is committed. */
SEC("uprobe")
int ec_postgres_end_command(struct pt_regs *ctx)
{
    struct query_completion completion = {};
    struct query query = {};

    if (!statement_is_wanted() || !query_read(ctx, &query) || !query.text)
        return 0;
    if (bpf_probe_read_user(&completion, sizeof(completion), (const void *)PT_REGS_PARM1(ctx)))
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    else
        put_rows(&query, completion.n_processed,
                 series_step() | ((uint32_t)PT_REGS_PARM2(ctx) == DEST_REMOTE_EXECUTE ? EC_STATEMENT_EXECUTED : 0));
    return 0;
}

static __always_inline void series_set(uint8_t series)
{
    uint32_t pid = bpf_get_current_pid_tgid() >> 32;

    if (statement_is_wanted() && bpf_map_update_elem(&postgres_series, &pid, &series, BPF_ANY))
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
}

/* BeginImplicitTransactionBlock(): at each command of a simple query that has several. */
SEC("uprobe")
int ec_postgres_series(struct pt_regs *ctx)
{
    series_set(SERIES_GOES_ON);
    return 0;
}

/* exec_simple_query() calls EndImplicitTransactionBlock(): at the last of them, before its EndCommand(). */
SEC("uprobe")
int ec_postgres_series_end(struct pt_regs *ctx)
{
    series_set(SERIES_ENDS);
    return 0;
}

/* exec_bind_message() calls pq_getmsgint(StringInfo msg, int b) for the number of parameters: the message is there, and
 * none of them has failed yet. */
SEC("uprobe")
int ec_postgres_bind(struct pt_regs *ctx)
{
    struct string_info message = {};
    struct query query = {};

    if (!statement_is_wanted() || !query_read(ctx, &query) || !query.text)
        return 0;
    put_text(&query);
    if (bpf_probe_read_user(&message, sizeof(message), (const void *)PT_REGS_PARM1(ctx)))
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    else if (message.len)
        statement_put_bytes(EC_STATEMENT_BIND, 0, message.data, &message.len);
    return 0;
}

static __always_inline void put_error(const struct string_info *message, const char *text, uint8_t flags)
{
    struct ec_statement_event *event = statement_begin(EC_STATEMENT_ERROR, EC_STATEMENT_ERROR_LEN, 0, 0);
    uint32_t len = message->len;
    long n = -1;

    if (!event)
        return;
    event->flags = flags;
    asm volatile("" : "+r"(len));
    if (len <= ERROR_HEAD_LEN && !bpf_probe_read_user(event->data, len, message->data))
        n = bpf_probe_read_user_str(event->data + len, EC_STATEMENT_ERROR_LEN - ERROR_HEAD_LEN, text);
    statement_end(event, n < 0 ? -1 : len + n);
}

/* pq_sendstring(StringInfo buf, const char *str): of an ErrorResponse each field, behind its type (54.8 in PostgreSQL
 * 18's manual). */
SEC("uprobe")
int ec_postgres_error(struct pt_regs *ctx)
{
    struct string_info message = {};
    struct query query = {};
    uint32_t pid = bpf_get_current_pid_tgid() >> 32;
    char field = 0;

    if (!statement_is_wanted())
        return 0;
    if (bpf_probe_read_user(&message, sizeof(message), (const void *)PT_REGS_PARM1(ctx))) {
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
        return 0;
    }
    if (message.cursor != 'E' || message.len == 0)
        return 0;
    if (bpf_probe_read_user(&field, sizeof(field), message.data + message.len - 1) || field != 'M' ||
        !query_read(ctx, &query))
        return 0;
    if (query.text)
        put_text(&query);
    put_error(&message, (const char *)PT_REGS_PARM2(ctx), query.text ? 0 : EC_STATEMENT_TEXTLESS);
    bpf_map_delete_elem(&postgres_series, &pid);
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
