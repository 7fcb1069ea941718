/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The processes known to map a hooked library, by pid. Bounded: full, it takes no more, and whoever asks finds out
 * again. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ec_hooked_set ec_hooked_set;
ec_hooked_set *ec_hooked_set_new(unsigned capacity);
void ec_hooked_set_free(ec_hooked_set *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_hooked_set, ec_hooked_set_free)
/* False if there is no room. */
bool ec_hooked_set_add(ec_hooked_set *set, uint32_t pid);
/* A fork: the child maps what its parent maps. */
void ec_hooked_set_inherit(ec_hooked_set *set, uint32_t pid, uint32_t parent);
void ec_hooked_set_remove(ec_hooked_set *set, uint32_t pid);
void ec_hooked_set_clear(ec_hooked_set *set);
bool ec_hooked_set_contains(const ec_hooked_set *set, uint32_t pid);
