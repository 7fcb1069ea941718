/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The TCP segment or UDP datagram in a captured packet: addresses, ports, sequence number, payload. IPv4 (RFC 791),
 * IPv6 with its extension headers (RFC 8200), TCP (RFC 9293), UDP (RFC 768), behind Ethernet with up to two VLAN
 * tags, or bare. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Addresses as 16 bytes, IPv4 mapped (::ffff:a.b.c.d); ports in host order. Comparable by memcmp. */
struct ec_endpoint {
    uint8_t address[16];
    uint16_t port;
};

bool ec_endpoint_equal(const struct ec_endpoint *a, const struct ec_endpoint *b);

enum ec_transport { EC_TRANSPORT_TCP, EC_TRANSPORT_UDP };
enum ec_tcp_flag { EC_TCP_FIN = 1, EC_TCP_SYN = 2, EC_TCP_RST = 4 };

struct ec_segment {
    struct ec_endpoint source, destination;
    enum ec_transport transport;
    uint32_t sequence;      /* TCP only, 0 else */
    uint8_t flags;          /* enum ec_tcp_flag among others; TCP only, 0 else */
    size_t ip_at;           /* of the IP header, from the packet's start; bytes */
    const uint8_t *payload; /* within the packet */
    size_t payload_len;     /* bytes of it that were captured */
};

/* `linktype`: enum ec_linktype. False if there is no whole TCP or UDP header of an
 * unfragmented datagram in it; *ret_segment is untouched then. Never reads past `len`. */
bool ec_segment_parse(int linktype, const uint8_t *data, size_t len, struct ec_segment *ret_segment);
