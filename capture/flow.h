/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A connection between its ClientHello and the last packet that needs a secret, and the rules by which one
 * transport's packets are read: which labels must stand in the file before a packet. handshake.c keeps the flows and
 * the secrets; it calls the rules with each packet once, in order.
 */
#include "keylog.h"
#include "proof.h"
#include "segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one packet needs and what it tells. */
struct ec_flow_step {
    unsigned labels; /* bits of 1 << enum ec_secret_label */
    bool last;       /* no later packet needs anything */
    bool over;       /* the handshake was broken off */
    bool patient;    /* an end that says more may still derive these later */
    bool answered;   /* server_random has just been set */
};
#define EC_LABEL_BIT(label) (1u << EC_LABEL_##label)

/* Begins each transport's own structure. */
struct ec_flow {
    const struct ec_flow_rules *rules;
    struct ec_endpoint client, server;
    uint8_t client_random[EC_RANDOM_LEN]; /* if has_random */
    bool has_random;
    uint8_t server_random[EC_RANDOM_LEN]; /* of TLS over TCP, once `version` is set */
    bool greeted;                         /* handshake.c has counted it */
    bool missed;                          /* a packet went out without its secret */
    bool settled;           /* the last packet that needs a secret has gone out: it stays for its proof alone */
    unsigned ended;         /* bits of 1 << enum ec_side: has sent its FIN */
    unsigned rank;          /* how much `reason` explains */
    const char *reason;     /* why, if that was told; borrowed */
    char comm[EC_COMM_LEN]; /* in which process; "" if it has none */
    uint16_t version;       /* the server has answered, by this version of TLS or DTLS; 0 before */
};

struct ec_flow_rules {
    enum ec_transport transport;
    /* Whether the segment may open a connection. A few instructions: called for every packet. */
    bool (*begins)(const struct ec_segment *segment);
    /* A segment that `begins`: whether it belongs to this flow of the same endpoints, rather than to a new one. */
    bool (*continues)(struct ec_flow *flow, const struct ec_segment *segment);
    /* A segment that `begins`: the flow that it opens, but for rules and endpoints; for g_free. NULL: it opens none. */
    struct ec_flow *(*open)(const struct ec_segment *segment);
    /* Reads a segment of the flow; *step is zeroed. */
    void (*read)(struct ec_flow *flow, enum ec_side side, const struct ec_segment *segment, struct ec_flow_step *step);
    /* Likewise, for --verify. */
    void (*prove)(ec_proof *proof, enum ec_side side, const struct ec_segment *segment);
};
extern const struct ec_flow_rules ec_tls_flow_rules, ec_quic_flow_rules, ec_dtls_flow_rules;
