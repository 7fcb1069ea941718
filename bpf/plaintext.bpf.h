/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The TLS connections that plaintext is taken from: what the hooked calls, the probes on secrets and the sockets say of
 * one comes together here. A connection is known by its process and its object (SSL *, gnutls_session_t, *tls.Conn)
 * from its first call on, until the object is freed.
 */
#include "maps.bpf.h"

#include <stdbool.h>

struct connection_key {
    uint64_t object;
    uint32_t pid;
    uint32_t pad;
};

struct connection {
    uint64_t generation; /* ec_plaintext_event */
    uint64_t offset[2];  /* bytes moved so far, by enum ec_direction - 1 */
    uint64_t peeked;     /* of the bytes behind offset[IN], so many have been handed out already */
    uint64_t frame[2];   /* likewise by direction: of the call that is under way, 0: none */
    struct ec_plaintext_socket socket;
    uint8_t role;        /* enum ec_plaintext_role, as the library was told */
    uint8_t has_secret;  /* its secrets are known: with EC_PLAINTEXT_MISSING it is left alone */
    uint8_t socket_firm; /* the socket was used by a call that moves data, not just during the handshake */
    uint8_t pad[5];
};

/* Of the process that runs. */
static __always_inline struct connection_key connection_key_of(uint64_t object)
{
    return (struct connection_key){.object = object, .pid = bpf_get_current_pid_tgid() >> 32};
}

/* One entry, unless the session wants plaintext. */
EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, struct connection_key);
    __type(value, struct connection);
} connections SEC(".maps");

/* Go: the connection whose handshake a goroutine runs, for writeKeyLog() isn't told. */
struct goroutine_key {
    uint64_t goroutine; /* its g */
    uint32_t pid;
    uint32_t pad;
};

EC_SHARED struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 1);
    __type(key, struct goroutine_key);
    __type(value, uint64_t);
} go_handshakes SEC(".maps");

/* The connection, made if it is new. NULL: there is no room for it. */
static __always_inline struct connection *connection_get(const struct connection_key *key)
{
    struct connection *connection = bpf_map_lookup_elem(&connections, key);
    struct connection fresh = {};

    if (connection)
        return connection;
    fresh.generation = bpf_ktime_get_boot_ns();
    bpf_map_update_elem(&connections, key, &fresh, BPF_NOEXIST);
    return bpf_map_lookup_elem(&connections, key);
}

/* A secret of this connection has been caught. */
static __always_inline void connection_has_secret(uint64_t object)
{
    struct connection_key key = connection_key_of(object);
    struct connection *connection;

    if (config.plaintext != EC_PLAINTEXT_MISSING)
        return;
    connection = connection_get(&key);
    if (connection)
        connection->has_secret = 1;
}
