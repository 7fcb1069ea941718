/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the /proc that is mounted says of a process: the libraries that it maps, its program, and their files. */
#include "map-line.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

typedef struct ec_proc ec_proc;
ec_proc *ec_proc_new(void);
void ec_proc_free(ec_proc *proc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_proc, ec_proc_free)

/* A line of maps. */
struct ec_proc_mapping {
    struct ec_map_line line; /* its path is not to be used: what it points to is gone */
    char *path;              /* the file's name in the process's mount namespace */
};

enum ec_proc_result { EC_PROC_FOUND, EC_PROC_NOTHING, EC_PROC_UNREADABLE };
/* Executable mappings of files called like TLS libraries, and like a libcrypto, each file once: arrays of struct
 * ec_proc_mapping, the caller's to unref. Untouched unless EC_PROC_FOUND. EC_PROC_NOTHING: the process has gone. */
enum ec_proc_result ec_proc_read_maps(ec_proc *proc, uint32_t pid, GArray **ret_libraries, GArray **ret_cryptos);
/* The thread group's leader's name, NUL-terminated, and the real user id as seen from our user namespace. False if the
 * process has gone. */
bool ec_proc_read_identity(ec_proc *proc, uint32_t pid, char ret_comm[static 16], uint32_t *ret_uid);
/* Whether there still is such a process. */
bool ec_proc_has(const ec_proc *proc, uint32_t pid);

/* Opens the mapped file itself; -1 with errno: ESTALE if by its name there is another now. */
int ec_proc_open_mapping(const ec_proc *proc, uint32_t pid, const struct ec_proc_mapping *mapping,
                         struct stat *ret_status);
bool ec_proc_stat_program(const ec_proc *proc, uint32_t pid, struct stat *ret_status);
/* -1 with errno. */
int ec_proc_open_program(const ec_proc *proc, uint32_t pid);
/* As the process's mount namespace names it; "?" if it can't be told. g_free. */
char *ec_proc_get_program_path(const ec_proc *proc, uint32_t pid);
