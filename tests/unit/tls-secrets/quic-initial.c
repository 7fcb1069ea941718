/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vectors of RFC 9001 Appendix A and RFC 9369 Appendix A: connection ID 8394c8f03e515708, packet number 2. */
#include "quic-initial.h"

#include "quic-seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID "\x83\x94\xc8\xf0\x3e\x51\x57\x08"
#define RANDOM                                                                                                         \
    "\xeb\xf8\xfa\x56\xf1\x29\x39\xb9\x58\x4a\x38\x96\x47\x2e\xc4\x0b\xb8\x63\xcf\xd3\xe8\x68\x04\xfe\x3a\x47\xf0\x6a" \
    "\x2b\x69\x48\x4c"
#define V2 0x6b3343cf

/* A.2: the CRYPTO frame */
static const uint8_t frame[] =
    "\x06\x00\x40\xf1\x01\x00\x00\xed\x03\x03" RANDOM "\x00\x00\x04\x13\x01\x13\x02\x01\x00\x00\xc0\x00\x00\x00\x10\x00"
    "\x0e\x00\x00\x0b\x65\x78\x61\x6d\x70\x6c\x65\x2e\x63\x6f\x6d\xff\x01\x00\x01\x00\x00\x0a\x00\x08\x00\x06\x00\x1d"
    "\x00\x17\x00\x18\x00\x10\x00\x07\x00\x05\x04\x61\x6c\x70\x6e\x00\x05\x00\x05\x01\x00\x00\x00\x00\x00\x33\x00\x26"
    "\x00\x24\x00\x1d\x00\x20\x93\x70\xb2\xc9\xca\xa4\x7f\xba\xba\xf4\x55\x9f\xed\xba\x75\x3d\xe1\x71\xfa\x71\xf5\x0f"
    "\x1c\xe1\x5d\x43\xe9\x94\xec\x74\xd7\x48\x00\x2b\x00\x03\x02\x03\x04\x00\x0d\x00\x10\x00\x0e\x04\x03\x05\x03\x06"
    "\x03\x02\x03\x08\x04\x08\x05\x08\x06\x00\x2d\x00\x02\x01\x01\x00\x1c\x00\x02\x40\x01\x00\x39\x00\x32\x04\x08\xff"
    "\xff\xff\xff\xff\xff\xff\xff\x05\x04\x80\x00\xff\xff\x07\x04\x80\x00\xff\xff\x08\x01\x10\x01\x04\x80\x00\x75\x30"
    "\x09\x01\x10\x0f\x08\x83\x94\xc8\xf0\x3e\x51\x57\x08\x06\x04\x80\x00\xff\xff";

static struct ec_quic_keys derive(uint32_t version)
{
    struct ec_quic_keys keys;

    assert_true(ec_quic_keys_derive(version, (const uint8_t *)ID, 8, &keys));
    return keys;
}

static void keys_derive_v1_gives_rfc_9001_keys(void **state)
{
    struct ec_quic_keys keys = derive(1);
    (void)state;

    assert_memory_equal(keys.key, "\x1f\x36\x96\x13\xdd\x76\xd5\x46\x77\x30\xef\xcb\xe3\xb1\xa2\x2d", 16);
    assert_memory_equal(keys.iv, "\xfa\x04\x4b\x2f\x42\xa3\xfd\x3b\x46\xfb\x25\x5c", 12);
    assert_memory_equal(keys.header, "\x9f\x50\x44\x9e\x04\xa0\xe8\x10\x28\x3a\x1e\x99\x33\xad\xed\xd2", 16);
}

static void keys_derive_v2_gives_rfc_9369_keys(void **state)
{
    struct ec_quic_keys keys = derive(V2);
    (void)state;

    assert_memory_equal(keys.key, "\x8b\x1a\x0b\xc1\x21\x28\x42\x90\xa2\x9e\x09\x71\xb5\xcd\x04\x5d", 16);
    assert_memory_equal(keys.iv, "\x91\xf7\x3e\x23\x51\xd8\xfa\x91\x66\x0e\x90\x9f", 12);
    assert_memory_equal(keys.header, "\x45\xb9\x5e\x15\x23\x5d\x6f\x45\xa6\xb1\x9c\xbc\xb0\x29\x4b\xa9", 16);
}

