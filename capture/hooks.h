/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which TLS libraries are hooked, and which processes map one. Every library file is hooked once, for
 * all processes; one that can't be is named in the log, once, with the reason.
 */
#include "kernel.h"
#include "module.h"

#include <glib.h>
#include <stdbool.h>

typedef struct ec_hooks ec_hooks;
/* Hooks the libraries of the running processes and the system's own, and follows new mappings from then on. That
 * these can't be followed costs late libraries, not the capture: it is logged. `modules`: bits of 1 << enum
 * ec_module_id; others' libraries are left alone. `plaintext`: hook the calls that move plaintext too, also where
 * secrets can't be had; that these aren't found is logged. `kernel` is borrowed. */
ec_hooks *ec_hooks_new(ec_kernel *kernel, unsigned modules, bool plaintext);
void ec_hooks_free(ec_hooks *hooks);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_hooks, ec_hooks_free)

/* A library or program that the user names, of whatever module: EC_SESSION_ERROR_LIBRARY if it can't be hooked. With
 * one of NSS come those beside it: a failure of theirs is logged. Of bash it can be an address in a file
 * (ec_shell_path_split()). */
bool ec_hooks_add_path(ec_hooks *hooks, const char *path, enum ec_module_id module, GError **error);
/* A program that is about to be executed: without one, its first handshake may come before its hook point is found. */
void ec_hooks_add_program(ec_hooks *hooks, const char *path);
/* Descriptors to wait on, then to call ec_hooks_update() for; -1 terminated, borrowed. */
const int *ec_hooks_get_fds(const ec_hooks *hooks);
/* Takes in new mappings and ended processes; cheap when there are none. */
void ec_hooks_update(ec_hooks *hooks);
/* Whether this process maps a hooked TLS library. */
bool ec_hooks_is_hooked(ec_hooks *hooks, uint32_t pid);
/* Why secrets of a process don't come; a later one explains more. */
enum ec_hook_state {
    EC_HOOK_STATE_UNKNOWN = 1, /* it has ended, or can't be looked into */
    EC_HOOK_STATE_NONE,        /* no TLS library that is known here */
    EC_HOOK_STATE_LEFT,        /* another module's library */
    EC_HOOK_STATE_REFUSED,     /* it can't be hooked */
    EC_HOOK_STATE_PENDING,     /* its hook point is being looked for */
    EC_HOOK_STATE_HOOKED,
};
/* `time`: when they were needed, ns of CLOCK_BOOTTIME. `*ret_reason`: that in words; lives as long as the hooks. */
enum ec_hook_state ec_hooks_explain(ec_hooks *hooks, uint32_t pid, uint64_t time, const char **ret_reason);
/* Libraries hooked so far. */
unsigned ec_hooks_get_count(const ec_hooks *hooks);
