/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Link types as they stand in files: https://www.tcpdump.org/linktypes.html */
enum ec_linktype {
    EC_LINKTYPE_NONE = -1, /* can't be captured */
    EC_LINKTYPE_ETHERNET = 1,
    EC_LINKTYPE_RAW = 101,                 /* IPv4 or IPv6, told apart by the first nibble */
    EC_LINKTYPE_WIRESHARK_UPPER_PDU = 252, /* an exported PDU */
};
