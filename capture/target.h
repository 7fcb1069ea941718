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
#include "hook-search.h"
#include "library.h"
#include "module.h"

#include <glib.h>
#include <stdbool.h>

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
/* Whether the process executes a program: one that has ended doesn't, even if it is still waited for. */
bool ec_target_list_is_running(const ec_target_list *list, uint32_t pid);
/* From now on, what may take long is left to `search`, borrowed: such a library is `pending` at first. */
void ec_target_list_set_search(ec_target_list *list, ec_hook_search *search);
/* The next library that is no longer pending, NULL if there is none (yet). */
const struct ec_library *ec_target_list_settle(ec_target_list *list);
/* Forgets a process that has ended, not its libraries. */
void ec_target_list_remove_process(ec_target_list *list, uint32_t pid);
/* A process that was just forked maps what its parent does. Nothing happens if the parent isn't in the list, or the
 * child has ended by now. */
void ec_target_list_fork_process(ec_target_list *list, uint32_t pid, uint32_t parent);
/* Scans /proc anew: processes that are no longer there are forgotten. Pointers to any ec_process are then void. */
void ec_target_list_rescan(ec_target_list *list);
/* Libraries that no process of the list maps are taken out: ec_library_set_prune(). The array owns them. */
GPtrArray *ec_target_list_prune(ec_target_list *list);
/* Adds a library by path in our own mount namespace, e.g. --libssl or the system's default;
 * NULL with `error` if it can't be opened. Whether it can be hooked stands in it. `module`: the one that it is named
 * for; with packets, or EC_MODULE_MAX, the file itself tells. */
const struct ec_library *ec_target_list_add_path(ec_target_list *list, const char *path, enum ec_module_id module,
                                                 GError **error);
/* Adds a library that was mapped by a process which has ended since, if a file of that number bears its name in our own
 * mount namespace; else NULL. */
const struct ec_library *ec_target_list_add_mapped(ec_target_list *list, const char *path, uint64_t ino);
/* Adds a program of our own mount namespace, if it has a TLS library inside; else, or if it can't be opened, NULL. */
const struct ec_library *ec_target_list_add_program(ec_target_list *list, const char *path);
/* Adds the system's own TLS libraries (in ld.so's directories) and shells, if they are of these modules (bits of 1 <<
 * enum ec_module_id): the first process that maps or runs one after the start is then covered, and before Linux 6.6
 * nothing can be attached later. */
void ec_target_list_add_defaults(ec_target_list *list, unsigned modules);
