/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls-verify.h"

#include "handshakes.h"
#include "tls-record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* RFC 8448 3: the client's Finished, under TLS_AES_128_GCM_SHA256. */
static const uint8_t rfc_secret[] = {0xb3, 0xed, 0xdb, 0x12, 0x6e, 0x06, 0x7f, 0x35, 0xa7, 0x80, 0xb3,
                                     0xab, 0xf4, 0x5e, 0x2d, 0x8f, 0x3b, 0x1a, 0x95, 0x07, 0x38, 0xf5,
                                     0x2e, 0x96, 0x00, 0x74, 0x6a, 0x0e, 0x27, 0xa5, 0x5a, 0x21};
static const uint8_t rfc_fragment[] = {
    0x75, 0xec, 0x4d, 0xc2, 0x38, 0xcc, 0xe6, 0x0b, 0x29, 0x80, 0x44, 0xa7, 0x1e, 0x21, 0x9c, 0x56, 0xcc, 0x77,
    0xb0, 0x51, 0x7f, 0xe9, 0xb9, 0x3c, 0x7a, 0x4b, 0xfc, 0x44, 0xd8, 0x7f, 0x38, 0xf8, 0x03, 0x38, 0xac, 0x98,
    0xfc, 0x46, 0xde, 0xb3, 0x84, 0xbd, 0x1c, 0xae, 0xac, 0xab, 0x68, 0x67, 0xd7, 0x26, 0xc4, 0x05, 0x46};

static const struct ec_verify_session rfc_session = {.version = 0x0304, .suite = 0x1301};
static const struct ec_verify_record rfc_record = {
    .type = 23, .version = 0x0303, .fragment = rfc_fragment, .len = sizeof(rfc_fragment)};

static struct ec_secret get_rfc_secret(void)
{
    struct ec_secret secret = {.label = "CLIENT_HANDSHAKE_TRAFFIC_SECRET", .secret_len = sizeof(rfc_secret)};

    memcpy(secret.secret, rfc_secret, sizeof(rfc_secret));
    return secret;
}

static void verify_rfc8448_finished_is_verified(void **state)
{
    const struct ec_secret secret = get_rfc_secret();

    (void)state;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &rfc_record), EC_VERIFY_VERIFIED);
}

static void verify_other_secret_record_or_sequence_is_wrong(void **state)
{
    struct ec_secret secret = get_rfc_secret();
    struct ec_verify_record record = rfc_record;

    (void)state;
    secret.secret[31] ^= 1;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &record), EC_VERIFY_WRONG);
    secret.secret[31] ^= 1;
    record.sequence = 1;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &record), EC_VERIFY_WRONG);
    record.sequence = 0;
    record.len--;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &record), EC_VERIFY_WRONG);
    record.len = 3;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &record), EC_VERIFY_WRONG);
}

static void verify_unknown_suite_version_or_length_is_unsupported(void **state)
{
    struct ec_verify_session session = rfc_session;
    struct ec_secret secret = get_rfc_secret();

    (void)state;
    session.suite = 0x1399;
    assert_int_equal(ec_tls_verify(&session, &secret, &rfc_record), EC_VERIFY_UNSUPPORTED);
    session = rfc_session;
    session.version = 0x0302;
    assert_int_equal(ec_tls_verify(&session, &secret, &rfc_record), EC_VERIFY_UNSUPPORTED);
    secret.secret_len = 48;
    assert_int_equal(ec_tls_verify(&rfc_session, &secret, &rfc_record), EC_VERIFY_UNSUPPORTED);
}

/* The last record of a direction. */
static struct ec_verify_record get_record(const uint8_t *stream, size_t len, bool from_server)
{
    size_t at = 0, next = 0;

    while ((next = at + 5 + (size_t)(stream[at + 3] << 8 | stream[at + 4])) < len)
        at = next;
    return (struct ec_verify_record){.from_server = from_server,
                                     .type = stream[at],
                                     .version = (uint16_t)(stream[at + 1] << 8 | stream[at + 2]),
                                     .fragment = stream + at + 5,
                                     .len = len - at - 5};
}

static struct ec_secret get_secret(const struct handshake *row, const char *label)
{
    struct ec_secret secret = {.secret_len = 0};
    const char *line = strstr(row->secrets, label);

    assert_non_null(line);
    assert_true(ec_keylog_line_parse(line, strcspn(line, "\n"), &secret));
    return secret;
}

static void check_row(const struct handshake *row, bool from_server)
{
    size_t client_len = 0, server_len = 0;
    g_autofree uint8_t *client = handshake_bytes(row->client, &client_len);
    g_autofree uint8_t *server = handshake_bytes(row->server, &server_len);
    const struct ec_verify_record record =
        from_server ? get_record(server, server_len, true) : get_record(client, client_len, false);
    struct ec_verify_session session = {.version = 0};
    struct ec_secret secret;
    struct ec_tls_peek peek;

    ec_tls_record_peek(server, server_len, 0, &peek);
    assert_int_equal(peek.suite, row->suite);
    session.version = peek.version;
    session.suite = peek.suite;
    session.encrypt_then_mac = peek.seen & EC_TLS_ENCRYPT_THEN_MAC;
    memcpy(session.server_random, peek.server_random, EC_RANDOM_LEN);
    secret = get_secret(row, peek.version != 0x0304 ? "CLIENT_RANDOM"
                             : from_server          ? "SERVER_HANDSHAKE_TRAFFIC_SECRET"
                                                    : "CLIENT_HANDSHAKE_TRAFFIC_SECRET");
    if (ec_tls_verify(&session, &secret, &record) != EC_VERIFY_VERIFIED)
        fail_msg("suite %04x", row->suite);
    secret.secret[0] ^= 0x80;
    assert_int_equal(ec_tls_verify(&session, &secret, &record), EC_VERIFY_WRONG);
}

static void verify_recorded_handshakes_are_verified(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(handshakes); i++) {
        check_row(&handshakes[i], false);
        check_row(&handshakes[i], true);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_rfc8448_finished_is_verified),
        cmocka_unit_test(verify_other_secret_record_or_sequence_is_wrong),
        cmocka_unit_test(verify_unknown_suite_version_or_length_is_unsupported),
        cmocka_unit_test(verify_recorded_handshakes_are_verified),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
