/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's programs count each connection's bytes; here it gets a number of its own and its addresses. Pieces go
 * out as they come: what a ring that was full has cost is a gap between their offsets.
 */
#include "plaintext.h"

#include <netinet/in.h>
#include <string.h>

/* More connections at once than this push the oldest out: they are taken for new ones then. */
#define CONNECTIONS_MAX 65536

struct key {
    uint64_t object, generation;
    uint32_t pid;
};

struct connection {
    struct key key;
    struct ec_sink_connection view;
    struct ec_owner owner; /* that used it last */
    uint64_t end[2];       /* behind the last byte, by enum ec_direction - 1 */
    GList link;            /* in state->order; data: this */
};

struct state {
    const struct ec_message_output *output;
    GHashTable *connections; /* struct key → struct connection * */
    GQueue order;            /* oldest first */
    uint64_t last_id;
};

static guint key_hash(gconstpointer data)
{
    const struct key *key = data;
    uint64_t mixed = (key->object >> 4 ^ key->generation ^ (uint64_t)key->pid << 20) * 0x9e3779b97f4a7c15u;

    return (guint)(mixed >> 32);
}

static gboolean key_equal(gconstpointer left, gconstpointer right)
{
    const struct key *a = left, *b = right;

    return a->object == b->object && a->generation == b->generation && a->pid == b->pid;
}

static void *state_open(const struct ec_message_output *output)
{
    struct state *state = g_new0(struct state, 1);

    state->output = output;
    state->connections = g_hash_table_new_full(key_hash, key_equal, NULL, g_free);
    return state;
}

static void state_close(void *data)
{
    struct state *state = data;

    g_hash_table_unref(state->connections);
    g_free(state);
}

static void give(const struct state *state, const struct connection *connection, struct ec_sink_plaintext *plaintext)
{
    plaintext->connection = &connection->view;
    plaintext->owner = &connection->owner;
    state->output->plaintext(plaintext, state->output->data);
}

/* The connection has ended, or is forgotten. */
static void connection_close(struct state *state, struct connection *connection, uint64_t time)
{
    struct ec_sink_plaintext plaintext = {
        .time = time, .direction = EC_DIRECTION_OUT, .offset = connection->end[EC_DIRECTION_OUT - 1], .closed = true};

    give(state, connection, &plaintext);
    g_queue_unlink(&state->order, &connection->link);
    g_hash_table_remove(state->connections, &connection->key);
}

static void process_close(struct state *state, uint32_t pid, uint64_t time)
{
    for (GList *at = state->order.head, *next; at; at = next) {
        struct connection *connection = at->data;

        next = at->next;
        if (connection->key.pid == pid)
            connection_close(state, connection, time);
    }
}

static struct connection *connection_add(struct state *state, const struct key *key, uint64_t time)
{
    struct connection *connection = g_new0(struct connection, 1);

    while (g_hash_table_size(state->connections) >= CONNECTIONS_MAX)
        connection_close(state, state->order.head->data, time);
    connection->key = *key;
    connection->view.id = ++state->last_id;
    connection->link.data = connection;
    g_queue_push_tail_link(&state->order, &connection->link);
    g_hash_table_insert(state->connections, &connection->key, connection);
    return connection;
}

/* What the library was told says more than who connected to whom; a server's port is mostly the lower one. */
static bool is_server(const struct ec_plaintext_event *event)
{
    const struct ec_plaintext_socket *socket = &event->socket;

    if (event->role != EC_PLAINTEXT_ROLE_UNKNOWN)
        return event->role == EC_PLAINTEXT_ROLE_SERVER;
    if (socket->role != EC_PLAINTEXT_ROLE_UNKNOWN)
        return socket->role == EC_PLAINTEXT_ROLE_SERVER;
    return socket->local_port < socket->remote_port;
}

static struct ec_endpoint endpoint_make(const uint8_t address[static 16], uint16_t port)
{
    struct ec_endpoint endpoint = {.port = port};

    memcpy(endpoint.address, address, sizeof(endpoint.address));
    return endpoint;
}

/* Which end of the handshake the process is, if the library was told, or the other end is another process. */
static enum ec_plaintext_role role_find(const struct ec_plaintext_event *event, const struct ec_address *address)
{
    const uint32_t pid = event->record.pid;

