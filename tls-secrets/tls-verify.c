/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls-verify.h"

#include "key-schedule.h"

#include <gcrypt.h>
#include <glib.h>
#include <string.h>

enum {
    NONCE_LEN = 12,
    SALT_LEN = 4, /* of TLS 1.2's GCM and CCM nonces, the rest stands in front of each record (RFC 5288 3) */
    EXPLICIT_LEN = NONCE_LEN - SALT_LEN,
    BLOCK_LEN = 16,
    TAG_LEN = 16,
    KEY_LEN_MAX = 32,
    MAC_LEN_MAX = 48,
    MASTER_LEN = 48,
    FRAGMENT_MAX = 16384 + 2048, /* RFC 5246 6.2.3 */
};
enum { TLS12 = 0x0303, TLS13 = 0x0304 };

enum kind {
    AES128_GCM,
    AES256_GCM,
    CHACHA20,
    AES128_CCM,
    AES256_CCM,
    AES128_CCM_8,
    AES256_CCM_8,
    AES128_CBC_SHA1,
    AES256_CBC_SHA1,
    AES128_CBC_SHA256,
    AES256_CBC_SHA256,
    AES256_CBC_SHA384,
    KIND_MAX
};

static const struct cipher {
    int algorithm, mode;
    int prf; /* digest of the PRF or HKDF */
    int mac; /* digest of the HMAC; CBC only */
    uint8_t key_len, tag_len;
} ciphers[] = {
    [AES128_GCM] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, GCRY_MD_SHA256, 0, 16, 16},
    [AES256_GCM] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_MD_SHA384, 0, 32, 16},
    [CHACHA20] = {GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_POLY1305, GCRY_MD_SHA256, 0, 32, 16},
    [AES128_CCM] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CCM, GCRY_MD_SHA256, 0, 16, 16},
    [AES256_CCM] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CCM, GCRY_MD_SHA256, 0, 32, 16},
    [AES128_CCM_8] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CCM, GCRY_MD_SHA256, 0, 16, 8},
    [AES256_CCM_8] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CCM, GCRY_MD_SHA256, 0, 32, 8},
    [AES128_CBC_SHA1] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, GCRY_MD_SHA256, GCRY_MD_SHA1, 16, 20},
    [AES256_CBC_SHA1] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, GCRY_MD_SHA256, GCRY_MD_SHA1, 32, 20},
    [AES128_CBC_SHA256] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CBC, GCRY_MD_SHA256, GCRY_MD_SHA256, 16, 32},
    [AES256_CBC_SHA256] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, GCRY_MD_SHA256, GCRY_MD_SHA256, 32, 32},
    [AES256_CBC_SHA384] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_CBC, GCRY_MD_SHA384, GCRY_MD_SHA384, 32, 48},
};
_Static_assert(G_N_ELEMENTS(ciphers) == KIND_MAX, "a row for every kind");

