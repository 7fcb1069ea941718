/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Plaintext as packets, so that Wireshark reassembles it, follows it and keeps HTTP/2's state: bare IP (LINKTYPE_RAW)
 * with TCP segments, or UDP datagrams, between the connection's real addresses. What TCP needs is made up: SYN and
 * SYN-ACK before the first byte, sequence numbers, ACKs, FINs at the end; bytes that were lost are a gap.
 *
 * The packets that were captured have the same addresses, and Wireshark must not take both for one connection: so one
 * port differs. What begins as HTTP is shown on port 80. Where Wireshark insists on TLS (993 …), the server's is shown
 * as that of the same protocol without TLS. Else it's the client's that differs, which says nothing.
 *
 * Where both ends are on this machine, each has its view of the same connection: the one that is met first is shown.
 */
#include "sink.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Bytes of a packet: what IPv4's total length can say. */
#define EC_SYNTHETIC_LEN_MAX 65535u

typedef struct ec_synthetic ec_synthetic;
ec_synthetic *ec_synthetic_new(void);
void ec_synthetic_free(ec_synthetic *synthetic);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_synthetic, ec_synthetic_free)

/* The port that isn't shown as it is. */
struct ec_synthetic_port {
    bool client; /* else it is the server's */
    uint16_t port;
};
/* `direction`: as epb_flags has it, for the process whose plaintext it is. `real` is borrowed. False to stop. */
typedef bool (*ec_synthetic_write)(const uint8_t *packet, uint32_t len, enum ec_direction direction,
                                   const struct ec_synthetic_port *real, void *data);
/* Writes the packets for this piece, in order; none if the other end's view is shown. Its connection must be
 * addressed. False as soon as `write` says so. */
bool ec_synthetic_add(ec_synthetic *synthetic, const struct ec_sink_plaintext *plaintext, ec_synthetic_write write,
                      void *data); /* Whether these first bytes are HTTP/1's or HTTP/2's, of either end. */
bool ec_synthetic_is_http(const uint8_t *data, uint32_t len);
