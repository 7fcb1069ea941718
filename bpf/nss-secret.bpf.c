/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probes on NSS's libraries (nss-hook-point.h tells why there are three). NSS derives a key and logs it, or makes
 * record keys of it, within one thread and one after the other; so each thread's latest value of a key object is kept,
 * and belongs to the key in question if the object's handle is that key's.
 */
#include "cookie.bpf.h"
#include "plaintext.bpf.h"
#include "secret.bpf.h"

/* PKCS #11 v3.0, 4.1 and 6.4 */
#define CKA_VALUE 0x11
#define CKM_SSL3_KEY_AND_MAC_DERIVE 0x372
#define CKM_TLS_KEY_AND_MAC_DERIVE 0x376
#define CKM_TLS12_KEY_AND_MAC_DERIVE 0x3e1

/* Where structures hold what is read, bytes; on 64-bit machines.
 * SFTKObject: lib/softoken/pkcs11i.h, since NSS 3.4 (next, previous, class, handle).
 * PK11SymKey: lib/pk11wrap/secmodti.h, likewise (type, objectID).
 * Both are private to NSS: were they to change, no handle would equal the other, and nothing would be captured. */
#define OBJECT_HANDLE 24
#define KEY_HANDLE 8
/* SECItem: public, lib/util/seccomon.h (type, data, len) */
#define ITEM_DATA 8
/* CK_SSL3_KEY_MAT_PARAMS and CK_TLS12_KEY_MAT_PARAMS: PKCS #11 v3.0, 6.4 (three lengths, a flag, RandomInfo) */
#define PARAMETERS_RANDOM 32

/* A secret of TLS is as long as a hash, or 48 bytes: RFC 8446, 7.1 (its suites use SHA-256 and -384), RFC 5246, 8.1. */
#define VALUE_LEN_SHORT 32
#define VALUE_LEN_LONG 48

struct nss_value {
    uint64_t object;
    uint32_t len;
    uint32_t pad;
    uint8_t bytes[VALUE_LEN_LONG];
};

/* By thread. Preallocated, as sleepable programs want it. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, uint64_t);
    __type(value, struct nss_value);
} nss_values SEC(".maps");

/* Master secrets, by their PK11SymKey, that have been handed out: ssl3_RecordKeyLog() tells whose they are. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, struct connection_key);
    __type(value, uint8_t);
} nss_masters SEC(".maps");

static __always_inline void take_value(struct pt_regs *ctx, uint64_t cookie, bool sleepable)
{
    uint64_t thread = bpf_get_current_pid_tgid();
    uint32_t len = (uint32_t)read_argument(ctx, cookie, 3);
    const void *from = (const void *)read_argument(ctx, cookie, 2);
    struct nss_value value = {.object = read_argument(ctx, cookie, 0), .len = len};

    if (read_argument(ctx, cookie, 1) != CKA_VALUE || !from)
        return;
    if (len == VALUE_LEN_SHORT ? read_user(value.bytes, VALUE_LEN_SHORT, from, sleepable)
                               : len != VALUE_LEN_LONG || read_user(value.bytes, VALUE_LEN_LONG, from, sleepable))
        return;
    bpf_map_update_elem(&nss_values, &thread, &value, BPF_ANY);
}

/* Whether the object is the one that the key stands for. */
static __always_inline bool is_of_key(uint64_t object, uint64_t key, bool sleepable)
{
    uint64_t of_object = 0, of_key = 0;

    return !read_user(&of_object, sizeof(of_object), (const void *)(object + OBJECT_HANDLE), sleepable) &&
           !read_user(&of_key, sizeof(of_key), (const void *)(key + KEY_HANDLE), sleepable) && of_object != 0 &&
           of_object == of_key;
}

/* Begins an event with the value of this key; the thread's value is used up. NULL, counted, if it isn't known. */
static __always_inline struct ec_secret_event *begin_with_value(uint64_t cookie, uint64_t key, bool sleepable)
{
    uint64_t thread = bpf_get_current_pid_tgid();
    const struct nss_value *value = bpf_map_lookup_elem(&nss_values, &thread);
    struct ec_secret_event *event;

    if (!value || !is_of_key(value->object, key, sleepable)) {
        counter_add(EC_DROP_SECRET_UNPROVEN, 1);
        return 0;
    }
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), value->len);
    if (event)
        __builtin_memcpy(event->secret, value->bytes, sizeof(value->bytes));
    bpf_map_delete_elem(&nss_values, &thread);
    return event;
}

