/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * wiretap's writer as of Wireshark 4.0, 4.2, 4.4 and 4.6, seen as one. 4.4 turned gboolean into bool;
 * 4.6 moved the packet's data into wtap_rec.
 */
#include <ws_version.h>

#include <wiretap/pcap-encap.h>
#include <wiretap/wtap.h>
#include <wiretap/wtap_opttypes.h>
#include <wsutil/wslog.h>

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EC_WIRESHARK_VERSION (WIRESHARK_VERSION_MAJOR * 100 + WIRESHARK_VERSION_MINOR)

/* Fields that stay the same for every packet. The caller sets times, lengths and block; nothing in
 * the record is allocated, so there is nothing to clean up. */
static inline void ec_wtap_rec_prepare(wtap_rec *rec)
{
    memset(rec, 0, sizeof(*rec));
    rec->rec_type = REC_TYPE_PACKET;
    rec->presence_flags = WTAP_HAS_TS | WTAP_HAS_CAP_LEN | WTAP_HAS_INTERFACE_ID;
    rec->tsprec = WTAP_TSPREC_NSEC;
}

static inline bool ec_wtap_dump(wtap_dumper *dumper, wtap_rec *rec, const uint8_t *data, int *err, char **err_info)
{
#if EC_WIRESHARK_VERSION >= 406
    /* Lent for the call: the writer reads from the buffer and neither grows nor frees it. */
    rec->data.data = (uint8_t *)data;
    rec->data.allocated = rec->data.first_free = rec->rec_header.packet_header.caplen;
    return wtap_dump(dumper, rec, err, err_info);
#else
    return wtap_dump(dumper, rec, data, err, err_info);
#endif
}

static inline bool ec_wtap_dump_close(wtap_dumper *dumper, int *err, char **err_info)
{
    return wtap_dump_close(dumper, NULL, err, err_info);
}
