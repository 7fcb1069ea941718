/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "checksum.h"

uint64_t ec_checksum_add(uint64_t sum, const uint8_t *bytes, size_t len)
{
    for (; len >= 2; bytes += 2, len -= 2)
        sum += (uint32_t)bytes[0] << 8 | bytes[1];
    return len ? sum + ((uint32_t)bytes[0] << 8) : sum;
}

uint16_t ec_checksum_end(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint16_t ec_checksum_end_udp(uint64_t sum)
{
    uint16_t checksum = ec_checksum_end(sum);

    return checksum ? checksum : 0xffff;
}
