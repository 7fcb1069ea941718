/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * pcapng blocks as bytes: what wiretap's writer can't express is written here by hand, or patched
 * into what it wrote. Host byte order, as one section. Format: draft-ietf-opsawg-pcapng; Apple's
 * process blocks: libpcap and tcpdump of Darwin, read by Wireshark from 4.6 on.
 */
#include "sink.h"

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* dumpcap 4.0 to 4.6 ends a capture at a longer block (MAX_BLOCK_SIZE). */
#define EC_BLOCK_MAX 262144u
/* Bytes of key-log lines that one DSB may hold. */
#define EC_BLOCK_SECRETS_MAX 16384u
/* Longer texts are cut by the functions below. */
#define EC_BLOCK_TEXT_MAX 1024u

enum ec_block_type {
    EC_BLOCK_INTERFACE_STATISTICS = 5,
    EC_BLOCK_ENHANCED_PACKET = 6,
    EC_BLOCK_JOURNAL = 9, /* systemd journal export */
    EC_BLOCK_DECRYPTION_SECRETS = 10,
    EC_BLOCK_DARWIN_PROCESS = (int)0x80000001u,
};

/* EPB options. wiretap 4.0 to 4.6 writes the carriers, of 8 and 4 bytes, and knows nothing of what
 * they become. */
enum ec_packet_option {
    EC_PACKET_OPTION_CARRIER_8 = 5,           /* epb_packetid, u64 */
    EC_PACKET_OPTION_CARRIER_4 = 6,           /* epb_queue, u32 */
    EC_PACKET_OPTION_PROCESS_THREAD = 8,      /* epb_processid_threadid: u32 pid, u32 tid */
    EC_PACKET_OPTION_DARWIN_PROCESS = 0x8001, /* u32 index of a process block of this section */
};

/* ec_output_whole for pcapng. */
size_t ec_block_whole(const void *data, size_t len);

/* Renames the carriers in every packet block of `data`, which must hold whole blocks alone; false,
 * at the first one that is malformed, if it doesn't. */
bool ec_block_patch(uint8_t *data, size_t len);

/* The options, their end included, of the one packet block that `data` holds; NULL, and `*ret_len` untouched, if it
 * holds anything else. */
const uint8_t *ec_block_get_packet_options(const uint8_t *data, size_t len, size_t *ret_len);
/* Bytes of a packet block with so many bytes of data and options. */
size_t ec_block_packet_len(uint32_t caplen, size_t options_len);
/* Writes a packet block, ec_block_packet_len() bytes, which is returned. `options`: ec_block_get_packet_options(). */
size_t ec_block_write_packet(uint8_t *to, const struct ec_sink_packet *packet, uint32_t caplen, const uint8_t *options,
                             size_t options_len);

/* Options as wiretap would write them, their end included. `comment`: NULL or a text; `flags`: epb_flags. */
void ec_block_append_packet_options(GByteArray *options, const char *comment, uint32_t flags, uint32_t pid,
                                    uint32_t tid);

/* The value of CARRIER_8 that becomes {pid, tid}. */
uint64_t ec_block_process_thread(uint32_t pid, uint32_t tid);

/* A decryption secrets block of a TLS key log; `len` at most EC_BLOCK_SECRETS_MAX bytes, whole lines. */
void ec_block_append_secrets(GByteArray *blocks, const char *lines, size_t len);
/* A Darwin process block. Their order in the section numbers them, from 0. */
void ec_block_append_process(GByteArray *blocks, uint32_t pid, const char *name);
/* A systemd journal export block; the entry ends with a newline. */
void ec_block_append_journal(GByteArray *blocks, const void *entry, size_t len);
/* An interface statistics block. `delivered`: packets written for this interface; `comment`: NULL or
 * a text. */
void ec_block_append_statistics(GByteArray *blocks, const struct ec_interface_statistics *statistics,
                                uint64_t delivered, const char *comment);
