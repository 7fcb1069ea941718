/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unlike tls-flow.c, which has to say something about every segment at once, this puts records together from their
 * segments first: a tag can only be checked behind the last byte.
 */
#include "proof.h"

#include "quic-initial.h"
#include "tls-record.h"
#include "tls-verify.h"

#include <string.h>

enum {
    DTLS_HEADER_LEN = 13,         /* RFC 6347 4.1 */
    RECORD_MAX = 16384 + 2048,    /* RFC 5246 6.2.3 */
    QUIC_PACKET_MAX = 4096 + 512, /* longer than any Handshake packet that fits a frame */
};
enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_HANDSHAKE = 22, TYPE_APPLICATION_DATA = 23 };
enum { TLS13 = 0x0304 };

/* One direction. */
struct lane {
    bool started;
    bool changed;      /* its ChangeCipherSpec has passed */
    bool whole;        /* `bytes` is the first encrypted record, or Handshake packet, and nothing else */
    uint32_t next;     /* sequence number that follows `bytes`; TCP only */
    GByteArray *bytes; /* TCP: what is not read yet; NULL when done */
    enum ec_proof_state state;
};

struct ec_proof {
    struct ec_verify_session session; /* version 0: the ServerHello hasn't come */
    enum ec_transport transport;
    struct lane lanes[2];
    bool early;      /* 0-RTT data is offered */
    unsigned labels; /* bits of those that have come */
    struct ec_secret secrets[EC_LABEL_MAX];
};

ec_proof *ec_proof_new(void)
{
    ec_proof *proof = g_new0(ec_proof, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(proof->lanes); i++)
        proof->lanes[i].bytes = g_byte_array_new();
    return proof;
}

void ec_proof_free(ec_proof *proof)
{
    if (!proof)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(proof->lanes); i++)
        g_clear_pointer(&proof->lanes[i].bytes, g_byte_array_unref);
    explicit_bzero(proof->secrets, sizeof(proof->secrets));
    g_free(proof);
}

void ec_proof_add_secret(ec_proof *proof, const struct ec_secret *secret)
{
    enum ec_secret_label label = ec_secret_label_parse(secret->label);

    if (label == EC_LABEL_MAX)
        return;
    proof->labels |= 1u << label;
    proof->secrets[label] = *secret;
}

static void lane_end(struct lane *lane, enum ec_proof_state state)
{
    lane->state = state;
    g_clear_pointer(&lane->bytes, g_byte_array_unref);
}

/* ---- TLS ---- */

static uint16_t get_u16(const uint8_t *data)
{
    return (uint16_t)(data[0] << 8 | data[1]);
}

static void take_server_hello(ec_proof *proof, const struct ec_tls_peek *peek)
{
    if (!(peek->seen & EC_TLS_SERVER_HELLO) || (peek->seen & EC_TLS_HELLO_RETRY))
        return;
    proof->session.version = peek->version;
    proof->session.suite = peek->suite;
    proof->session.encrypt_then_mac = peek->seen & EC_TLS_ENCRYPT_THEN_MAC;
    memcpy(proof->session.server_random, peek->server_random, EC_RANDOM_LEN);
}

/* A whole record. True if it is encrypted. A ChangeCipherSpec may stand in front of a hello, for middleboxes (RFC 8446
 * D.4). */
static bool read_record(ec_proof *proof, enum ec_side side, const uint8_t *record, size_t len)
{
    struct lane *lane = &proof->lanes[side];
    struct ec_tls_peek peek;

    if (record[0] == TYPE_CHANGE_CIPHER_SPEC) {
        lane->changed = true;
        return false;
    }
    ec_tls_record_peek(record, len, 0, &peek);
    if (side == EC_SIDE_SERVER)
        take_server_hello(proof, &peek);
    proof->early |= side == EC_SIDE_CLIENT && (peek.seen & EC_TLS_EARLY_DATA);
    if (peek.seen & (EC_TLS_CLIENT_HELLO | EC_TLS_SERVER_HELLO))
        return false;
    return lane->changed || record[0] == TYPE_APPLICATION_DATA;
}

