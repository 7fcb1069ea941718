/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "datagram.h"

#include "checksum.h"
#include "linktype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* Of bytes that hold their own checksum. */
static bool sums_up(const uint8_t *pseudo, size_t pseudo_len, const uint8_t *bytes, size_t len)
{
    uint64_t sum = pseudo_len ? ec_checksum_add(17 + len, pseudo, pseudo_len) : 0;

    return ec_checksum_end(ec_checksum_add(sum, bytes, len)) == 0;
}

/* Seven bytes of payload, "abcdefg", with the partial checksum that a packet has before it is cut. */
static const uint8_t ethernet_ipv4[] =
    "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00"
    "\x45\x00\x00\x23\x12\xff\x40\x00\x40\x11\x00\x00\x0a\x01\x02\x03\xc0\xa8\x01\x02"
    "\xc3\x50\x01\xbb\x00\x0f\x12\x34"
    "abcdefg";
enum { ETHERNET = 14, IPV4 = 20, UDP = 8 };
static const uint8_t ipv6[] = "\x60\x00\x00\x00\x00\x0f\x11\x40\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                              "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
                              "\xc3\x50\x01\xbb\x00\x0f\x12\x34"
                              "abcdefg";

static void cut_ipv4_makes_headers_of_each(void **state)
{
    static const char *const payloads[] = {"abc", "def", "g"};
    struct ec_segment segment;
    struct ec_datagram datagram;
    uint8_t to[sizeof(ethernet_ipv4)];
    (void)state;

    assert_true(ec_segment_parse(EC_LINKTYPE_ETHERNET, ethernet_ipv4, sizeof(ethernet_ipv4) - 1, &segment));
    for (uint32_t i = 0; i < 3; i++) {
        const size_t len = strlen(payloads[i]);
        const uint8_t *ip = to + ETHERNET, *udp = ip + IPV4;

        assert_true(ec_datagram_cut(ethernet_ipv4, &segment, 3, i, to, &datagram));
        assert_int_equal(datagram.len, ETHERNET + IPV4 + UDP + len);
        assert_int_equal(datagram.caplen, datagram.len);
        assert_int_equal(datagram.last, i == 2);
        assert_memory_equal(to, ethernet_ipv4, ETHERNET + 2);
        assert_int_equal(ip[3], IPV4 + UDP + len);
        assert_int_equal(ip[4] << 8 | ip[5], 0x12ff + i);
        assert_true(sums_up(NULL, 0, ip, IPV4));
        assert_int_equal(udp[5], UDP + len);
        assert_true(sums_up(ip + 12, 8, udp, UDP + len));
        assert_memory_equal(udp + UDP, payloads[i], len);
    }
    assert_false(ec_datagram_cut(ethernet_ipv4, &segment, 3, 3, to, &datagram));
}

static void cut_ipv6_makes_headers_of_each(void **state)
{
    struct ec_segment segment;
    struct ec_datagram datagram;
    uint8_t to[sizeof(ipv6)];
    (void)state;

    assert_true(ec_segment_parse(EC_LINKTYPE_RAW, ipv6, sizeof(ipv6) - 1, &segment));
    assert_true(ec_datagram_cut(ipv6, &segment, 4, 1, to, &datagram));
    assert_int_equal(datagram.len, 40 + UDP + 3);
    assert_true(datagram.last);
    assert_int_equal(to[5], UDP + 3);
    assert_true(sums_up(to + 8, 32, to + 40, UDP + 3));
    assert_memory_equal(to + 40 + UDP, "efg", 3);
}

static void cut_what_the_snap_length_cut_tells_both_lengths(void **state)
{
    struct ec_segment segment;
    struct ec_datagram datagram;
    uint8_t to[sizeof(ipv6)];
    (void)state;

    assert_true(ec_segment_parse(EC_LINKTYPE_RAW, ipv6, 40 + UDP + 4, &segment));
    assert_true(ec_datagram_cut(ipv6, &segment, 3, 1, to, &datagram));
    assert_int_equal(datagram.caplen, 40 + UDP + 1);
    assert_int_equal(datagram.len, 40 + UDP + 3);
    assert_true(ec_datagram_cut(ipv6, &segment, 3, 2, to, &datagram));
    assert_int_equal(datagram.caplen, 40 + UDP);
    assert_int_equal(datagram.len, 40 + UDP + 1);
}

static void cut_a_length_without_payload_returns_false(void **state)
{
    uint8_t packet[sizeof(ipv6)], to[sizeof(ipv6)];
    struct ec_segment segment;
    struct ec_datagram datagram;
    (void)state;

    memcpy(packet, ipv6, sizeof(packet));
    for (uint8_t len = 0; len <= UDP; len++) {
        packet[45] = len;
        if (ec_segment_parse(EC_LINKTYPE_RAW, packet, sizeof(packet) - 1, &segment))
            assert_false(ec_datagram_cut(packet, &segment, 3, 0, to, &datagram));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_ipv4_makes_headers_of_each),
        cmocka_unit_test(cut_ipv6_makes_headers_of_each),
        cmocka_unit_test(cut_what_the_snap_length_cut_tells_both_lengths),
        cmocka_unit_test(cut_a_length_without_payload_returns_false),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
