/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where the client random lies, seen from the first argument, as the code of two functions shows it. */
#include "code-flow.h"

struct ec_random_place {
    bool indirect;    /* at *(argument + pointer) + offset, else at argument + offset */
    uint16_t pointer; /* bytes; 0 unless indirect */
    uint16_t offset;  /* bytes */
};

/* How the library's accessor of the random hands it out. */
enum ec_random_accessor {
    EC_ACCESSOR_NONE,    /* there is none */
    EC_ACCESSOR_COPIES,  /* SSL_get_client_random(ssl, out, len) */
    EC_ACCESSOR_POINTS,  /* gnutls_session_get_random(session, datum *client, datum *server) */
    EC_ACCESSOR_EXPORTS, /* NSS's SSL_ExportKeyingMaterial(descriptor, …): see export_read() */
};

/* `logger`: address of the function that is handed every secret. It passes (random, 32) on or loops over 32 bytes.
 * `accessor`: address of the other one. If both tell, they must agree. EC_HOOK_ERROR_UNPROVEN of hook-point.h. */
bool ec_random_place_find(struct ec_code *code, uint64_t logger, enum ec_random_accessor kind, uint64_t accessor,
                          struct ec_random_place *ret_place, GError **error);
/* By the accessor alone; false unless it shows just one place. */
bool ec_random_accessor_find(struct ec_code *code, enum ec_random_accessor kind, uint64_t accessor,
                             struct ec_random_place *ret_place);
