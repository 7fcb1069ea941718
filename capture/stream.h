/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * From the rings to the sinks: read → validate → own → order → hold what waits for its secret → fan out. Messages
 * (message.h) are merged with the packets by time.
 *
 * One call of ec_stream_pump() is a batch. It reads the clock, takes in everything that is known
 * (secrets and owners may be known early, that never harms), reads the packets, and hands out, in timestamp
 * order, those up to the watermark (ring.h). Only the earliest packet is ever looked at: if it has
 * to wait, all behind it wait with it, for the stream stays in order.
 */
#include "filter.h"
#include "packet-rings.h"
#include "sink.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct ec_stream_config {
    struct ec_ring_map near, packets, events;
    struct ec_ring_map messages;             /* size 0: there are no messages */
    const ec_filter *filter_eth, *filter_ip; /* for packets that the kernel left unfiltered; borrowed, NULL: none */
    bool filter_process;  /* a pid or uid filter is set: a packet of no accepted process is dropped */
    uint64_t hold_ns;     /* longest wait for a secret */
    uint64_t max_packets; /* messages count too; 0: no limit */
    bool filter_status;   /* only shell commands that ended with `status` */
    int status;
    bool verify; /* try secrets out: proof.h */
    /* Whether secrets of this process can be had, so that waiting for them makes sense. */
    bool (*is_hooked)(uint32_t pid, void *data);
    /* Why there are none, or none came by the `time` of the packet that needs them: a text that outlives the stream.
     * The higher the result, the more it explains. */
    unsigned (*explain)(uint32_t pid, uint64_t time, const char **ret_reason, void *data);
    void *data;
};

typedef struct ec_stream ec_stream;
ec_stream *ec_stream_new(const struct ec_stream_config *config, GError **error);
void ec_stream_free(ec_stream *stream);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_stream, ec_stream_free)

/* Takes the sink. Before the first pump. */
void ec_stream_add_sink(ec_stream *stream, struct ec_sink *sink);
/* An interface whose packets will come: announced to the sinks at the next pump. What it points to is copied,
 * its id is set here. Once more if it went and came back: it is a new one then. */
void ec_stream_add_interface(ec_stream *stream, int ifindex, const struct ec_sink_interface *interface);

enum ec_stream_state {
    EC_STREAM_IDLE,    /* nothing was there */
    EC_STREAM_BUSY,    /* something came in or went out */
    EC_STREAM_HOLDING, /* a packet waits: pump again soon */
    EC_STREAM_FULL,    /* max_packets have gone out */
    EC_STREAM_FAILED,  /* a sink failed: the error is set */
};
/* `last`: no packet waits any more, all that is there goes out. */
enum ec_stream_state ec_stream_pump(ec_stream *stream, bool last, GError **error);
/* Packets and messages that the last pump found in the rings. */
unsigned ec_stream_get_batch(const ec_stream *stream);
/* Whether something came in since the last pump began to read. */
bool ec_stream_has_unread(const ec_stream *stream);

/* The stream's share of the totals; the kernel's counters are added by the caller. */
void ec_stream_get_statistics(const ec_stream *stream, struct ec_statistics *ret_statistics);
/* Why handshakes have no secrets (miss.h); "" if all have. g_free. */
char *ec_stream_format_misses(const ec_stream *stream);
/* Hands `total` and the interfaces' statistics to the sinks. `ring_drops`: as in ec_interface_statistics, but ""
 * instead of NULL. */
bool ec_stream_report(ec_stream *stream, const struct ec_statistics *total, const char *ring_drops, GError **error);
/* Closes the sinks, all of them, also after an error; the first error is returned. */
bool ec_stream_close(ec_stream *stream, GError **error);
/* Descriptors of the sinks whose POLLERR means that the reader has gone; -1 terminated, g_free. */
int *ec_stream_get_sink_fds(const ec_stream *stream);
