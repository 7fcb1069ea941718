/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Peeks at TLS records in one TCP segment's payload, statelessly: what a capture needs to know
 * to place secrets. RFC 8446 (TLS 1.3), RFC 5246 (TLS 1.2). The bytes are hostile and may be cut
 * anywhere. Never reads past `len`.
 */
#include "abi.h"

#include <stdbool.h>
#include <stddef.h>

enum ec_tls_seen {
    EC_TLS_CLIENT_HELLO = 1 << 0,       /* a ClientHello begins here and its random is here: client_random is set */
    EC_TLS_SERVER_HELLO = 1 << 1,       /* a ServerHello begins here; version is set */
    EC_TLS_HELLO_RETRY = 1 << 2,        /* that ServerHello is a HelloRetryRequest (RFC 8446 4.1.3) */
    EC_TLS_CHANGE_CIPHER_SPEC = 1 << 3, /* a ChangeCipherSpec record */
    EC_TLS_APPLICATION_DATA = 1 << 4,   /* a record of type 23 begins here (TLS 1.3: anything encrypted) */
    EC_TLS_ALERT = 1 << 5,              /* an alert record in the clear begins here */
    EC_TLS_EARLY_DATA = 1 << 6,         /* the ClientHello offers early_data */
    EC_TLS_HANDSHAKE = 1 << 7,          /* some record of type 22 begins here */
    EC_TLS_ENCRYPT_THEN_MAC = 1 << 8,   /* the ServerHello agrees to encrypt_then_mac (RFC 7366) */
};

/* RFC 8446 5.1: type, legacy_record_version, length */
#define EC_TLS_HEADER_LEN 5

struct ec_tls_peek {
    unsigned seen;    /* enum ec_tls_seen */
    uint16_t version; /* of a ServerHello: 0x0303, 0x0304 …, by supported_versions if there */
    uint16_t suite;   /* of a ServerHello, in host order; 0 if it isn't here */
    uint8_t client_random[EC_RANDOM_LEN];
    uint8_t server_random[EC_RANDOM_LEN]; /* of a ServerHello */
    /* Bytes from the payload's start to where the record after the last one here begins; > len if that one is cut: the
     * following segment starts next - len bytes before a record. < len if a record's header itself is cut, which then
     * is in `cut` (ec_tls_record_resume), or, with false returned, if what stands there is no TLS. */
    size_t next;
    uint8_t cut[EC_TLS_HEADER_LEN];
    uint8_t cut_len; /* bytes in cut: 0 … EC_TLS_HEADER_LEN - 1 */
};

/* Walks the records from payload + skip (skip: what the last segment's record still takes; if
 * skip >= len nothing is seen and next = skip). False if these bytes are no TLS records: `*ret_peek`
 * then holds what was seen before. SSLv2-compatible hellos (RFC 5246 E.2) are no TLS here. */
bool ec_tls_record_peek(const uint8_t *payload, size_t len, size_t skip, struct ec_tls_peek *ret_peek);

/* For the segment behind one that ended in a cut header: `skip` as ec_tls_record_peek() wants it. Of that record only
 * its type has been seen. False if the header goes on beyond these bytes, or is none of TLS. */
bool ec_tls_record_resume(const uint8_t *cut, size_t cut_len, const uint8_t *payload, size_t len, size_t *ret_skip);
