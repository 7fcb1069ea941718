/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The streams of an HTTP/2 connection (RFC 9113 section 5), for text-http2.c, which gives them their frames: header
 * blocks are decoded, and a message is made per stream and direction. The one user of nghttp2, for HPACK (RFC 7541).
 * Pure and bounded; takes any payload.
 */
#include "text-message.h"

/* RFC 9113 section 6; of other types nothing is told here. */
enum ec_http2_type {
    EC_HTTP2_DATA,
    EC_HTTP2_HEADERS,
    EC_HTTP2_PRIORITY,
    EC_HTTP2_RST_STREAM,
    EC_HTTP2_SETTINGS,
    EC_HTTP2_PUSH_PROMISE,
    EC_HTTP2_PING,
    EC_HTTP2_GOAWAY,
    EC_HTTP2_WINDOW_UPDATE,
    EC_HTTP2_CONTINUATION,
    EC_HTTP2_TYPE_MAX,
};

/* Flags; what a type has no use for, it may not have. */
#define EC_HTTP2_END_STREAM 0x01
#define EC_HTTP2_END_HEADERS 0x04
#define EC_HTTP2_PADDED 0x08
#define EC_HTTP2_WITH_PRIORITY 0x20

struct ec_http2_frame {
    uint32_t len; /* bytes of payload */
    uint8_t type, flags;
    int32_t stream; /* 31 bits */
    uint64_t time;  /* of its first byte; ns since the epoch */
};

/* What a frame other than DATA, or a header block, may be long; of more, one byte more than that need be handed on. */
#define EC_HTTP2_BLOCK_MAX (256u << 10)

typedef struct ec_http2_streams ec_http2_streams;
/* `receiver` is borrowed for the life of it. */
ec_http2_streams *ec_http2_streams_new(const struct ec_text_receiver *receiver);
void ec_http2_streams_free(ec_http2_streams *streams);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_http2_streams, ec_http2_streams_free)

/* Before the direction's first frame. `amid`: the connection began before the capture. */
void ec_http2_streams_begin(ec_http2_streams *streams, enum ec_direction direction, bool amid);
/* A whole frame that is no DATA, of ec_http2_frame.len bytes that pass the rules of its type. */
void ec_http2_streams_take_frame(ec_http2_streams *streams, enum ec_direction direction,
                                 const struct ec_http2_frame *frame, const uint8_t *payload, size_t len);
/* Some bytes of a DATA frame, without its padding. */
void ec_http2_streams_take_data(ec_http2_streams *streams, enum ec_direction direction,
                                const struct ec_http2_frame *frame, const uint8_t *data, size_t len);
/* Likewise, but lost. */
void ec_http2_streams_lose_data(ec_http2_streams *streams, enum ec_direction direction,
                                const struct ec_http2_frame *frame, uint64_t len);
/* The DATA frame has been taken whole. */
void ec_http2_streams_end_data(ec_http2_streams *streams, enum ec_direction direction,
                               const struct ec_http2_frame *frame);
/* Bytes that are no frame, or in an unknown place of one, were passed over; the next message tells. `hole`: they were
 * lost, so header values of before don't count any more. */
void ec_http2_streams_pass_over(ec_http2_streams *streams, enum ec_direction direction, uint64_t time, uint64_t len,
                                bool hole);
/* As ec_http2_flush(). */
bool ec_http2_streams_flush(ec_http2_streams *streams, uint64_t now);
/* Emits all that is there; `cause` completes "incomplete: ". */
void ec_http2_streams_end(ec_http2_streams *streams, const char *cause);