    if (event->role != EC_PLAINTEXT_ROLE_UNKNOWN || address->client_pid == address->server_pid)
        return (enum ec_plaintext_role)event->role;
    return address->client_pid == pid   ? EC_PLAINTEXT_ROLE_CLIENT
           : address->server_pid == pid ? EC_PLAINTEXT_ROLE_SERVER
                                        : EC_PLAINTEXT_ROLE_UNKNOWN;
}

/* It moves its bytes through memory: between whom its handshake was. */
static void connection_address_by_handshake(const struct state *state, struct connection *connection,
                                            const struct ec_plaintext_event *event)
{
    enum ec_plaintext_role role = EC_PLAINTEXT_ROLE_UNKNOWN;
    struct ec_address address;

    if (state->output->handshakes && ec_addresses_find(ec_handshakes_get_addresses(state->output->handshakes),
                                                       event->record.pid, event->object, event->record.time, &address))
        role = role_find(event, &address);
    if (role == EC_PLAINTEXT_ROLE_UNKNOWN)
        return;
    connection->view.addressed = true;
    connection->view.server = role == EC_PLAINTEXT_ROLE_SERVER;
    connection->view.transport = address.transport;
    connection->view.local = connection->view.server ? address.server : address.client;
    connection->view.remote = connection->view.server ? address.client : address.server;
}

static void connection_address(const struct state *state, struct connection *connection,
                               const struct ec_plaintext_event *event)
{
    const struct ec_plaintext_socket *socket = &event->socket;

    if (connection->view.addressed)
        return;
    if (!socket->cookie) {
        connection_address_by_handshake(state, connection, event);
        return;
    }
    connection->view.addressed = true;
    connection->view.server = is_server(event);
    connection->view.transport = socket->protocol == IPPROTO_UDP ? EC_TRANSPORT_UDP : EC_TRANSPORT_TCP;
    connection->view.local = endpoint_make(socket->local, socket->local_port);
    connection->view.remote = endpoint_make(socket->remote, socket->remote_port);
}

static void connection_own(struct connection *connection, const struct ec_plaintext_event *event)
{
    connection->owner.pid = event->record.pid;
    connection->owner.tid = event->record.tid;
    connection->owner.uid = event->uid;
    connection->owner.flags = EC_OWNER_KNOWN | EC_OWNER_MATCH;
    memcpy(connection->owner.comm, event->comm, sizeof(event->comm));
    connection->owner.comm[sizeof(event->comm) - 1] = '\0';
}

static void data_take(struct state *state, struct connection *connection, const struct ec_plaintext_event *event)
{
    struct ec_sink_plaintext plaintext = {.time = event->record.time,
                                          .direction = (enum ec_direction)event->direction,
                                          .offset = event->offset,
                                          .data = event->data,
                                          .len = event->len};

    connection_own(connection, event);
    connection_address(state, connection, event);
    connection->end[event->direction - 1] = event->offset + event->len;
    give(state, connection, &plaintext);
}

static bool is_sound(const struct ec_plaintext_event *event)
{
    if (event->flags & (EC_PLAINTEXT_CLOSED | EC_PLAINTEXT_EXITED))
        return true;
    return event->len > 0 && event->len <= event->record.size - sizeof(*event) &&
           (event->direction == EC_DIRECTION_IN || event->direction == EC_DIRECTION_OUT);
}

static void state_take(void *data, const struct ec_record *record)
{
    const struct ec_plaintext_event *event = (const struct ec_plaintext_event *)record;
    const struct key key = {event->object, event->generation, record->pid};
    struct state *state = data;
    struct connection *connection;

    if (!is_sound(event))
        return;
    if (event->flags & EC_PLAINTEXT_EXITED) {
        process_close(state, record->pid, record->time);
        return;
    }
    connection = g_hash_table_lookup(state->connections, &key);
    if (event->flags & EC_PLAINTEXT_CLOSED) {
        if (connection)
            connection_close(state, connection, record->time);
        return;
    }
    if (!connection)
        connection = connection_add(state, &key, record->time);
    data_take(state, connection, event);
}

const struct ec_message_kind ec_plaintext_kind = {
    .type = EC_RECORD_PLAINTEXT,
    .size = sizeof(struct ec_plaintext_event),
    .open = state_open,
    .take = state_take,
    .close = state_close,
};
