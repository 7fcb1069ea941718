/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where LibreSSL's TLS 1.3 secrets can be had. Its function that derives a secret, tls13_derive_secret(out, digest,
 * secret, label, context) or the one that this calls, gets all five labels of RFC 8446 7.1 that matter as its fourth
 * argument, but no connection. `out` lies in an object, struct tls13_secrets, of which the connection's state keeps the
 * address. So further probes, on the exported functions by which a thread enters the library, tell which connection it
 * works for, and bpf/libressl.bpf.c checks that this one's state does hold the object's address.
 *
 * Proven here: one function gets the five labels; each label's `out` is at a fixed distance from the first argument of
 * the function that passes it, which is the object then; the client random's place by SSL_get_client_random. x86-64
 * only.
 */
#include "code-flow.h"
#include "hook-point.h"

/* Sets `libressl` and the three members of the random. False if anything of it isn't proven; *point is untouched. */
bool ec_libressl_find(ec_code *code, const ec_elf_image *image, struct ec_hook_point *point);
