/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "statement.h"

#include "bind.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* 2000-01-01 00:00 UTC, in us since 1970: where PostgreSQL's times begin (POSTGRES_EPOCH_JDATE, datatype/timestamp.h)
 */
#define POSTGRES_EPOCH_US G_GUINT64_CONSTANT(946684800000000)
/* Connections that are remembered; full, those without a statement are forgotten, else all. */
#define CONNECTIONS_MAX 16384

struct connection_key {
    uint64_t connection;
    uint64_t pid;
};

/* One connection and the statement that it is at. */
struct connection {
    struct connection_key key;
    char *user, *database; /* NULL: not known */
    GString *text;         /* of the statement, or, without has_text, of the last one that was handed out */
    GString *next;         /* of the one that is being read, piece by piece */
    uint64_t started, next_started;
    uint64_t start;   /* ec_statement_event.start of the last text */
    bool is_repeated; /* of several commands in one text more are to come */
    bool has_text;
    bool cut, next_cut; /* it goes on */
    GByteArray *bind;   /* the Bind message of the statement, as much as was read; empty: none */
    uint32_t bind_total;
    bool bind_doubtful; /* of several portals with this text, it isn't known which is executed */
    enum ec_sql sql;
    bool has_rows, has_error;
    uint64_t rows;
    uint64_t number; /* the server's of the connection; 0: not known */
    uint32_t error;
    char *error_text;
};

struct statements {
    const struct ec_message_output *output;
    GHashTable *connections; /* struct connection_key to struct connection */
};

static guint key_hash(gconstpointer data)
{
    const struct connection_key *key = data;

    return (guint)((key->pid ^ key->connection >> 6 ^ key->connection >> 32) * 2654435769u);
}

static gboolean key_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct connection_key)) == 0;
}

static void connection_free(gpointer data)
{
    struct connection *connection = data;

    g_free(connection->user);
    g_free(connection->database);
    g_free(connection->error_text);
    g_string_free(connection->text, TRUE);
    g_string_free(connection->next, TRUE);
    g_byte_array_unref(connection->bind);
    g_free(connection);
}

static void *statements_open(const struct ec_message_output *output)
{
    struct statements *statements = g_new0(struct statements, 1);

    statements->output = output;
    statements->connections = g_hash_table_new_full(key_hash, key_equal, NULL, connection_free);
    return statements;
}

static void statements_close(void *state)
{
    struct statements *statements = state;

    g_hash_table_unref(statements->connections);
    g_free(statements);
}

static bool has_outcome(const struct connection *connection)
{
    return connection->has_text && (connection->has_rows || connection->has_error);
}

static gboolean is_idle(gpointer key, gpointer value, gpointer data)
{
    const struct connection *connection = value;
    (void)key;
    (void)data;

    return !connection->has_text;
}

/*
 * A backend of PostgreSQL says in its title whom it serves: "postgres: 15/main: app shop 10.0.0.7(51234) idle"; the
 * cluster's name is optional. Of one that is not so, nothing is taken.
 */
