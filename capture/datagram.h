/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A packet that stands for several UDP datagrams of one connection, of one size but for the last. Programs hand them to
 * the kernel so (UDP_SEGMENT, udp(7)), and what cuts them, the kernel's last step or the network card, lies behind the
 * place where packets are captured; received ones the kernel may have put together (UDP_GRO). Here they are cut to what
 * is, or was, on the wire: each with the headers of the whole, lengths, IPv4 identification and checksums made its own,
 * as the kernel makes them (udp_offload.c and af_inet.c, Linux 4.18 to 6.18).
 */
#include "segment.h"

struct ec_datagram {
    uint32_t caplen, len; /* bytes that were captured, and on the wire */
    bool last;            /* no other one follows */
};

/* Writes the index-th datagram of a packet to `to`, which has room for all that was captured of the packet. `segment`:
 * a UDP segment, as parsed from `data`. `size`: its gso_size, > 0. False, nothing written: it has not so many. */
bool ec_datagram_cut(const uint8_t *data, const struct ec_segment *segment, uint16_t size, uint32_t index, uint8_t *to,
                     struct ec_datagram *ret_datagram);
