/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * HTTP/1.x (RFC 9112) out of what a connection's calls moved, cut anywhere. Pure and bounded; takes any bytes. What is
 * no HTTP is handed on as data, so that nothing is swallowed.
 */
#include "text-message.h"

/* Whether bytes begin a message of a protocol. */
enum ec_text_verdict { EC_TEXT_NO, EC_TEXT_MAYBE, EC_TEXT_YES };
/* MAYBE: more bytes are wanted; never beyond 16 KiB. */
enum ec_text_verdict ec_http1_detect(const uint8_t *data, size_t len);

typedef struct ec_http1 ec_http1;
/* `receiver` is borrowed for the life of it. */
ec_http1 *ec_http1_new(const struct ec_text_receiver *receiver);
void ec_http1_free(ec_http1 *http1);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_http1, ec_http1_free)

/* The direction's next bytes. */
void ec_http1_take(ec_http1 *http1, uint64_t time, enum ec_direction direction, const uint8_t *data, size_t len);
/* Instead of the direction's next `len` bytes: the capture has lost them. */
void ec_http1_skip(ec_http1 *http1, uint64_t time, enum ec_direction direction, uint64_t len);
/* Emits what waits for no further byte, and parts of messages that take long (text-part.h). `now`: ns since the epoch.
 * True if something waits for time to pass: ask again. */
bool ec_http1_flush(ec_http1 *http1, uint64_t now);
/* Emits all that is there; `cause` completes "incomplete: ", NULL if the connection has ended in good order. */
void ec_http1_end(ec_http1 *http1, const char *cause);
