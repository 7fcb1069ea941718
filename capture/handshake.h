/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Brings TLS handshakes on the wire and secrets from libraries together, by client random: which secrets must
 * stand in the file before a packet, which have come, and which came too late.
 *
 * Wireshark looks a key up once, at the packet that changes the cipher, and never again
 * (packet-tls.c, packet-tls-utils.c, 4.0 to 4.6). So:
 *
 *   TLS 1.3, ServerHello            needs CLIENT_ and SERVER_HANDSHAKE_TRAFFIC_SECRET
 *   TLS 1.3, server's encrypted     needs SERVER_TRAFFIC_SECRET_0 as well (its Finished is among them)
 *   TLS 1.3, client's encrypted     needs CLIENT_TRAFFIC_SECRET_0 (its Finished); CLIENT_EARLY_… before ServerHello
 *   TLS 1.2, ChangeCipherSpec       needs CLIENT_RANDOM; so does DTLS 1.2's, or its first encrypted record
 *
 * quic-flow.c says what QUIC needs. Packets are shown to it once each, in the order in which they go out.
 */
#include "address.h"
#include "keylog.h"
#include "miss.h"
#include "segment.h"

#include <glib.h>
#include <stdbool.h>

typedef struct ec_handshakes ec_handshakes;
/* `verify`: tries the secrets out, on the connection's own records (proof.h). */
ec_handshakes *ec_handshakes_new(bool verify);
/* Wipes what key material is left. */
void ec_handshakes_free(ec_handshakes *handshakes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_handshakes, ec_handshakes_free)

enum ec_secret_fate {
    EC_SECRET_DUPLICATE, /* seen before: nothing to do */
    EC_SECRET_INVALID,   /* no known label */
    EC_SECRET_KEPT,      /* waits for the packet that needs it, or for ec_handshakes_expire() */
    EC_SECRET_LATE,      /* kept, but a packet that needed it has gone out without */
};
/* `time`: when the library derived it, ns on the packets' clock. The secret is copied. One of a server's random is
 * taken for that of the client random in whose connection the ServerHello is seen to have it, before or after. */
enum ec_secret_fate ec_handshakes_add_secret(ec_handshakes *handshakes, const struct ec_secret *secret, uint64_t time);

/* What one packet needs. Valid until the next ec_handshakes_inspect(). */
struct ec_need {
    unsigned labels; /* bits of 1 << enum ec_secret_label; 0: nothing, and the rest is not set but for `older` */
    bool last;       /* no later packet of this handshake needs anything */
    bool patient;    /* an end that says more may still derive these later */
    uint8_t client_random[EC_RANDOM_LEN];
    void *flow; /* private */
    bool older; /* of a connection that began before the capture: ec_handshakes_add_older() */
};
/* Whether a segment over UDP is of a connection whose handshake was seen, or opens one. What else comes over UDP may be
 * a kernel's tunnel, whose packets hold others. */
bool ec_handshakes_is_datagram(const ec_handshakes *handshakes, const struct ec_segment *segment);
/* Looks at the next segment. */
void ec_handshakes_inspect(ec_handshakes *handshakes, const struct ec_segment *segment, struct ec_need *ret_need);
/* Those of the needed labels that have not come: bits as in ec_need. */
unsigned ec_handshakes_get_missing(const ec_handshakes *handshakes, const struct ec_need *need);
/* Why this packet's missing secrets don't come. Of all that is told for a handshake, the first of the highest rank
 * stands. `reason` must outlive the handshakes; `comm`: in which process, "" if none is known. Before
 * ec_handshakes_settle(). */
void ec_need_blame(const struct ec_need *need, unsigned rank, const char *reason, const char *comm);
/* The packet goes out now, with what has come; what has not is late from here on. Once per need with labels. */
void ec_handshakes_settle(ec_handshakes *handshakes, const struct ec_need *need);

/* Counts a connection whose ClientHello was not seen among those without secrets; `comm`: as in ec_need_blame(). */
void ec_handshakes_add_older(ec_handshakes *handshakes, const char *comm);

typedef bool (*ec_secret_fn)(const struct ec_secret *secret, void *data);
/* Hands each kept secret of this client random out, once, and wipes it; not what is unproven, unless its ClientHello
 * was seen. False as soon as `fn` says so. */
bool ec_handshakes_take(ec_handshakes *handshakes, const uint8_t client_random[static EC_RANDOM_LEN], ec_secret_fn fn,
                        void *data);
/*
 * Hands out what no packet asked for by the time `now` (ns): at once if its ClientHello wasn't seen (every packet
 * older than the secret has been shown), else after a grace.
 */
bool ec_handshakes_expire(ec_handshakes *handshakes, uint64_t now, ec_secret_fn fn, void *data);

/* The endpoints of the handshakes that were seen; the caller adds whose objects they are. Borrowed. */
ec_addresses *ec_handshakes_get_addresses(const ec_handshakes *handshakes);

struct ec_handshake_counts {
    uint64_t seen, with_secrets;
    uint64_t without_secrets; /* connections that began before the capture included, which `seen` isn't */
    uint64_t verified, wrong; /* of those with secrets; the rest was not, or could not be, checked */
    uint64_t unmatched;       /* client randoms that secrets came for, but no ClientHello */
};
/* Of those without secrets. Borrowed. */
const ec_misses *ec_handshakes_get_misses(const ec_handshakes *handshakes);
void ec_handshakes_get_counts(const ec_handshakes *handshakes, struct ec_handshake_counts *ret_counts);
