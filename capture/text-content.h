/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Undoes content codings (RFC 9110 section 8.4.1): gzip, deflate, br (RFC 7932), zstd (RFC 8878),
 * and WebSocket's permessage-deflate (RFC 7692). Pure; takes any
 * bytes; time and memory are bounded by `max`, whatever the data claim. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ec_content_result {
    EC_CONTENT_WHOLE,
    EC_CONTENT_CUT,     /* it is longer than `max` */
    EC_CONTENT_SHORT,   /* the data end before it does */
    EC_CONTENT_BROKEN,  /* the data are not what the coding's name says */
    EC_CONTENT_UNKNOWN, /* a coding that isn't known, or more than four of them */
};

/*
 * `codings`: as in Content-Encoding, separated by commas, in the order in which they were applied. *ret_content gets
 * what could be decoded, at most `max` bytes, and is to be freed; NULL for EC_CONTENT_UNKNOWN.
 */
enum ec_content_result ec_content_decode(const char *codings, const uint8_t *data, size_t len, size_t max,
                                         GByteArray **ret_content);
/* Nothing but "identity", or nothing at all. */
bool ec_content_is_plain(const char *codings);

/* The same for data that come in pieces. */
typedef struct ec_content_decoder ec_content_decoder;
/* NULL: EC_CONTENT_UNKNOWN. */
ec_content_decoder *ec_content_decoder_new(const char *codings);
void ec_content_decoder_free(ec_content_decoder *decoder);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_content_decoder, ec_content_decoder_free)

/* Bytes of memory that it may come to hold, by what its codings allow. */
size_t ec_content_decoder_get_cost(const ec_content_decoder *decoder);
/* Appends what the next bytes come to, at most `max` bytes. WHOLE: the data may end here. After CUT and BROKEN nothing
 * more comes of it. */
enum ec_content_result ec_content_decoder_take(ec_content_decoder *decoder, const uint8_t *data, size_t len, size_t max,
                                               GByteArray *content);
