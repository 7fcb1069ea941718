/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Writes pcapng: one section; an interface block per interface, when it appears; packets with their
 * owner as comments (label.h), as epb_processid_threadid and, in a regular file, as Darwin process
 * blocks; TLS secrets in DSBs before the next packet; interface statistics. What isn't packets has interfaces of its
 * own: SQL statements are exported PDUs.
 */
#include "sink.h"

/* Texts are copied, cut at 255 bytes; NULL leaves them out. */
struct ec_pcapng_config {
    bool comments;           /* packets' owners as comments */
    bool no_packets;         /* the session captures on no interface: the file's head waits for none */
    const char *application; /* "ecapture 0.1.0" */
    const char *hardware;
    const char *os;
};

/* Takes the descriptor (see ec_output_open), also on failure: EC_SINK_ERROR_OPEN if it is none that can
 * be written. Nothing is written before the first flush or close. The sink's calls fail with
 * READER_GONE, WRITE or FORMAT (a link type that wiretap doesn't know). */
struct ec_sink *ec_pcapng_sink_new(int fd, const struct ec_pcapng_config *config, GError **error);
