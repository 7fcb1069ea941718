/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QUIC v1 and v2. What tshark 4.0.17 needs, found by shifting each secret in a file:
 *
 *   0-RTT packet                        CLIENT_EARLY_TRAFFIC_SECRET
 *   Handshake packet                    its sender's *_HANDSHAKE_TRAFFIC_SECRET
 *   first 1-RTT packet, of either side  both *_TRAFFIC_SECRET_0, or none is decrypted ever after
 *
 * The server's first datagram may hold all three kinds. The ClientHello's random lies under the client's Initial keys,
 * which anybody can derive; several packets may be needed to put it together. Packets are matched to the flow by
 * addresses and ports: a connection that migrates after its handshake needs no more secrets.
 */
#include "flow.h"
#include "quic-initial.h"

#include <glib.h>
#include <string.h>

enum { LONG_HEADER = 0x80 };
#define TLS13 0x0304

struct quic_flow {
    struct ec_flow base;
    struct ec_quic_keys keys;
    struct ec_quic_hello hello;
};

/* Only a client opens with an Initial packet, and in a datagram of full size (RFC 9000 14.1). */
static bool begins(const struct ec_segment *segment)
{
    struct ec_quic_packet packet;

    return segment->payload_len >= EC_QUIC_INITIAL_MIN && (segment->payload[0] & LONG_HEADER) &&
           ec_quic_packet_parse(segment->payload, segment->payload_len, &packet) && packet.type == EC_QUIC_INITIAL;
}

/* Takes in the datagram's first Initial packets. False if the first one is not of these keys. */
static bool read_initials(struct quic_flow *flow, const struct ec_segment *segment)
{
    size_t at = 0, len = segment->payload_len;
    struct ec_quic_packet packet;

    while (ec_quic_packet_parse(segment->payload + at, len - at, &packet) && packet.type == EC_QUIC_INITIAL &&
           ec_quic_initial_read(&flow->keys, segment->payload + at, &packet, &flow->hello))
        at += packet.len;
    return at > 0;
}

static void take_random(struct quic_flow *flow)
{
    const uint8_t *random = flow->base.has_random ? NULL : ec_quic_hello_get_random(&flow->hello);

    if (!random)
        return;
    memcpy(flow->base.client_random, random, EC_RANDOM_LEN);
    flow->base.has_random = true;
}

static struct ec_flow *open_flow(const struct ec_segment *segment)
{
    g_autofree struct quic_flow *flow = g_new0(struct quic_flow, 1);
    struct ec_quic_packet packet;

    if (!ec_quic_packet_parse(segment->payload, segment->payload_len, &packet) ||
        !ec_quic_keys_derive(packet.version, packet.id, packet.id_len, &flow->keys) || !read_initials(flow, segment))
        return NULL;
    take_random(flow);
    return &((struct quic_flow *)g_steal_pointer(&flow))->base;
}

/* A Retry, an incompatible version or a new connection brings new keys; the server's own Initial packets are under
 * other keys from the first. */
static bool continues(struct ec_flow *base, const struct ec_segment *segment)
{
    struct quic_flow *flow = (struct quic_flow *)base;

    if (!ec_endpoint_equal(&segment->source, &base->client))
        return true;
    if (!read_initials(flow, segment))
        return false;
    take_random(flow);
    return true;
}

static void read_short(struct ec_flow *flow, enum ec_side side, struct ec_flow_step *step)
{
    if (side == EC_SIDE_SERVER)
        flow->version = TLS13;
    if (flow->version == 0)
        return;
    step->labels |= EC_LABEL_BIT(CLIENT_TRAFFIC_0) | EC_LABEL_BIT(SERVER_TRAFFIC_0);
    /* The client's Handshake packets have gone before, or with it. */
    step->last = side == EC_SIDE_CLIENT;
}

static void read_long(struct ec_flow *flow, enum ec_side side, const struct ec_quic_packet *packet,
                      struct ec_flow_step *step)
{
    if (packet->type == EC_QUIC_0RTT)
        step->labels |= EC_LABEL_BIT(CLIENT_EARLY);
    if (packet->type != EC_QUIC_HANDSHAKE)
        return;
    flow->version = TLS13;
    step->labels |= side == EC_SIDE_SERVER ? EC_LABEL_BIT(SERVER_HANDSHAKE) : EC_LABEL_BIT(CLIENT_HANDSHAKE);
}

static void read_segment(struct ec_flow *flow, enum ec_side side, const struct ec_segment *segment,
                         struct ec_flow_step *step)
{
    const uint8_t *at = segment->payload, *end = at + segment->payload_len;
    const struct ec_quic_packet *before = NULL;
    struct ec_quic_packet packet;

    for (; at < end && ec_quic_packet_parse(at, (size_t)(end - at), &packet); at += packet.len) {
        read_long(flow, side, &packet, step);
        before = &packet;
    }
    if (ec_quic_is_short(at, (size_t)(end - at), before))
        read_short(flow, side, step);
    if (!flow->has_random)
        *step = (struct ec_flow_step){0};
    /* A server sends 1-RTT packets before the client's Finished has come, from which it derives the client's. */
    step->patient = (step->labels & EC_LABEL_BIT(CLIENT_TRAFFIC_0)) != 0;
}

const struct ec_flow_rules ec_quic_flow_rules = {EC_TRANSPORT_UDP, begins,       continues,
                                                 open_flow,        read_segment, ec_proof_read_quic};
