/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What isn't packets: the records of the ring `messages`, in timestamp order, and what becomes of them. Each type of
 * record has its kind, a row in message.c, which puts together what belongs together (the pieces of a call, the begin
 * and the end of a command) and hands it to the output.
 */
#include "handshake.h"
#include "sink.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Where finished messages go. Times in them are of CLOCK_BOOTTIME here, not since the epoch. */
struct ec_message_output {
    void (*plaintext)(const struct ec_sink_plaintext *plaintext, void *data);
    void (*command)(const struct ec_sink_command *command, void *data);
    void (*statement)(const struct ec_sink_statement *statement, void *data);
    void *data;
    bool filter_status; /* only commands that ended with `status` */
    int status;
    const ec_handshakes *handshakes; /* of the packets that were seen; borrowed */
};

/* One type of record. The state is the kind's own. */
struct ec_message_kind {
    uint16_t type; /* enum ec_record_type */
    uint32_t size; /* bytes that a record has at least, its header included */
    /* `output` outlives the state. */
    void *(*open)(const struct ec_message_output *output);
    /* `record` has record->size bytes, at least `size` of the kind; all else in it is unchecked. Borrowed. */
    void (*take)(void *state, const struct ec_record *record);
    /* The capture ends: what is still open goes out. NULL: nothing ever is. */
    void (*end)(void *state);
    void (*close)(void *state);
};

typedef struct ec_messages ec_messages;
/* `map_fd`: of the ring, borrowed; `size`: its bytes. `output` is copied. */
ec_messages *ec_messages_new(int map_fd, size_t size, const struct ec_message_output *output, GError **error);
void ec_messages_free(ec_messages *messages);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_messages, ec_messages_free)

/* Queues what is there; returns how many were no records. `now`: CLOCK_BOOTTIME, ns, read before. */
uint64_t ec_messages_read(ec_messages *messages, uint64_t now);
/* Records that the last ec_messages_read() queued. */
unsigned ec_messages_get_batch(const ec_messages *messages);
/* Every message up to this time has been read; ns, CLOCK_BOOTTIME. */
uint64_t ec_messages_get_watermark(const ec_messages *messages);
/* The earliest that is queued, NULL if there is none. */
const struct ec_record *ec_messages_get(const ec_messages *messages);
/* Hands the earliest to its kind, and removes it. False if it was none that can be used. */
bool ec_messages_take(ec_messages *messages);
/* Gives back the ring's memory of what was taken. */
void ec_messages_release(ec_messages *messages);
/* The capture ends. */
void ec_messages_end(ec_messages *messages);

bool ec_messages_has_unread(const ec_messages *messages);
/* The ring fills up. */
bool ec_messages_is_crowded(const ec_messages *messages);
