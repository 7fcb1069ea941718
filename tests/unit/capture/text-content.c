/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static const char plain[] = "the same words, the same words, the same words again";
#define PLAIN_LEN (sizeof(plain) - 1)

/* `bits` as deflateInit2() takes them. */
static GByteArray *compress_as(int bits, const void *data, size_t len)
{
    GByteArray *out = g_byte_array_new();
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)data, .avail_in = (uInt)len};

    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    g_byte_array_set_size(out, (guint)deflateBound(&stream, len));
    stream.next_out = out->data;
    stream.avail_out = out->len;
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    g_byte_array_set_size(out, out->len - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

static void check(const char *codings, const void *data, size_t len, enum ec_content_result result,
                  const char *expected)
{
    g_autoptr(GByteArray) content = NULL;

    assert_int_equal(ec_content_decode(codings, data, len, 1000, &content), result);
    assert_non_null(content);
    assert_int_equal(content->len, strlen(expected));
    assert_memory_equal(content->data, expected, content->len);
}

static void decode_zlib_formats_are_whole(void **state)
{
    g_autoptr(GByteArray) gzip = compress_as(MAX_WBITS + 16, plain, PLAIN_LEN);
    g_autoptr(GByteArray) zlib = compress_as(MAX_WBITS, plain, PLAIN_LEN);
    g_autoptr(GByteArray) raw = compress_as(-MAX_WBITS, plain, PLAIN_LEN);

    (void)state;
    check("gzip", gzip->data, gzip->len, EC_CONTENT_WHOLE, plain);
    check("X-GZIP", gzip->data, gzip->len, EC_CONTENT_WHOLE, plain);
    check("deflate", zlib->data, zlib->len, EC_CONTENT_WHOLE, plain);
    check("deflate", raw->data, raw->len, EC_CONTENT_WHOLE, plain);
}

static void decode_gzip_members_are_joined_and_padding_left(void **state)
{
    g_autoptr(GByteArray) gzip = compress_as(MAX_WBITS + 16, "ab", 2);
    g_autoptr(GByteArray) all = g_byte_array_new();

    (void)state;
    g_byte_array_append(all, gzip->data, gzip->len);
    g_byte_array_append(all, gzip->data, gzip->len);
    g_byte_array_append(all, (const uint8_t *)"\0\0\0", 3);
    check("gzip", all->data, all->len, EC_CONTENT_WHOLE, "abab");
}

/* printf hello | brotli, zstd */
static void decode_brotli_and_zstd_are_whole(void **state)
{
    static const char brotli[] = "\x0b\x02\x80hello\x03";
    static const char zstd[] = "\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00hello\xa3\x6d\x9f\x88";

    (void)state;
    check("br", brotli, sizeof(brotli) - 1, EC_CONTENT_WHOLE, "hello");
    check("zstd", zstd, sizeof(zstd) - 1, EC_CONTENT_WHOLE, "hello");
    check("br", brotli, 6, EC_CONTENT_SHORT, "hel");
    check("zstd", zstd, 8, EC_CONTENT_SHORT, "");
    check("br", "\xff\xff\xff\xff", 4, EC_CONTENT_BROKEN, "");
    check("zstd", "not zstd", 8, EC_CONTENT_BROKEN, "");
}

static void decode_several_codings_are_undone_in_reverse(void **state)
{
    g_autoptr(GByteArray) inner = compress_as(MAX_WBITS, plain, PLAIN_LEN);
    g_autoptr(GByteArray) outer = compress_as(MAX_WBITS + 16, inner->data, inner->len);

    (void)state;
    check("deflate, identity,gzip,", outer->data, outer->len, EC_CONTENT_WHOLE, plain);
}

static void decode_short_and_broken_data_give_what_there_is(void **state)
{
    g_autoptr(GByteArray) gzip = compress_as(MAX_WBITS + 16, plain, PLAIN_LEN);

    (void)state;
    check("gzip", gzip->data, gzip->len - 4, EC_CONTENT_SHORT, plain);
    gzip->data[gzip->len - 5] ^= 1;
    check("gzip", gzip->data, gzip->len, EC_CONTENT_BROKEN, plain);
    check("gzip", "no gzip", 7, EC_CONTENT_BROKEN, "");
    check("deflate", "\xff\xff\xff", 3, EC_CONTENT_BROKEN, "");
}

static void decode_bomb_is_cut(void **state)
{
    g_autofree char *zeros = g_malloc0(16 << 20);
    g_autoptr(GByteArray) bomb = compress_as(MAX_WBITS + 16, zeros, 16 << 20);
    g_autoptr(GByteArray) content = NULL;

    (void)state;
    assert_int_equal(ec_content_decode("gzip", bomb->data, bomb->len, 100000, &content), EC_CONTENT_CUT);
    assert_int_equal(content->len, 100000);
}

static void decode_unknown_coding_is_told(void **state)
{
    GByteArray *content = NULL;

    (void)state;
    assert_int_equal(ec_content_decode("gzip, rot13", (const uint8_t *)"x", 1, 100, &content), EC_CONTENT_UNKNOWN);
    assert_null(content);
    assert_int_equal(ec_content_decode("gzip,gzip,gzip,gzip,gzip", (const uint8_t *)"x", 1, 100, &content),
                     EC_CONTENT_UNKNOWN);
    assert_null(content);
}

static void decoder_take_pieces_gives_what_has_come(void **state)
{
    static const size_t sizes[] = {1, 2, 5, 1000};
    static const char brotli[] = "\x0b\x02\x80hello\x03";
    static const char zstd[] = "\x28\xb5\x2f\xfd\x04\x58\x29\x00\x00hello\xa3\x6d\x9f\x88";
    g_autoptr(GByteArray) gzip = compress_as(MAX_WBITS + 16, "hello", 5);
    g_autoptr(GByteArray) zlib = compress_as(MAX_WBITS, "hello", 5);
    g_autoptr(GByteArray) raw = compress_as(-MAX_WBITS, "hello", 5);
    g_autoptr(GByteArray) twice = compress_as(MAX_WBITS, gzip->data, gzip->len);
    const struct {
        const char *codings;
        const void *data;
        size_t len;
    } rows[] = {{"gzip", gzip->data, gzip->len},
                {"deflate", zlib->data, zlib->len},
                {"deflate", raw->data, raw->len},
                {"br", brotli, sizeof(brotli) - 1},
                {"zstd", zstd, sizeof(zstd) - 1},
                {"gzip, deflate", twice->data, twice->len},
                {"", "hello", 5}};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(rows) * G_N_ELEMENTS(sizes); i++) {
        size_t size = sizes[i % G_N_ELEMENTS(sizes)], row = i / G_N_ELEMENTS(sizes);
        g_autoptr(ec_content_decoder) decoder = ec_content_decoder_new(rows[row].codings);
        g_autoptr(GByteArray) content = g_byte_array_new();
        enum ec_content_result result = EC_CONTENT_SHORT;

        for (size_t at = 0; at < rows[row].len; at += MIN(size, rows[row].len - at))
            result = ec_content_decoder_take(decoder, (const uint8_t *)rows[row].data + at,
                                             MIN(size, rows[row].len - at), 100, content);
        assert_int_equal(result, EC_CONTENT_WHOLE);
        assert_int_equal(content->len, 5);
        assert_memory_equal(content->data, "hello", 5);
    }
}

