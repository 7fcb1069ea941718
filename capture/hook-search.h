/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Looks for hook points in a thread of its own, one after the other: in a program of 300 MB that takes a second, in
 * which the session has packets to read.
 */
#include "hook-point.h"

#include <glib.h>
#include <stdbool.h>

typedef struct ec_hook_search ec_hook_search;
/* NULL if there is no descriptor to be had. */
ec_hook_search *ec_hook_search_new(void);
/* Does not wait for what is under way: its result is dropped. */
void ec_hook_search_free(ec_hook_search *search);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_hook_search, ec_hook_search_free)

/* Readable when results have come: then take all. Borrowed. */
int ec_hook_search_get_fd(const ec_hook_search *search);
/* ec_hook_point_find(). `fd` is borrowed for the call, `debug_fd_to_take` is ours from here on, -1: none. `key` comes
 * back with the result. False if it can't be started. */
bool ec_hook_search_start(ec_hook_search *search, int fd, int debug_fd_to_take, void *key);

struct ec_hook_result {
    void *key;
    bool found;
    struct ec_hook_point point; /* if found */
    GError *error;              /* if not; the receiver's */
};
/* The next result; false if there is none yet. */
bool ec_hook_search_take(ec_hook_search *search, struct ec_hook_result *ret_result);
