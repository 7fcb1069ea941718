/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header protection hides how long the packet number is, so a packet is read in this order: sample behind the longest
 * possible number, mask, first byte, number, then AES-128-GCM over the rest with the bare header as associated data.
 * The tag tells whose packet it was: a server's Initial packets are under other keys.
 */
#include "quic-initial.h"

#include "key-schedule.h"

#include <gcrypt.h>
#include <glib.h>
#include <string.h>

enum {
    LONG_HEADER = 0x80,
    FIXED_BIT = 0x40,
    NUMBER_LEN_MAX = 4, /* RFC 9000 17.1 */
    SAMPLE_LEN = 16,    /* RFC 9001 5.4.2 */
    TAG_LEN = 16,       /* RFC 9001 5.3 */
    PAYLOAD_MAX = 4096, /* bytes; real Initial packets fit an Ethernet frame */
    CLIENT_HELLO = 1,
};
/* RFC 9000 19: frames that an Initial packet may hold */
enum { FRAME_PADDING = 0, FRAME_PING = 1, FRAME_ACK = 2, FRAME_ACK_ECN = 3, FRAME_CRYPTO = 6 };

enum { TYPE_BITS = 4, RETRY = -1 };
/* What differs between the versions. */
static const struct version {
    uint32_t number;
    int8_t types[TYPE_BITS]; /* by the header's two type bits: enum ec_quic_type, or RETRY */
    uint8_t salt[20];
    const char *key, *iv, *header; /* labels */
} versions[] = {
    {0x00000001, /* RFC 9000 17.2, RFC 9001 5.2 and 5.1 */
     {EC_QUIC_INITIAL, EC_QUIC_0RTT, EC_QUIC_HANDSHAKE, RETRY},
     {0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
      0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a},
     "quic key",
     "quic iv",
     "quic hp"},
    {0x6b3343cf, /* RFC 9369 3.1 to 3.3 */
     {RETRY, EC_QUIC_INITIAL, EC_QUIC_0RTT, EC_QUIC_HANDSHAKE},
     {0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
      0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9},
     "quicv2 key",
     "quicv2 iv",
     "quicv2 hp"},
};

struct reader {
    const uint8_t *at, *end;
};

static bool reader_take(struct reader *reader, uint64_t len, const uint8_t **ret_bytes)
{
    if ((uint64_t)(reader->end - reader->at) < len)
        return false;
    *ret_bytes = reader->at;
    reader->at += len;
    return true;
}

/* RFC 9000 16 */
static bool reader_varint(struct reader *reader, uint64_t *ret_number)
{
    const uint8_t *bytes = NULL;
    uint64_t number;
    size_t len;

    if (reader->at == reader->end)
        return false;
    len = (size_t)1 << (*reader->at >> 6);
    if (!reader_take(reader, len, &bytes))
        return false;
    number = bytes[0] & 0x3fu;
    for (size_t i = 1; i < len; i++)
        number = number << 8 | bytes[i];
    *ret_number = number;
    return true;
}

/* A connection ID with its length in front. */
static bool reader_id(struct reader *reader, const uint8_t **ret_id, size_t *ret_len)
{
    const uint8_t *len = NULL;

    if (!reader_take(reader, 1, &len) || *len > EC_QUIC_ID_LEN || !reader_take(reader, *len, ret_id))
        return false;
    *ret_len = *len;
    return true;
}

static const struct version *version_get(uint32_t number)
{
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        if (versions[i].number == number)
            return &versions[i];
    return NULL;
}