/* The IANA registry "TLS Cipher Suites": runs of suites, `step` apart, that share a cipher. */
static const struct suites {
    uint16_t first, last;
    uint8_t step;
    uint8_t kind;
} suite_runs[] = {
    /* TLS 1.3, RFC 8446 B.4 */
    {0x1301, 0x1301, 1, AES128_GCM},
    {0x1302, 0x1302, 1, AES256_GCM},
    {0x1303, 0x1303, 1, CHACHA20},
    {0x1304, 0x1304, 1, AES128_CCM},
    {0x1305, 0x1305, 1, AES128_CCM_8},
    /* RFC 5288, 5487, 5289, 8442 */
    {0x009c, 0x00ac, 2, AES128_GCM},
    {0x009d, 0x00ad, 2, AES256_GCM},
    {0xc02b, 0xc031, 2, AES128_GCM},
    {0xc02c, 0xc032, 2, AES256_GCM},
    {0xd001, 0xd001, 1, AES128_GCM},
    {0xd002, 0xd002, 1, AES256_GCM},
    /* RFC 7905 */
    {0xcca8, 0xccae, 1, CHACHA20},
    /* RFC 6655, 7251, 8442 */
    {0xc09c, 0xc09e, 2, AES128_CCM},
    {0xc09d, 0xc09f, 2, AES256_CCM},
    {0xc0a0, 0xc0a2, 2, AES128_CCM_8},
    {0xc0a1, 0xc0a3, 2, AES256_CCM_8},
    {0xc0a4, 0xc0a6, 2, AES128_CCM},
    {0xc0a5, 0xc0a7, 2, AES256_CCM},
    {0xc0a8, 0xc0aa, 2, AES128_CCM_8},
    {0xc0a9, 0xc0ab, 2, AES256_CCM_8},
    {0xc0ac, 0xc0ac, 1, AES128_CCM},
    {0xc0ad, 0xc0ad, 1, AES256_CCM},
    {0xc0ae, 0xc0ae, 1, AES128_CCM_8},
    {0xc0af, 0xc0af, 1, AES256_CCM_8},
    {0xd003, 0xd003, 1, AES128_CCM_8},
    {0xd005, 0xd005, 1, AES128_CCM},
    /* CBC: RFC 5246 A.5, 8422, 4279, 5489 */
    {0x002f, 0x0034, 1, AES128_CBC_SHA1},
    {0x0035, 0x003a, 1, AES256_CBC_SHA1},
    {0xc004, 0xc018, 5, AES128_CBC_SHA1},
    {0xc005, 0xc019, 5, AES256_CBC_SHA1},
    {0x008c, 0x0094, 4, AES128_CBC_SHA1},
    {0x008d, 0x0095, 4, AES256_CBC_SHA1},
    {0xc035, 0xc035, 1, AES128_CBC_SHA1},
    {0xc036, 0xc036, 1, AES256_CBC_SHA1},
    {0x003c, 0x003c, 1, AES128_CBC_SHA256},
    {0x003d, 0x003d, 1, AES256_CBC_SHA256},
    {0x003e, 0x0040, 1, AES128_CBC_SHA256},
    {0x0067, 0x0067, 1, AES128_CBC_SHA256},
    {0x0068, 0x006b, 1, AES256_CBC_SHA256},
    {0x006c, 0x006c, 1, AES128_CBC_SHA256},
    {0x006d, 0x006d, 1, AES256_CBC_SHA256},
    {0x00ae, 0x00b6, 4, AES128_CBC_SHA256},
    {0x00af, 0x00b7, 4, AES256_CBC_SHA384},
    {0xc023, 0xc029, 2, AES128_CBC_SHA256},
    {0xc024, 0xc02a, 2, AES256_CBC_SHA384},
    {0xc037, 0xc037, 1, AES128_CBC_SHA256},
    {0xc038, 0xc038, 1, AES256_CBC_SHA384},
};

static const struct cipher *cipher_get(uint16_t suite)
{
    for (size_t i = 0; i < G_N_ELEMENTS(suite_runs); i++) {
        const struct suites *run = &suite_runs[i];

        if (suite >= run->first && suite <= run->last && (suite - run->first) % run->step == 0)
            return &ciphers[run->kind];
    }
    return NULL;
}

/* Of one direction. */
struct keys {
    uint8_t mac[MAC_LEN_MAX], key[KEY_LEN_MAX], iv[NONCE_LEN];
};

/* What AEAD modes authenticate beside the record's text. */
struct associated {
    uint8_t bytes[13];
    size_t len;
};

static void put_number(uint8_t *to, size_t len, uint64_t number)
{
    for (size_t i = len; i-- > 0; number >>= 8)
        to[i] = (uint8_t)number;
}

static bool is_cbc(const struct cipher *cipher)
{
    return cipher->mode == GCRY_CIPHER_MODE_CBC;
}

/* RFC 5246 6.3: client's MAC key, server's, client's key, server's, client's IV, server's. */
static bool derive_tls12(const struct ec_verify_session *session, const struct cipher *cipher,
                         const struct ec_secret *master, bool server, struct keys *ret_keys)
{
    const size_t mac_len = is_cbc(cipher) ? cipher->tag_len : 0, key_len = cipher->key_len;
    const size_t iv_len = is_cbc(cipher) ? 0 : cipher->mode == GCRY_CIPHER_MODE_POLY1305 ? NONCE_LEN : SALT_LEN;
    uint8_t seed[2 * EC_RANDOM_LEN], block[2 * (MAC_LEN_MAX + KEY_LEN_MAX + NONCE_LEN)];
    bool ok;

    memcpy(seed, session->server_random, EC_RANDOM_LEN);
    memcpy(seed + EC_RANDOM_LEN, master->client_random, EC_RANDOM_LEN);
    ok = ec_tls12_prf(cipher->prf, master->secret, master->secret_len, "key expansion", seed, sizeof(seed), block,
                      2 * (mac_len + key_len + iv_len));
    if (ok) {
        memcpy(ret_keys->mac, block + server * mac_len, mac_len);
        memcpy(ret_keys->key, block + 2 * mac_len + server * key_len, key_len);
        memcpy(ret_keys->iv, block + 2 * (mac_len + key_len) + server * iv_len, iv_len);
    }
    explicit_bzero(block, sizeof(block));
    return ok;
}

