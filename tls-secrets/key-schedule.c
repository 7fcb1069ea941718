/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "key-schedule.h"

#include <gcrypt.h>
#include <glib.h>
#include <string.h>

enum { LABEL_LEN_MAX = 32, SEED_LEN_MAX = 64 };

/* wiretap leaves libgcrypt alone: it may be ours to start. There are no long-lived keys here for secure memory. */
bool ec_crypto_start(void)
{
    if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P))
        return true;
    if (!gcry_check_version("1.8.0"))
        return false;
    gcry_control(GCRYCTL_DISABLE_SECMEM, 0);
    gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
    return true;
}

bool ec_hmac(int hash, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, uint8_t *ret_hash)
{
    gcry_md_hd_t md;
    bool ok;

    if (gcry_md_open(&md, hash, GCRY_MD_FLAG_HMAC))
        return false;
    ok = !gcry_md_setkey(md, key, key_len);
    if (ok) {
        gcry_md_write(md, data, len);
        memcpy(ret_hash, gcry_md_read(md, hash), gcry_md_get_algo_dlen(hash));
    }
    gcry_md_close(md);
    return ok;
}

/* One round of HKDF-Expand (RFC 5869 2.3) does for these lengths. */
bool ec_hkdf_expand_label(int hash, const uint8_t *secret, size_t secret_len, const char *label, uint8_t *ret_bytes,
                          size_t len)
{
    uint8_t info[2 + 1 + 6 + LABEL_LEN_MAX + 1 + 1], digest[EC_HASH_LEN_MAX];
    size_t label_len = strlen(label), at = 0;
    bool ok;

    g_assert(len <= gcry_md_get_algo_dlen(hash) && label_len <= LABEL_LEN_MAX);
    info[at++] = 0;
    info[at++] = (uint8_t)len;
    info[at++] = (uint8_t)(6 + label_len);
    memcpy(info + at, "tls13 ", 6);
    memcpy(info + at + 6, label, label_len);
    at += 6 + label_len;
    info[at++] = 0; /* no context */
    info[at++] = 1; /* first round */
    ok = ec_hmac(hash, secret, secret_len, info, at, digest);
    if (ok)
        memcpy(ret_bytes, digest, len);
    explicit_bzero(digest, sizeof(digest));
    return ok;
}

/* P_hash: A(i) = HMAC(secret, A(i - 1)), A(0) = label and seed; the output is HMAC(secret, A(i), label and seed) … */
bool ec_tls12_prf(int hash, const uint8_t *secret, size_t secret_len, const char *label, const uint8_t *seed,
                  size_t seed_len, uint8_t *ret_bytes, size_t len)
{
    uint8_t text[EC_HASH_LEN_MAX + LABEL_LEN_MAX + SEED_LEN_MAX], digest[EC_HASH_LEN_MAX];
    size_t hash_len = gcry_md_get_algo_dlen(hash), label_len = strlen(label), tail = label_len + seed_len, done = 0;
    bool ok;

    g_assert(label_len <= LABEL_LEN_MAX && seed_len <= SEED_LEN_MAX && hash_len <= EC_HASH_LEN_MAX);
    memcpy(text + hash_len, label, label_len);
    memcpy(text + hash_len + label_len, seed, seed_len);
    ok = ec_hmac(hash, secret, secret_len, text + hash_len, tail, text);
    for (; ok && done < len; done += MIN(hash_len, len - done)) {
        ok = ec_hmac(hash, secret, secret_len, text, hash_len + tail, digest);
        if (ok)
            memcpy(ret_bytes + done, digest, MIN(hash_len, len - done));
        ok = ok && ec_hmac(hash, secret, secret_len, text, hash_len, digest);
        memcpy(text, digest, hash_len);
    }
    explicit_bzero(text, sizeof(text));
    explicit_bzero(digest, sizeof(digest));
    if (!ok)
        explicit_bzero(ret_bytes, len);
    return ok;
}
