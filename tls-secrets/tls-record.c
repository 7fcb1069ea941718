/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the record headers of a segment; the first handshake message of each clear record is
 * looked into as far as its bytes are there. A reader that runs out of bytes answers "not here"; nothing
 * is guessed from a cut message except what stands in the part that has come (the client random).
 */
#include "tls-record.h"

#include <glib.h>
#include <string.h>

enum {
    RECORD_HEADER_LEN = EC_TLS_HEADER_LEN,
    RECORD_BODY_MAX = 16384 + 2048, /* RFC 5246 6.2.3: the largest TLSCiphertext; RFC 8446 5.2 is stricter */
    HANDSHAKE_HEADER_LEN = 4,       /* type, 24-bit length */
    HELLO_MAX = 1 << 17,            /* bytes: a bit more than RFC 8446 4.1.2's vectors can fill */
};
enum { TYPE_CHANGE_CIPHER_SPEC = 20, TYPE_ALERT = 21, TYPE_HANDSHAKE = 22, TYPE_APPLICATION_DATA = 23 };
enum { HANDSHAKE_CLIENT_HELLO = 1, HANDSHAKE_SERVER_HELLO = 2 };
enum { EXTENSION_ENCRYPT_THEN_MAC = 22 };                              /* RFC 7366 */
enum { EXTENSION_EARLY_DATA = 42, EXTENSION_SUPPORTED_VERSIONS = 43 }; /* RFC 8446 4.2 */

/* RFC 8446 4.1.3: the SHA-256 of "HelloRetryRequest" */
static const uint8_t hello_retry_random[EC_RANDOM_LEN] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* Bytes of a message that are here; `at` never passes `end`. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static bool reader_take(struct reader *reader, size_t len, const uint8_t **ret_bytes)
{
    if ((size_t)(reader->end - reader->at) < len)
        return false;
    *ret_bytes = reader->at;
    reader->at += len;
    return true;
}

static bool reader_number(struct reader *reader, size_t len, size_t *ret_number)
{
    const uint8_t *bytes = NULL;
    if (!reader_take(reader, len, &bytes))
        return false;
    size_t number = 0;
    for (size_t i = 0; i < len; i++)
        number = number << 8 | bytes[i];
    *ret_number = number;
    return true;
}

/* Skips a vector with a length of `len_bytes` in front. */
static bool reader_skip_vector(struct reader *reader, size_t len_bytes)
{
    const uint8_t *bytes = NULL;
    size_t len = 0;
    return reader_number(reader, len_bytes, &len) && reader_take(reader, len, &bytes);
}

/* The body of the first extension `wanted` that is here whole. */
static bool extension_find(struct reader extensions, size_t wanted, struct reader *ret_body)
{
    const uint8_t *bytes = NULL;
    size_t total = 0, type = 0, len = 0;
    if (!reader_number(&extensions, 2, &total))
        return false;
    if (total < (size_t)(extensions.end - extensions.at))
        extensions.end = extensions.at + total;
    while (reader_number(&extensions, 2, &type) && reader_number(&extensions, 2, &len) &&
           reader_take(&extensions, len, &bytes)) {
        if (type == wanted) {
            *ret_body = (struct reader){bytes, bytes + len};
            return true;
        }
    }
    return false;
}

static void client_hello_peek(struct reader body, struct ec_tls_peek *peek)
{
    const uint8_t *random = NULL;
    size_t version = 0;
    if (!reader_number(&body, 2, &version) || !reader_take(&body, EC_RANDOM_LEN, &random))
        return;
    peek->seen |= EC_TLS_CLIENT_HELLO;
    memcpy(peek->client_random, random, EC_RANDOM_LEN);

    struct reader early_data;
    if (reader_skip_vector(&body, 1) && reader_skip_vector(&body, 2) && reader_skip_vector(&body, 1) &&
        extension_find(body, EXTENSION_EARLY_DATA, &early_data))
        peek->seen |= EC_TLS_EARLY_DATA;
}

static void server_hello_peek(struct reader body, struct ec_tls_peek *peek)
{
    const uint8_t *random = NULL, *cipher_and_compression = NULL;
    size_t version = 0;
    if (!reader_number(&body, 2, &version) || !reader_take(&body, EC_RANDOM_LEN, &random))
        return;
    struct reader extension;
    if (reader_skip_vector(&body, 1) && reader_take(&body, 3, &cipher_and_compression)) {
        peek->suite = cipher_and_compression[0] << 8 | cipher_and_compression[1];
        if (extension_find(body, EXTENSION_SUPPORTED_VERSIONS, &extension))
            reader_number(&extension, 2, &version);
        if (extension_find(body, EXTENSION_ENCRYPT_THEN_MAC, &extension))
            peek->seen |= EC_TLS_ENCRYPT_THEN_MAC;
    }
    peek->seen |= EC_TLS_SERVER_HELLO;
    peek->version = version;
    memcpy(peek->server_random, random, EC_RANDOM_LEN);
    if (memcmp(random, hello_retry_random, EC_RANDOM_LEN) == 0)
        peek->seen |= EC_TLS_HELLO_RETRY;
}

