/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "segment.h"

#include "linktype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ETHERNET "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
#define IPV4(length) "\x45\x00" length "\x12\x34\x40\x00\x40\x06\x00\x00\x0a\x01\x02\x03\xc0\xa8\x01\x02"
#define TCP "\xc3\x50\x01\xbb\x01\x02\x03\x04\x00\x00\x00\x02\x50\x18\x10\x00\x00\x00\x00\x00"
#define IPV6(length, next)                                                                                             \
    "\x60\x00\x00\x00" length next                                                                                     \
    "\x40\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

#define PARSE(linktype, bytes, segment) ec_segment_parse(linktype, (const uint8_t *)(bytes), sizeof(bytes) - 1, segment)

static void parse_ethernet_ipv4_returns_fields(void **state)
{
    static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 1, [14] = 2, [15] = 3};
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_ETHERNET, ETHERNET "\x08\x00" IPV4("\x00\x2b") TCP "abc", &segment));
    assert_memory_equal(segment.source.address, source, 16);
    assert_int_equal(segment.source.port, 50000);
    assert_int_equal(segment.destination.port, 443);
    assert_int_equal(segment.transport, EC_TRANSPORT_TCP);
    assert_int_equal(segment.sequence, 0x01020304);
    assert_int_equal(segment.payload_len, 3);
    assert_memory_equal(segment.payload, "abc", 3);
}

static void parse_padded_frame_leaves_padding_out(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_ETHERNET, ETHERNET "\x08\x00" IPV4("\x00\x28") TCP "\0\0\0\0\0\0", &segment));
    assert_int_equal(segment.payload_len, 0);
}

static void parse_two_vlan_tags_returns_payload(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_ETHERNET,
                      ETHERNET "\x88\xa8\x00\x05\x81\x00\x00\x06\x08\x00" IPV4("\x00\x2a") TCP "hi", &segment));
    assert_int_equal(segment.payload_len, 2);
}

static void parse_raw_ipv6_behind_extensions_returns_payload(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_RAW, IPV6("\x00\x27", "\x00") "\x3c\x00\0\0\0\0\0\0\x06\x00\0\0\0\0\0\0" TCP "v6!",
                      &segment));
    assert_int_equal(segment.payload_len, 3);
    assert_int_equal(segment.source.address[15], 1);
}

static void parse_gso_length_zero_takes_all(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_RAW, IPV4("\x00\x00") TCP "abcdef", &segment));
    assert_int_equal(segment.payload_len, 6);
}

static void parse_udp_returns_payload_without_padding(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_true(PARSE(EC_LINKTYPE_RAW,
                      "\x45\x00\x00\x00\x12\x34\x40\x00\x40\x11\0\0\x0a\x01\x02\x03\xc0\xa8\x01\x02"
                      "\xc3\x50\x01\xbb\x00\x0b\x00\x00udp++",
                      &segment));
    assert_int_equal(segment.transport, EC_TRANSPORT_UDP);
    assert_int_equal(segment.source.port, 50000);
    assert_int_equal(segment.destination.port, 443);
    assert_int_equal(segment.payload_len, 3);
    assert_memory_equal(segment.payload, "udp", 3);
    assert_true(PARSE(EC_LINKTYPE_RAW, IPV6("\x00\x0a", "\x11") "\xc3\x50\x01\xbb\x00\x0a\x00\x00v6", &segment));
    assert_int_equal(segment.transport, EC_TRANSPORT_UDP);
    assert_int_equal(segment.payload_len, 2);
}

static void parse_short_udp_returns_false(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_false(PARSE(EC_LINKTYPE_RAW, IPV6("\x00\x07", "\x11") "\xc3\x50\x01\xbb\x00\x08\x00", &segment));
    assert_false(PARSE(EC_LINKTYPE_RAW, IPV6("\x00\x08", "\x11") "\xc3\x50\x01\xbb\x00\x07\x00\x00", &segment));
}

static void parse_fragment_or_other_returns_false(void **state)
{
    struct ec_segment segment;
    (void)state;

    assert_false(PARSE(EC_LINKTYPE_RAW,
                       "\x45\x00\x00\x28\x12\x34\x20\x00\x40\x06\0\0\x0a\x01\x02\x03\xc0\xa8\x01\x02" TCP, &segment));
    assert_false(PARSE(EC_LINKTYPE_RAW,
                       "\x45\x00\x00\x28\x12\x34\x00\x00\x40\x32\0\0\x0a\x01\x02\x03\xc0\xa8\x01\x02" TCP, &segment));
    assert_false(PARSE(EC_LINKTYPE_ETHERNET, ETHERNET "\x08\x06" IPV4("\x00\x28") TCP, &segment));
}

static void parse_cut_anywhere_returns_false(void **state)
{
    static const uint8_t packet[] =
        ETHERNET "\x81\x00\x00\x01\x86\xdd" IPV6("\x00\x1c", "\x00") "\x06\x00\0\0\0\0\0\0" TCP;
    struct ec_segment segment;
    (void)state;

    for (size_t len = 0; len < sizeof(packet) - 1; len++) {
        uint8_t *copy = test_malloc(len ? len : 1); /* so that a read beyond is seen */

        memcpy(copy, packet, len);
        assert_false(ec_segment_parse(EC_LINKTYPE_ETHERNET, copy, len, &segment));
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_ethernet_ipv4_returns_fields),
        cmocka_unit_test(parse_padded_frame_leaves_padding_out),
        cmocka_unit_test(parse_two_vlan_tags_returns_payload),
        cmocka_unit_test(parse_raw_ipv6_behind_extensions_returns_payload),
        cmocka_unit_test(parse_gso_length_zero_takes_all),
        cmocka_unit_test(parse_udp_returns_payload_without_padding),
        cmocka_unit_test(parse_short_udp_returns_false),
        cmocka_unit_test(parse_fragment_or_other_returns_false),
        cmocka_unit_test(parse_cut_anywhere_returns_false),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
