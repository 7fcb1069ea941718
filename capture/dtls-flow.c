/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DTLS 1.2 and 1.0 (RFC 6347, RFC 4347): whole records in each datagram, so nothing has to be followed. The second
 * ClientHello, with the cookie of a HelloVerifyRequest, has the first one's random (RFC 6347 4.2.1). A ClientHello
 * whose first fragment does not reach to the end of the random is not seen.
 *
 * DTLS 1.3 (RFC 9147) is told apart by nothing that needs a secret here: its encrypted records begin with other types.
 */
#include "flow.h"

#include <glib.h>
#include <string.h>

enum {
    RECORD_HEADER_LEN = 13,    /* RFC 6347 4.1: type, version, epoch, 48-bit sequence number, length */
    HANDSHAKE_HEADER_LEN = 12, /* RFC 6347 4.2.2: type, length, message_seq, fragment_offset, fragment_length */
    HELLO_LEN = 2 + EC_RANDOM_LEN,
};
enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_APPLICATION_DATA = 23 };
enum { HANDSHAKE_CLIENT_HELLO = 1, HANDSHAKE_SERVER_HELLO = 2 };

static uint16_t get_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static bool is_version(uint16_t version)
{
    return version == 0xfeff || version == 0xfefd;
}

/* A first fragment, in the clear, whose hello is here as far as its random. */
static bool is_hello(const uint8_t *record, size_t len, uint8_t type)
{
    const uint8_t *message = record + RECORD_HEADER_LEN;

    return len >= RECORD_HEADER_LEN + HANDSHAKE_HEADER_LEN + HELLO_LEN && record[0] == TYPE_HANDSHAKE &&
           is_version(get_u16(record + 1)) && get_u16(record + 3) == 0 &&
           get_u16(record + 11) >= HANDSHAKE_HEADER_LEN + HELLO_LEN && message[0] == type && message[6] == 0 &&
           get_u16(message + 7) == 0 && (message[9] || get_u16(message + 10) >= HELLO_LEN);
}

static const uint8_t *get_hello(const uint8_t *record)
{
    return record + RECORD_HEADER_LEN + HANDSHAKE_HEADER_LEN;
}

static bool begins(const struct ec_segment *segment)
{
    return is_hello(segment->payload, segment->payload_len, HANDSHAKE_CLIENT_HELLO);
}

static struct ec_flow *open_flow(const struct ec_segment *segment)
{
    struct ec_flow *flow = g_new0(struct ec_flow, 1);

    memcpy(flow->client_random, get_hello(segment->payload) + 2, EC_RANDOM_LEN);
    flow->has_random = true;
    return flow;
}

static bool continues(struct ec_flow *flow, const struct ec_segment *segment)
{
    return !memcmp(flow->client_random, get_hello(segment->payload) + 2, EC_RANDOM_LEN);
}

static void read_record(struct ec_flow *flow, enum ec_side side, const uint8_t *record, size_t len,
                        struct ec_flow_step *step)
{
    bool encrypted = get_u16(record + 3) != 0;

    if (side == EC_SIDE_SERVER && is_hello(record, len, HANDSHAKE_SERVER_HELLO))
        flow->version = get_u16(get_hello(record));
    else if (flow->version == 0)
        step->over |= side == EC_SIDE_SERVER && record[0] == TYPE_ALERT && !encrypted;
    else if (record[0] == TYPE_CHANGE_CIPHER_SPEC || encrypted) /* either may be the one that got lost */
        step->labels |= EC_LABEL_BIT(CLIENT_RANDOM);
}

static void read_segment(struct ec_flow *flow, enum ec_side side, const struct ec_segment *segment,
                         struct ec_flow_step *step)
{
    const uint8_t *record = segment->payload;
    size_t rest = segment->payload_len;

    while (rest >= RECORD_HEADER_LEN && record[0] >= TYPE_CHANGE_CIPHER_SPEC && record[0] <= TYPE_APPLICATION_DATA &&
           is_version(get_u16(record + 1))) {
        size_t len = MIN(rest, RECORD_HEADER_LEN + (size_t)get_u16(record + 11));

        read_record(flow, side, record, len, step);
        record += len;
        rest -= len;
    }
    step->last = step->labels != 0;
}

const struct ec_flow_rules ec_dtls_flow_rules = {EC_TRANSPORT_UDP, begins,       continues,
                                                 open_flow,        read_segment, ec_proof_read_dtls};
