/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hooked-set.h"

struct ec_hooked_set {
    GHashTable *pids;
    unsigned capacity;
};

ec_hooked_set *ec_hooked_set_new(unsigned capacity)
{
    ec_hooked_set *set = g_new0(ec_hooked_set, 1);

    set->pids = g_hash_table_new(NULL, NULL);
    set->capacity = capacity;
    return set;
}

void ec_hooked_set_free(ec_hooked_set *set)
{
    if (set == NULL)
        return;
    g_hash_table_unref(set->pids);
    g_free(set);
}

bool ec_hooked_set_add(ec_hooked_set *set, uint32_t pid)
{
    if (ec_hooked_set_contains(set, pid))
        return true;
    if (g_hash_table_size(set->pids) >= set->capacity)
        return false;
    g_hash_table_add(set->pids, GUINT_TO_POINTER(pid));
    return true;
}

void ec_hooked_set_inherit(ec_hooked_set *set, uint32_t pid, uint32_t parent)
{
    if (ec_hooked_set_contains(set, parent))
        ec_hooked_set_add(set, pid);
}

void ec_hooked_set_remove(ec_hooked_set *set, uint32_t pid)
{
    g_hash_table_remove(set->pids, GUINT_TO_POINTER(pid));
}

void ec_hooked_set_clear(ec_hooked_set *set)
{
    g_hash_table_remove_all(set->pids);
}

bool ec_hooked_set_contains(const ec_hooked_set *set, uint32_t pid)
{
    return g_hash_table_contains(set->pids, GUINT_TO_POINTER(pid));
}
