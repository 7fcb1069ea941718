/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * wiretap's writer without its I/O: it writes into memory, from which the caller takes the
 * bytes. So what wiretap can't express is patched in (ec_block_patch), and errors of the real output are ours
 * to handle.
 */
#include "label.h"
#include "sink.h"
#include "wiretap-compat.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ec_encoder_format { EC_ENCODER_PCAPNG, EC_ENCODER_PCAP_NSEC };

/* Bytes to be taken at the latest, the current record included: ec_encoder_is_full(). */
#define EC_ENCODER_WINDOW (1u << 20)

/* Starts wiretap, once; before its first block is made. */
void ec_encoder_init(void);

typedef struct ec_encoder ec_encoder;
/* What `params` points to lives until ec_encoder_free(), but for idb_inf, which is copied. Error: EC_SINK_ERROR_FORMAT
 * (no such link type) or EC_SINK_ERROR_WRITE (no memory file). */
ec_encoder *ec_encoder_new(enum ec_encoder_format format, const wtap_dump_params *params, GError **error);
/* Wipes the memory. NULL is fine. */
void ec_encoder_free(ec_encoder *encoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_encoder, ec_encoder_free)

/* These add to the window. */
bool ec_encoder_add_interface(ec_encoder *encoder, wtap_block_t interface, GError **error);
/* With the first `caplen` bytes of the packet; `encap` is its interface's WTAP_ENCAP_; `label` (may be
 * NULL) its options, which this encoder alone is given. */
bool ec_encoder_add_packet(ec_encoder *encoder, const struct ec_sink_packet *packet, uint32_t caplen, int encap,
                           struct ec_label *label, GError **error);
bool ec_encoder_add_bytes(ec_encoder *encoder, const void *data, size_t len, GError **error);

/* True when the window has no room for another packet of EC_SNAPLEN_MAX bytes beyond EC_ENCODER_WINDOW. */
bool ec_encoder_is_full(const ec_encoder *encoder);
/* Nothing was added since the last take. */
bool ec_encoder_is_empty(const ec_encoder *encoder);
/* Everything added so far. The bytes may be changed; they are gone at the next add. */
bool ec_encoder_take(ec_encoder *encoder, uint8_t **ret_data, size_t *ret_len, GError **error);
