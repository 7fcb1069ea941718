/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Capabilities: what a capture needs, what it keeps, and that the rest is gone. */
#include <glib.h>
#include <stdbool.h>

/* Whether this process may capture. EC_SESSION_ERROR_PRIVILEGE names what is missing and what to run. */
bool ec_privilege_check(GError **error);
/* The names of the capabilities, joined by commas, that a capture needs, or that it can do without at a cost, and that
 * this process lacks; "" if it has them. Free with g_free(). */
char *ec_privilege_get_missing(bool required);
/* How this user gets what is missing. */
const char *ec_privilege_get_remedy(void);
/* Drops every capability that attaching to later processes and interfaces doesn't need, for good
 * (no_new_privs), and verifies it. `keep_admin`: later probes take cap_sys_admin here, if it is there at all. */
bool ec_privilege_drop(bool keep_admin, GError **error);