static void connection_read_title(struct connection *connection)
{
    g_autofree char *path = g_strdup_printf("/proc/%u/cmdline", (unsigned)connection->key.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char title[512] = "";
    ssize_t n = fd >= 0 ? read(fd, title, sizeof(title) - 1) : 0;

    if (fd >= 0)
        close(fd);
    if (n <= 0 || !g_str_has_prefix(title, "postgres: "))
        return;
    g_auto(GStrv) words = g_strsplit(title + strlen("postgres: "), " ", -1);
    char **word = *words && g_str_has_suffix(*words, ":") ? words + 1 : words;
    if (g_strv_length(word) < 3 || !(strcmp(word[2], "[local]") == 0 || strchr(word[2], '(')))
        return;
    connection->user = g_strdup(word[0]);
    connection->database = g_strdup(word[1]);
}

static struct connection *connection_get(struct statements *statements, const struct ec_statement_event *event)
{
    const struct connection_key key = {event->connection, event->record.pid};
    struct connection *connection = g_hash_table_lookup(statements->connections, &key);

    if (connection)
        return connection;
    if (g_hash_table_size(statements->connections) >= CONNECTIONS_MAX)
        g_hash_table_foreach_remove(statements->connections, is_idle, NULL);
    if (g_hash_table_size(statements->connections) >= CONNECTIONS_MAX)
        g_hash_table_remove_all(statements->connections);
    connection = g_new0(struct connection, 1);
    connection->key = key;
    connection->text = g_string_new(NULL);
    connection->next = g_string_new(NULL);
    connection->bind = g_byte_array_new();
    g_hash_table_insert(statements->connections, &connection->key, connection);
    connection->sql = EC_SQL_POSTGRES;
    if (event->connection == 0 && event->part != EC_STATEMENT_LOGIN)
        connection_read_title(connection);
    return connection;
}

/* But for its text. */
static void connection_forget_statement(struct connection *connection)
{
    connection->has_text = connection->has_rows = connection->has_error = connection->is_repeated = false;
    connection->bind_doubtful = false;
    g_byte_array_set_size(connection->bind, 0);
    connection->rows = 0;
    connection->error = 0;
    g_clear_pointer(&connection->error_text, g_free);
}

static void hand_out(const struct statements *statements, struct connection *connection,
                     const struct ec_statement_event *event)
{
    g_autoptr(GArray) parameters = g_array_new(FALSE, FALSE, sizeof(struct ec_sink_parameter));
    unsigned n_parameters = 0;
    struct ec_owner owner = {.pid = event->record.pid,
                             .tid = event->record.tid,
                             .uid = event->uid,
                             .flags = EC_OWNER_KNOWN | EC_OWNER_MATCH};
    struct ec_sink_statement statement = {
        .sql = connection->sql,
        .time = event->record.time,
        .started = connection->started,
        .owner = &owner,
        .module = connection->sql == EC_SQL_MYSQL ? EC_MODULE_MYSQLD : EC_MODULE_POSTGRES,
        .connection = connection->number,
        .user = connection->user,
        .database = connection->database,
        .text = connection->text->str,
        .len = connection->text->len,
        .full_len = connection->text->len + connection->cut,
        .has_rows = connection->has_rows && !connection->has_error,
        .rows = connection->rows,
        .has_error = connection->has_error,
        .error = connection->error,
        .error_text = connection->error_text,
    };

    if (connection->bind->len > 0 && !connection->bind_doubtful)
        ec_bind_parse(connection->bind->data, connection->bind->len, connection->bind_total, parameters, &n_parameters);
    statement.parameters = (const struct ec_sink_parameter *)(void *)parameters->data;
    statement.n_parameters = parameters->len;
    statement.full_n_parameters = n_parameters;
    memcpy(owner.comm, event->comm, sizeof(owner.comm));
    statements->output->statement(&statement, statements->output->data);
    connection_forget_statement(connection);
}

/* Hands out the statement if it has come to an end. */
static void connection_settle(const struct statements *statements, struct connection *connection,
                              const struct ec_statement_event *event)
{
    if (has_outcome(connection))
        hand_out(statements, connection, event);
}

static void take_login(struct connection *connection, const struct ec_statement_event *event)
{
    const char *user = (const char *)event->data, *end = user + event->len;
    const char *database = memchr(user, '\0', event->len);

    connection_forget_statement(connection);
    if (!database++ || !memchr(database, '\0', (size_t)(end - database)))
        return;
    g_free(connection->user);
    g_free(connection->database);
    connection->user = *user ? g_strdup(user) : NULL;
    connection->database = *database ? g_strdup(database) : NULL;
}

/* The whole text is there: the statement's own once more, or the next one's. */
static void finish_text(struct connection *connection)
{
    GString *text = connection->text;

    if (connection->has_text && g_string_equal(text, connection->next))
        return;
    connection_forget_statement(connection);
    connection->cut = connection->next_cut;
    connection->text = connection->next;
    connection->next = text;
    connection->started = connection->next_started;
    connection->has_text = true;
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * G_GUINT64_CONSTANT(1000000000) + (uint64_t)now.tv_nsec;
}

/* When it began, ns, CLOCK_BOOTTIME. The wall clock may have been set since: it then begins with its record. */
static uint64_t get_start(const struct ec_statement_event *event)
{
    const uint64_t start = (event->start + POSTGRES_EPOCH_US) * 1000;
    uint64_t now, ago;

    if (event->start == 0)
        return event->record.time;
    now = read_clock(CLOCK_REALTIME);
    ago = now - MIN(now, start);
    now = read_clock(CLOCK_BOOTTIME);
    return MIN(now - MIN(now, ago), event->record.time);
}

/* Whether what comes is another command of the text that the connection is at. */
static bool is_repetition(const struct connection *connection, const struct ec_statement_event *event)
{
    return connection->is_repeated && connection->start == event->start;
}

static void take_text(const struct statements *statements, struct connection *connection,
                      const struct ec_statement_event *event, uint64_t offset)
{
    if (offset == 0) {
        if (!is_repetition(connection, event))
            connection_settle(statements, connection, event);
        g_string_truncate(connection->next, 0);
        connection->next_started = get_start(event);
        connection->start = event->start;
    }
    /* A piece before it was lost: what comes of the statement must not be taken for another's. */
    if (connection->next->len != offset) {
        connection_forget_statement(connection);
        return;
    }
    g_string_append_len(connection->next, (const char *)event->data, event->len);
    connection->next_cut = event->last == EC_STATEMENT_CUT;
    if (event->last != EC_STATEMENT_MORE)
        finish_text(connection);
}

/* The text, which is reported before it, tells which statement it is of. */
static void take_bind(struct connection *connection, const struct ec_statement_event *event)
{
    const GByteArray *bind = connection->bind;

    if (!connection->has_text || event->total - event->len < event->value || event->total < event->len)
        return;
    if (event->value == 0) {
        /* One portal takes the place of another of its name; else both may be executed. */
        if (bind->len > 0 && event->len > 0 &&
            strncmp((const char *)bind->data, (const char *)event->data, MIN(bind->len, event->len)) != 0)
            connection->bind_doubtful = true;
        connection->started = connection->next_started;
        g_byte_array_set_size(connection->bind, 0);
        connection->bind_total = event->total;
    }
    if (bind->len == event->value)
        g_byte_array_append(connection->bind, event->data, event->len);
}

/* The fields of an ErrorResponse: a byte that tells which, and a text (PostgreSQL 18, 54.8). */
static char *format_postgres_error(const uint8_t *data, size_t len)
{
    const char *at = (const char *)data, *end = at + len, *code = "", *message = "", *next;
    g_autofree char *cut = NULL;

    for (; at < end && *at; at = next + 1) {
        next = memchr(at, '\0', (size_t)(end - at));
        if (!next && *at == 'M')
            message = cut = g_strndup(at + 1, (size_t)(end - at - 1));
        if (!next)
            break;
        if (*at == 'C')
            code = at + 1;
        else if (*at == 'M')
            message = at + 1;
    }
    return g_strdup_printf("%s %s", code, message);
}

static void take_rows(const struct statements *statements, struct connection *connection,
                      const struct ec_statement_event *event)
{
    if (event->len > 0)
        take_text(statements, connection, event, 0);
    /* A simple query has no Bind: one that was never executed may have the same text. */
    if (!(event->flags & EC_STATEMENT_EXECUTED)) {
        connection->started = connection->next_started;
        g_byte_array_set_size(connection->bind, 0);
    }
    connection->has_rows = true;
    connection->rows += event->value;
    connection->is_repeated = event->flags & EC_STATEMENT_SERIES;
    if (!connection->is_repeated)
        connection_settle(statements, connection, event);
}

/*
 * Without a text it is no statement's, but for what only the end of its transaction tells: constraints that are
 * deferred (class 23), and conflicts with others (class 40). The statement has succeeded before, and is shown again.
 */
static void take_error(const struct statements *statements, struct connection *connection,
                       const struct ec_statement_event *event)
{
    g_autofree char *text = format_postgres_error(event->data, event->len);

    if (event->flags & EC_STATEMENT_TEXTLESS) {
        connection_settle(statements, connection, event);
        connection_forget_statement(connection);
        if (connection->text->len == 0 || !(g_str_has_prefix(text, "23") || g_str_has_prefix(text, "40")))
            return;
        connection->has_text = true;
    }
    connection->has_error = true;
    g_free(connection->error_text);
    connection->error_text = g_steal_pointer(&text);
    connection_settle(statements, connection, event);
    connection_forget_statement(connection);
}

/* The NUL-terminated text at *at, copied; NULL if it is empty or not all there. Moves *at behind it. */
static char *take_name(const char **at, const char *end)
{
    const char *name = *at, *nul = memchr(name, '\0', (size_t)(end - name));

    *at = nul ? nul + 1 : end;
    return nul && nul > name ? g_strdup(name) : NULL;
}

static void take_done(const struct statements *statements, struct connection *connection,
                      const struct ec_statement_event *event)
{
    const char *at = (const char *)event->data, *end = at + event->len;
    struct ec_statement_result result;

    if (event->len < sizeof(result))
        return;
    memcpy(&result, at, sizeof(result));
    at += sizeof(result);
    g_free(connection->user);
    g_free(connection->database);
    g_free(connection->error_text);
    connection->user = take_name(&at, end);
    connection->database = take_name(&at, end);
    connection->error_text = take_name(&at, end);
    connection->sql = EC_SQL_MYSQL;
    connection->number = result.connection;
    connection->rows = result.rows;
    connection->has_rows = result.has_rows;
    connection->has_error = result.error != 0;
    connection->error = result.error;
    connection->started = event->value;
    if (connection->has_text)
        hand_out(statements, connection, event);
    connection_forget_statement(connection);
}

static void statements_take(void *state, const struct ec_record *record)
{
    const struct ec_statement_event *event = (const struct ec_statement_event *)record;
    struct statements *statements = state;
    struct connection *connection;

    if (event->len > record->size - sizeof(*event))
        return;
    connection = connection_get(statements, event);
    switch ((enum ec_statement_part)event->part) {
    case EC_STATEMENT_LOGIN:
        take_login(connection, event);
        break;
    case EC_STATEMENT_TEXT:
        take_text(statements, connection, event, event->value);
        break;
    case EC_STATEMENT_BIND:
        take_bind(connection, event);
        break;
    case EC_STATEMENT_ROWS:
        take_rows(statements, connection, event);
        break;
    case EC_STATEMENT_ERROR:
        take_error(statements, connection, event);
        break;
    case EC_STATEMENT_DONE:
        take_done(statements, connection, event);
        break;
    }
}

const struct ec_message_kind ec_statement_kind = {
    .type = EC_RECORD_STATEMENT,
    .size = sizeof(struct ec_statement_event),
    .open = statements_open,
    .take = statements_take,
    .close = statements_close,
};