static void keys_derive_unknown_version_returns_false(void **state)
{
    struct ec_quic_keys keys;
    (void)state;

    assert_false(ec_quic_keys_derive(0xff00001d, (const uint8_t *)ID, 8, &keys));
}

/* The packets of A.2, by their published beginnings (and version 1's tag), decrypted to the ClientHello. */
static void initial_read_rfc_packets_gives_random(void **state)
{
    static const struct {
        uint32_t version;
        const char *start, *end;
    } rows[] = {
        {1,
         "\xc0\x00\x00\x00\x01\x08" ID "\x00\x00\x44\x9e\x7b\x9a\xec\x34"
         "\xd1\xb1\xc9\x8d\xd7\x68\x9f\xb8\xec\x11",
         "\xe2\x21\xaf\x44\x86\x00\x18\xab\x08\x56\x97\x2e\x19\x4c\xd9\x34"},
        {V2,
         "\xd7\x6b\x33\x43\xcf\x08" ID "\x00\x00\x44\x9e\xa0\xc9\x5e\x82"
         "\xff\xe6\x7b\x6a\xbc\xdb\x42\x98\xb4\x85",
         NULL},
    };
    (void)state;

    for (size_t i = 0; i < 2; i++) {
        struct ec_quic_keys keys = derive(rows[i].version);
        struct ec_quic_hello hello = {0};
        struct ec_quic_packet packet;
        uint8_t data[1200];

        quic_initial_make(data, rows[i].version, ID, 2, frame, sizeof(frame) - 1);
        assert_memory_equal(data, rows[i].start, 32);
        if (rows[i].end)
            assert_memory_equal(data + 1184, rows[i].end, 16);
        assert_true(ec_quic_packet_parse(data, sizeof(data), &packet));
        assert_int_equal(packet.type, EC_QUIC_INITIAL);
        assert_int_equal(packet.version, rows[i].version);
        assert_int_equal(packet.id_len, 8);
        assert_memory_equal(packet.id, ID, 8);
        assert_int_equal(packet.len, 1200);
        assert_true(ec_quic_initial_read(&keys, data, &packet, &hello));
        assert_memory_equal(ec_quic_hello_get_random(&hello), RANDOM, 32);
    }
}

static void initial_read_changed_byte_returns_false(void **state)
{
    struct ec_quic_keys keys = derive(1);
    struct ec_quic_hello hello = {0};
    struct ec_quic_packet packet;
    uint8_t data[1200];
    (void)state;

    for (size_t at = 0; at < sizeof(data); at += 7) {
        quic_initial_make(data, 1, ID, 2, frame, sizeof(frame) - 1);
        data[at] ^= 8;
        if (ec_quic_packet_parse(data, sizeof(data), &packet))
            assert_false(ec_quic_initial_read(&keys, data, &packet, &hello));
    }
    assert_int_equal(hello.have, 0);
}

static void packet_parse_cut_or_other_returns_false(void **state)
{
    static const char retry[] = "\xf0\0\0\0\x01\0\0", negotiation[] = "\xc0\0\0\0\0\0\0",
                      short_header[] = "\x40\0\0\0\x01\0\0\0\0", long_id[] = "\xc0\0\0\0\x01\x15",
                      draft[] = "\xc0\xff\0\0\x1d\0\0\0\0";
    struct ec_quic_packet packet;
    uint8_t data[1200];
    (void)state;

    quic_initial_make(data, 1, ID, 2, frame, sizeof(frame) - 1);
    for (size_t len = 0; len < sizeof(data); len++) {
        uint8_t *copy = test_malloc(len ? len : 1); /* so that a read beyond is seen */

        memcpy(copy, data, len);
        assert_false(ec_quic_packet_parse(copy, len, &packet));
        test_free(copy);
    }
    assert_false(ec_quic_packet_parse((const uint8_t *)retry, sizeof(retry), &packet));
    assert_false(ec_quic_packet_parse((const uint8_t *)negotiation, sizeof(negotiation), &packet));
    assert_false(ec_quic_packet_parse((const uint8_t *)short_header, sizeof(short_header), &packet));
    assert_false(ec_quic_packet_parse((const uint8_t *)long_id, sizeof(long_id), &packet));
    assert_false(ec_quic_packet_parse((const uint8_t *)draft, sizeof(draft), &packet));
}

