/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls-record.h"

#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t hello_retry_random[] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static void record_add(GByteArray *to, uint8_t type, const void *body, size_t len)
{
    uint8_t header[] = {type, 3, 3, len >> 8, len};
    g_byte_array_append(to, header, sizeof(header));
    g_byte_array_append(to, body, len);
}

static void zeros_add(GByteArray *to, size_t len)
{
    g_autofree uint8_t *zeros = g_malloc0(len + 1);
    g_byte_array_append(to, zeros, len);
}

/* extension: its type, two bytes of body; 0 for none */
static void hello_add(GByteArray *to, uint8_t type, const uint8_t random[32], uint16_t extension, uint16_t value)
{
    g_autoptr(GByteArray) body = g_byte_array_new();
    uint8_t session_and_suites_client[] = {4, 9, 9, 9, 9, 0, 4, 0x13, 1, 0x13, 2, 1, 0};
    uint8_t session_and_suite_server[] = {2, 9, 9, 0x13, 1, 0};
    uint8_t extensions[] = {0, 12, 0x12, 0x34, 0, 2, 7, 7, extension >> 8, extension, 0, 2, value >> 8, value};
    g_byte_array_append(body, (const uint8_t[]){type, 0, 0, 0, 3, 3}, 6);
    g_byte_array_append(body, random, 32);
    if (type == 1)
        g_byte_array_append(body, session_and_suites_client, sizeof(session_and_suites_client));
    else
        g_byte_array_append(body, session_and_suite_server, sizeof(session_and_suite_server));
    if (extension)
        g_byte_array_append(body, extensions, sizeof(extensions));
    body->data[2] = (body->len - 4) >> 8;
    body->data[3] = body->len - 4;
    record_add(to, 22, body->data, body->len);
}

static uint8_t *random_make(uint8_t first)
{
    uint8_t *random = g_malloc(32);
    for (int i = 0; i < 32; i++)
        random[i] = first + i;
    return random;
}

static void peek_client_hello_whole_gives_random(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 1, random, 0x2b, 0);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_CLIENT_HELLO | EC_TLS_HANDSHAKE);
    assert_memory_equal(peek.client_random, random, 32);
    assert_int_equal(peek.next, bytes->len);
}

static void peek_client_hello_cut_gives_random_and_next(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 1, random, 42, 0);
    struct ec_tls_peek peek;
    for (size_t cut = 5; cut < bytes->len; cut++) {
        g_autofree uint8_t *exact = g_memdup2(bytes->data, cut);
        assert_true(ec_tls_record_peek(exact, cut, 0, &peek));
        assert_int_equal(peek.next, bytes->len);
        assert_int_equal(!!(peek.seen & EC_TLS_CLIENT_HELLO), cut >= 5 + 4 + 2 + 32);
        assert_false(peek.seen & EC_TLS_EARLY_DATA);
    }
}

static void peek_client_hello_early_data_is_seen(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 1, random, 42, 0);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_true(peek.seen & EC_TLS_EARLY_DATA);
}

static void peek_server_hello_without_extension_is_legacy_version(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 2, random, 0, 0);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_SERVER_HELLO | EC_TLS_HANDSHAKE);
    assert_int_equal(peek.version, 0x0303);
}

static void peek_server_hello_supported_versions_wins(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 2, random, 43, 0x0304);
    record_add(bytes, 20, "\1", 1);
    record_add(bytes, 23, "encrypted", 9);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen,
                     EC_TLS_SERVER_HELLO | EC_TLS_HANDSHAKE | EC_TLS_CHANGE_CIPHER_SPEC | EC_TLS_APPLICATION_DATA);
    assert_int_equal(peek.version, 0x0304);
}

static void peek_hello_retry_request_is_told_apart(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    hello_add(bytes, 2, hello_retry_random, 43, 0x0304);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_SERVER_HELLO | EC_TLS_HELLO_RETRY | EC_TLS_HANDSHAKE);
}

static void peek_skip_lands_on_next_record(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    zeros_add(bytes, 11);
    record_add(bytes, 21, "\1\0", 2);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 11, &peek));
    assert_int_equal(peek.seen, EC_TLS_ALERT);
    assert_int_equal(peek.next, bytes->len);
}

static void peek_skip_beyond_segment_sees_nothing(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 21, "\1\0", 2);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 100, &peek));
    assert_int_equal(peek.seen, 0);
    assert_int_equal(peek.next, 100);
    assert_true(ec_tls_record_peek(bytes->data, 0, SIZE_MAX, &peek));
    assert_int_equal(peek.next, SIZE_MAX);
}

static void peek_encrypted_alert_is_no_clear_alert(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 21, "abcdefghijklmnopqrstuvwxyz", 26);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, 0);
}

static void peek_cut_header_is_kept_for_later(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 23, "x", 1);
    record_add(bytes, 23, "y", 1);
    struct ec_tls_peek peek;
    for (size_t cut = 7; cut < 11; cut++) {
        assert_true(ec_tls_record_peek(bytes->data, cut, 0, &peek));
        assert_int_equal(peek.next, 6);
        assert_int_equal(peek.seen, EC_TLS_APPLICATION_DATA);
        assert_int_equal(peek.cut_len, cut - 6);
        assert_memory_equal(peek.cut, bytes->data + 6, cut - 6);
    }
}

