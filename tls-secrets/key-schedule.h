/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What TLS and QUIC derive keys with, over libgcrypt. `hash` is a libgcrypt digest (GCRY_MD_SHA256 …). False, and the
 * output wiped, if libgcrypt refuses.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest digest: SHA-512's; bytes */
#define EC_HASH_LEN_MAX 64

/* Starts libgcrypt if nobody has. Before anything else of it is used. */
bool ec_crypto_start(void);
/* `ret_hash` takes the digest's length. */
bool ec_hmac(int hash, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *ret_hash);
/* HKDF-Expand-Label of RFC 8446 7.1 with an empty context; len: at most the digest's. */
bool ec_hkdf_expand_label(int hash, const uint8_t *secret, size_t secret_len, const char *label, uint8_t *ret_bytes,
                          size_t len);
/* The PRF of TLS 1.2 (RFC 5246 5); the seed is at most 64 bytes. */
bool ec_tls12_prf(int hash, const uint8_t *secret, size_t secret_len, const char *label, const uint8_t *seed,
                  size_t seed_len, uint8_t *ret_bytes, size_t len);
