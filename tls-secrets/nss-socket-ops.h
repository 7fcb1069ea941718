/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The functions of NSS's libssl3 that move plaintext. NSPR's PR_Read() and PR_Write() serve files and plain sockets
 * too, and so does the layer that libssl3 puts on a socket: while a socket's SSL_SECURITY is off, as before STARTTLS,
 * it hands everything to the network as it is. But behind that layer each socket points to one of two tables of
 * functions (struct sslSocketOps, lib/ssl/sslimpl.h, since NSS 3.2), and those of the one are called for TLS alone.
 *
 * Neither is exported. What is proven of them stands in nss-socket-ops.c.
 */
#include "code-flow.h"
#include "elf-image.h"

/* Addresses. The first argument of each is the library's socket, that ssl3_RecordKeyLog() is handed too. */
struct ec_nss_socket_ops {
    uint64_t recv;     /* (socket, buffer, length, flags): PR_MSG_PEEK is one, prio.h of NSPR */
    uint64_t send;     /* (socket, buffer, length, flags) */
    uint64_t read;     /* (socket, buffer, length); 0: it does nothing but jump to recv */
    uint64_t write;    /* likewise, to send */
    uint64_t close[2]; /* of TLS and of plain sockets: after either the socket is freed */
};

/* Whether the file is a libssl3: it exports what every one does. */
bool ec_nss_has_sockets(const struct ec_elf_image *image);
/* NULL if they are found in *ret_ops, else why they are not proven; static. */
const char *ec_nss_socket_ops_find(const struct ec_elf_image *image, struct ec_code *code,
                                   struct ec_nss_socket_ops *ret_ops);
