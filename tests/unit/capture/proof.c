/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "proof.h"

#include "../tls-secrets/handshakes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* TLS_AES_256_GCM_SHA384 by openssl 3.0, without tickets, a record of application data behind each handshake. */
static const struct handshake whole = {
    0x1302,
    "SERVER_HANDSHAKE_TRAFFIC_SECRET 542193681e7bb14b10f121c1ebdc851b2ab6f28aecd26c766e81f03880f165d0 "
    "5e675aa5cd4923c52b7ddbbeaad57f7e94ab32fe564c66f64d9189acfbf97e292786ad3b5e546b662b87f191eae57877\n"
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET 542193681e7bb14b10f121c1ebdc851b2ab6f28aecd26c766e81f03880f165d0 "
    "8388c4c5855ed4f8bd7322e6be34faeaffdf7a4e8d005d1331375e44c6a8636ff2500c83a29f6fe258e6c088bfba9ca6\n"
    "SERVER_TRAFFIC_SECRET_0 542193681e7bb14b10f121c1ebdc851b2ab6f28aecd26c766e81f03880f165d0 "
    "a1d30d67c2a77743a5ddc136dac73f5e2074a7bdd7eb42cf82d7f6442db6f2d43d033be6f3126eaf0362c49f79b720b4\n"
    "CLIENT_TRAFFIC_SECRET_0 542193681e7bb14b10f121c1ebdc851b2ab6f28aecd26c766e81f03880f165d0 "
    "6a5922566ee292a537e94b0bd99124c8e85a00f48c7a0a229462ae61e09ffd2f8fabb9620214af48425d23d4e63e7378\n",
    "16030100dc010000d80303542193681e7bb14b10f121c1ebdc851b2ab6f28aecd26c766e81f03880f165d020e56f71bdb7ac4b41"
    "9c57705ebcf70e325b44887a3bc08546a202e08ad8cdb20b000813021303130100ff01000087000b000403000102000a00160014"
    "001d0017001e0019001801000101010201030104002300000016000000170000000d001e001c040305030603080708080809080a"
    "080b080408050806040105010601002b0003020304002d00020101003300260024001d0020d34fc58405650a9d0befd1583849de"
    "102b95f6c69bbd3d583dc91d7b3a68b318140303000101170303004567e43fb3683ca4e0184f0565661aaa8ee0ec650d0b55b5b8"
    "b3862dd0dcafad7540091435d52e10bd0c9be8419f05d492cf1230a05669b7af03b28d4948eb21eec19616f08a17030300157874"
    "3a0626288e49e50633748ea66bdfa68b410ed7",
    "160303007a02000076030317b68a6d39f2a9b0a9bf5cccfac15dee56a4e69745353b91498e6244fca750c220e56f71bdb7ac4b41"
    "9c57705ebcf70e325b44887a3bc08546a202e08ad8cdb20b130200002e002b0002030400330024001d0020be17f085ae284daee8"
    "e9700b3d27a0aa1aaa4581ad0f3741568d77e0170ba6761403030001011703030017b75a98cc0f87644299c71c6cd3784facf35f"
    "4a483f8b8a1703030190fca3d63264f54094f4b9420f0facdbe5cf77e920273cf1ccc7e7845917d20dab7822459fe4a849af9e83"
    "c1362d4b6b98bf9e41e29f6062996c05121a2bacb304eaad5de9e6a9ffb623fbad6c4bc460c5fc4ea2629d17a7ddb138d5d95e75"
    "c5dbe2b6eed87fd016cb5e3c428855ef07ebd4d1635586cb72e11d22165cd45380799ac28d4c6e4b0584b010667d91bbfb8861d3"
    "251bed9faca4be60c83e3ec763e74c095f5fc791d002c8e6f9da39cc600730baf5b8b5fd14c36c90ed9566c60733200e1d1b5ef7"
    "51c5ca0a17579922c50b8e2137f19be438dd34e369251f7a3830e24cac27e8811956170bb53547b02b4e6556ac1b59840753b99f"
    "273472fb93d17f77fb820b3bd40976dbf69297e3d1a3bb75ae3f72fb596ef2f46c83e49f9cfce200f21fcf44e0a5abd9e8ffde28"
    "866345078ec62512f039d5105b367045aba1c2a4bbd021a452bbb74647271c644ed7e17d5715554d6f60f3905dfac4aec5d7a7a9"
    "99580b83552a90939d1b60956fc8ff4512da6238acdc263b9dde9efcc10a43ea74bb1ba1863cf18353e5c3a55b69170303006002"
    "ffef373cc97ba1150b18596bdbae83531b007410947c74d673bff9c7e7ceee5fe7757cf02b8cb1edd45554d2cd6625266f89aac2"
    "a5411a23f433056ccc7728c35fecd038076059ccc7629d070dcf93d44fb160f80c69e0106a44de89e522a71703030045b3278b77"
    "6a7842ae718ae60d5b1e4f178b50713f13a1fe7ef852457973a387683f720150093a2ec8e0a9541d9d5e10aa3030f14ae8bb2bda"
    "bd8597697c47f62ecb269070e817030300152a5ff40e18bc3b61a6201aaac63ff96ac0f84733c7"};

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
            ec_proof_get_state(proof);
            assert_int_equal(ec_proof_get_end_state(proof), EC_PROOF_VERIFIED);
        }
    }
}

