/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Between whom a library's connection is, where it does no I/O of its own (Node and others hand it bytes through memory
 * BIOs): its secrets name its client random, and that random's ClientHello was seen between two endpoints.
 *
 * Of more than REMEMBERED connections the older ones are forgotten.
 */
#include "abi.h"
#include "segment.h"

#include <glib.h>
#include <stdbool.h>

struct ec_address {
    struct ec_endpoint client, server;
    enum ec_transport transport;
    uint32_t client_pid, server_pid; /* 0: not known, or none of this machine */
};

typedef struct ec_addresses ec_addresses;
ec_addresses *ec_addresses_new(void);
void ec_addresses_free(ec_addresses *addresses);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_addresses, ec_addresses_free)

/* A handshake with this client random was seen. */
void ec_addresses_add(ec_addresses *addresses, const uint8_t client_random[static EC_RANDOM_LEN],
                      const struct ec_address *address);
/* A packet of that handshake was seen from `source`, an end of a connection of process `pid`, to another of `peer_pid`;
 * 0: none of this machine. */
void ec_addresses_own(ec_addresses *addresses, const uint8_t client_random[static EC_RANDOM_LEN],
                      const struct ec_endpoint *source, uint32_t pid, uint32_t peer_pid);
/* Whether one was seen over UDP between these two, in whichever direction. */
bool ec_addresses_is_datagram(const ec_addresses *addresses, const struct ec_endpoint *source,
                              const struct ec_endpoint *destination);
/* The process's object has this client random from `time` on, ns: secrets are read ahead of the plaintext, and by then
 * the object may be another connection's. In ascending order. */
void ec_addresses_name(ec_addresses *addresses, uint32_t pid, uint64_t object,
                       const uint8_t client_random[static EC_RANDOM_LEN], uint64_t time);
/* Of the connection that the object was at `time`, likewise in ascending order. False if it isn't known. */
bool ec_addresses_find(ec_addresses *addresses, uint32_t pid, uint64_t object, uint64_t time,
                       struct ec_address *ret_address);
