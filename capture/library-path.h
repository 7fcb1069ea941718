/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where a system keeps its shared libraries and their separate debug files. */

/* Calls `visit` with the path of each file that ec_library_name_match()es in ld.so(8)'s directories: those of
 * /etc/ld.so.conf, then the built-in ones; and in their "nss", where Debian 11 and Ubuntu keep NSS's tokens. A file can
 * come more than once, by its several names. */
void ec_library_path_foreach(void (*visit)(const char *path, void *data), void *data);

/* Calls `visit` with the path of each of NSS's three libraries that is in the same directory as `path`, usually one of
 * them: a libssl3 needs its libnss3 and libsoftokn3. */
void ec_library_path_foreach_nss(const char *path, void (*visit)(const char *path, void *data), void *data);

/* The debug file of the ELF file `fd`, by its build ID, under `root` ("" for our own) or our own /usr/lib/debug, open
 * for reading; -1 if there is none. */
int ec_library_debug_open(int fd, const char *root);
/* The libcrypto in the same directory whose name goes with this libssl's: its descriptor, -1 if there is none. */
int ec_library_path_open_crypto(const char *path);
