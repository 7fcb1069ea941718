/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Packets of link type WIRESHARK_UPPER_PDU: what a dissector gets handed, behind tags that name the dissector. Tags are
 * those of Wireshark's epan/exported_pdu.h (4.0 to 4.6), big-endian, padded to 4 bytes.
 */
#include "sink.h"

#include <glib.h>

/* Tags that hand what follows them to the dissector of this TCP port. */
void ec_exported_pdu_append_tags(GByteArray *pdu, uint16_t tcp_port);
/* The statement as its client sends it: COM_QUERY of MySQL's protocol, Query of PostgreSQL's; with parameters Parse and
 * Bind. Text and parameters are cut so that the whole has at most EC_SNAPLEN_MAX bytes. */
void ec_exported_pdu_append_statement(GByteArray *pdu, const struct ec_sink_statement *statement);
/* Bytes of plaintext that no address is known of; HTTP's, if they begin so. At most EC_SNAPLEN_MAX - 64 of them. */
void ec_exported_pdu_append_plaintext(GByteArray *pdu, const uint8_t *data, uint32_t len);
/* "user=app db=shop conn=7 duration=0.000120 rows=3", what isn't known left out, an error last: "error=1064 text";
 * "cut=" is the text's full length, if some of it is missing; "params=" the number of parameters, "params_cut=" the
 * first that isn't there whole. Free with g_free(). Bytes of the names outside 0x21 to 0x7e, and backslashes, are
 * written as \xNN. */
char *ec_exported_pdu_format_remark(const struct ec_sink_statement *statement);