static void peek_cut_header_tells_its_type(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 20, "\1", 1);
    record_add(bytes, 23, "y", 1);
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, 7, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_CHANGE_CIPHER_SPEC | EC_TLS_APPLICATION_DATA);
}

static void resume_cut_header_lands_on_next_record(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 23, "twelve bytes", 12);
    record_add(bytes, 21, "\1\0", 2);
    for (size_t cut = 1; cut < 5; cut++) {
        struct ec_tls_peek peek;
        size_t skip = 0;
        assert_true(ec_tls_record_peek(bytes->data, cut, 0, &peek));
        assert_true(ec_tls_record_resume(peek.cut, peek.cut_len, bytes->data + cut, bytes->len - cut, &skip));
        assert_int_equal(cut + skip, 5 + 12);
        assert_true(ec_tls_record_peek(bytes->data + cut, bytes->len - cut, skip, &peek));
        assert_int_equal(peek.seen, EC_TLS_ALERT);
    }
}

static void resume_too_short_or_no_tls_fails(void **state)
{
    (void)state;
    static const uint8_t cut[] = {23, 3, 3}, rest[] = {0, 9}, wrong[] = {0xff, 0xff};
    size_t skip = 77;
    assert_false(ec_tls_record_resume(cut, sizeof(cut), rest, 1, &skip));
    assert_false(ec_tls_record_resume(cut, sizeof(cut), wrong, 2, &skip));
    assert_false(ec_tls_record_resume(cut, 5, rest, 2, &skip));
    assert_int_equal(skip, 77);
    assert_true(ec_tls_record_resume(cut, sizeof(cut), rest, 2, &skip));
    assert_int_equal(skip, 2 + 9);
}

static void peek_no_tls_fails(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", 18},
        {"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10", 11}, /* SSLv2-compatible ClientHello */
        {"\x16\x03\x03\xff\xff\x01", 6},                      /* longer than any record */
        {"\x16\x02\x00\x00\x10\x01", 6},
        {"\x16\x03\x03\x00\x00", 5}, /* empty handshake record */
        {"\x13\x03", 2},
        {"\x18\x03\x03\x00\x01\x00", 6}, /* heartbeat is not TLS 1.3's, nor anybody's */
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct ec_tls_peek peek;
        assert_false(ec_tls_record_peek((const uint8_t *)cases[i].bytes, cases[i].len, 0, &peek));
        assert_int_equal(peek.seen, 0);
    }
}

static void peek_no_tls_after_record_keeps_what_was_seen(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    record_add(bytes, 20, "\1", 1);
    g_byte_array_append(bytes, (const uint8_t *)"garbage", 7);
    struct ec_tls_peek peek;
    assert_false(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_CHANGE_CIPHER_SPEC);
    assert_int_equal(peek.next, 6);
}

static void peek_encrypted_finished_is_no_hello(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    uint8_t finished[40] = {1, 0x9a, 0x11, 0x22, 3, 3}; /* a "ClientHello" of ten megabytes */
    record_add(bytes, 22, finished, sizeof(finished));
    struct ec_tls_peek peek;
    assert_true(ec_tls_record_peek(bytes->data, bytes->len, 0, &peek));
    assert_int_equal(peek.seen, EC_TLS_HANDSHAKE);
}

static void peek_hostile_lengths_inside_hello_end_quietly(void **state)
{
    (void)state;
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_autofree uint8_t *random = random_make(7);
    hello_add(bytes, 1, random, 42, 0);
    for (size_t at = 43; at < bytes->len; at++) {
        g_autofree uint8_t *hostile = g_memdup2(bytes->data, bytes->len);
        hostile[at] = 0xff;
        struct ec_tls_peek peek;
        assert_true(ec_tls_record_peek(hostile, bytes->len, 0, &peek));
        assert_true(peek.seen & EC_TLS_CLIENT_HELLO);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peek_client_hello_whole_gives_random),
        cmocka_unit_test(peek_client_hello_cut_gives_random_and_next),
        cmocka_unit_test(peek_client_hello_early_data_is_seen),
        cmocka_unit_test(peek_server_hello_without_extension_is_legacy_version),
        cmocka_unit_test(peek_server_hello_supported_versions_wins),
        cmocka_unit_test(peek_hello_retry_request_is_told_apart),
        cmocka_unit_test(peek_skip_lands_on_next_record),
        cmocka_unit_test(peek_skip_beyond_segment_sees_nothing),
        cmocka_unit_test(peek_encrypted_alert_is_no_clear_alert),
        cmocka_unit_test(peek_cut_header_is_kept_for_later),
        cmocka_unit_test(peek_cut_header_tells_its_type),
        cmocka_unit_test(resume_cut_header_lands_on_next_record),
        cmocka_unit_test(resume_too_short_or_no_tls_fails),
        cmocka_unit_test(peek_no_tls_fails),
        cmocka_unit_test(peek_no_tls_after_record_keeps_what_was_seen),
        cmocka_unit_test(peek_encrypted_finished_is_no_hello),
        cmocka_unit_test(peek_hostile_lengths_inside_hello_end_quietly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
