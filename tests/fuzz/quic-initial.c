/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is one UDP datagram; and, past the cipher that no fuzzer breaks, one decrypted payload. */
#include "quic-initial.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ec_quic_hello hello = {0};
    struct ec_quic_packet packet;
    struct ec_quic_keys keys;

    for (size_t at = 0; ec_quic_packet_parse(data + at, size - at, &packet); at += packet.len) {
        if (packet.len == 0 || packet.len > size - at || packet.number_at > packet.len ||
            packet.id_len > EC_QUIC_ID_LEN)
            abort();
        if (ec_quic_keys_derive(packet.version, packet.id, packet.id_len, &keys))
            ec_quic_initial_read(&keys, data + at, &packet, &hello);
    }
    ec_quic_frames_read(data, size, &hello);
    if (hello.have >> EC_QUIC_HELLO_LEN)
        abort();
    return 0;
}