static __always_inline void master_note(uint64_t key, bool is_known)
{
    struct connection_key master = connection_key_of(key);
    uint8_t one = 1;

    if (config.plaintext != EC_PLAINTEXT_MISSING)
        return;
    if (is_known)
        bpf_map_update_elem(&nss_masters, &master, &one, BPF_ANY);
    else
        bpf_map_delete_elem(&nss_masters, &master);
}

static __always_inline void master_belongs(uint64_t key, uint64_t socket)
{
    struct connection_key master = connection_key_of(key);

    if (config.plaintext == EC_PLAINTEXT_MISSING && bpf_map_lookup_elem(&nss_masters, &master))
        connection_has_secret(socket);
}

/* Only TLS 1.3's secrets: a master secret comes here after the packets that need it, and by PK11_Derive before. */
static __always_inline void take_keylog(struct pt_regs *ctx, uint64_t cookie, bool sleepable)
{
    uint64_t socket = read_argument(ctx, cookie, 0), key = read_argument(ctx, cookie, 2);
    const uint8_t *random = (const uint8_t *)socket + EC_SECRET_COOKIE_OFFSET(cookie);
    char label[EC_LABEL_LEN] = {};
    struct ec_secret_event *event;
    bool is_whole;

    if (read_label(label, (const void *)read_argument(ctx, cookie, 1), sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    if (label[0] == 'C' && label[7] == 'R') {
        master_belongs(key, socket);
        return;
    }
    event = begin_with_value(cookie, key, sleepable);
    if (!event)
        return;
    __builtin_memcpy(event->label, label, sizeof(label));
    event->label_len = label_len(event->label);
    is_whole = !read_user(event->client_random, EC_RANDOM_LEN, random, sleepable);
    if (is_whole)
        connection_has_secret(socket);
    secret_end(event, is_whole);
}

static __always_inline bool makes_record_keys(uint64_t mechanism)
{
    return mechanism == CKM_TLS12_KEY_AND_MAC_DERIVE || mechanism == CKM_TLS_KEY_AND_MAC_DERIVE ||
           mechanism == CKM_SSL3_KEY_AND_MAC_DERIVE;
}

static __always_inline void take_derive(struct pt_regs *ctx, uint64_t cookie, bool sleepable)
{
    struct {
        const uint8_t *data;
        uint64_t len;
    } random = {};
    const uint8_t *parameters = 0;
    uint64_t key = read_argument(ctx, cookie, 0);
    struct ec_secret_event *event;
    bool is_whole;

    if (!makes_record_keys(read_argument(ctx, cookie, 1)))
        return;
    master_note(key, false);
    if (read_user(&parameters, sizeof(parameters), (const uint8_t *)read_argument(ctx, cookie, 2) + ITEM_DATA,
                  sleepable) ||
        read_user(&random, sizeof(random), parameters + PARAMETERS_RANDOM, sleepable)) {
        counter_add(EC_DROP_SECRET_FAULT, 1);
        return;
    }
    if (random.len != EC_RANDOM_LEN) {
        counter_add(EC_DROP_SECRET_INVALID, 1);
        return;
    }
    event = begin_with_value(cookie, key, sleepable);
    if (!event)
        return;
    fill_master_label(event);
    is_whole = !read_user(event->client_random, EC_RANDOM_LEN, random.data, sleepable);
    if (is_whole)
        master_note(key, true);
    secret_end(event, is_whole);
}

static __always_inline int nss_secret(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx);

    if (!secret_is_wanted())
        return 0;
    switch (EC_NSS_COOKIE_ROLE(cookie)) {
    case EC_NSS_VALUE:
        take_value(ctx, cookie, sleepable);
        break;
    case EC_NSS_DERIVE:
        take_derive(ctx, cookie, sleepable);
        break;
    case EC_NSS_KEYLOG:
        take_keylog(ctx, cookie, sleepable);
        break;
    }
    return 0;
}

SLEEPABLE_PAIR(ec_nss_secret, nss_secret)
