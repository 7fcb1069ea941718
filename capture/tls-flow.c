/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS over TCP: records are followed by sequence number, so that bytes of a cut one are never taken for a header. */
#include "flow.h"
#include "tls-record.h"

#include <glib.h>
#include <string.h>

struct tls_flow {
    struct ec_flow base;
    bool early;                        /* 0-RTT offered */
    bool synced[2];                    /* per side: next_record is known */
    uint32_t next_record[2];           /* sequence number at which the next TLS record begins, or its header goes on */
    uint8_t cut[2][EC_TLS_HEADER_LEN]; /* that header's bytes in the segments before */
    uint8_t cut_len[2];
};

static bool begins(const struct ec_segment *segment)
{
    const uint8_t *payload = segment->payload;

    return segment->payload_len >= 6 && payload[0] == 22 && payload[1] == 3 && payload[5] == 1;
}

static struct ec_flow *open_flow(const struct ec_segment *segment)
{
    struct ec_tls_peek peek;
    struct tls_flow *flow;

    ec_tls_record_peek(segment->payload, segment->payload_len, 0, &peek);
    if (!(peek.seen & EC_TLS_CLIENT_HELLO))
        return NULL;
    flow = g_new0(struct tls_flow, 1);
    memcpy(flow->base.client_random, peek.client_random, EC_RANDOM_LEN);
    flow->base.has_random = true;
    return &flow->base;
}

/* With the same random it is the answer to a HelloRetryRequest. */
static bool continues(struct ec_flow *flow, const struct ec_segment *segment)
{
    struct ec_tls_peek peek;

    ec_tls_record_peek(segment->payload, segment->payload_len, 0, &peek);
    return !(peek.seen & EC_TLS_CLIENT_HELLO) || !memcmp(flow->client_random, peek.client_random, EC_RANDOM_LEN);
}

/* Where in this payload the next record begins, by sequence number; false if that isn't known or lies before it. */
static bool find_record(const struct tls_flow *flow, enum ec_side side, const struct ec_segment *segment,
                        size_t *ret_skip)
{
    int32_t ahead = (int32_t)(flow->next_record[side] - segment->sequence);

    if (!flow->synced[side]) {
        *ret_skip = 0;
        return true;
    }
    if (ahead < 0)
        return false;
    *ret_skip = (size_t)ahead;
    if (flow->cut_len[side] > 0 && *ret_skip < segment->payload_len) {
        size_t rest = 0;

        if (!ec_tls_record_resume(flow->cut[side], flow->cut_len[side], segment->payload + ahead,
                                  segment->payload_len - *ret_skip, &rest))
            return false;
        *ret_skip += rest;
    }
    return true;
}

static unsigned server_needs(struct tls_flow *flow, const struct ec_tls_peek *peek)
{
    uint16_t *version = &flow->base.version;
    unsigned need = 0;

    if ((peek->seen & EC_TLS_SERVER_HELLO) && !(peek->seen & EC_TLS_HELLO_RETRY)) {
        *version = peek->version;
        memcpy(flow->base.server_random, peek->server_random, EC_RANDOM_LEN);
        if (*version == 0x0304)
            need |= EC_LABEL_BIT(CLIENT_HANDSHAKE) | EC_LABEL_BIT(SERVER_HANDSHAKE);
    }
    if (*version == 0x0304 && (peek->seen & EC_TLS_APPLICATION_DATA))
        need |= EC_LABEL_BIT(SERVER_TRAFFIC_0);
    if (*version != 0 && *version < 0x0304 && (peek->seen & EC_TLS_CHANGE_CIPHER_SPEC))
        need |= EC_LABEL_BIT(CLIENT_RANDOM);
    return need;
}

static unsigned client_needs(const struct tls_flow *flow, const struct ec_tls_peek *peek)
{
    if (flow->base.version == 0)
        return flow->early && (peek->seen & EC_TLS_APPLICATION_DATA) ? EC_LABEL_BIT(CLIENT_EARLY) : 0;
    if (flow->base.version == 0x0304)
        return peek->seen & EC_TLS_APPLICATION_DATA ? EC_LABEL_BIT(CLIENT_TRAFFIC_0) : 0;
    return peek->seen & EC_TLS_CHANGE_CIPHER_SPEC ? EC_LABEL_BIT(CLIENT_RANDOM) : 0;
}

static void read_segment(struct ec_flow *base, enum ec_side side, const struct ec_segment *segment,
                         struct ec_flow_step *step)
{
    struct tls_flow *flow = (struct tls_flow *)base;
    struct ec_tls_peek peek;
    size_t skip;

    if (segment->flags & EC_TCP_RST) {
        step->over = true;
        return;
    }
    if (segment->payload_len == 0 || !find_record(flow, side, segment, &skip))
        return;
    ec_tls_record_peek(segment->payload, segment->payload_len, skip, &peek);
    flow->next_record[side] = segment->sequence + (uint32_t)(peek.next + peek.cut_len);
    flow->cut_len[side] = peek.cut_len;
    memcpy(flow->cut[side], peek.cut, sizeof(peek.cut));
    flow->synced[side] = true;
    if (side == EC_SIDE_CLIENT && (peek.seen & EC_TLS_EARLY_DATA))
        flow->early = true;
    step->labels = side == EC_SIDE_SERVER ? server_needs(flow, &peek) : client_needs(flow, &peek);
    step->answered = side == EC_SIDE_SERVER && (peek.seen & EC_TLS_SERVER_HELLO) && !(peek.seen & EC_TLS_HELLO_RETRY);
    step->last = (step->labels & (EC_LABEL_BIT(CLIENT_TRAFFIC_0) | EC_LABEL_BIT(CLIENT_RANDOM))) != 0;
    /* A handshake that fails before its ServerHello derives no secret. */
    step->over = side == EC_SIDE_SERVER && base->version == 0 && (peek.seen & EC_TLS_ALERT);
}

const struct ec_flow_rules ec_tls_flow_rules = {EC_TRANSPORT_TCP, begins,       continues,
                                                open_flow,        read_segment, ec_proof_read_tls};
