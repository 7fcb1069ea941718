/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "segment.h"

#include "linktype.h"

#include <string.h>

enum { ETHERTYPE_IPV4 = 0x0800, ETHERTYPE_IPV6 = 0x86dd, ETHERTYPE_VLAN = 0x8100, ETHERTYPE_QINQ = 0x88a8 };
enum { PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };
enum { PROTOCOL_HOPOPTS = 0, PROTOCOL_ROUTING = 43, PROTOCOL_FRAGMENT = 44, PROTOCOL_DSTOPTS = 60 };

/* What is left of the packet. */
struct rest {
    const uint8_t *data;
    size_t len;
};

bool ec_endpoint_equal(const struct ec_endpoint *a, const struct ec_endpoint *b)
{
    return a->port == b->port && !memcmp(a->address, b->address, sizeof(a->address));
}

static uint16_t get_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static uint32_t get_u32(const uint8_t *data)
{
    return (uint32_t)get_u16(data) << 16 | get_u16(data + 2);
}

static bool skip(struct rest *rest, size_t n)
{
    if (rest->len < n)
        return false;
    rest->data += n;
    rest->len -= n;
    return true;
}

/* Padding behind the datagram (short Ethernet frames) is no payload. A length of 0 is a GSO packet
 * over 64 KiB: it goes to the end. */
static void limit(struct rest *rest, size_t len)
{
    if (len != 0 && rest->len > len)
        rest->len = len;
}

static bool skip_ethernet(struct rest *rest)
{
    uint16_t type;

    if (rest->len < 14)
        return false;
    type = get_u16(rest->data + 12);
    skip(rest, 14);
    for (int tags = 0; tags < 2 && (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ); tags++) {
        if (rest->len < 4)
            return false;
        type = get_u16(rest->data + 2);
        skip(rest, 4);
    }
    return type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6;
}

static void set_ipv4(struct ec_endpoint *endpoint, const uint8_t address[4])
{
    memset(endpoint->address, 0, 10);
    memset(endpoint->address + 10, 0xff, 2);
    memcpy(endpoint->address + 12, address, 4);
}

static bool take_protocol(uint8_t protocol, struct ec_segment *segment)
{
    segment->transport = protocol == PROTOCOL_UDP ? EC_TRANSPORT_UDP : EC_TRANSPORT_TCP;
    return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP;
}

static bool parse_ipv4(struct rest *rest, struct ec_segment *segment)
{
    size_t header;

    if (rest->len < 20)
        return false;
    header = (rest->data[0] & 15u) * 4;
    if (header < 20 || !take_protocol(rest->data[9], segment) || (get_u16(rest->data + 6) & 0x3fff))
        return false;
    set_ipv4(&segment->source, rest->data + 12);
    set_ipv4(&segment->destination, rest->data + 16);
    limit(rest, get_u16(rest->data + 2));
    return skip(rest, header);
}

static bool parse_ipv6(struct rest *rest, struct ec_segment *segment)
{
    uint8_t next;

    if (rest->len < 40)
        return false;
    next = rest->data[6];
    memcpy(segment->source.address, rest->data + 8, 16);
    memcpy(segment->destination.address, rest->data + 24, 16);
    limit(rest, get_u16(rest->data + 4) ? 40u + get_u16(rest->data + 4) : 0);
    skip(rest, 40);
    while (next == PROTOCOL_HOPOPTS || next == PROTOCOL_ROUTING || next == PROTOCOL_DSTOPTS) {
        if (rest->len < 8)
            return false;
        next = rest->data[0];
        if (!skip(rest, (rest->data[1] + 1u) * 8))
            return false;
    }
    return take_protocol(next, segment);
}

static bool parse_tcp(struct rest *rest, struct ec_segment *segment)
{
    size_t header;

    if (rest->len < 20)
        return false;
    header = (rest->data[12] >> 4) * 4u;
    segment->source.port = get_u16(rest->data);
    segment->destination.port = get_u16(rest->data + 2);
    segment->sequence = get_u32(rest->data + 4);
    segment->flags = rest->data[13];
    return header >= 20 && skip(rest, header);
}

static bool parse_udp(struct rest *rest, struct ec_segment *segment)
{
    if (rest->len < 8)
        return false;
    segment->source.port = get_u16(rest->data);
    segment->destination.port = get_u16(rest->data + 2);
    limit(rest, get_u16(rest->data + 4));
    return skip(rest, 8);
}

bool ec_segment_parse(int linktype, const uint8_t *data, size_t len, struct ec_segment *ret_segment)
{
    struct rest rest = {data, len};
    struct ec_segment segment = {0};
    bool ip;

    if (linktype == EC_LINKTYPE_ETHERNET && !skip_ethernet(&rest))
        return false;
    if (rest.len == 0)
        return false;
    segment.ip_at = (size_t)(rest.data - data);
    ip = rest.data[0] >> 4 == 4 ? parse_ipv4(&rest, &segment) : rest.data[0] >> 4 == 6 && parse_ipv6(&rest, &segment);
    if (!ip || !(segment.transport == EC_TRANSPORT_UDP ? parse_udp : parse_tcp)(&rest, &segment))
        return false;
    segment.payload = rest.data;
    segment.payload_len = rest.len;
    *ret_segment = segment;
    return true;
}