/* Reads the whole records of `bytes`, up to the first one that is encrypted. */
static void read_records(ec_proof *proof, enum ec_side side)
{
    struct lane *lane = &proof->lanes[side];
    GByteArray *bytes = lane->bytes;
    size_t at = 0, len = 0;

    while (!lane->whole && bytes->len - at >= EC_TLS_HEADER_LEN) {
        len = EC_TLS_HEADER_LEN + get_u16(bytes->data + at + 3);
        if (bytes->data[at] < TYPE_CHANGE_CIPHER_SPEC || bytes->data[at] > TYPE_APPLICATION_DATA || len > RECORD_MAX) {
            lane_end(lane, EC_PROOF_UNCHECKED);
            return;
        }
        if (bytes->len - at < len)
            break;
        lane->whole = read_record(proof, side, bytes->data + at, len);
        at += lane->whole ? 0 : len;
    }
    if (at > 0)
        g_byte_array_remove_range(bytes, 0, (guint)at);
    if (lane->whole)
        g_byte_array_set_size(bytes, (guint)len);
}

void ec_proof_read_tls(ec_proof *proof, enum ec_side side, const struct ec_segment *segment)
{
    struct lane *lane = &proof->lanes[side];
    uint32_t known;

    proof->transport = EC_TRANSPORT_TCP;
    if (lane->state != EC_PROOF_OPEN || lane->whole || segment->payload_len == 0)
        return;
    if (!lane->started)
        lane->next = segment->sequence;
    lane->started = true;
    known = lane->next - segment->sequence;
    if ((int32_t)known < 0) { /* what is between was not captured */
        lane_end(lane, EC_PROOF_UNCHECKED);
        return;
    }
    if (known >= segment->payload_len)
        return;
    g_byte_array_append(lane->bytes, segment->payload + known, (guint)(segment->payload_len - known));
    lane->next = segment->sequence + (uint32_t)segment->payload_len;
    read_records(proof, side);
}

/* ---- DTLS ---- */

/* The record as a record of TLS, whose hellos are the same behind the handshake header's extra 8 bytes (RFC 6347
 * 4.2.2). A ServerHello in fragments isn't put together. */
static void read_dtls_hello(ec_proof *proof, const uint8_t *record, size_t len)
{
    enum { EXTRA = 8, MESSAGE_HEADER_LEN = 4 };
    g_autofree uint8_t *hello = NULL;
    struct ec_tls_peek peek;
    size_t body;

    if (len < DTLS_HEADER_LEN + MESSAGE_HEADER_LEN + EXTRA + 2 || record[DTLS_HEADER_LEN] != 2)
        return;
    body = len - DTLS_HEADER_LEN - EXTRA;
    hello = g_malloc(EC_TLS_HEADER_LEN + body);
    memcpy(hello, (uint8_t[]){TYPE_HANDSHAKE, 3, 3, (uint8_t)(body >> 8), (uint8_t)body}, EC_TLS_HEADER_LEN);
    memcpy(hello + EC_TLS_HEADER_LEN, record + DTLS_HEADER_LEN, MESSAGE_HEADER_LEN);
    memcpy(hello + EC_TLS_HEADER_LEN + MESSAGE_HEADER_LEN, record + DTLS_HEADER_LEN + MESSAGE_HEADER_LEN + EXTRA,
           body - MESSAGE_HEADER_LEN);
    /* The peek wants a version of TLS there. */
    if (get_u16(hello + EC_TLS_HEADER_LEN + MESSAGE_HEADER_LEN) != 0xfefd)
        return;
    memcpy(hello + EC_TLS_HEADER_LEN + MESSAGE_HEADER_LEN, "\3\3", 2);
    ec_tls_record_peek(hello, EC_TLS_HEADER_LEN + body, 0, &peek);
    take_server_hello(proof, &peek);
}

void ec_proof_read_dtls(ec_proof *proof, enum ec_side side, const struct ec_segment *segment)
{
    struct lane *lane = &proof->lanes[side];
    const uint8_t *record = segment->payload;
    size_t rest = segment->payload_len, len;

    proof->transport = EC_TRANSPORT_UDP;
    for (; lane->state == EC_PROOF_OPEN && !lane->whole && rest >= DTLS_HEADER_LEN; record += len, rest -= len) {
        len = DTLS_HEADER_LEN + (size_t)get_u16(record + 11);
        if (len > rest)
            return;
        if (get_u16(record + 3) == 0) {
            if (side == EC_SIDE_SERVER && record[0] == TYPE_HANDSHAKE)
                read_dtls_hello(proof, record, len);
            continue;
        }
        g_byte_array_append(lane->bytes, record, (guint)len);
        lane->whole = true;
    }
}

/* ---- QUIC ---- */

