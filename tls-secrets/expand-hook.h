/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Finds tls13_hkdf_expand(ssl, digest, secret, label, …) of an OpenSSL >= 1.1.1 in which link-time optimisation has put
 * the function that logs secrets into its callers, behind their check for a key log (Ubuntu 22.04's libssl 3.0.2):
 * every TLS 1.3 secret goes through it, whether one is logged or not, and bpf/expand.bpf.c takes them there.
 *
 * Proven here: one function alone gets "exp master" as its fourth argument, and the same one gets others of TLS 1.3's
 * labels; the client random's place by SSL_get_client_random or ec_prf_random_find(), seen from the same first
 * argument. That the call's other arguments are what they should be is checked at run time. x86-64 only.
 */
#include "code-flow.h"
#include "hook-point.h"

/* `accessor`: address of SSL_get_client_random, 0 if it isn't known. Sets `expand_offset` and the three members of the
 * random; else false, with the reason, and *point is untouched. */
bool ec_expand_find(struct ec_code *code, const struct ec_elf_image *image, uint64_t accessor,
                    struct ec_hook_point *point, GError **error);
