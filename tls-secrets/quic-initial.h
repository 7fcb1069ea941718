/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Enough of QUIC v1 (RFC 9000, RFC 9001) and v2 (RFC 9369) to find a handshake's ClientHello random: the long
 * headers of a datagram's packets, the client's Initial keys, which anybody can derive from a connection ID on the
 * wire, and the CRYPTO frames under them. Client hellos come in several frames, packets and datagrams, in any order
 * (Chromium shuffles them; post-quantum key shares take two datagrams): only the first 38 bytes of the CRYPTO stream
 * are kept. And enough to tell whether a secret opens a Handshake packet. The bytes are hostile. Nothing reads past the
 * length given.
 */
#include "abi.h"
#include "tls-verify.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* RFC 9000 17.2: the longest connection ID of these versions; bytes */
#define EC_QUIC_ID_LEN 20
/* RFC 9000 14.1: a client's Initial packets come in datagrams of at least this size; bytes of UDP payload */
#define EC_QUIC_INITIAL_MIN 1200

enum ec_quic_type { EC_QUIC_INITIAL, EC_QUIC_0RTT, EC_QUIC_HANDSHAKE, EC_QUIC_1RTT };

/* A packet; but for EC_QUIC_1RTT, one with a long header. */
struct ec_quic_packet {
    enum ec_quic_type type;
    uint32_t version;
    const uint8_t *id; /* destination connection ID, within the packet */
    size_t id_len;     /* <= EC_QUIC_ID_LEN */
    size_t source_len; /* of the source's connection ID; bytes, <= EC_QUIC_ID_LEN */
    size_t number_at;  /* of the packet number, from the packet's start; bytes */
    size_t len;        /* header and payload; what follows is the datagram's next packet */
};
/* Parses the packet at the start of `data`. False: no long header of a known version, cut, a Retry (which has no
 * length) or a Version Negotiation packet. */
bool ec_quic_packet_parse(const uint8_t *data, size_t len, struct ec_quic_packet *ret_packet);

/* Whether what begins here is a packet with a short header, rather than padding. `before`: the packet in front of it in
 * the datagram, whose destination is its own too (RFC 9000 12.2); NULL if there is none. The fixed bit tells only where
 * that has no ID: it may be greased (RFC 9287). */
bool ec_quic_is_short(const uint8_t *data, size_t len, const struct ec_quic_packet *before);
/* What a short header doesn't tell: the version is the connection's, the ID's length the receiver's choice. */
void ec_quic_short_describe(size_t len, uint32_t version, size_t id_len, struct ec_quic_packet *ret_packet);

enum ec_quic_cipher {
    EC_QUIC_AES128_GCM,
    EC_QUIC_AES256_GCM,
    EC_QUIC_CHACHA20,
    EC_QUIC_AES128_CCM,
    EC_QUIC_CIPHER_MAX
};
/* Under which a side sends packets of one kind. */
struct ec_quic_keys {
    enum ec_quic_cipher cipher;
    uint8_t key[32], iv[12], header[32]; /* as much as the cipher takes */
};
/* A client's for Initial packets. No secret: whoever sees the packet can derive them. `id`: destination of the client's
 * first Initial packet. False: libgcrypt refuses. */
bool ec_quic_keys_derive(uint32_t version, const uint8_t *id, size_t id_len, struct ec_quic_keys *ret_keys);

/* The beginning of a ClientHello, as its bytes come in. Zeroed at first. */
#define EC_QUIC_HELLO_LEN (4 + 2 + EC_RANDOM_LEN)
struct ec_quic_hello {
    uint64_t have; /* bit n: bytes[n] has come */
    uint8_t bytes[EC_QUIC_HELLO_LEN];
};
/* Decrypts an Initial packet, as parsed from `data`, and takes in its CRYPTO frames. False: another's keys, or it is
 * longer than any real one. */
bool ec_quic_initial_read(const struct ec_quic_keys *keys, const uint8_t *data, const struct ec_quic_packet *packet,
                          struct ec_quic_hello *hello);
/* Whether a Handshake or 1-RTT packet, as parsed from `data` or described, is one of the first under this secret. */
enum ec_verify_result ec_quic_verify(const struct ec_secret *secret, const uint8_t *data,
                                     const struct ec_quic_packet *packet);
/* Takes in the CRYPTO frames of a decrypted payload, as far as they are sound. */
void ec_quic_frames_read(const uint8_t *payload, size_t len, struct ec_quic_hello *hello);
/* NULL until it is there, and for what is no ClientHello. */
const uint8_t *ec_quic_hello_get_random(const struct ec_quic_hello *hello);