static void decoder_take_after_a_failure_gives_nothing(void **state)
{
    g_autoptr(ec_content_decoder) decoder = ec_content_decoder_new("gzip");
    g_autoptr(GByteArray) gzip = compress_as(MAX_WBITS + 16, "hello", 5);
    g_autoptr(GByteArray) content = g_byte_array_new();

    (void)state;
    assert_int_equal(ec_content_decoder_take(decoder, gzip->data, gzip->len, 3, content), EC_CONTENT_CUT);
    assert_int_equal(ec_content_decoder_take(decoder, gzip->data, gzip->len, 3, content), EC_CONTENT_CUT);
    assert_int_equal(content->len, 3);
    assert_null(ec_content_decoder_new("rot13"));
}

static void is_plain_identity_is(void **state)
{
    (void)state;
    assert_true(ec_content_is_plain(""));
    assert_true(ec_content_is_plain("identity, "));
    assert_false(ec_content_is_plain("identity, br"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decode_zlib_formats_are_whole),
        cmocka_unit_test(decode_gzip_members_are_joined_and_padding_left),
        cmocka_unit_test(decode_brotli_and_zstd_are_whole),
        cmocka_unit_test(decode_several_codings_are_undone_in_reverse),
        cmocka_unit_test(decode_short_and_broken_data_give_what_there_is),
        cmocka_unit_test(decode_bomb_is_cut),
        cmocka_unit_test(decode_unknown_coding_is_told),
        cmocka_unit_test(decoder_take_pieces_gives_what_has_come),
        cmocka_unit_test(decoder_take_after_a_failure_gives_nothing),
        cmocka_unit_test(is_plain_identity_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
