/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two tables: when the younger is full, the older is dropped and the younger takes its place. */
#include "older.h"

#define REMEMBERED 65536

struct ec_older {
    GHashTable *young, *old; /* numbers of connections */
};

ec_older *ec_older_new(void)
{
    ec_older *older = g_new0(ec_older, 1);

    older->young = g_hash_table_new(NULL, NULL);
    older->old = g_hash_table_new(NULL, NULL);
    return older;
}

void ec_older_free(ec_older *older)
{
    if (!older)
        return;
    g_hash_table_unref(older->young);
    g_hash_table_unref(older->old);
    g_free(older);
}

static uint64_t number_endpoint(const struct ec_endpoint *endpoint)
{
    uint64_t number = 14695981039346656037ull; /* FNV-1a */

    for (size_t i = 0; i < sizeof(endpoint->address); i++)
        number = (number ^ endpoint->address[i]) * 1099511628211ull;
    number = (number ^ endpoint->port) * 1099511628211ull;
    return number ^ number >> 32;
}

/* The same in both directions; that two connections share one doesn't happen. */
static gpointer number_get(const struct ec_segment *segment)
{
    return (gpointer)(uintptr_t)(number_endpoint(&segment->source) + number_endpoint(&segment->destination));
}

static void number_add(ec_older *older, gpointer number)
{
    if (g_hash_table_size(older->young) >= REMEMBERED) {
        g_hash_table_unref(older->old);
        older->old = older->young;
        older->young = g_hash_table_new(NULL, NULL);
    }
    g_hash_table_add(older->young, number);
}

/* A record of application data begins here (RFC 8446 5.1, 5.2; the same in TLS 1.2). */
static bool has_record(const struct ec_segment *segment)
{
    enum { HEADER_LEN = 5, APPLICATION_DATA = 23, FRAGMENT_MAX = 16384 + 2048 };
    const uint8_t *payload = segment->payload;

    return segment->payload_len > HEADER_LEN && payload[0] == APPLICATION_DATA && payload[1] == 3 && payload[2] == 3 &&
           (payload[3] << 8 | payload[4]) <= FRAGMENT_MAX;
}

void ec_older_add_young(ec_older *older, const struct ec_segment *segment)
{
    number_add(older, number_get(segment));
}

bool ec_older_check(ec_older *older, const struct ec_segment *segment)
{
    gpointer number;

    if (segment->transport != EC_TRANSPORT_TCP || !has_record(segment))
        return false;
    number = number_get(segment);
    if (g_hash_table_contains(older->young, number) || g_hash_table_contains(older->old, number))
        return false;
    number_add(older, number);
    return true;
}
