/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void append_u32(GByteArray *bytes, uint32_t value)
{
    g_byte_array_append(bytes, (const guint8 *)&value, sizeof(value));
}

static void append_option(GByteArray *bytes, uint16_t code, uint16_t len, const void *value)
{
    const uint16_t header[2] = {code, len};

    g_byte_array_append(bytes, (const guint8 *)header, sizeof(header));
    g_byte_array_append(bytes, value, len);
    g_byte_array_append(bytes, (const guint8 *)"\0\0\0", -len & 3u);
}

/* An EPB as wiretap writes it: comment, flags, both carriers, end. */
static void append_packet(GByteArray *bytes, uint32_t caplen)
{
    guint start = bytes->len, data;
    uint32_t total;

    append_u32(bytes, EC_BLOCK_ENHANCED_PACKET);
    append_u32(bytes, 0);
    for (uint32_t i = 0; i < 3; i++)
        append_u32(bytes, i);
    append_u32(bytes, caplen);
    append_u32(bytes, caplen);
    data = bytes->len;
    g_byte_array_set_size(bytes, data + ((caplen + 3) & ~3u));
    /* Bytes that look like carriers, but are the packet's. */
    memset(bytes->data + data, 0, bytes->len - data);
    for (guint at = data; at + 4 <= data + caplen; at += 4)
        memcpy(bytes->data + at, &(uint16_t[2]){EC_PACKET_OPTION_CARRIER_4, 4}, 4);
    append_option(bytes, 1, 5, "pid=1");
    append_option(bytes, 2, 4, "\2\0\0\0");
    append_option(bytes, EC_PACKET_OPTION_CARRIER_8, 8, "abcdefgh");
    append_option(bytes, EC_PACKET_OPTION_CARRIER_4, 4, "ijkl");
    append_option(bytes, 0, 0, "");
    total = bytes->len - start + 4;
    append_u32(bytes, total);
    memcpy(bytes->data + start + 4, &total, sizeof(total));
}

static uint32_t get_u32(const GByteArray *bytes, guint at)
{
    uint32_t value;

    assert_true(at + 4 <= bytes->len);
    memcpy(&value, bytes->data + at, sizeof(value));
    return value;
}

/* Offset of the packet's option `code` in a block that begins at `start`; 0 if there is none. */
static guint find_option(const GByteArray *bytes, guint start, uint16_t code)
{
    guint end = start + get_u32(bytes, start + 4) - 4;
    guint at = start + 28 + ((get_u32(bytes, start + 20) + 3) & ~3u);

    while (at < end) {
        uint16_t header[2];

        memcpy(header, bytes->data + at, sizeof(header));
        if (header[0] == code)
            return at;
        at += 4 + ((header[1] + 3u) & ~3u);
    }
    return 0;
}

static void whole_cut_block_is_left_out(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint first;

    (void)state;
    append_packet(bytes, 60);
    first = bytes->len;
    append_packet(bytes, 61);
    assert_int_equal(ec_block_whole(bytes->data, bytes->len), bytes->len);
    for (guint len = first; len < bytes->len; len++)
        assert_int_equal(ec_block_whole(bytes->data, len), first);
    assert_int_equal(ec_block_whole(bytes->data, first - 1), 0);
    assert_int_equal(ec_block_whole(bytes->data, 0), 0);
}

static void patch_packets_renames_carriers_and_nothing_else(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    (void)state;
    for (uint32_t caplen = 0; caplen < 70; caplen++) {
        g_autoptr(GByteArray) before = NULL;
        guint a, b;

        g_byte_array_set_size(bytes, 0);
        append_packet(bytes, caplen);
        before = g_byte_array_append(g_byte_array_new(), bytes->data, bytes->len);
        a = find_option(bytes, 0, EC_PACKET_OPTION_CARRIER_8);
        b = find_option(bytes, 0, EC_PACKET_OPTION_CARRIER_4);
        assert_true(ec_block_patch(bytes->data, bytes->len));
        assert_int_equal(find_option(bytes, 0, 8), a);
        assert_int_equal(find_option(bytes, 0, 0x8001), b);
        memcpy(before->data + a, &(uint16_t){8}, 2);
        memcpy(before->data + b, &(uint16_t){0x8001}, 2);
        assert_memory_equal(bytes->data, before->data, bytes->len);
    }
}