static bool derive_tls13(const struct cipher *cipher, const struct ec_secret *secret, struct keys *ret_keys)
{
    return ec_hkdf_expand_label(cipher->prf, secret->secret, secret->secret_len, "key", ret_keys->key,
                                cipher->key_len) &&
           ec_hkdf_expand_label(cipher->prf, secret->secret, secret->secret_len, "iv", ret_keys->iv, NONCE_LEN);
}

static gcry_cipher_hd_t cipher_open(const struct cipher *cipher, const uint8_t *key, const uint8_t *iv, size_t iv_len)
{
    gcry_cipher_hd_t handle;

    if (gcry_cipher_open(&handle, cipher->algorithm, cipher->mode, 0))
        return NULL;
    if (!gcry_cipher_setkey(handle, key, cipher->key_len) && !gcry_cipher_setiv(handle, iv, iv_len))
        return handle;
    gcry_cipher_close(handle);
    return NULL;
}

/* `text`: encrypted, with the tag behind it. */
static enum ec_verify_result open_aead(const struct cipher *cipher, const uint8_t *key, const uint8_t nonce[NONCE_LEN],
                                       const struct associated *associated, const uint8_t *text, size_t len)
{
    gcry_cipher_hd_t handle = cipher_open(cipher, key, nonce, NONCE_LEN);
    g_autofree uint8_t *plain = g_malloc(len);
    uint64_t lengths[] = {len - cipher->tag_len, associated->len, cipher->tag_len};
    enum ec_verify_result result = EC_VERIFY_UNSUPPORTED;

    if (!handle)
        return EC_VERIFY_UNSUPPORTED;
    if ((cipher->mode != GCRY_CIPHER_MODE_CCM ||
         !gcry_cipher_ctl(handle, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof(lengths))) &&
        !gcry_cipher_authenticate(handle, associated->bytes, associated->len) &&
        !gcry_cipher_decrypt(handle, plain, lengths[0], text, lengths[0]))
        result =
            gcry_cipher_checktag(handle, text + lengths[0], cipher->tag_len) ? EC_VERIFY_WRONG : EC_VERIFY_VERIFIED;
    gcry_cipher_close(handle);
    explicit_bzero(plain, len);
    return result;
}

static void xor_sequence(uint8_t nonce[NONCE_LEN], uint64_t sequence)
{
    uint8_t bytes[8];

    put_number(bytes, sizeof(bytes), sequence);
    for (size_t i = 0; i < sizeof(bytes); i++)
        nonce[NONCE_LEN - sizeof(bytes) + i] ^= bytes[i];
}

/* RFC 8446 5.2, 5.3 */
static enum ec_verify_result open_tls13(const struct cipher *cipher, struct keys *keys,
                                        const struct ec_verify_record *record)
{
    struct associated associated = {.len = 5};

    if (record->len < cipher->tag_len)
        return EC_VERIFY_WRONG;
    associated.bytes[0] = record->type;
    put_number(associated.bytes + 1, 2, record->version);
    put_number(associated.bytes + 3, 2, record->len);
    xor_sequence(keys->iv, record->sequence);
    return open_aead(cipher, keys->key, keys->iv, &associated, record->fragment, record->len);
}

/* RFC 5246 6.2.3.1 and 6.2.3.3: sequence number, type, version, length of the text. */
static struct associated tls12_header(const struct ec_verify_record *record, size_t len)
{
    struct associated associated = {.len = 13};

    put_number(associated.bytes, 8, record->sequence);
    associated.bytes[8] = record->type;
    put_number(associated.bytes + 9, 2, record->version);
    put_number(associated.bytes + 11, 2, len);
    return associated;
}

static enum ec_verify_result open_tls12_aead(const struct cipher *cipher, struct keys *keys,
                                             const struct ec_verify_record *record)
{
    const bool is_explicit = cipher->mode != GCRY_CIPHER_MODE_POLY1305;
    const size_t front = is_explicit ? EXPLICIT_LEN : 0;
    struct associated associated;

    if (record->len < front + cipher->tag_len)
        return EC_VERIFY_WRONG;
    associated = tls12_header(record, record->len - front - cipher->tag_len);
    if (is_explicit)
        memcpy(keys->iv + SALT_LEN, record->fragment, EXPLICIT_LEN);
    else
        xor_sequence(keys->iv, record->sequence);
    return open_aead(cipher, keys->key, keys->iv, &associated, record->fragment + front, record->len - front);
}

