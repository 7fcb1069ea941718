/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "owner.h"

struct entry {
    uint64_t cookie; /* 0: free; the kernel gives none such out */
    struct ec_owner owner;
};

struct ec_owners {
    GHashTable *by_cookie; /* &entry.cookie → struct entry * */
    struct entry *entries;
    size_t capacity, next;
};

ec_owners *ec_owners_new(size_t capacity)
{
    ec_owners *owners = g_new0(ec_owners, 1);

    owners->by_cookie = g_hash_table_new(g_int64_hash, g_int64_equal);
    owners->entries = g_new0(struct entry, capacity);
    owners->capacity = capacity;
    return owners;
}

void ec_owners_free(ec_owners *owners)
{
    if (!owners)
        return;
    g_hash_table_unref(owners->by_cookie);
    g_free(owners->entries);
    g_free(owners);
}

void ec_owners_set(ec_owners *owners, uint64_t cookie, const struct ec_owner *owner)
{
    struct entry *entry = g_hash_table_lookup(owners->by_cookie, &cookie);

    if (!entry) {
        entry = &owners->entries[owners->next];
        owners->next = (owners->next + 1) % owners->capacity;
        if (entry->cookie != 0)
            g_hash_table_remove(owners->by_cookie, &entry->cookie);
        entry->cookie = cookie;
        g_hash_table_insert(owners->by_cookie, &entry->cookie, entry);
    }
    entry->owner = *owner;
}

const struct ec_owner *ec_owners_get(const ec_owners *owners, uint64_t cookie)
{
    const struct entry *entry = g_hash_table_lookup(owners->by_cookie, &cookie);

    return entry ? &entry->owner : NULL;
}
