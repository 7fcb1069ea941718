/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What could be hooked: the processes that map a TLS library, and the library files themselves,
 * told apart by (device, inode), opened through /proc/PID/map_files or /proc/PID/root so that other
 * mount namespaces and deleted files work.
 *
 * map_files needs CAP_CHECKPOINT_RESTORE (Linux 5.9) or CAP_SYS_ADMIN, and CAP_DAC_READ_SEARCH for other users'
 * processes; it is the only way to a deleted file. root needs CAP_SYS_PTRACE for other users' processes. Process ids
 * are those of the /proc that is mounted.
 */
#include "hook-point.h"
#include "hook-search.h"
#include "module.h"
#include "probe.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* One library file, or a program with a TLS library inside or of another kind that a module hooks. Owned by its
 * ec_target_list, which never drops one. */
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

struct ec_process {
    uint32_t pid;
    uint32_t uid;         /* real, as seen from our user namespace */
    char comm[16];        /* of the thread group's leader; NUL-terminated */
    GPtrArray *libraries; /* of struct ec_library *, borrowed from the list; at least one */
};

enum ec_target_error { EC_TARGET_ERROR_OPEN };
#define EC_TARGET_ERROR (ec_target_error_quark())
GQuark ec_target_error_quark(void);

typedef struct ec_target_list ec_target_list;
/* Scans /proc once. Processes that vanish or may not be read are left out; `*ret_unreadable`
 * (may be NULL) counts the latter. `find_points`: also run ec_hook_point_find() per library. */
ec_target_list *ec_target_list_new(bool find_points, unsigned *ret_unreadable);
/* Likewise, without looking at any process yet. */
ec_target_list *ec_target_list_new_empty(bool find_points);
void ec_target_list_free(ec_target_list *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_target_list, ec_target_list_free)
GPtrArray *ec_target_list_get_processes(ec_target_list *list); /* of struct ec_process *, borrowed, by pid */
GPtrArray *ec_target_list_get_libraries(ec_target_list *list); /* of struct ec_library *, borrowed, oldest first */
/* NULL if it is not in the list. Borrowed until the process is added again or removed. */
const struct ec_process *ec_target_list_get_process(const ec_target_list *list, uint32_t pid);
/* Adds one process's libraries (a new mapping), or looks again at one that is in the list: pointers to its former
 * ec_process are then void. NULL if it maps none, has gone or can't be read: it is then not in the list. */
const struct ec_process *ec_target_list_add_process(ec_target_list *list, uint32_t pid);
/* A process's program if it has a TLS library inside, else NULL. Cheap: for each process that has just executed one. */
const struct ec_library *ec_target_list_get_program(ec_target_list *list, uint32_t pid);
/* From now on, what may take long is left to `search`, borrowed: such a library is `pending` at first. */
void ec_target_list_set_search(ec_target_list *list, ec_hook_search *search);
/* The next library that is no longer pending, NULL if there is none (yet). */
const struct ec_library *ec_target_list_settle(ec_target_list *list);
/* Forgets a process that has ended, not its libraries. */
void ec_target_list_remove_process(ec_target_list *list, uint32_t pid);
/* Adds a library by path in our own mount namespace, e.g. --libssl or the system's default;
 * NULL with `error` if it can't be opened. Whether it can be hooked stands in it. `module`: the one that it is named
 * for; with packets, or EC_MODULE_MAX, the file itself tells. */
const struct ec_library *ec_target_list_add_path(ec_target_list *list, const char *path, enum ec_module_id module,
                                                 GError **error);
/* Adds the system's own TLS libraries (in ld.so's directories) and shells, if they are of these modules (bits of 1 <<
 * enum ec_module_id): the first process that maps or runs one after the start is then covered, and before Linux 6.6
 * nothing can be attached later. */
void ec_target_list_add_defaults(ec_target_list *list, unsigned modules);
