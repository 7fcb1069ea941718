/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Remembers, by build ID, which function of a library or program is handed every secret: to find it takes milliseconds
 * in a libssl, a second in Chromium, which is paid once. One small file for each build ID in XDG_CACHE_HOME/ecapture or
 * ~/.cache/ecapture.
 *
 * An entry is a hint, not a truth. Only files and a directory that are our own user's and nobody else's to write are
 * read; the function's first bytes must be as they were; and all but its place is proven from its code anew
 * (ec_hook_point_prove()). Whatever is wrong with an entry or the directory, it is as if there were none.
 */
#include "hook-point.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define EC_HOOK_SIGNATURE_LEN 32

struct ec_hook_entry {
    struct ec_hook_point point;               /* kind, method, function_offset, version and build_id; the rest is 0 */
    uint8_t signature[EC_HOOK_SIGNATURE_LEN]; /* the function's first bytes */
};

/* The text of an entry's file; free with g_free(). */
char *ec_hook_entry_format(const struct ec_hook_entry *entry);
/* `text`: `len` bytes from anywhere. */
bool ec_hook_entry_parse(const char *text, size_t len, struct ec_hook_entry *ret_entry);

/* The directory, opened once. */
typedef struct ec_hook_cache ec_hook_cache;
ec_hook_cache *ec_hook_cache_new(void);
void ec_hook_cache_free(ec_hook_cache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_hook_cache, ec_hook_cache_free)
/* The hook point of the ELF file `fd`, borrowed; false if it isn't known. These two may be called by many threads. */
bool ec_hook_cache_get(ec_hook_cache *cache, int fd, struct ec_hook_point *ret_point);
/* Keeps a hook point that was found in `fd`; without a build ID or a directory to write to nothing happens. */
void ec_hook_cache_put(ec_hook_cache *cache, int fd, const struct ec_hook_point *point);
