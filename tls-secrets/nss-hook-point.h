/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where the secrets of NSS (Firefox, and Debian's own libraries) can be had. NSS never hands one out in one place: it
 * keeps keys as PKCS #11 objects inside a token, and its TLS code knows them by handle only. So three files are hooked,
 * and what the probes see is brought together within one thread (bpf/nss-secret.bpf.c):
 *
 *   libssl3, EC_LIBRARY_NSS: ssl3_RecordKeyLog(socket, label, key), called with each TLS 1.3 secret when it has just
 *     been derived, even where Debian builds it to do nothing. By cross-reference from the labels (hook-point.h). The
 *     client random's place in the socket comes from SSL_ExportKeyingMaterial's code.
 *   libnss3, EC_LIBRARY_NSS_KEYS: PK11_Derive(key, mechanism, parameters, …), exported. With a mechanism that makes
 *     record keys out of a master secret, its parameters (PKCS #11 v3.0, 6.4) hold the client random: TLS 1.2 and
 *     older, full handshakes and resumed ones, before the first encrypted record leaves.
 *   libsoftokn3, EC_LIBRARY_NSS_TOKEN: the functions f(object, attribute type, value, length) that give a key object
 *     its CKA_VALUE. Stripped and not exported; found by the constant CKA_VALUE, see nss-hook-point.c.
 *
 * That a value is a key's is not assumed but checked, each time: the object's handle must equal the key's.
 *
 * Pure: reads the ELF file it is handed and nothing else. The file is hostile input.
 */
#include "hook-point.h"

#include <glib.h>
#include <stdbool.h>

/* Whether the file exports what one of the three does. Cheap. */
bool ec_nss_file_is_nss(int fd);

/* `fd`: an open ELF file, borrowed, read by pread only; one of the three. Errors are EC_HOOK_ERROR_*; *ret_point is
 * untouched then. The random's place is set for EC_LIBRARY_NSS only. */
bool ec_nss_hook_point_find(int fd, struct ec_hook_point *ret_point, GError **error);
