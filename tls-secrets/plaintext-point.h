/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where to hook the calls that programs read and write plaintext with: OpenSSL's and its kin's SSL_read(), SSL_write()
 * and the like, GnuTLS's gnutls_record_recv() and _send(), Go's (*tls.Conn).Read() and Write(), and what NSS's sockets
 * have behind NSPR's PR_Recv() and PR_Send() while they are secure.
 *
 * C functions are found by symbol, but for NSS's (nss-socket-ops.h) and those of a stripped BoringSSL
 * (boringssl-calls.h); another library that is stripped, such as a static OpenSSL, is refused. In Go, whose stacks
 * move, no return probe can be used: instead the RET instructions of the function are found, by following its code from
 * the entry.
 *
 * Pure: reads the ELF file it is handed and nothing else. The file is hostile input.
 */
#include "abi.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum ec_plaintext_place {
    EC_PLACE_ENTRY,     /* at a C function's entry: the stack and the arguments are as the caller left them */
    EC_PLACE_RETURN,    /* a return probe, at the same offset as the entry's */
    EC_PLACE_GO_ENTRY,  /* likewise as the entry; arguments in registers */
    EC_PLACE_GO_RETURN, /* at a RET instruction */
};

struct ec_plaintext_point {
    enum ec_plaintext_place place;
    uint64_t offset; /* in the file, bytes */
    uint64_t cookie; /* EC_PLAINTEXT_COOKIE(); of a return: 0 */
};

/* `fd`: an open ELF file, borrowed, read by pread only. Returns an array of struct ec_plaintext_point, at least one
 * that reads and one that writes; NULL with EC_HOOK_ERROR_* of hook-point.h. */
GArray *ec_plaintext_points_find(int fd, GError **error);
/* Whether it would find any; in a library that takes a tenth of the time. */
bool ec_plaintext_points_exist(int fd, GError **error);