static void packet_parse_coalesced_gives_each_length(void **state)
{
    static const uint8_t data[] = "\xe0\0\0\0\x01\x01\x07\x01\x08\x05handZ";
    struct ec_quic_packet packet;
    (void)state;

    assert_true(ec_quic_packet_parse(data, sizeof(data) - 1, &packet));
    assert_int_equal(packet.type, EC_QUIC_HANDSHAKE);
    assert_int_equal(packet.len, sizeof(data) - 1);
    assert_true(ec_quic_packet_parse((const uint8_t *)"\xd0\0\0\0\x01\0\0\x01x\x40more", 13, &packet));
    assert_int_equal(packet.type, EC_QUIC_0RTT);
    assert_int_equal(packet.len, 9);
}

static void frames_read_shuffled_pieces_gives_random(void **state)
{
    static const uint8_t rest[] =
        "\x06\x25\x02\x4cX"                                   /* offset 37 */
        "\x02\x09\x00\x01\x01\x02\x03"                        /* an ACK of two ranges */
        "\0\0\x01\x06\x40\x08\x02\xf1\x29",                   /* PADDING, PING, offset 8, a long way to say it */
        start[] = "\x06\x00\x08\x01\0\0\xed\x03\x03\xeb\xf8", /* overlaps the next */
        end[] = "\x06\x06\x1f" RANDOM;
    struct ec_quic_hello hello = {0};
    (void)state;

    ec_quic_frames_read(rest, sizeof(rest) - 1, &hello);
    assert_int_equal(hello.have, 1ull << 37 | 3ull << 8);
    assert_null(ec_quic_hello_get_random(&hello));
    ec_quic_frames_read(end, 3 + 31, &hello);
    assert_null(ec_quic_hello_get_random(&hello));
    ec_quic_frames_read(start, sizeof(start) - 1, &hello);
    assert_memory_equal(ec_quic_hello_get_random(&hello), RANDOM, 32);
}

static void frames_read_hostile_lengths_stays_within(void **state)
{
    static const char *const rows[] = {"\x06\xff\xff\xff\xff\xff\xff\xff\xff\x01x",
                                       "\x06\x00\xff\xff\xff\xff\xff\xff\xff\xff",
                                       "\x02\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff", "\x06\x25\x05zzzzz", "\x1c\x06"};
    static const size_t lens[] = {11, 10, 11, 8, 2};
    struct ec_quic_hello hello = {0};
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        ec_quic_frames_read((const uint8_t *)rows[i], lens[i], &hello);
    assert_int_equal(hello.have, 1ull << 37);
}

static void hello_get_random_of_other_message_returns_null(void **state)
{
    struct ec_quic_hello hello = {.have = (1ull << EC_QUIC_HELLO_LEN) - 1, .bytes = {2}};
    (void)state;

    assert_null(ec_quic_hello_get_random(&hello));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_derive_v1_gives_rfc_9001_keys),
        cmocka_unit_test(keys_derive_v2_gives_rfc_9369_keys),
        cmocka_unit_test(keys_derive_unknown_version_returns_false),
        cmocka_unit_test(initial_read_rfc_packets_gives_random),
        cmocka_unit_test(initial_read_changed_byte_returns_false),
        cmocka_unit_test(packet_parse_cut_or_other_returns_false),
        cmocka_unit_test(packet_parse_coalesced_gives_each_length),
        cmocka_unit_test(frames_read_shuffled_pieces_gives_random),
        cmocka_unit_test(frames_read_hostile_lengths_stays_within),
        cmocka_unit_test(hello_get_random_of_other_message_returns_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
