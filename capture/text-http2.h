/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * HTTP/2 (RFC 9113) out of what a connection's calls moved, cut anywhere: a message per stream and direction. Pure
 * and bounded; takes any bytes.
 */
#include "text-http1.h" /* enum ec_text_verdict */
#include "text-message.h"

/* YES for a client's preface, and for what can only be frames: the connection began before the capture, or it is the
 * server's side. MAYBE: more bytes are wanted, never beyond 24. */
enum ec_text_verdict ec_http2_detect(const uint8_t *data, size_t len);

typedef struct ec_http2 ec_http2;
/* `receiver` is borrowed for the life of it. */
ec_http2 *ec_http2_new(const struct ec_text_receiver *receiver);
void ec_http2_free(ec_http2 *http2);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_http2, ec_http2_free)

/* The direction's next bytes. */
void ec_http2_take(ec_http2 *http2, uint64_t time, enum ec_direction direction, const uint8_t *data, size_t len);
/* Instead of the direction's next `len` bytes: the capture has lost them. */
void ec_http2_skip(ec_http2 *http2, uint64_t time, enum ec_direction direction, uint64_t len);
/* Emits parts of messages that take long (text-part.h). `now`: ns since the epoch. True if something waits for time to
 * pass: ask again. */
bool ec_http2_flush(ec_http2 *http2, uint64_t now);
/* Emits all that is there; `cause` completes "incomplete: ", NULL if the connection has ended. */
void ec_http2_end(ec_http2 *http2, const char *cause);