static void get_state_secrets_first_waits_for_both_directions(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    (void)state;

    add_secrets(proof, &whole, 0);
    show(proof, EC_SIDE_SERVER, whole.server, 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
    show(proof, EC_SIDE_CLIENT, whole.client, 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_VERIFIED);
}

static void get_state_handshake_alone_is_verified_at_the_end(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    (void)state;

    add_secrets(proof, &handshakes[0], 0);
    show(proof, EC_SIDE_SERVER, handshakes[0].server, 500);
    assert_int_equal(ec_proof_get_end_state(proof), EC_PROOF_OPEN);
    show(proof, EC_SIDE_CLIENT, handshakes[0].client, 500);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
    assert_int_equal(ec_proof_get_end_state(proof), EC_PROOF_VERIFIED);
}

static void get_state_application_data_is_verified_by_its_own_secret(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < 3000; piece = piece * 7 + 1) {
        g_autoptr(ec_proof) proof = ec_proof_new();

        show(proof, EC_SIDE_CLIENT, whole.client, piece);
        show(proof, EC_SIDE_SERVER, whole.server, piece);
        assert_int_equal(ec_proof_get_state(proof), EC_PROOF_OPEN);
        add_secrets(proof, &whole, 0);
        assert_int_equal(ec_proof_get_state(proof), EC_PROOF_VERIFIED);
    }
}

/* The handshake opens, what is behind it doesn't. */
static void get_state_other_traffic_secret_is_wrong(void **state)
{
    g_autoptr(ec_proof) proof = ec_proof_new();
    struct ec_secret secret = {.label = "CLIENT_TRAFFIC_SECRET_0", .secret_len = 48};
    (void)state;

    show(proof, EC_SIDE_CLIENT, whole.client, 100);
    show(proof, EC_SIDE_SERVER, whole.server, 100);
    add_secrets(proof, &whole, 0);
    ec_proof_add_secret(proof, &secret);
    assert_int_equal(ec_proof_get_state(proof), EC_PROOF_WRONG);
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
        cmocka_unit_test(get_state_handshake_alone_is_verified_at_the_end),
        cmocka_unit_test(get_state_application_data_is_verified_by_its_own_secret),
        cmocka_unit_test(get_state_other_traffic_secret_is_wrong),
        cmocka_unit_test(get_state_other_secret_is_wrong),
        cmocka_unit_test(get_state_segment_missing_is_unchecked),
        cmocka_unit_test(get_state_no_tls_is_unchecked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
