/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The labels that TLS 1.3 derives its secrets by (RFC 8446 7.1), and the names that those bear in key logs. */
#include "maps.bpf.h"

enum tls13_kind {
    TLS13_CLIENT_HANDSHAKE,
    TLS13_SERVER_HANDSHAKE,
    TLS13_CLIENT_APPLICATION,
    TLS13_SERVER_APPLICATION,
    TLS13_EXPORTER,
    TLS13_CLIENT_EARLY,
    TLS13_EARLY_EXPORTER,
    TLS13_SECRETS
};

/* Volatile: clang would put them into a section of strings to be merged, which libbpf takes for a map. */
static const volatile char tls13_names[TLS13_SECRETS][EC_LABEL_LEN] = {
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_TRAFFIC_SECRET_0",
    "SERVER_TRAFFIC_SECRET_0",
    "EXPORTER_SECRET",
    "CLIENT_EARLY_TRAFFIC_SECRET",
    "EARLY_EXPORTER_SECRET",
};

/* The first 16 bytes of a label, as two words of a little-endian machine; the text ends in the second one, whose bytes
 * behind the NUL may be another string's. */
struct tls13_label {
    uint64_t first, second;
};
#define TLS13_WORD(a, b, c, d, e, f, g, h)                                                                             \
    ((uint64_t)(a) | (uint64_t)(b) << 8 | (uint64_t)(c) << 16 | (uint64_t)(d) << 24 | (uint64_t)(e) << 32 |            \
     (uint64_t)(f) << 40 | (uint64_t)(g) << 48 | (uint64_t)(h) << 56)
#define TLS13_C_HS_TRA TLS13_WORD('c', ' ', 'h', 's', ' ', 't', 'r', 'a')
#define TLS13_S_HS_TRA TLS13_WORD('s', ' ', 'h', 's', ' ', 't', 'r', 'a')
#define TLS13_C_AP_TRA TLS13_WORD('c', ' ', 'a', 'p', ' ', 't', 'r', 'a')
#define TLS13_S_AP_TRA TLS13_WORD('s', ' ', 'a', 'p', ' ', 't', 'r', 'a')
#define TLS13_C_E_TRAF TLS13_WORD('c', ' ', 'e', ' ', 't', 'r', 'a', 'f')
#define TLS13_EXP_MAST TLS13_WORD('e', 'x', 'p', ' ', 'm', 'a', 's', 't')
#define TLS13_E_EXP_MA TLS13_WORD('e', ' ', 'e', 'x', 'p', ' ', 'm', 'a')
#define TLS13_FFIC TLS13_WORD('f', 'f', 'i', 'c', 0, 0, 0, 0)
#define TLS13_FIC TLS13_WORD('f', 'i', 'c', 0, 0, 0, 0, 0)
#define TLS13_ER TLS13_WORD('e', 'r', 0, 0, 0, 0, 0, 0)
#define TLS13_STER TLS13_WORD('s', 't', 'e', 'r', 0, 0, 0, 0)
/* Of so many characters and the NUL. */
#define TLS13_MASK(len) ((1ull << 8 * ((len) + 1)) - 1)

/* Below TLS13_SECRETS, or that. */
static __always_inline uint32_t tls13_label_find(const struct tls13_label *label)
{
    if (label->first == TLS13_EXP_MAST)
        return (label->second & TLS13_MASK(2)) == TLS13_ER ? TLS13_EXPORTER : TLS13_SECRETS;
    if (label->first == TLS13_E_EXP_MA)
        return (label->second & TLS13_MASK(4)) == TLS13_STER ? TLS13_EARLY_EXPORTER : TLS13_SECRETS;
    if (label->first == TLS13_C_E_TRAF)
        return (label->second & TLS13_MASK(3)) == TLS13_FIC ? TLS13_CLIENT_EARLY : TLS13_SECRETS;
    if ((label->second & TLS13_MASK(4)) != TLS13_FFIC)
        return TLS13_SECRETS;
    return label->first == TLS13_C_HS_TRA   ? TLS13_CLIENT_HANDSHAKE
           : label->first == TLS13_S_HS_TRA ? TLS13_SERVER_HANDSHAKE
           : label->first == TLS13_C_AP_TRA ? TLS13_CLIENT_APPLICATION
           : label->first == TLS13_S_AP_TRA ? TLS13_SERVER_APPLICATION
                                            : TLS13_SECRETS;
}
