/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a packet's block says of its owner: comments, process and thread, direction. Each combination
 * is built once and reused.
 */
#include "sink.h"
#include "wiretap-compat.h"

#include <glib.h>
#include <stdbool.h>

/* "pid=4294967295 tid=4294967295 comm=… uid=4294967295 end=src" and NUL; a byte of comm takes up to 4 */
#define EC_LABEL_TEXT_LEN (4 + 10 + 5 + 10 + 6 + 4 * EC_COMM_LEN + 5 + 10 + 8 + 1)

/* A packet that was made up for plaintext; or-ed with the port that isn't shown as it is. */
#define EC_LABEL_PLAINTEXT 0x10000u
#define EC_LABEL_CLIENT_PORT 0x20000u /* that is the client's */

/* Which end a process is, is said. */
#define EC_LABEL_LOOPBACK 0x40000u

enum ec_label_end { EC_LABEL_END_UNSAID, EC_LABEL_END_SRC, EC_LABEL_END_DST };

/* Writes "pid=1234 tid=1235 comm=curl uid=1000", with " end=src" or " end=dst" behind it if said. Bytes of
 * comm outside 0x21 to 0x7e, and backslashes, are written as \xNN. */
void ec_label_format(const struct ec_owner *owner, enum ec_label_end end, char text[static EC_LABEL_TEXT_LEN]);

struct ec_label {
    wtap_block_t block; /* WTAP_BLOCK_PACKET; of a message NULL: it has options */
    GBytes *options;    /* the same as the encoder wrote it last; NULL: not yet. The cache's */
};
/* The label of a message of this process, with `remark` behind the process in one comment, if `comments`. */
void ec_label_init_message(struct ec_label *label, const struct ec_owner *owner, enum ec_direction direction,
                           bool comments, const char *remark);
void ec_label_clear(struct ec_label *label);

typedef struct ec_label_cache ec_label_cache;
/* `processes`: also name the process by Darwin process blocks. */
ec_label_cache *ec_label_cache_new(bool comments, bool processes);
void ec_label_cache_free(ec_label_cache *cache);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_label_cache, ec_label_cache_free)

/* The label for this packet, borrowed until the next call. `kind`: 0 for one that was captured, or
 * EC_LABEL_PLAINTEXT: its comment ends by " plaintext server_port=443" or " plaintext client_port=40000". Blocks that
 * have to be written before the packet are appended to `blocks`. */
struct ec_label *ec_label_cache_get(ec_label_cache *cache, const struct ec_sink_packet *packet, uint32_t kind,
                                    GByteArray *blocks);
