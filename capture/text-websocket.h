/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * WebSocket (RFC 6455) behind an upgrade of HTTP/1.1, out of what a connection's calls moved, cut anywhere: a message
 * per WebSocket message, whose fragments are joined, unmasked and inflated (RFC 7692), and per control frame. Pure and
 * bounded; takes any bytes. What is no frame is handed on as data.
 */
#include "text-message.h"

typedef struct ec_websocket ec_websocket;
/*
 * `receiver` is borrowed for the life of it. `client`: the direction in which the client sends. `target`: what was
 * asked for, may be NULL. `extensions`: the response's Sec-WebSocket-Extensions, NULL: none.
 */
ec_websocket *ec_websocket_new(const struct ec_text_receiver *receiver, enum ec_direction client, const char *target,
                               const char *extensions);
void ec_websocket_free(ec_websocket *websocket);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_websocket, ec_websocket_free)

/* The direction's next bytes. */
void ec_websocket_take(ec_websocket *websocket, uint64_t time, enum ec_direction direction, const uint8_t *data,
                       size_t len);
/* Instead of the direction's next `len` bytes: the capture has lost them. */
void ec_websocket_skip(ec_websocket *websocket, uint64_t time, enum ec_direction direction, uint64_t len);
/* Emits data that are no frames. */
void ec_websocket_flush(ec_websocket *websocket);
/* Emits all that is there; `cause` completes "incomplete: ". */
void ec_websocket_end(ec_websocket *websocket, const char *cause);
