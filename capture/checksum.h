/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The Internet checksum (RFC 1071). */
#include <stddef.h>
#include <stdint.h>

/* `sum` and these bytes, neither folded nor inverted. Only the last piece may be odd. */
uint64_t ec_checksum_add(uint64_t sum, const uint8_t *bytes, size_t len);
uint16_t ec_checksum_end(uint64_t sum);
/* Likewise, as UDP writes it, where 0 means none (RFC 768). */
uint16_t ec_checksum_end_udp(uint64_t sum);
