/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Finds the pseudo-random function of OpenSSL 1.0 and 1.1.0 and of LibreSSL, whose arguments are the master secret and
 * the client random when keys are made of it (RFC 5246 6.3): the one function that gets the label "key expansion" with
 * another argument of its known length. Where OpenSSL 1.1.0's is inlined, EVP_PKEY_CTX_ctrl() is such a function: it is
 * handed the secret, the label and both randoms, one by one. What its calls hold at run time is checked by
 * bpf/prf.bpf.c. x86-64 only.
 */
#include "code-flow.h"
#include "hook-point.h"
#include "random-place.h"

/* `error`: EC_HOOK_ERROR_NOT_TLS. */
bool ec_prf_find(struct ec_code *code, const struct ec_elf_image *image, enum ec_prf *ret_prf, uint64_t *ret_function,
                 GError **error);

/*
 * The client random's place in OpenSSL >= 1.1.1, whose pseudo-random function gets the connection first: its call with
 * the label "key expansion" passes the server random and the client random behind it, each with its length (RFC 5246
 * 6.3), both seen from what it passes as the connection. For files without SSL_get_client_random's name. False if that
 * call isn't there, or shows anything else.
 */
bool ec_prf_random_find(struct ec_code *code, const struct ec_elf_image *image, struct ec_random_place *ret_place);
