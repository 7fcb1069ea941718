/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is a list of segments: a byte that tells side and transport, two bytes of length, the payload. Secrets of
 * every label and of both lengths are there from the first, so that whatever is put together is tried. */
#include "proof.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_secrets(ec_proof *proof, size_t len)
{
    for (int label = 0; label < EC_LABEL_MAX; label++) {
        struct ec_secret secret = {.secret_len = label == EC_LABEL_CLIENT_RANDOM ? 48 : len};

        g_strlcpy(secret.label, ec_secret_label_get_name(label), sizeof(secret.label));
        memset(secret.secret, label, sizeof(secret.secret));
        ec_proof_add_secret(proof, &secret);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const readers[])(ec_proof *, enum ec_side, const struct ec_segment *) = {
        ec_proof_read_tls, ec_proof_read_tls, ec_proof_read_dtls, ec_proof_read_quic};
    void (*reader)(ec_proof *, enum ec_side, const struct ec_segment *) = readers[size > 0 ? data[0] >> 1 & 3 : 0];
    g_autoptr(ec_proof) proof = ec_proof_new();
    uint32_t sequence[2] = {0, 0};

    add_secrets(proof, size % 2 ? 32 : 48);
    while (size >= 3) {
        enum ec_side side = data[0] & 1 ? EC_SIDE_SERVER : EC_SIDE_CLIENT;
        size_t len = MIN(size - 3, (size_t)(data[1] << 8 | data[2]));
        struct ec_segment segment = {.sequence = sequence[side], .payload = data + 3, .payload_len = len};

        reader(proof, side, &segment);
        sequence[side] += (uint32_t)len - (data[0] >> 7);
        data += 3 + len;
        size -= 3 + len;
    }
    if (ec_proof_get_state(proof) == EC_PROOF_VERIFIED)
        abort();
    return 0;
}
