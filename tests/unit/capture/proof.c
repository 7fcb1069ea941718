/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proof.h"

#include "../tls-secrets/handshakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void add_secrets(ec_proof *proof, const struct handshake *row, uint8_t flip)
{
    g_auto(GStrv) lines = g_strsplit(row->secrets, "\n", -1);
    struct ec_secret secret;

    for (char **line = lines; **line; line++) {
        assert_true(ec_keylog_line_parse(*line, strlen(*line), &secret));
        secret.secret[0] ^= flip;
        ec_proof_add_secret(proof, &secret);
    }
}

/* Shows a direction in pieces of so many bytes. */
static void show(ec_proof *proof, enum ec_side side, const char *hex, size_t piece)
{
    size_t len = 0;
    g_autofree uint8_t *bytes = handshake_bytes(hex, &len);

    for (size_t at = 0; at < len; at += piece) {
        struct ec_segment segment = {
            .sequence = 0xfffffff0u + (uint32_t)at, .payload = bytes + at, .payload_len = MIN(piece, len - at)};

        ec_proof_read_tls(proof, side, &segment);
        /* once more, as a retransmission */
        ec_proof_read_tls(proof, side, &segment);
    }
}

static void get_state_every_suite_in_any_pieces_is_verified(void **state)
{
    static const size_t pieces[] = {1, 7, 100, 16384};
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(handshakes); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(pieces); j++) {
            g_autoptr(ec_proof) proof = ec_proof_new();

            show(proof, EC_SIDE_CLIENT, handshakes[i].client, pieces[j]);
            assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
            show(proof, EC_SIDE_SERVER, handshakes[i].server, pieces[j]);
            assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
            add_secrets(proof, &handshakes[i], 0);
            assert_int_equal(ec_proof_get_state(proof), EC_PROOF_VERIFIED);
        }
    }
}

static void get_state_secrets_first_waits_for_both_directions(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    (void)state;

    add_secrets(proof, &handshakes[0], 0);
    show(proof, EC_SIDE_SERVER, handshakes[0].server, 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
    show(proof, EC_SIDE_CLIENT, handshakes[0].client, 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_VERIFIED);
}

static void get_state_other_secret_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(handshakes); i++) {
        g_autoptr(ec_proof) proof = ec_proof_new();

        show(proof, EC_SIDE_CLIENT, handshakes[i].client, 500);
        show(proof, EC_SIDE_SERVER, handshakes[i].server, 500);
        add_secrets(proof, &handshakes[i], 1);
        assert_int_equal(ec_proof_get_state(proof), EC_PROOF_WRONG);
    }
}

static void get_state_segment_missing_is_unchecked(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    struct ec_segment segment = {.sequence = 0xfffffff0u + 5000, .payload = (const uint8_t *)"x", .payload_len = 1};
    (void)state;

    add_secrets(proof, &handshakes[0], 0);
    show(proof, EC_SIDE_CLIENT, handshakes[0].client, 500);
    show(proof, EC_SIDE_SERVER, "1603", 500);
    ec_proof_read_tls(proof, EC_SIDE_SERVER, &segment);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_UNCHECKED);
}

static void get_state_no_tls_is_unchecked(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    (void)state;

    show(proof, EC_SIDE_CLIENT, "474554202f20485454502f312e310d0a", 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_UNCHECKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_state_every_suite_in_any_pieces_is_verified),
        cmocka_unit_test(get_state_secrets_first_waits_for_both_directions),
        cmocka_unit_test(get_state_other_secret_is_wrong),
        cmocka_unit_test(get_state_segment_missing_is_unchecked),
        cmocka_unit_test(get_state_no_tls_is_unchecked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
