/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The library files that are known, told apart by (device, inode). It grows with what is mapped at the same time, not
 * with what ever was: ec_library_set_prune(). */
#include "library.h"

/* Libraries that are kept although nobody maps them: the next process that does is then hooked in time. */
#define EC_LIBRARIES_UNUSED_MAX 256

typedef struct ec_library_set ec_library_set;
ec_library_set *ec_library_set_new(void);
void ec_library_set_free(ec_library_set *set);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_library_set, ec_library_set_free)

/* Of struct ec_library *, borrowed, oldest first. */
GPtrArray *ec_library_set_get(const ec_library_set *set);
/* NULL if it is not in the set. Borrowed, as all that follow. */
struct ec_library *ec_library_set_find(const ec_library_set *set, dev_t dev, ino_t ino);
struct ec_library *ec_library_set_add(ec_library_set *set, struct ec_library *library_to_take);
/* Takes out those without users: what was deleted, since nobody can map it any more, and of the others the longest
 * unused, so that EC_LIBRARIES_UNUSED_MAX remain beside those that were named. The array owns them. */
GPtrArray *ec_library_set_prune(ec_library_set *set);

/* A hookable library with the same bytes, NULL if there is none: another container's copy, most likely. To compare
 * takes a tenth of the time of finding the hook point, and a process that maps a library may be milliseconds away from
 * its first handshake. */
const struct ec_library *ec_library_set_find_twin(const ec_library_set *set, const struct ec_library *library);
/* If it is hookable: from now on it can be found so. */
void ec_library_set_offer_twin(ec_library_set *set, struct ec_library *library);

/* What tells files apart at little cost. */
struct ec_file_head;
struct ec_file_head *ec_file_head_read(const struct ec_library *library); /* g_free */
guint ec_file_head_hash(gconstpointer head);
gboolean ec_file_head_equal(gconstpointer a, gconstpointer b);

/* Key of tables. */
struct ec_file_id {
    uint64_t dev, ino;
};
guint ec_file_id_hash(gconstpointer id);
gboolean ec_file_id_equal(gconstpointer a, gconstpointer b);