bool ec_quic_packet_parse(const uint8_t *data, size_t len, struct ec_quic_packet *ret_packet)
{
    struct reader reader = {data, data + len};
    const uint8_t *head = NULL, *unused = NULL;
    const struct version *version;
    struct ec_quic_packet packet;
    uint64_t token_len = 0, rest = 0;
    int type;

    if (!reader_take(&reader, 5, &head) || !(head[0] & LONG_HEADER))
        return false;
    packet.version = (uint32_t)head[1] << 24 | (uint32_t)head[2] << 16 | (uint32_t)head[3] << 8 | head[4];
    version = version_get(packet.version);
    if (!version)
        return false;
    type = version->types[head[0] >> 4 & 3];
    if (type == RETRY || !reader_id(&reader, &packet.id, &packet.id_len) ||
        !reader_id(&reader, &unused, &packet.source_len))
        return false;
    if (type == EC_QUIC_INITIAL && (!reader_varint(&reader, &token_len) || !reader_take(&reader, token_len, &unused)))
        return false;
    if (!reader_varint(&reader, &rest))
        return false;
    packet.type = (enum ec_quic_type)type;
    packet.number_at = (size_t)(reader.at - data);
    if (!reader_take(&reader, rest, &unused))
        return false;
    packet.len = (size_t)(reader.at - data);
    *ret_packet = packet;
    return true;
}

bool ec_quic_is_short(const uint8_t *data, size_t len, const struct ec_quic_packet *before)
{
    if (len == 0 || (data[0] & LONG_HEADER))
        return false;
    if (!before)
        return true;
    if (before->id_len == 0)
        return data[0] & FIXED_BIT;
    return len > before->id_len && memcmp(data + 1, before->id, before->id_len) == 0;
}

void ec_quic_short_describe(size_t len, uint32_t version, size_t id_len, struct ec_quic_packet *ret_packet)
{
    *ret_packet = (struct ec_quic_packet){
        .type = EC_QUIC_1RTT, .version = version, .id_len = id_len, .number_at = 1 + id_len, .len = len};
}

enum { HASH_LEN = 32 }; /* SHA-256's */

/* RFC 9001 5.1: what a cipher suite's AEAD and header protection are. */
static const struct cipher {
    int algorithm, mode, hash;
    uint8_t key_len;
} ciphers[] = {
    [EC_QUIC_AES128_GCM] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_GCM, GCRY_MD_SHA256, 16},
    [EC_QUIC_AES256_GCM] = {GCRY_CIPHER_AES256, GCRY_CIPHER_MODE_GCM, GCRY_MD_SHA384, 32},
    [EC_QUIC_CHACHA20] = {GCRY_CIPHER_CHACHA20, GCRY_CIPHER_MODE_POLY1305, GCRY_MD_SHA256, 32},
    [EC_QUIC_AES128_CCM] = {GCRY_CIPHER_AES128, GCRY_CIPHER_MODE_CCM, GCRY_MD_SHA256, 16},
};
_Static_assert(G_N_ELEMENTS(ciphers) == EC_QUIC_CIPHER_MAX, "a row for every cipher");

static bool keys_expand(const struct version *version, enum ec_quic_cipher id, const uint8_t *secret, size_t secret_len,
                        struct ec_quic_keys *ret_keys)
{
    const struct cipher *cipher = &ciphers[id];
    struct ec_quic_keys keys = {.cipher = id};
    bool ok = ec_hkdf_expand_label(cipher->hash, secret, secret_len, version->key, keys.key, cipher->key_len) &&
              ec_hkdf_expand_label(cipher->hash, secret, secret_len, version->iv, keys.iv, sizeof(keys.iv)) &&
              ec_hkdf_expand_label(cipher->hash, secret, secret_len, version->header, keys.header, cipher->key_len);

    if (ok)
        *ret_keys = keys;
    explicit_bzero(&keys, sizeof(keys));
    return ok;
}

bool ec_quic_keys_derive(uint32_t version_number, const uint8_t *id, size_t id_len, struct ec_quic_keys *ret_keys)
{
    const struct version *version = version_get(version_number);
    uint8_t initial[HASH_LEN], client[HASH_LEN];
    bool ok;

    if (!version || !ec_crypto_start())
        return false;
    ok = ec_hmac(GCRY_MD_SHA256, version->salt, sizeof(version->salt), id, id_len, initial) &&
         ec_hkdf_expand_label(GCRY_MD_SHA256, initial, HASH_LEN, "client in", client, HASH_LEN) &&
         keys_expand(version, EC_QUIC_AES128_GCM, client, HASH_LEN, ret_keys);
    explicit_bzero(initial, sizeof(initial));
    explicit_bzero(client, sizeof(client));
    return ok;
}

