/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MariaDB and MySQL. A thread works on one command at a time, also with a pool of threads, so what belongs together is
 * joined by thread. The cookie of the probe at the end is the number of the program's layout.
 */
#include "cookie.bpf.h"
#include "statement.bpf.h"

/* enum_server_command; they are the client protocol's numbers */
enum { COM_QUERY = 3, COM_STMT_EXECUTE = 23, COM_STMT_BULK_EXECUTE = 250 };

/* The statement that a thread is at. */
struct running {
    uint64_t start; /* ns, CLOCK_BOOTTIME */
    uint64_t rows;
    uint32_t has_rows;
    uint32_t active; /* false: it is at a command that is no statement */
};

struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, uint64_t); /* of bpf_get_current_pid_tgid() */
    __type(value, struct running);
} mysqld_running SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, EC_LAYOUTS_MAX);
    __type(key, uint32_t);
    __type(value, struct ec_mysqld_layout);
} mysqld_layouts SEC(".maps");

struct lex_string {
    const char *text;
    uint32_t len; /* of size_t the part that is ever used: max_allowed_packet is a gibibyte at most */
    uint32_t len_high;
};

/* MariaDB: dispatch_command(enum_server_command command, THD *thd, char *packet, uint packet_length, …);
 * MySQL: dispatch_command(THD *thd, const COM_DATA *data, enum_server_command command) */
SEC("uprobe")
int ec_mysqld_begin(struct pt_regs *ctx)
{
    /* Both are read: of a choice the compiler would make a pointer into the context, which the verifier refuses. */
    volatile uint32_t first = (uint32_t)PT_REGS_PARM1(ctx), third = (uint32_t)PT_REGS_PARM3(ctx);
    uint32_t command = attach_cookie(ctx) == EC_MYSQLD_COMMAND_THIRD ? third : first;
    uint64_t key = bpf_get_current_pid_tgid();
    struct running running = {.start = bpf_ktime_get_boot_ns()};

    if (!statement_is_wanted())
        return 0;
    running.active = command == COM_QUERY || command == COM_STMT_EXECUTE || command == COM_STMT_BULK_EXECUTE;
    if (bpf_map_update_elem(&mysqld_running, &key, &running, BPF_ANY))
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
    return 0;
}

/* Diagnostics_area::set_ok_status(ulonglong affected_rows, ulonglong last_insert_id, const char *message); of
 * statements within a statement the last, its own, counts. */
SEC("uprobe")
int ec_mysqld_ok(struct pt_regs *ctx)
{
    uint64_t key = bpf_get_current_pid_tgid();
    struct running *running = bpf_map_lookup_elem(&mysqld_running, &key);

    if (!running)
        return 0;
    running->rows = PT_REGS_PARM2(ctx);
    running->has_rows = 1;
    return 0;
}

/* Bytes of a text with its NUL, read to `to`; an empty one where there is none. */
static __always_inline uint32_t read_name(char *to, uint32_t limit, const char *from)
{
    long n = from ? bpf_probe_read_user_str(to, limit, from) : 0;

    if (n > 0)
        return (uint32_t)n;
    *to = 0;
    return 1;
}

/* A member; what isn't known, or can't be read, stays as it is. */
static __always_inline void read_member(void *to, uint32_t size, const char *structure, uint32_t offset)
{
    if (structure && offset != EC_LAYOUT_UNKNOWN)
        bpf_probe_read_user(to, size, structure + offset);
}

static __always_inline const char *read_pointer(const char *structure, uint32_t offset)
{
    const char *pointer = 0;

    read_member(&pointer, sizeof(pointer), structure, offset);
    return pointer;
}

/* Not to be mistaken for each other by the verifier, the names go where there is room for the longest before them. */
static __always_inline void put_result(const char *thd, const struct ec_mysqld_layout *layout,
                                       const struct running *running)
{
    enum { NAME = EC_STATEMENT_NAME_LEN, ROOM = sizeof(struct ec_statement_result) + 2 * NAME + NAME * 4 };
    const char *status = read_pointer(thd, layout->status_pointer);
    const char *account = read_pointer(thd, layout->user_pointer);
    const char *user = read_pointer(account, layout->user);
    uint32_t user_len = NAME, user_room, state = EC_MYSQLD_FAILED;
    struct ec_statement_event *event;
    struct ec_statement_result *result;
    struct lex_string database = {};
    uint32_t at = sizeof(*result);

    read_member(&user_len, sizeof(user_len), account, layout->user_len);
    read_member(&state, sizeof(state), status, layout->state);
    /* Bounded by arithmetic: the verifiers of Linux 5.10 and 6.1 lose what the comparison told. */
    user_room = user_len < NAME ? user_len + 1 : NAME;
    asm volatile("%0 &= 0xff" : "+r"(user_room));
    /* Nothing between it and its test: the verifier of Linux 6.1 forgets that a record is there. */
    event = statement_begin(EC_STATEMENT_DONE, ROOM, (uint32_t)bpf_get_current_pid_tgid(), running->start);
    if (!event)
        return;
    result = (void *)event->data;
    read_member(&database, sizeof(database), thd, layout->database);
    result->rows = running->rows;
    result->has_rows = running->has_rows || layout->rows_sent != EC_LAYOUT_UNKNOWN;
    result->connection = result->error = 0;
    if (layout->connection_size == sizeof(uint32_t))
        read_member(&result->connection, sizeof(uint32_t), thd, layout->connection);
    else
        read_member(&result->connection, sizeof(result->connection), thd, layout->connection);
    if (state == EC_MYSQLD_FAILED)
        read_member(&result->error, sizeof(result->error), status, layout->error);
    /* What sends rows affects none. */
    if (state == EC_MYSQLD_OK)
        read_member(&result->rows, sizeof(result->rows), status, layout->affected);
    else if (!running->has_rows)
        read_member(&result->rows, sizeof(result->rows), thd, layout->rows_sent);
    at += read_name((char *)event->data + at, user_room, user);
    if (at <= sizeof(*result) + NAME)
        at += read_name((char *)event->data + at, NAME, database.text);
    if (at <= sizeof(*result) + 2 * NAME)
        at += read_name((char *)event->data + at, 4 * NAME,
                        result->error && layout->message != EC_LAYOUT_UNKNOWN ? status + layout->message : 0);
    statement_end(event, at);
}

/* MariaDB: log_slow_statement(THD *thd), which every command ends with, slow or not; MySQL:
 * THD::send_statement_status(). The query is still there, of prepared ones too. A command of several statements ends
 * each of them so. */
SEC("uprobe")
int ec_mysqld_end(struct pt_regs *ctx)
{
    uint64_t key = bpf_get_current_pid_tgid();
    struct running *running = bpf_map_lookup_elem(&mysqld_running, &key);
    const char *thd = (const char *)PT_REGS_PARM1(ctx);
    uint32_t number = (uint32_t)attach_cookie(ctx);
    const struct ec_mysqld_layout *layout = bpf_map_lookup_elem(&mysqld_layouts, &number);
    struct lex_string query = {};

    if (!running || !running->active || !layout)
        return 0;
    if (bpf_probe_read_user(&query, sizeof(query), thd + layout->query)) {
        counter_add(EC_DROP_MESSAGE_FAULT, 1);
    } else if (query.text && query.len) {
        statement_put_bytes(EC_STATEMENT_TEXT, (uint32_t)key, query.text, &query.len);
        put_result(thd, layout, running);
    }
    running->start = bpf_ktime_get_boot_ns();
    running->has_rows = 0;
    return 0;
}