static void patch_other_blocks_leaves_them(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *before = NULL;
    const struct ec_interface_statistics statistics = {.interface = 1, .now = 5};

    (void)state;
    ec_block_append_secrets(bytes, "x", 1);
    ec_block_append_process(bytes, 5, "curl");
    ec_block_append_statistics(bytes, &statistics, 7, "text");
    before = g_memdup2(bytes->data, bytes->len);
    assert_true(ec_block_patch(bytes->data, bytes->len));
    assert_memory_equal(bytes->data, before, bytes->len);
}

static void patch_malformed_is_refused(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint option;

    (void)state;
    append_packet(bytes, 10);
    option = find_option(bytes, 0, 2);
    assert_false(ec_block_patch(bytes->data, bytes->len - 4));
    /* An option that runs over the end of its block. */
    memcpy(bytes->data + option + 2, &(uint16_t){60000}, 2);
    assert_false(ec_block_patch(bytes->data, bytes->len));
    memcpy(bytes->data + option + 2, &(uint16_t){4}, 2);
    assert_true(ec_block_patch(bytes->data, bytes->len));
    /* Data that runs over the end of its block. */
    memcpy(bytes->data + 20, &(uint32_t){0xfffffff0}, 4);
    assert_false(ec_block_patch(bytes->data, bytes->len));
}

static void write_packet_with_its_options_is_the_same_block(void **state)
{
    (void)state;
    for (uint32_t caplen = 0; caplen < 9; caplen++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();
        struct ec_sink_packet packet = {.interface = 0, .time = 1ull << 32 | 2, .len = caplen};
        g_autofree uint8_t *written = NULL;
        const uint8_t *options;
        size_t len = 0;

        append_packet(bytes, caplen);
        packet.data = bytes->data + 28;
        options = ec_block_get_packet_options(bytes->data, bytes->len, &len);
        assert_non_null(options);
        assert_int_equal(ec_block_packet_len(caplen, len), bytes->len);
        written = g_malloc(bytes->len);
        memset(written, 0xff, bytes->len);
        assert_int_equal(ec_block_write_packet(written, &packet, caplen, options, len), bytes->len);
        assert_memory_equal(written, bytes->data, bytes->len);
    }
}

static void get_packet_options_of_no_single_packet_is_null(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    size_t len = 7;

    (void)state;
    assert_null(ec_block_get_packet_options(bytes->data, 0, &len));
    append_packet(bytes, 5);
    assert_null(ec_block_get_packet_options(bytes->data, bytes->len - 4, &len));
    append_packet(bytes, 5);
    assert_null(ec_block_get_packet_options(bytes->data, bytes->len, &len));
    g_byte_array_set_size(bytes, 0);
    ec_block_append_secrets(bytes, "x", 1);
    assert_null(ec_block_get_packet_options(bytes->data, bytes->len, &len));
    assert_int_equal(len, 7);
}

static void append_secrets_any_length_is_a_whole_block(void **state)
{
    (void)state;
    for (size_t len = 1; len < 10; len++) {
        g_autoptr(GByteArray) bytes = g_byte_array_new();

        ec_block_append_secrets(bytes, "123456789", len);
        assert_int_equal(ec_block_whole(bytes->data, bytes->len), bytes->len);
        assert_int_equal(get_u32(bytes, 0), 10);
        assert_int_equal(get_u32(bytes, 8), 0x544c534b);
        assert_int_equal(get_u32(bytes, 12), len);
        assert_memory_equal(bytes->data + 16, "123456789", len);
    }
}

static void append_statistics_long_comment_is_cut(void **state)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree char *comment = g_strnfill(100000, 'x');
    const struct ec_interface_statistics statistics = {.interface = 0};

    (void)state;
    ec_block_append_statistics(bytes, &statistics, 0, comment);
    assert_int_equal(ec_block_whole(bytes->data, bytes->len), bytes->len);
    assert_true(bytes->len < 2048);
}

static void process_thread_is_pid_then_tid(void **state)
{
    uint64_t value = ec_block_process_thread(1, 2);
    uint32_t words[2];

    (void)state;
    memcpy(words, &value, sizeof(words));
    assert_int_equal(words[0], 1);
    assert_int_equal(words[1], 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_cut_block_is_left_out),
        cmocka_unit_test(patch_packets_renames_carriers_and_nothing_else),
        cmocka_unit_test(patch_other_blocks_leaves_them),
        cmocka_unit_test(patch_malformed_is_refused),
        cmocka_unit_test(write_packet_with_its_options_is_the_same_block),
        cmocka_unit_test(get_packet_options_of_no_single_packet_is_null),
        cmocka_unit_test(append_secrets_any_length_is_a_whole_block),
        cmocka_unit_test(append_statistics_long_comment_is_cut),
        cmocka_unit_test(process_thread_is_pid_then_tid),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
