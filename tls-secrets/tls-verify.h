/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Whether a secret is the right one: decrypts one record with it and looks at its tag or MAC. TLS 1.3 (RFC 8446), TLS
 * 1.2 (RFC 5246) and DTLS 1.2 (RFC 6347) with AES in GCM, CCM and CBC mode and with ChaCha20-Poly1305. Pure; the
 * record's bytes are hostile, what is decrypted is wiped.
 */
#include "keylog.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ec_verify_result {
    EC_VERIFY_VERIFIED,
    EC_VERIFY_WRONG,       /* these bytes were not encrypted under this secret */
    EC_VERIFY_UNSUPPORTED, /* another suite or version, a secret of another length, or libgcrypt refuses */
};

/* What the ServerHello says. */
struct ec_verify_session {
    uint16_t version;      /* 0x0303, also for DTLS 1.2; 0x0304 */
    uint16_t suite;        /* as on the wire, in host order */
    bool encrypt_then_mac; /* RFC 7366 */
    uint8_t server_random[EC_RANDOM_LEN];
};

/* An encrypted record. */
struct ec_verify_record {
    bool from_server;
    uint8_t type;
    uint16_t version;
    uint64_t sequence;       /* 0 for the first one under its keys; DTLS: with the epoch on top */
    const uint8_t *fragment; /* behind the header; borrowed */
    size_t len;              /* bytes */
};

/* `secret`: under TLS 1.3 the *_TRAFFIC_SECRET of the record's sender and stage, before that CLIENT_RANDOM. */
enum ec_verify_result ec_tls_verify(const struct ec_verify_session *session, const struct ec_secret *secret,
                                    const struct ec_verify_record *record);
