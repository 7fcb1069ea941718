/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The sender's side of RFC 9001 5.3 and 5.4, for tests. */
#include "quic-initial.h"

#include <gcrypt.h>
#include <string.h>

/* `packet`: a long header of `header_len` bytes that ends with a packet number of 4 bytes, behind it `len` bytes of
 * payload and room for the tag. */
static inline void quic_seal(const struct ec_quic_keys *keys, uint8_t *packet, size_t header_len, size_t len)
{
    uint8_t nonce[12], mask[16], *number = packet + header_len - 4;
    gcry_cipher_hd_t cipher;

    memcpy(nonce, keys->iv, 12);
    for (size_t i = 0; i < 4; i++)
        nonce[8 + i] ^= number[i];
    gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, 0);
    gcry_cipher_setkey(cipher, keys->key, 16);
    gcry_cipher_setiv(cipher, nonce, 12);
    gcry_cipher_authenticate(cipher, packet, header_len);
    gcry_cipher_encrypt(cipher, packet + header_len, len, NULL, 0);
    gcry_cipher_gettag(cipher, packet + header_len + len, 16);
    gcry_cipher_close(cipher);
    gcry_cipher_open(&cipher, GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_ECB, 0);
    gcry_cipher_setkey(cipher, keys->header, 16);
    gcry_cipher_encrypt(cipher, mask, 16, number + 4, 16);
    gcry_cipher_close(cipher);
    packet[0] ^= mask[0] & 0x0f;
    for (size_t i = 0; i < 4; i++)
        number[i] ^= mask[1 + i];
}

/* A client's Initial packet of 1200 bytes with these frames, PADDING behind them; `id` of 8 bytes. */
static inline void quic_initial_make(uint8_t packet[1200], uint32_t version, const char id[8], uint8_t number,
                                     const void *frames, size_t len)
{
    const uint8_t header[] = {0xc3 | (version == 1 ? 0 : 0x10), (uint8_t)(version >> 24), (uint8_t)(version >> 16),
                              (uint8_t)(version >> 8),          (uint8_t)version,         8};
    struct ec_quic_keys keys;

    memset(packet, 0, 1200);
    memcpy(packet, header, 6);
    memcpy(packet + 6, id, 8);
    memcpy(packet + 14, "\0\0\x44\x9e\0\0\0", 7);
    packet[21] = number;
    memcpy(packet + 22, frames, len);
    ec_quic_keys_derive(version, (const uint8_t *)id, 8, &keys);
    quic_seal(&keys, packet, 22, 1162);
}
