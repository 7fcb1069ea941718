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
    WAITING_MAX = 1 << 20,        /* bytes of a direction that wait for their secret */
    QUIC_PACKET_MAX = 4096 + 512, /* longer than any Handshake packet that fits a frame */
};
enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_HANDSHAKE = 22, TYPE_APPLICATION_DATA = 23 };
enum { TLS13 = 0x0304 };

/* One direction. */
struct lane {
    bool started;
    bool changed;      /* its ChangeCipherSpec has passed */
    bool whole;        /* DTLS, QUIC: `bytes` is the first encrypted record, or Handshake packet, and nothing else */
    uint32_t next;     /* sequence number that follows `bytes`; TCP only */
    uint64_t early;    /* records that opened as 0-RTT data; TCP only */
    uint64_t opened;   /* records, or packets, of the handshake that opened */
    GByteArray *bytes; /* TCP: what is not read yet; NULL when done */
    GByteArray *later; /* QUIC: the first 1-RTT packet, if it has come; NULL when done */
    size_t id_len;     /* QUIC: of the connection ID that this side has chosen; bytes */
    enum ec_proof_state state;
};

struct ec_proof {
    struct ec_verify_session session; /* version 0: the ServerHello hasn't come */
    enum ec_transport transport;
    struct lane lanes[2];
    uint32_t quic_version;
    bool early;      /* 0-RTT data is offered */
    unsigned labels; /* bits of those that have come */
    struct ec_secret secrets[EC_LABEL_MAX];
};

static void lane_end(struct lane *lane, enum ec_proof_state state)
{
    lane->state = state;
    g_clear_pointer(&lane->bytes, g_byte_array_unref);
    g_clear_pointer(&lane->later, g_byte_array_unref);
}

ec_proof *ec_proof_new(void)
{
    ec_proof *proof = g_new0(ec_proof, 1);

    for (size_t i = 0; i < G_N_ELEMENTS(proof->lanes); i++) {
        proof->lanes[i].bytes = g_byte_array_new();
        proof->lanes[i].later = g_byte_array_new();
    }
    return proof;
}

void ec_proof_free(ec_proof *proof)
{
    if (!proof)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(proof->lanes); i++)
        lane_end(&proof->lanes[i], proof->lanes[i].state);
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

/* Of a whole record; takes in what it says if it isn't. A ChangeCipherSpec may stand in front of a hello, for
 * middleboxes (RFC 8446 D.4). */
static bool is_encrypted(ec_proof *proof, enum ec_side side, const uint8_t *record, size_t len)
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

