/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What could be hooked: the processes that map a TLS library, and the library files themselves,
 * told apart by (device, inode), opened through /proc/PID/map_files or /proc/PID/root so that other
 * mount namespaces and deleted files work.
 */
#include "hook-point.h"

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

/* One library file. Owned by its ec_target_list. */
struct ec_library {
    dev_t dev;
    ino_t ino;
    char *path; /* as mapped, in its process's mount namespace; " (deleted)" cut off */
    int fd;     /* open, read only; -1 if it could not be opened */
    bool hookable;
    struct ec_hook_point point; /* if hookable */
    char *reason;               /* if not hookable: why, one line */
};

struct ec_process {
    uint32_t pid;
    uint32_t uid;
    char comm[16];
    GPtrArray *libraries; /* of struct ec_library *, borrowed from the list; at least one */
};

typedef struct ec_target_list ec_target_list;
/* Scans /proc once. Processes that vanish or may not be read are left out; `*ret_unreadable`
 * (may be NULL) counts the latter. `find_points`: also run ec_hook_point_find() per library. */
ec_target_list *ec_target_list_new(bool find_points, unsigned *ret_unreadable);
void ec_target_list_free(ec_target_list *list);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_target_list, ec_target_list_free)
GPtrArray *ec_target_list_get_processes(ec_target_list *list); /* of struct ec_process *, borrowed, by pid */
GPtrArray *ec_target_list_get_libraries(ec_target_list *list); /* of struct ec_library *, borrowed */
/* Adds one process's libraries (a new mapping); NULL if it maps none, has gone or can't be read. */
const struct ec_process *ec_target_list_add_process(ec_target_list *list, uint32_t pid);
/* Adds a library by path in our own mount namespace, e.g. --libssl or the system's default;
 * NULL with `error` if it can't be opened. Whether it can be hooked stands in it. */
const struct ec_library *ec_target_list_add_path(ec_target_list *list, const char *path, GError **error);
/* Adds the system's own libssl files (ld.so.cache's directories), so that the first process that
 * maps one after the start is covered. */
void ec_target_list_add_defaults(ec_target_list *list);
