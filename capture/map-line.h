/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Lines of /proc/PID/maps (proc_pid_maps(5)), and which files are TLS libraries by their name. Pure. */
#include "module.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ec_map_line {
    uint64_t start, end; /* addresses */
    bool executable;
    uint32_t major, minor; /* of the superblock's device: not always stat(2)'s (btrfs, overlayfs) */
    uint64_t ino;          /* never 0: only lines of files are taken */
    const char *path;      /* into the line, path_len bytes, not NUL-terminated; a newline in it stands as \012 */
    size_t path_len;       /* without " (deleted)" */
    bool deleted; /* the line ends in " (deleted)": no longer there by that name, unless it is really so called */
};

/* `line`: without its newline, `len` bytes. False if it is no line of a mapped file. */
bool ec_map_line_parse(const char *line, size_t len, struct ec_map_line *ret_line);

/* The module that hooks a file of this name (any path, `len` bytes); EC_MODULE_MAX: it is no TLS library. */
enum ec_module_id ec_library_name_get_module(const char *path, size_t len);
/* Whether there is one. */
bool ec_library_name_match(const char *path, size_t len);
/* Whether it is a libcrypto, which knows the version of the libssl beside it. */
bool ec_library_name_match_crypto(const char *path, size_t len);
