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

/* `error`: EC_HOOK_ERROR_NOT_TLS. */
bool ec_prf_find(struct ec_code *code, const struct ec_elf_image *image, enum ec_prf *ret_prf, uint64_t *ret_function,
                 GError **error);
