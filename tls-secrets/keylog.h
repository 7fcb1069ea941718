/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Lines of an NSS key log (draft-ietf-tls-keylogfile): "LABEL client_random secret\n", the last two
 * in lower-case hex. And the set that lets each secret pass once.
 */
#include "abi.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

struct ec_secret {
    char label[EC_LABEL_LEN]; /* NUL-terminated, one of ec_secret_label_get()'s */
    uint8_t client_random[EC_RANDOM_LEN];
    uint8_t secret[EC_SECRET_LEN];
    size_t secret_len; /* bytes */
    bool unproven;     /* good only if a ClientHello with this random was seen (EC_SECRET_UNPROVEN) */
    bool of_server;    /* client_random is the server's (EC_SECRET_OF_SERVER) */
};

enum ec_secret_label {
    EC_LABEL_CLIENT_RANDOM, /* TLS <= 1.2 master secret */
    EC_LABEL_CLIENT_EARLY,
    EC_LABEL_CLIENT_HANDSHAKE,
    EC_LABEL_SERVER_HANDSHAKE,
    EC_LABEL_CLIENT_TRAFFIC_0,
    EC_LABEL_SERVER_TRAFFIC_0,
    EC_LABEL_EXPORTER,
    EC_LABEL_EARLY_EXPORTER,
    EC_LABEL_MAX,
};
/* The label of the NSS key log, or EC_LABEL_MAX for one that isn't known (such a secret is
 * invalid; OpenSSL's *_TRAFFIC_SECRET_N are never logged). */
enum ec_secret_label ec_secret_label_parse(const char *label);
const char *ec_secret_label_get_name(enum ec_secret_label label);

/* Longest line with its newline and NUL. */
#define EC_KEYLOG_LINE_LEN (EC_LABEL_LEN + 2 * EC_RANDOM_LEN + 2 * EC_SECRET_LEN + 4)
/* Writes one line with newline and NUL; returns its length without the NUL. No error: every valid
 * ec_secret fits. */
size_t ec_keylog_line_format(const struct ec_secret *secret, char line[static EC_KEYLOG_LINE_LEN]);
/* Parses a line (without or with newline) of `len` bytes; false if it is no line of a known label. */
bool ec_keylog_line_parse(const char *line, size_t len, struct ec_secret *ret_secret);

/* Remembers (label, client random) of the newest `capacity` secrets; bounded memory, holds no key
 * material. */
struct ec_secret_set;
struct ec_secret_set *ec_secret_set_new(size_t capacity);
void ec_secret_set_free(struct ec_secret_set *set);
typedef struct ec_secret_set ec_secret_set;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_secret_set, ec_secret_set_free)
/* True if it was not in the set: hand the secret on. */
bool ec_secret_set_add(struct ec_secret_set *set, enum ec_secret_label label,
                       const uint8_t client_random[static EC_RANDOM_LEN]);