/* RFC 9001 5.4.3: AES-ECB of the sample; 5.4.4: ChaCha20's stream with the sample as counter and nonce. */
static bool get_mask(const struct ec_quic_keys *keys, const uint8_t *sample, uint8_t ret_mask[SAMPLE_LEN])
{
    static const uint8_t zeros[SAMPLE_LEN];
    const struct cipher *cipher = &ciphers[keys->cipher];
    const bool stream = keys->cipher == EC_QUIC_CHACHA20;
    gcry_cipher_hd_t handle;
    bool ok;

    if (gcry_cipher_open(&handle, cipher->algorithm, stream ? GCRY_CIPHER_MODE_STREAM : GCRY_CIPHER_MODE_ECB, 0))
        return false;
    ok = !gcry_cipher_setkey(handle, keys->header, cipher->key_len) &&
         (!stream || !gcry_cipher_setiv(handle, sample, SAMPLE_LEN)) &&
         !gcry_cipher_encrypt(handle, ret_mask, SAMPLE_LEN, stream ? zeros : sample, SAMPLE_LEN);
    gcry_cipher_close(handle);
    return ok;
}

/* A packet with its header protection off. */
struct bare {
    uint8_t first;
    uint8_t number[NUMBER_LEN_MAX];
    size_t number_len;
    const uint8_t *payload; /* encrypted, without the tag */
    size_t len;
};

static bool remove_protection(const struct ec_quic_keys *keys, const uint8_t *data, const struct ec_quic_packet *packet,
                              struct bare *ret_bare)
{
    uint8_t mask[SAMPLE_LEN];

    if (packet->len < packet->number_at + NUMBER_LEN_MAX + SAMPLE_LEN ||
        packet->len - packet->number_at > PAYLOAD_MAX + TAG_LEN)
        return false;
    if (!get_mask(keys, data + packet->number_at + NUMBER_LEN_MAX, mask))
        return false;
    ret_bare->first = data[0] ^ (mask[0] & (data[0] & LONG_HEADER ? 0x0f : 0x1f)); /* RFC 9001 5.4.1 */
    ret_bare->number_len = (ret_bare->first & 3u) + 1;
    for (size_t i = 0; i < ret_bare->number_len; i++)
        ret_bare->number[i] = data[packet->number_at + i] ^ mask[1 + i];
    ret_bare->payload = data + packet->number_at + ret_bare->number_len;
    ret_bare->len = packet->len - packet->number_at - ret_bare->number_len - TAG_LEN;
    return true;
}

/* The number on the wire is taken for the whole: a side's first packets of a kind count from a small one. */
static bool decrypt(const struct ec_quic_keys *keys, const uint8_t *data, const struct ec_quic_packet *packet,
                    const struct bare *bare, uint8_t *ret_payload)
{
    const struct cipher *cipher = &ciphers[keys->cipher];
    uint64_t lengths[] = {bare->len, packet->number_at + bare->number_len, TAG_LEN};
    gcry_cipher_hd_t handle;
    uint8_t nonce[sizeof(keys->iv)];
    bool ok;

    memcpy(nonce, keys->iv, sizeof(nonce));
    for (size_t i = 0; i < bare->number_len; i++)
        nonce[sizeof(nonce) - bare->number_len + i] ^= bare->number[i];
    if (gcry_cipher_open(&handle, cipher->algorithm, cipher->mode, 0))
        return false;
    ok = !gcry_cipher_setkey(handle, keys->key, cipher->key_len) && !gcry_cipher_setiv(handle, nonce, sizeof(nonce)) &&
         (cipher->mode != GCRY_CIPHER_MODE_CCM ||
          !gcry_cipher_ctl(handle, GCRYCTL_SET_CCM_LENGTHS, lengths, sizeof(lengths))) &&
         !gcry_cipher_authenticate(handle, &bare->first, 1) &&
         !gcry_cipher_authenticate(handle, data + 1, packet->number_at - 1) &&
         !gcry_cipher_authenticate(handle, bare->number, bare->number_len) &&
         !gcry_cipher_decrypt(handle, ret_payload, bare->len, bare->payload, bare->len) &&
         !gcry_cipher_checktag(handle, bare->payload + bare->len, TAG_LEN);
    gcry_cipher_close(handle);
    return ok;
}

