/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datagram.h"

#include "checksum.h"

#include <string.h>

enum { UDP_LEN = 8, IPV6_LEN = 40, PROTOCOL_UDP = 17 };

static uint32_t get_u16(const uint8_t *data)
{
    return (uint32_t)data[0] << 8 | data[1];
}

static void put_u16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

/* `len`: from the IP header on. */
static void fill_ip(uint8_t *ip, uint32_t len, uint32_t index)
{
    const size_t header = (ip[0] & 15u) * 4;

    if (ip[0] >> 4 == 6) {
        put_u16(ip + 4, len - IPV6_LEN);
        return;
    }
    put_u16(ip + 2, len);
    put_u16(ip + 4, get_u16(ip + 4) + index);
    put_u16(ip + 10, 0);
    put_u16(ip + 10, ec_checksum_end(ec_checksum_add(0, ip, header)));
}

/* The pseudo-header's sum (RFC 768, RFC 8200 8.1); the ffff in front of a mapped IPv4 address adds nothing to it. */
static uint64_t sum_ends(const struct ec_segment *segment)
{
    const uint64_t source = ec_checksum_add(0, segment->source.address, sizeof(segment->source.address));

    return ec_checksum_add(source, segment->destination.address, sizeof(segment->destination.address));
}

bool ec_datagram_cut(const uint8_t *data, const struct ec_segment *segment, uint16_t size, uint32_t index, uint8_t *to,
                     struct ec_datagram *ret_datagram)
{
    const size_t header = (size_t)(segment->payload - data), start = (size_t)size * index;
    const uint32_t total = get_u16(segment->payload - UDP_LEN + 4);
    uint8_t *udp = to + header - UDP_LEN;
    size_t len, captured;

    if (total < UDP_LEN || start >= total - UDP_LEN)
        return false;
    len = total - UDP_LEN - start < size ? total - UDP_LEN - start : size;
    captured = segment->payload_len <= start ? 0 : segment->payload_len - start;
    if (captured > len)
        captured = len;
    memcpy(to, data, header);
    memcpy(to + header, segment->payload + (captured ? start : 0), captured);
    fill_ip(to + segment->ip_at, (uint32_t)(header - segment->ip_at + len), index);
    put_u16(udp + 4, (uint32_t)(UDP_LEN + len));
    if (get_u16(udp + 6) != 0 && captured == len) {
        put_u16(udp + 6, 0);
        put_u16(udp + 6, ec_checksum_end_udp(
                             ec_checksum_add(sum_ends(segment) + PROTOCOL_UDP + UDP_LEN + len, udp, UDP_LEN + len)));
    }
    *ret_datagram = (struct ec_datagram){.caplen = (uint32_t)(header + captured),
                                         .len = (uint32_t)(header + len),
                                         .last = start + size >= total - UDP_LEN};
    return true;
}
