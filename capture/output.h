/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where a sink's bytes go: a regular file, a FIFO, a pipe or a device. Every write ends on a unit of
 * the format (a block, a line), also on a full disk, and a reader that stalls or goes is noticed.
 * The caller ignores SIGPIPE, and SIGXFSZ if a file size limit shall be an error and not a signal.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Opens `path` for a sink; returns a descriptor, or -1 with `error`. "-" and "/dev/stdout" are
 * standard output. A file is made 0600 (an existing one too, since secrets go into it) and
 * emptied; a symbolic link and another user's file are refused. A FIFO is opened for writing, which waits for its
 * reader.
 */
int ec_output_open(const char *path, GError **error);

typedef struct ec_output ec_output;
/* The length of the longest run of whole units that `data` begins with. */
typedef size_t (*ec_output_whole)(const void *data, size_t len);

/* Takes the descriptor, also on failure: EC_SINK_ERROR_OPEN if it isn't open for writing. `whole` says
 * what a partial write may keep. */
ec_output *ec_output_new(int fd, ec_output_whole whole, GError **error);
/* Closes the descriptor too. NULL is fine. */
void ec_output_free(ec_output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_output, ec_output_free)

/*
 * Writes all of `data`, a run of whole units. Waits while the reader of a pipe is slow; after SIGINT or SIGTERM
 * (pending, blocked) or ec_output_set_hurry() it waits only until the reader has taken nothing for two seconds. Errors
 * (EC_SINK_ERROR): READER_GONE; WRITE, a regular file then ends with the last unit that was written whole. Once it has
 * failed it fails always, with the same error.
 */
bool ec_output_write(ec_output *output, const void *data, size_t len, GError **error);
/* Writes the begin of `data` that goes out without waiting: what of a pipe there is room for, all to a file.
 * `*ret_written` is set in either case; fails as ec_output_write() does. */
bool ec_output_try_write(ec_output *output, const void *data, size_t len, size_t *ret_written, GError **error);
void ec_output_set_hurry(ec_output *output);
/* A write has failed: there is no use in flushing, and the error has been told. */
bool ec_output_has_failed(const ec_output *output);
/* Closes; false if the descriptor's close reports a late write error. */
bool ec_output_close(ec_output *output, GError **error);

/* The descriptor while it is open and its reader can go (FIFO, pipe, socket), else -1. */
int ec_output_get_fd(const ec_output *output);
bool ec_output_is_file(const ec_output *output);