bool ec_quic_initial_read(const struct ec_quic_keys *keys, const uint8_t *data, const struct ec_quic_packet *packet,
                          struct ec_quic_hello *hello)
{
    uint8_t payload[PAYLOAD_MAX];
    struct bare bare;

    if (packet->type != EC_QUIC_INITIAL || !ec_crypto_start() || !remove_protection(keys, data, packet, &bare) ||
        !decrypt(keys, data, packet, &bare, payload))
        return false;
    ec_quic_frames_read(payload, bare.len, hello);
    return true;
}

/* The ServerHello, which names the suite, is not looked at: the secret's length leaves three to try at most. */
enum ec_verify_result ec_quic_verify(const struct ec_secret *secret, const uint8_t *data,
                                     const struct ec_quic_packet *packet)
{
    const struct version *version = version_get(packet->version);
    enum ec_verify_result result = EC_VERIFY_UNSUPPORTED;
    uint8_t payload[PAYLOAD_MAX];
    struct ec_quic_keys keys;
    struct bare bare;

    if (!version || !ec_crypto_start())
        return EC_VERIFY_UNSUPPORTED;
    for (size_t i = 0; result != EC_VERIFY_VERIFIED && i < EC_QUIC_CIPHER_MAX; i++) {
        if (secret->secret_len != gcry_md_get_algo_dlen(ciphers[i].hash) ||
            !keys_expand(version, i, secret->secret, secret->secret_len, &keys) ||
            !remove_protection(&keys, data, packet, &bare))
            continue;
        result = decrypt(&keys, data, packet, &bare, payload) ? EC_VERIFY_VERIFIED : EC_VERIFY_WRONG;
    }
    explicit_bzero(&keys, sizeof(keys));
    explicit_bzero(payload, sizeof(payload));
    return result;
}

/* RFC 9000 19.3 */
static bool skip_ack(struct reader *reader, bool ecn)
{
    uint64_t ranges = 0, unused = 0;

    if (!reader_varint(reader, &unused) || !reader_varint(reader, &unused) || !reader_varint(reader, &ranges) ||
        !reader_varint(reader, &unused))
        return false;
    for (; ranges > 0; ranges--)
        if (!reader_varint(reader, &unused) || !reader_varint(reader, &unused))
            return false;
    return !ecn || (reader_varint(reader, &unused) && reader_varint(reader, &unused) && reader_varint(reader, &unused));
}

static bool read_crypto(struct reader *reader, struct ec_quic_hello *hello)
{
    const uint8_t *bytes = NULL;
    uint64_t offset = 0, len = 0;

    if (!reader_varint(reader, &offset) || !reader_varint(reader, &len) || !reader_take(reader, len, &bytes))
        return false;
    for (uint64_t i = 0; i < len && offset + i < EC_QUIC_HELLO_LEN; i++) {
        hello->bytes[offset + i] = bytes[i];
        hello->have |= 1ull << (offset + i);
    }
    return true;
}

void ec_quic_frames_read(const uint8_t *payload, size_t len, struct ec_quic_hello *hello)
{
    struct reader reader = {payload, payload + len};
    uint64_t type = 0;
    bool sound = true;

    while (sound && reader_varint(&reader, &type)) {
        if (type == FRAME_CRYPTO)
            sound = read_crypto(&reader, hello);
        else if (type == FRAME_ACK || type == FRAME_ACK_ECN)
            sound = skip_ack(&reader, type == FRAME_ACK_ECN);
        else
            sound = type == FRAME_PADDING || type == FRAME_PING;
    }
}

const uint8_t *ec_quic_hello_get_random(const struct ec_quic_hello *hello)
{
    if (hello->have != (1ull << EC_QUIC_HELLO_LEN) - 1 || hello->bytes[0] != CLIENT_HELLO)
        return NULL;
    return hello->bytes + 4 + 2;
}
