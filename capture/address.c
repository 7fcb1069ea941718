/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each table is two: when the younger is full, the older is dropped and the younger takes its place. */
#include "address.h"

#include "hash.h"

#include <string.h>

#define REMEMBERED 32768
/* Connections of one object, one after the other, whose plaintext has not been asked about yet. */
#define NAMES_MAX 64

struct random {
    uint8_t bytes[EC_RANDOM_LEN];
};

struct object {
    uint64_t object;
    uint64_t pid;
};

/* An object has this random from then on. */
struct name {
    uint64_t time;
    struct random random;
};

/* The ends of a connection, in the order of their bytes. */
struct ends {
    struct ec_endpoint low, high;
};
_Static_assert(sizeof(struct ends) == 2 * (16 + 2), "no padding: compared as bytes");

struct table {
    GHashTable *young, *old;
    GHashFunc hash;
    GEqualFunc equal;
    GDestroyNotify value_free;
};

struct ec_addresses {
    struct table handshakes; /* struct random → struct ec_address */
    struct table objects;    /* struct object → GArray of struct name, by time */
    struct table datagrams;  /* struct ends → NULL; over UDP only */
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

static guint ends_hash(gconstpointer key)
{
    return ec_bytes_hash(key, sizeof(struct ends));
}

static gboolean ends_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct ends)) == 0;
}

static struct ends ends_make(const struct ec_endpoint *a, const struct ec_endpoint *b)
{
    return memcmp(a, b, sizeof(*a)) < 0 ? (struct ends){*a, *b} : (struct ends){*b, *a};
}

static void table_open(struct table *table, GHashFunc hash, GEqualFunc equal, GDestroyNotify value_free)
{
    table->hash = hash;
    table->equal = equal;
    table->value_free = value_free;
    table->young = g_hash_table_new_full(hash, equal, g_free, value_free);
    table->old = g_hash_table_new_full(hash, equal, g_free, value_free);
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
        table->young = g_hash_table_new_full(table->hash, table->equal, g_free, table->value_free);
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

    table_open(&addresses->handshakes, random_hash, random_equal, g_free);
    table_open(&addresses->objects, object_hash, object_equal, (GDestroyNotify)g_array_unref);
    table_open(&addresses->datagrams, ends_hash, ends_equal, g_free);
    return addresses;
}

void ec_addresses_free(ec_addresses *addresses)
{
    if (!addresses)
        return;
    table_close(&addresses->handshakes);
    table_close(&addresses->objects);
    table_close(&addresses->datagrams);
    g_free(addresses);
}

void ec_addresses_add(ec_addresses *addresses, const uint8_t client_random[static EC_RANDOM_LEN],
                      const struct ec_address *address)
{
    table_put(&addresses->handshakes, g_memdup2(client_random, EC_RANDOM_LEN), g_memdup2(address, sizeof(*address)));
    if (address->transport == EC_TRANSPORT_UDP) {
        const struct ends ends = ends_make(&address->client, &address->server);

        table_put(&addresses->datagrams, g_memdup2(&ends, sizeof(ends)), NULL);
    }
}

void ec_addresses_own(ec_addresses *addresses, const uint8_t client_random[static EC_RANDOM_LEN],
                      const struct ec_endpoint *source, uint32_t pid, uint32_t peer_pid)
{
    struct ec_address *address = (struct ec_address *)table_get(&addresses->handshakes, client_random);
    const bool is_client = address && ec_endpoint_equal(source, &address->client);

    if (!address || (!is_client && !ec_endpoint_equal(source, &address->server)))
        return;
    address->client_pid = is_client ? pid : peer_pid;
    address->server_pid = is_client ? peer_pid : pid;
}

bool ec_addresses_is_datagram(const ec_addresses *addresses, const struct ec_endpoint *source,
                              const struct ec_endpoint *destination)
{
    const struct ends ends = ends_make(source, destination);

    return g_hash_table_contains(addresses->datagrams.young, &ends) ||
           g_hash_table_contains(addresses->datagrams.old, &ends);
}

/* The object's names, made if there are none. */
static GArray *names_get(struct table *objects, const struct object *key)
{
    GArray *names = (GArray *)table_get(objects, key);

    if (!names) {
        names = g_array_new(FALSE, FALSE, sizeof(struct name));
        table_put(objects, g_memdup2(key, sizeof(*key)), names);
    }
    return names;
}

void ec_addresses_name(ec_addresses *addresses, uint32_t pid, uint64_t object,
                       const uint8_t client_random[static EC_RANDOM_LEN], uint64_t time)
{
    const struct object key = {object, pid};
    GArray *names = names_get(&addresses->objects, &key);
    const struct name *last = names->len ? &g_array_index(names, struct name, names->len - 1) : NULL;
    struct name name = {.time = time};

    /* A handshake has several secrets. */
    if (last && memcmp(last->random.bytes, client_random, EC_RANDOM_LEN) == 0)
        return;
    memcpy(name.random.bytes, client_random, EC_RANDOM_LEN);
    if (names->len == NAMES_MAX)
        g_array_remove_index(names, 0);
    g_array_append_val(names, name);
}

/* The last one that it had by then; forgets those before, since what is asked comes in the order of time. */
static const struct random *name_find(GArray *names, uint64_t time)
{
    guint n = 0;

    while (n < names->len && g_array_index(names, struct name, n).time <= time)
        n++;
    if (n > 1)
        g_array_remove_range(names, 0, n - 1);
    return n > 0 ? &g_array_index(names, struct name, 0).random : NULL;
}

bool ec_addresses_find(ec_addresses *addresses, uint32_t pid, uint64_t object, uint64_t time,
                       struct ec_address *ret_address)
{
    const struct object key = {object, pid};
    GArray *names = (GArray *)table_get(&addresses->objects, &key);
    const struct random *client_random = names ? name_find(names, time) : NULL;
    const struct ec_address *address = client_random ? table_get(&addresses->handshakes, client_random) : NULL;

    if (!address)
        return false;
    *ret_address = *address;
    return true;
}