static enum ec_verify_result check_mac(const struct cipher *cipher, const struct keys *keys,
                                       const struct ec_verify_record *record, const uint8_t *text, size_t len,
                                       const uint8_t *mac)
{
    struct associated header = tls12_header(record, len);
    g_autofree uint8_t *covered = g_malloc(header.len + len);
    uint8_t digest[EC_HASH_LEN_MAX];
    enum ec_verify_result result = EC_VERIFY_UNSUPPORTED;

    memcpy(covered, header.bytes, header.len);
    memcpy(covered + header.len, text, len);
    if (ec_hmac(cipher->mac, keys->mac, cipher->tag_len, covered, header.len + len, digest))
        result = memcmp(digest, mac, cipher->tag_len) ? EC_VERIFY_WRONG : EC_VERIFY_VERIFIED;
    explicit_bzero(covered, header.len + len);
    return result;
}

/* RFC 5246 6.2.3.2: IV, then, encrypted, text, MAC and padding whose bytes all hold its length. */
static enum ec_verify_result open_cbc(const struct cipher *cipher, const struct keys *keys,
                                      const struct ec_verify_record *record)
{
    const size_t len = record->len - BLOCK_LEN;
    gcry_cipher_hd_t handle = cipher_open(cipher, keys->key, record->fragment, BLOCK_LEN);
    g_autofree uint8_t *plain = g_malloc(len);
    enum ec_verify_result result = EC_VERIFY_UNSUPPORTED;

    if (!handle)
        return EC_VERIFY_UNSUPPORTED;
    if (!gcry_cipher_decrypt(handle, plain, len, record->fragment + BLOCK_LEN, len)) {
        const size_t behind = plain[len - 1] + 1u + cipher->tag_len;

        result =
            behind > len ? EC_VERIFY_WRONG : check_mac(cipher, keys, record, plain, len - behind, plain + len - behind);
    }
    gcry_cipher_close(handle);
    explicit_bzero(plain, len);
    return result;
}

static enum ec_verify_result open_tls12_cbc(const struct cipher *cipher, const struct keys *keys,
                                            const struct ec_verify_record *record, bool encrypt_then_mac)
{
    const size_t behind = encrypt_then_mac ? cipher->tag_len : 0;

    if (record->len < 2 * BLOCK_LEN + behind || (record->len - behind) % BLOCK_LEN != 0)
        return EC_VERIFY_WRONG;
    /* RFC 7366 3: the MAC covers the IV and what is encrypted. */
    if (encrypt_then_mac)
        return check_mac(cipher, keys, record, record->fragment, record->len - behind,
                         record->fragment + record->len - behind);
    return open_cbc(cipher, keys, record);
}

static enum ec_verify_result open_tls12(const struct ec_verify_session *session, const struct cipher *cipher,
                                        struct keys *keys, const struct ec_verify_record *record)
{
    return is_cbc(cipher) ? open_tls12_cbc(cipher, keys, record, session->encrypt_then_mac)
                          : open_tls12_aead(cipher, keys, record);
}

enum ec_verify_result ec_tls_verify(const struct ec_verify_session *session, const struct ec_secret *secret,
                                    const struct ec_verify_record *record)
{
    const struct cipher *cipher = cipher_get(session->suite);
    const bool tls13 = session->version == TLS13;
    enum ec_verify_result result = EC_VERIFY_UNSUPPORTED;
    struct keys keys;

    if (!cipher || record->len > FRAGMENT_MAX || !ec_crypto_start() || (!tls13 && session->version != TLS12))
        return EC_VERIFY_UNSUPPORTED;
    if (secret->secret_len != (tls13 ? gcry_md_get_algo_dlen(cipher->prf) : MASTER_LEN) || (tls13 && is_cbc(cipher)))
        return EC_VERIFY_UNSUPPORTED;
    if (tls13 && derive_tls13(cipher, secret, &keys))
        result = open_tls13(cipher, &keys, record);
    else if (!tls13 && derive_tls12(session, cipher, secret, record->from_server, &keys))
        result = open_tls12(session, cipher, &keys, record);
    explicit_bzero(&keys, sizeof(keys));
    return result;
}
