/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * --verify: whether the secrets of one client random are the right ones. Collects what each direction sends first, and
 * opens it once its secrets have come:
 *
 *   TLS 1.3         each record by CLIENT_EARLY_ or *_HANDSHAKE_TRAFFIC_SECRET, until one is *_TRAFFIC_SECRET_0's
 *   QUIC            the first Handshake packet and the first 1-RTT packet, by these
 *   TLS, DTLS 1.2   the first encrypted record, by CLIENT_RANDOM
 */
#include "keylog.h"
#include "segment.h"

#include <glib.h>

enum ec_side { EC_SIDE_CLIENT, EC_SIDE_SERVER };

enum ec_proof_state {
    EC_PROOF_OPEN,      /* something has still to come */
    EC_PROOF_VERIFIED,  /* both directions opened */
    EC_PROOF_WRONG,     /* one did not open */
    EC_PROOF_UNCHECKED, /* a suite or version that isn't known here, or bytes that were not captured */
};

typedef struct ec_proof ec_proof;
ec_proof *ec_proof_new(void);
/* Wipes its secrets. */
void ec_proof_free(ec_proof *proof);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_proof, ec_proof_free)

/* A copy is kept. */
void ec_proof_add_secret(ec_proof *proof, const struct ec_secret *secret);
/* The next segment of a connection over TCP, from its ClientHello on; what was sent twice is passed over. */
void ec_proof_read_tls(ec_proof *proof, enum ec_side side, const struct ec_segment *segment);
void ec_proof_read_dtls(ec_proof *proof, enum ec_side side, const struct ec_segment *segment);
void ec_proof_read_quic(ec_proof *proof, enum ec_side side, const struct ec_segment *segment);
/* Tries what can be tried. */
enum ec_proof_state ec_proof_get_state(ec_proof *proof);
/* The state if nothing more came: a direction whose handshake opened, with nothing behind it, is verified. */
enum ec_proof_state ec_proof_get_end_state(const ec_proof *proof);
