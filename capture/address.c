/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each table is two: when the younger is full, the older is dropped and the younger takes its place. */
#include "address.h"

#include <string.h>

#define REMEMBERED 32768

struct random {
    uint8_t bytes[EC_RANDOM_LEN];
};

struct object {
    uint64_t object;
    uint64_t pid;
};

struct table {
    GHashTable *young, *old;
    GHashFunc hash;
    GEqualFunc equal;
};

struct ec_addresses {
    struct table handshakes; /* struct random → struct ec_address */
    struct table objects;    /* struct object → struct random */
};

static guint random_hash(gconstpointer key)
{
    guint hash;

    memcpy(&hash, key, sizeof(hash));
    return hash;
}

static gboolean random_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct random)) == 0;
}

static guint object_hash(gconstpointer key)
{
    const struct object *object = key;

    return (guint)((object->object >> 4 ^ object->pid << 24) * 0x9e3779b97f4a7c15u >> 32);
}

static gboolean object_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct object)) == 0;
}

static void table_open(struct table *table, GHashFunc hash, GEqualFunc equal)
{
    table->hash = hash;
    table->equal = equal;
    table->young = g_hash_table_new_full(hash, equal, g_free, g_free);
    table->old = g_hash_table_new_full(hash, equal, g_free, g_free);
}

static void table_close(struct table *table)
{
    g_hash_table_unref(table->young);
    g_hash_table_unref(table->old);
}

static void table_put(struct table *table, gpointer key_to_take, gpointer value_to_take)
{
    if (g_hash_table_size(table->young) >= REMEMBERED) {
        g_hash_table_unref(table->old);
        table->old = table->young;
        table->young = g_hash_table_new_full(table->hash, table->equal, g_free, g_free);
    }
    g_hash_table_replace(table->young, key_to_take, value_to_take);
}

static const void *table_get(const struct table *table, gconstpointer key)
{
    const void *value = g_hash_table_lookup(table->young, key);

    return value ? value : g_hash_table_lookup(table->old, key);
}

ec_addresses *ec_addresses_new(void)
{
    ec_addresses *addresses = g_new0(ec_addresses, 1);

    table_open(&addresses->handshakes, random_hash, random_equal);
    table_open(&addresses->objects, object_hash, object_equal);
    return addresses;
}

void ec_addresses_free(ec_addresses *addresses)
{
    if (!addresses)
        return;
    table_close(&addresses->handshakes);
    table_close(&addresses->objects);
    g_free(addresses);
}

void ec_addresses_add(ec_addresses *addresses, const uint8_t client_random[static EC_RANDOM_LEN],
                      const struct ec_address *address)
{
    table_put(&addresses->handshakes, g_memdup2(client_random, EC_RANDOM_LEN), g_memdup2(address, sizeof(*address)));
}

void ec_addresses_name(ec_addresses *addresses, uint32_t pid, uint64_t object,
                       const uint8_t client_random[static EC_RANDOM_LEN])
{
    const struct object key = {object, pid};
    const void *known = table_get(&addresses->objects, &key);

    /* A handshake has several secrets. */
    if (!known || memcmp(known, client_random, EC_RANDOM_LEN) != 0)
        table_put(&addresses->objects, g_memdup2(&key, sizeof(key)), g_memdup2(client_random, EC_RANDOM_LEN));
}

bool ec_addresses_find(const ec_addresses *addresses, uint32_t pid, uint64_t object, struct ec_address *ret_address)
{
    const struct object key = {object, pid};
    const void *client_random = table_get(&addresses->objects, &key);
    const struct ec_address *address = client_random ? table_get(&addresses->handshakes, client_random) : NULL;

    if (!address)
        return false;
    *ret_address = *address;
    return true;
}
