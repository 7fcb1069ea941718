/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Writes classic pcap with nanoseconds. It can't hold owners, secrets or statistics, and has one link
 * type for all packets.
 */
#include "sink.h"

/* Takes the descriptor (see ec_output_open), also on failure: EC_SINK_ERROR_OPEN if it is none that can
 * be written. The sink's calls fail with READER_GONE, WRITE or FORMAT (an interface of a second
 * link type). */
struct ec_sink *ec_pcap_sink_new(int fd, GError **error);