void ec_proof_read_quic(ec_proof *proof, enum ec_side side, const struct ec_segment *segment)
{
    struct lane *lane = &proof->lanes[side];
    const uint8_t *at = segment->payload, *end = at + segment->payload_len;
    struct ec_quic_packet packet;

    proof->transport = EC_TRANSPORT_UDP;
    proof->session.version = TLS13;
    for (; lane->state == EC_PROOF_OPEN && !lane->whole && at < end &&
           ec_quic_packet_parse(at, (size_t)(end - at), &packet);
         at += packet.len) {
        if (packet.type != EC_QUIC_HANDSHAKE || packet.len > QUIC_PACKET_MAX)
            continue;
        g_byte_array_append(lane->bytes, at, (guint)packet.len);
        lane->whole = true;
    }
}

/* ---- the check ---- */

static enum ec_verify_result open_tls(const ec_proof *proof, enum ec_side side, const struct ec_secret *secret)
{
    const uint8_t *bytes = proof->lanes[side].bytes->data;
    const size_t header = proof->transport == EC_TRANSPORT_TCP ? EC_TLS_HEADER_LEN : DTLS_HEADER_LEN;
    struct ec_verify_record record = {.from_server = side == EC_SIDE_SERVER,
                                      .type = bytes[0],
                                      .version = get_u16(bytes + 1),
                                      .fragment = bytes + header,
                                      .len = proof->lanes[side].bytes->len - header};

    for (size_t i = 0; header == DTLS_HEADER_LEN && i < 8; i++)
        record.sequence = record.sequence << 8 | bytes[3 + i];
    return ec_tls_verify(&proof->session, secret, &record);
}

static enum ec_verify_result open_quic(const ec_proof *proof, enum ec_side side, const struct ec_secret *secret)
{
    const GByteArray *bytes = proof->lanes[side].bytes;
    struct ec_quic_packet packet;

    if (!ec_quic_packet_parse(bytes->data, bytes->len, &packet))
        return EC_VERIFY_UNSUPPORTED;
    return ec_quic_verify(secret, bytes->data, &packet);
}

/* Under which this direction's first record may be; all of them are tried once they have come. */
static unsigned get_labels(const ec_proof *proof, enum ec_side side)
{
    unsigned early = proof->labels & 1u << EC_LABEL_CLIENT_EARLY;

    if (proof->session.version != TLS13)
        return 1u << EC_LABEL_CLIENT_RANDOM;
    if (side == EC_SIDE_SERVER)
        return 1u << EC_LABEL_SERVER_HANDSHAKE;
    return 1u << EC_LABEL_CLIENT_HANDSHAKE | (proof->transport == EC_TRANSPORT_TCP ? early : 0);
}

static void lane_check(ec_proof *proof, enum ec_side side)
{
    struct lane *lane = &proof->lanes[side];
    const unsigned labels = get_labels(proof, side);
    const bool quic = proof->transport == EC_TRANSPORT_UDP && proof->session.version == TLS13;
    enum ec_verify_result result = EC_VERIFY_WRONG;

    if (!lane->whole || lane->state != EC_PROOF_OPEN || proof->session.version == 0 || labels & ~proof->labels)
        return;
    for (unsigned label = 0; label < EC_LABEL_MAX && result == EC_VERIFY_WRONG; label++)
        if (labels & 1u << label)
            result = (quic ? open_quic : open_tls)(proof, side, &proof->secrets[label]);
    /* A server that refuses 0-RTT data derives no secret for it. */
    if (result == EC_VERIFY_WRONG && side == EC_SIDE_CLIENT && proof->early)
        result = EC_VERIFY_UNSUPPORTED;
    lane_end(lane, result == EC_VERIFY_VERIFIED ? EC_PROOF_VERIFIED
                   : result == EC_VERIFY_WRONG  ? EC_PROOF_WRONG
                                                : EC_PROOF_UNCHECKED);
}

enum ec_proof_state ec_proof_get_state(ec_proof *proof)
{
    const struct lane *client = &proof->lanes[EC_SIDE_CLIENT], *server = &proof->lanes[EC_SIDE_SERVER];

    lane_check(proof, EC_SIDE_CLIENT);
    lane_check(proof, EC_SIDE_SERVER);
    if (client->state == EC_PROOF_WRONG || server->state == EC_PROOF_WRONG)
        return EC_PROOF_WRONG;
    if (client->state == EC_PROOF_UNCHECKED || server->state == EC_PROOF_UNCHECKED)
        return EC_PROOF_UNCHECKED;
    return client->state == server->state ? client->state : EC_PROOF_OPEN;
}
