/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A file that is or could be hooked: what it is, and what is known of it. */
#include "hook-point.h"
#include "module.h"
#include "probe.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* One library file, or a program with a TLS library inside or of another kind that a module hooks. Owned by its
 * ec_library_set, which drops none but by ec_library_set_prune(). */
struct ec_library {
    dev_t dev; /* of stat(2); if fd is -1, of /proc/PID/maps, which can differ */
    ino_t ino;
    off_t size;                 /* bytes; 0 if fd is -1 */
    enum ec_module_id module;   /* whose it is */
    char *path;                 /* as mapped, in its process's mount namespace; " (deleted)" cut off */
    int fd;                     /* open, read only; -1 if it could not be opened */
    bool pending;               /* its hook point is being looked for; hookable is false until then */
    bool hookable;              /* never without find_points */
    struct ec_hook_point point; /* if hookable, of modules with packets; `version` is the libcrypto's beside it if the
                                   file itself has none */
    struct ec_probe_plan plan;  /* if hookable, of modules without packets */
    char *reason;               /* if not hookable: why, one line; NULL without find_points */
    unsigned users;             /* processes of the ec_target_list that map it */
    unsigned last_used;         /* the pruning before which it last had any */
    bool named;                 /* added by its path */
};

/* What a hookable one is. "OpenSSL"; static. */
const char *ec_library_get_kind(const struct ec_library *library);
/* "3.0.22", "" if it is not known. Borrowed. */
const char *ec_library_get_version(const struct ec_library *library);
/* How what is attached was found: "cross-reference"; static. */
const char *ec_library_get_method(const struct ec_library *library);
/* The calls that plaintext is taken from (plaintext-point.h). NULL with the reason, if one is to be told: a library
 * that isn't asked for plaintext, as one of a module without packets, has neither points nor a reason. */
GArray *ec_library_find_plaintext(const struct ec_library *library, GError **error);
/* Whether there are any; quicker. */
bool ec_library_has_plaintext(const struct ec_library *library, GError **error);

/* Without its file yet. `path_to_take`: g_free. */
struct ec_library *ec_library_new(dev_t dev, ino_t ino, enum ec_module_id module, char *path_to_take);
void ec_library_free(struct ec_library *library);
