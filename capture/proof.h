/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * --verify: whether the secrets of one client random are the right ones. Collects the first encrypted record (TLS,
 * DTLS) or Handshake packet (QUIC) of each direction until it is whole, and opens it once its secret has come:
 *
 *   TLS 1.3, QUIC   CLIENT_ and SERVER_HANDSHAKE_TRAFFIC_SECRET; 0-RTT data: CLIENT_EARLY_TRAFFIC_SECRET
 *   TLS, DTLS 1.2   CLIENT_RANDOM, both ways
 *
 * Other secrets of the handshake come from the same call of the same library, but are not tried.
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