/* `here`: what the segment holds of the record's body. An encrypted Finished has a random first byte:
 * the message's length must fit the record, the version its field. */
static void handshake_peek(struct reader here, size_t record_len, struct ec_tls_peek *peek)
{
    size_t type = 0, len = 0;
    if (!reader_number(&here, 1, &type) || !reader_number(&here, 3, &len))
        return;
    if (type != HANDSHAKE_CLIENT_HELLO && type != HANDSHAKE_SERVER_HELLO)
        return;
    if (len < 2 + EC_RANDOM_LEN || len > HELLO_MAX || (here.end > here.at && here.at[0] != 3))
        return;
    if (len < (size_t)(here.end - here.at))
        here.end = here.at + len;
    /* A hello of more than one record (RFC 8446 5.1 lets it be cut) still begins with its random. */
    if (record_len < HANDSHAKE_HEADER_LEN + 2 + EC_RANDOM_LEN)
        return;
    if (type == HANDSHAKE_CLIENT_HELLO)
        client_hello_peek(here, peek);
    else
        server_hello_peek(here, peek);
}

static void record_peek(uint8_t type, struct reader here, size_t record_len, struct ec_tls_peek *peek)
{
    switch (type) {
    case TYPE_CHANGE_CIPHER_SPEC:
        peek->seen |= EC_TLS_CHANGE_CIPHER_SPEC;
        break;
    case TYPE_ALERT:
        /* RFC 8446 6: level, description; a longer one is encrypted TLS 1.2 */
        if (record_len == 2)
            peek->seen |= EC_TLS_ALERT;
        break;
    case TYPE_HANDSHAKE:
        peek->seen |= EC_TLS_HANDSHAKE;
        handshake_peek(here, record_len, peek);
        break;
    case TYPE_APPLICATION_DATA:
        peek->seen |= EC_TLS_APPLICATION_DATA;
        break;
    }
}

/* RFC 8446 5.1: legacy_record_version is 0x0301 or 0x0303, to be ignored; 0x0300 is SSL 3, 0x0302 TLS 1.1.
 * An empty record is allowed for application data alone. */
static bool header_is_valid(const uint8_t *header, size_t here)
{
    if (header[0] < TYPE_CHANGE_CIPHER_SPEC || header[0] > TYPE_APPLICATION_DATA)
        return false;
    if ((here > 1 && header[1] != 3) || (here > 2 && header[2] > 4))
        return false;
    if (here < RECORD_HEADER_LEN)
        return true;
    size_t len = header[3] << 8 | header[4];
    return len <= RECORD_BODY_MAX && (len > 0 || header[0] == TYPE_APPLICATION_DATA);
}

/* The type is here in any case. Of an alert it takes the length too to know whether it is clear. */
static void header_cut(const uint8_t *header, size_t here, struct ec_tls_peek *peek)
{
    peek->cut_len = here;
    memcpy(peek->cut, header, here);
    record_peek(header[0], (struct reader){header, header}, SIZE_MAX, peek);
}

bool ec_tls_record_peek(const uint8_t *payload, size_t len, size_t skip, struct ec_tls_peek *ret_peek)
{
    struct ec_tls_peek peek = {.next = skip};
    bool valid = true;
    while (peek.next < len) {
        const uint8_t *header = payload + peek.next;
        size_t here = len - peek.next;
        valid = header_is_valid(header, here);
        if (valid && here < RECORD_HEADER_LEN)
            header_cut(header, here, &peek);
        if (!valid || here < RECORD_HEADER_LEN)
            break;
        size_t record_len = header[3] << 8 | header[4];
        size_t body = MIN(record_len, here - RECORD_HEADER_LEN);
        record_peek(header[0], (struct reader){header + RECORD_HEADER_LEN, header + RECORD_HEADER_LEN + body},
                    record_len, &peek);
        peek.next += RECORD_HEADER_LEN + record_len;
    }
    *ret_peek = peek;
    return valid;
}

bool ec_tls_record_resume(const uint8_t *cut, size_t cut_len, const uint8_t *payload, size_t len, size_t *ret_skip)
{
    uint8_t header[RECORD_HEADER_LEN];
    size_t missing = RECORD_HEADER_LEN - cut_len;
    if (cut_len >= RECORD_HEADER_LEN || len < missing)
        return false;
    memcpy(header, cut, cut_len);
    memcpy(header + cut_len, payload, missing);
    if (!header_is_valid(header, sizeof(header)))
        return false;
    *ret_skip = missing + (header[3] << 8 | header[4]);
    return true;
}