void ec_proof_read_tls(ec_proof *proof, enum ec_side side, const struct ec_segment *segment)
{
    struct lane *lane = &proof->lanes[side];
    uint32_t known;

    proof->transport = EC_TRANSPORT_TCP;
    if (lane->state != EC_PROOF_OPEN || segment->payload_len == 0)
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
    if (lane->bytes->len > WAITING_MAX)
        lane_end(lane, EC_PROOF_UNCHECKED);
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

static void read_long(struct lane *lane, const uint8_t *at, const struct ec_quic_packet *packet)
{
    lane->id_len = packet->source_len;
    if (packet->type != EC_QUIC_HANDSHAKE || packet->len > QUIC_PACKET_MAX || lane->whole)
        return;
    g_byte_array_append(lane->bytes, at, (guint)packet->len);
    lane->whole = true;
}

void ec_proof_read_quic(ec_proof *proof, enum ec_side side, const struct ec_segment *segment)
{
    struct lane *lane = &proof->lanes[side];
    const uint8_t *at = segment->payload, *end = at + segment->payload_len;
    const struct ec_quic_packet *before = NULL;
    struct ec_quic_packet packet;

    proof->transport = EC_TRANSPORT_UDP;
    proof->session.version = TLS13;
    if (lane->state != EC_PROOF_OPEN)
        return;
    for (; at < end && ec_quic_packet_parse(at, (size_t)(end - at), &packet); at += packet.len) {
        proof->quic_version = packet.version;
        read_long(lane, at, &packet);
        before = &packet;
    }
    if (lane->later->len == 0 && end - at <= QUIC_PACKET_MAX && ec_quic_is_short(at, (size_t)(end - at), before))
        g_byte_array_append(lane->later, at, (guint)(end - at));
}

/* ---- the check ---- */

static enum ec_verify_result open_tls(const ec_proof *proof, enum ec_side side, enum ec_secret_label label,
                                      uint64_t sequence, const uint8_t *bytes, size_t len)
{
    const size_t header = proof->transport == EC_TRANSPORT_TCP ? EC_TLS_HEADER_LEN : DTLS_HEADER_LEN;
    struct ec_verify_record record = {.from_server = side == EC_SIDE_SERVER,
                                      .type = bytes[0],
                                      .version = get_u16(bytes + 1),
                                      .sequence = sequence,
                                      .fragment = bytes + header,
                                      .len = len - header};

    for (size_t i = 0; header == DTLS_HEADER_LEN && i < 8; i++)
        record.sequence = record.sequence << 8 | bytes[3 + i];
    return ec_tls_verify(&proof->session, &proof->secrets[label], &record);
}

static enum ec_proof_state get_lane_state(enum ec_verify_result result)
{
    return result == EC_VERIFY_VERIFIED ? EC_PROOF_VERIFIED
           : result == EC_VERIFY_WRONG  ? EC_PROOF_WRONG
                                        : EC_PROOF_UNCHECKED;
}

static enum ec_secret_label get_handshake_label(enum ec_side side)
{
    return side == EC_SIDE_SERVER ? EC_LABEL_SERVER_HANDSHAKE : EC_LABEL_CLIENT_HANDSHAKE;
}

static enum ec_secret_label get_traffic_label(enum ec_side side)
{
    return side == EC_SIDE_SERVER ? EC_LABEL_SERVER_TRAFFIC_0 : EC_LABEL_CLIENT_TRAFFIC_0;
}

static bool has_secret(const ec_proof *proof, enum ec_secret_label label)
{
    return proof->labels & 1u << label;
}

/* That of the first encrypted record. */
static bool has_first_secret(const ec_proof *proof, enum ec_side side)
{
    return proof->session.version != 0 &&
           has_secret(proof, proof->session.version == TLS13 ? get_handshake_label(side) : EC_LABEL_CLIENT_RANDOM);
}

/*
 * A record of TLS 1.3 is under 0-RTT's secret, the handshake's or the traffic's, in this order, and the first one that
 * does not open by the handshake's has to open by the traffic's. A server that refuses 0-RTT data derives no secret for
 * it. False if a secret has yet to come.
 */
static bool open_tls13(ec_proof *proof, enum ec_side side, const uint8_t *record, size_t len)
{
    struct lane *lane = &proof->lanes[side];
    const bool early = side == EC_SIDE_CLIENT && proof->early && lane->opened == 0;
    enum ec_verify_result result = open_tls(proof, side, get_handshake_label(side), lane->opened, record, len);

    if (result == EC_VERIFY_VERIFIED) {
        lane->opened++;
        return true;
    }
    if (result == EC_VERIFY_WRONG && early && has_secret(proof, EC_LABEL_CLIENT_EARLY) &&
        open_tls(proof, side, EC_LABEL_CLIENT_EARLY, lane->early, record, len) == EC_VERIFY_VERIFIED) {
        lane->early++;
        return true;
    }
    if (result == EC_VERIFY_WRONG && lane->opened > 0 && !has_secret(proof, get_traffic_label(side)))
        return false;
    if (result == EC_VERIFY_WRONG && lane->opened > 0)
        result = open_tls(proof, side, get_traffic_label(side), 0, record, len);
    else if (early)
        result = EC_VERIFY_UNSUPPORTED;
    lane_end(lane, get_lane_state(result));
    return true;
}

/* An encrypted one. False if its secret has yet to come. */
static bool open_record(ec_proof *proof, enum ec_side side, const uint8_t *record, size_t len)
{
    if (!has_first_secret(proof, side))
        return false;
    if (proof->session.version == TLS13)
        return open_tls13(proof, side, record, len);
    lane_end(&proof->lanes[side], get_lane_state(open_tls(proof, side, EC_LABEL_CLIENT_RANDOM, 0, record, len)));
    return true;
}

/* Reads the whole records of `bytes` as far as their secrets are there. */
static void read_records(ec_proof *proof, enum ec_side side)
{
    struct lane *lane = &proof->lanes[side];
    size_t at = 0, len;

    for (; lane->state == EC_PROOF_OPEN && lane->bytes->len - at >= EC_TLS_HEADER_LEN; at += len) {
        const uint8_t *record = lane->bytes->data + at;

        len = EC_TLS_HEADER_LEN + get_u16(record + 3);
        if (record[0] < TYPE_CHANGE_CIPHER_SPEC || record[0] > TYPE_APPLICATION_DATA || len > RECORD_MAX) {
            lane_end(lane, EC_PROOF_UNCHECKED);
            return;
        }
        if (lane->bytes->len - at < len ||
            (is_encrypted(proof, side, record, len) && !open_record(proof, side, record, len)))
            break;
    }
    if (lane->state == EC_PROOF_OPEN)
        g_byte_array_remove_range(lane->bytes, 0, (guint)at);
}

/* The Handshake packet, then the 1-RTT packet. */
static void open_quic(ec_proof *proof, enum ec_side side)
{
    struct lane *lane = &proof->lanes[side];
    const size_t id_len = proof->lanes[side == EC_SIDE_CLIENT ? EC_SIDE_SERVER : EC_SIDE_CLIENT].id_len;
    enum ec_verify_result result = EC_VERIFY_VERIFIED;
    struct ec_quic_packet packet;

    if (lane->opened == 0) {
        if (ec_quic_packet_parse(lane->bytes->data, lane->bytes->len, &packet))
            result = ec_quic_verify(&proof->secrets[get_handshake_label(side)], lane->bytes->data, &packet);
        lane->opened = result == EC_VERIFY_VERIFIED;
    }
    if (result == EC_VERIFY_VERIFIED && (lane->later->len == 0 || !has_secret(proof, get_traffic_label(side))))
        return;
    if (result == EC_VERIFY_VERIFIED) {
        ec_quic_short_describe(lane->later->len, proof->quic_version, id_len, &packet);
        result = ec_quic_verify(&proof->secrets[get_traffic_label(side)], lane->later->data, &packet);
    }
    lane_end(lane, get_lane_state(result));
}

static void lane_check(ec_proof *proof, enum ec_side side)
{
    struct lane *lane = &proof->lanes[side];

    if (lane->state != EC_PROOF_OPEN)
        return;
    if (proof->transport == EC_TRANSPORT_TCP)
        read_records(proof, side);
    else if (!lane->whole || !has_first_secret(proof, side))
        return;
    else if (proof->session.version == TLS13)
        open_quic(proof, side);
    else
        lane_end(lane,
                 get_lane_state(open_tls(proof, side, EC_LABEL_CLIENT_RANDOM, 0, lane->bytes->data, lane->bytes->len)));
}

static enum ec_proof_state combine(enum ec_proof_state client, enum ec_proof_state server)
{
    if (client == EC_PROOF_WRONG || server == EC_PROOF_WRONG)
        return EC_PROOF_WRONG;
    if (client == EC_PROOF_UNCHECKED || server == EC_PROOF_UNCHECKED)
        return EC_PROOF_UNCHECKED;
    return client == server ? client : EC_PROOF_OPEN;
}

enum ec_proof_state ec_proof_get_state(ec_proof *proof)
{
    /* Its ServerHello tells how to read both. */
    lane_check(proof, EC_SIDE_SERVER);
    lane_check(proof, EC_SIDE_CLIENT);
    return combine(proof->lanes[EC_SIDE_CLIENT].state, proof->lanes[EC_SIDE_SERVER].state);
}

static enum ec_proof_state get_end_state(const struct lane *lane)
{
    return lane->state == EC_PROOF_OPEN && lane->opened > 0 ? EC_PROOF_VERIFIED : lane->state;
}

enum ec_proof_state ec_proof_get_end_state(const ec_proof *proof)
{
    return combine(get_end_state(&proof->lanes[EC_SIDE_CLIENT]), get_end_state(&proof->lanes[EC_SIDE_SERVER]));
}
