/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where text mode's events go: standard output, a FIFO, or a file that may be rotated. An event is written whole or
 * not at all. A reader that is slow costs events, which are counted, never memory without bound, and never time.
 */
#include "output.h"

#include <stdint.h>

struct ec_text_output_config {
    const char *path;        /* "-": standard output */
    uint64_t rotate_size;    /* bytes of a file after which the next is begun, 0: never */
    uint64_t rotate_seconds; /* likewise, seconds */
};

typedef struct ec_text_output ec_text_output;
/* Opens the (first) file. With rotation, files are named in the order of their making:
 * NAME_00001_20261121062056.EXT, NAME_00002_… (the number, then the local time). */
ec_text_output *ec_text_output_new(const struct ec_text_output_config *config, GError **error);
void ec_text_output_free(ec_text_output *output);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_text_output, ec_text_output_free)

/* Asked before each event is made; false: there is no room, and it has been counted as dropped. */
bool ec_text_output_has_room(ec_text_output *output);
/* Queues one event, which ends with a newline. */
bool ec_text_output_add(ec_text_output *output, const char *data, size_t len, GError **error);
/* Writes what the reader takes without waiting. */
bool ec_text_output_flush(ec_text_output *output, GError **error);
/* Writes the rest, waiting a few seconds for a slow reader; what it doesn't take then is counted as dropped. */
bool ec_text_output_close(ec_text_output *output, GError **error);

/* Events that were dropped so far. */
uint64_t ec_text_output_get_dropped(const ec_text_output *output);
bool ec_text_output_is_terminal(const ec_text_output *output);
/* As ec_output_get_fd(). */
int ec_text_output_get_fd(const ec_text_output *output);
