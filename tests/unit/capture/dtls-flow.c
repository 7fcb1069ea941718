/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams of DTLS 1.2 handshakes, shown to the handshakes as the stream does. */
#include "handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum side { CLIENT, SERVER };
enum { CLIENT_HELLO = 1, SERVER_HELLO = 2, HELLO_VERIFY_REQUEST = 3 };

static const struct ec_endpoint client = {{1}, 50000}, server = {{2}, 4433};

static struct ec_need show(ec_handshakes *handshakes, enum side side, const uint8_t *payload, size_t len)
{
    struct ec_segment segment = {.source = side == CLIENT ? client : server,
                                 .destination = side == CLIENT ? server : client,
                                 .transport = EC_TRANSPORT_UDP,
                                 .payload = payload,
                                 .payload_len = len};
    struct ec_need need;

    ec_handshakes_inspect(handshakes, &segment, &need);
    return need;
}

/* The first fragment, `fragment` bytes of it, of a hello whose random is all `mark`. */
static struct ec_need show_hello(ec_handshakes *handshakes, enum side side, uint8_t type, uint8_t mark, size_t fragment)
{
    uint8_t record[25 + 64] = {22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, (uint8_t)(fragment + 12)};

    memcpy(record + 13, (uint8_t[]){type, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, (uint8_t)fragment}, 12);
    memcpy(record + 25, "\xfe\xfd", 2);
    memset(record + 27, mark, 32);
    return show(handshakes, side, record, 25 + fragment);
}

#define RECORD(type, epoch) type, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, 7, 0, 1, 1
static const uint8_t change_cipher_spec[] = {RECORD(22, 0), RECORD(20, 0), RECORD(22, 1)};
static const uint8_t application_data[] = {RECORD(23, 1)};
static const uint8_t alert[] = {RECORD(21, 0)};

static void count_handshakes(const ec_handshakes *handshakes, uint64_t seen, uint64_t with, uint64_t without)
{
    struct ec_handshake_counts counts;

    ec_handshakes_get_counts(handshakes, &counts);
    assert_int_equal(counts.seen, seen);
    assert_int_equal(counts.with_secrets, with);
    assert_int_equal(counts.without_secrets, without);
}

static void inspect_cookie_exchange_needs_master_secret_at_change_cipher_spec(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    struct ec_secret secret = {.label = "CLIENT_RANDOM", .secret_len = 48};
    struct ec_need need;
    (void)state;

    assert_int_equal(show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60).labels, 0);
    assert_int_equal(show_hello(handshakes, SERVER, HELLO_VERIFY_REQUEST, 9, 30).labels, 0);
    assert_int_equal(show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60).labels, 0);
    assert_int_equal(show_hello(handshakes, SERVER, SERVER_HELLO, 8, 60).labels, 0);
    need = show(handshakes, CLIENT, change_cipher_spec, sizeof(change_cipher_spec));
    assert_int_equal(need.labels, 1u << EC_LABEL_CLIENT_RANDOM);
    assert_int_equal(need.client_random[31], 7);
    assert_true(need.last);
    assert_int_equal(ec_handshakes_get_missing(handshakes, &need), 1u << EC_LABEL_CLIENT_RANDOM);
    memset(secret.client_random, 7, EC_RANDOM_LEN);
    assert_int_equal(ec_handshakes_add_secret(handshakes, &secret, 1), EC_SECRET_KEPT);
    assert_int_equal(ec_handshakes_get_missing(handshakes, &need), 0);
    ec_handshakes_settle(handshakes, &need);
    count_handshakes(handshakes, 1, 1, 0);
    assert_int_equal(show(handshakes, CLIENT, application_data, sizeof(application_data)).labels, 0);
}

static void inspect_lost_change_cipher_spec_needs_master_secret_at_encrypted_record(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60);
    show_hello(handshakes, SERVER, SERVER_HELLO, 8, 34); /* the rest comes in another fragment */
    assert_int_equal(show(handshakes, SERVER, application_data, sizeof(application_data)).labels,
                     1u << EC_LABEL_CLIENT_RANDOM);
}

static void inspect_alert_instead_of_server_hello_ends_flow(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60);
    show(handshakes, SERVER, alert, sizeof(alert));
    show_hello(handshakes, SERVER, SERVER_HELLO, 8, 60);
    assert_int_equal(show(handshakes, CLIENT, change_cipher_spec, sizeof(change_cipher_spec)).labels, 0);
    count_handshakes(handshakes, 1, 0, 0);
}

static void inspect_hello_with_other_random_begins_anew(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60);
    show_hello(handshakes, SERVER, SERVER_HELLO, 8, 60);
    show_hello(handshakes, CLIENT, CLIENT_HELLO, 6, 60);
    assert_int_equal(show(handshakes, CLIENT, change_cipher_spec, sizeof(change_cipher_spec)).labels, 0);
    show_hello(handshakes, SERVER, SERVER_HELLO, 8, 60);
    assert_int_equal(show(handshakes, CLIENT, change_cipher_spec, sizeof(change_cipher_spec)).client_random[0], 6);
}

static void inspect_hello_without_whole_random_is_not_seen(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    for (size_t fragment = 0; fragment < 34; fragment++)
        show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, fragment);
    count_handshakes(handshakes, 0, 0, 0);
    show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 34);
    count_handshakes(handshakes, 1, 0, 0);
}

static void inspect_cut_datagram_reads_no_further(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_hello(handshakes, CLIENT, CLIENT_HELLO, 7, 60);
    show_hello(handshakes, SERVER, SERVER_HELLO, 8, 60);
    for (size_t len = 0; len < 14 + 13; len++) { /* so that a read beyond is seen */
        uint8_t *copy = test_malloc(len ? len : 1);

        memcpy(copy, change_cipher_spec, len);
        assert_int_equal(show(handshakes, CLIENT, copy, len).labels, 0);
        test_free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_cookie_exchange_needs_master_secret_at_change_cipher_spec),
        cmocka_unit_test(inspect_lost_change_cipher_spec_needs_master_secret_at_encrypted_record),
        cmocka_unit_test(inspect_alert_instead_of_server_hello_ends_flow),
        cmocka_unit_test(inspect_hello_with_other_random_begins_anew),
        cmocka_unit_test(inspect_hello_without_whole_random_is_not_seen),
        cmocka_unit_test(inspect_cut_datagram_reads_no_further),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
