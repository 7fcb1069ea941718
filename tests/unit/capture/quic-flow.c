/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams of QUIC handshakes, shown to the handshakes as the stream does. */
#include "handshake.h"

#include "../tls-secrets/quic-seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum side { CLIENT, SERVER };
#define BIT(label) (1u << EC_LABEL_##label)
#define TRAFFIC (BIT(CLIENT_TRAFFIC_0) | BIT(SERVER_TRAFFIC_0))
#define ID "original"
#define VERSION "\0\0\0\1"

static const struct ec_endpoint client = {{1}, 50000}, server = {{2}, 443};

static struct ec_need show(ec_handshakes *handshakes, enum side side, const void *payload, size_t len)
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
#define SHOW(handshakes, side, bytes) show(handshakes, side, bytes, sizeof(bytes) - 1)

/* One CRYPTO frame: bytes from `offset` up to `end` of a ClientHello whose random is all 7. */
static struct ec_need show_initial(ec_handshakes *handshakes, enum side side, const char *id, uint8_t number,
                                   uint8_t offset, uint8_t end)
{
    uint8_t hello[64] = {1, 0, 0, 200, 3, 3}, frame[3 + 64] = {6, offset, end - offset}, packet[1200];

    memset(hello + 6, 7, 32);
    memcpy(frame + 3, hello + offset, end - offset);
    quic_initial_make(packet, 1, id, number, frame, 3u + end - offset);
    return show(handshakes, side, packet, sizeof(packet));
}

#define LONG(type, body) type VERSION "\x02xy\x02zw\x04" body
#define SERVER_INITIAL "\xc0" VERSION "\x02xy\x02zw\x00\x04init"
#define HANDSHAKE LONG("\xe0", "hand")
#define ZERO_RTT LONG("\xd0", "0rtt")
#define ONE_RTT "\x40xy1rtt"

static uint64_t count_seen(const ec_handshakes *handshakes)
{
    struct ec_handshake_counts counts;

    ec_handshakes_get_counts(handshakes, &counts);
    return counts.seen;
}

static void add(ec_handshakes *handshakes, enum ec_secret_label label)
{
    struct ec_secret secret = {.secret_len = 32};

    strcpy(secret.label, ec_secret_label_get_name(label));
    memset(secret.client_random, 7, EC_RANDOM_LEN);
    assert_int_equal(ec_handshakes_add_secret(handshakes, &secret, 1), EC_SECRET_KEPT);
}

static void inspect_handshake_needs_each_secret_where_it_is_used(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    struct ec_handshake_counts counts;
    struct ec_need need;
    (void)state;

    assert_int_equal(show_initial(handshakes, CLIENT, ID, 0, 0, 60).labels, 0);
    need = SHOW(handshakes, SERVER, SERVER_INITIAL HANDSHAKE);
    assert_int_equal(need.labels, BIT(SERVER_HANDSHAKE));
    assert_int_equal(need.client_random[31], 7);
    assert_false(need.patient);
    add(handshakes, EC_LABEL_SERVER_HANDSHAKE);
    assert_int_equal(ec_handshakes_get_missing(handshakes, &need), 0);
    ec_handshakes_settle(handshakes, &need);
    need = SHOW(handshakes, SERVER, HANDSHAKE ONE_RTT);
    assert_int_equal(need.labels, BIT(SERVER_HANDSHAKE) | TRAFFIC);
    assert_true(need.patient);
    assert_int_equal(ec_handshakes_get_missing(handshakes, &need), TRAFFIC);
    add(handshakes, EC_LABEL_CLIENT_TRAFFIC_0);
    add(handshakes, EC_LABEL_SERVER_TRAFFIC_0);
    ec_handshakes_settle(handshakes, &need);
    need = SHOW(handshakes, CLIENT, HANDSHAKE);
    assert_int_equal(need.labels, BIT(CLIENT_HANDSHAKE));
    assert_false(need.last);
    add(handshakes, EC_LABEL_CLIENT_HANDSHAKE);
    ec_handshakes_settle(handshakes, &need);
    need = SHOW(handshakes, CLIENT, ONE_RTT);
    assert_int_equal(need.labels, TRAFFIC);
    assert_true(need.last);
    ec_handshakes_settle(handshakes, &need);
    assert_int_equal(SHOW(handshakes, SERVER, ONE_RTT).labels, 0);
    ec_handshakes_get_counts(handshakes, &counts);
    assert_int_equal(counts.seen, 1);
    assert_int_equal(counts.with_secrets, 1);
}

static void inspect_server_flight_in_one_datagram_needs_all(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(SHOW(handshakes, SERVER, SERVER_INITIAL HANDSHAKE HANDSHAKE ONE_RTT).labels,
                     BIT(SERVER_HANDSHAKE) | TRAFFIC);
}

static void inspect_hello_in_two_shuffled_datagrams_finds_random(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 20, 60);
    assert_int_equal(count_seen(handshakes), 0);
    assert_int_equal(SHOW(handshakes, SERVER, HANDSHAKE).labels, 0); /* whose secrets isn't known yet */
    show_initial(handshakes, CLIENT, ID, 1, 0, 20);
    assert_int_equal(count_seen(handshakes), 1);
    assert_int_equal(SHOW(handshakes, SERVER, HANDSHAKE).labels, BIT(SERVER_HANDSHAKE));
}

static void inspect_initial_after_retry_is_same_handshake(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    SHOW(handshakes, SERVER, "\xf0" VERSION "\x02xy\x08retry-idtoken-and-tag");
    show_initial(handshakes, CLIENT, "retry-id", 1, 0, 60);
    assert_int_equal(count_seen(handshakes), 1);
    assert_int_equal(SHOW(handshakes, SERVER, HANDSHAKE).labels, BIT(SERVER_HANDSHAKE));
}

static void inspect_0rtt_behind_initial_needs_early_secret(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(SHOW(handshakes, CLIENT, ZERO_RTT).labels, BIT(CLIENT_EARLY));
    assert_int_equal(SHOW(handshakes, CLIENT, ZERO_RTT ZERO_RTT).labels, BIT(CLIENT_EARLY));
}

static void inspect_padding_or_early_short_header_needs_nothing(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(SHOW(handshakes, SERVER, SERVER_INITIAL "\0\0\0\0").labels, 0);
    assert_int_equal(SHOW(handshakes, SERVER, SERVER_INITIAL "\x40").labels, 0);
    assert_int_equal(SHOW(handshakes, CLIENT, ONE_RTT).labels, 0); /* the server hasn't answered */
}

/* RFC 9287; ngtcp2 greases the fixed bit of some packets. */
static void inspect_greased_short_header_behind_others_needs_traffic_secrets(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(SHOW(handshakes, SERVER, SERVER_INITIAL "\0xy1rtt").labels, TRAFFIC);
}

static void inspect_other_initials_open_nothing(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    uint8_t packet[1200] = "\xc0" VERSION "\x08originaldd";
    (void)state;

    memcpy(packet + 14, "\0\0\x44\x9e", 4);
    show(handshakes, SERVER, packet, sizeof(packet)); /* a server's, or a forged one */
    packet[4] = 9;
    show(handshakes, CLIENT, packet, sizeof(packet));
    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(count_seen(handshakes), 1);
    assert_int_equal(SHOW(handshakes, SERVER, "\x16\xfe\xfd\0\0\0\0\0\0\0\0\0\1x").labels, TRAFFIC); /* greased bit */
}

static void inspect_dtls_and_quic_of_one_address_pair_replace_each_other(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    uint8_t hello[25 + 34] = {22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 46, 1, 0, 0, 34, 0, 0, 0, 0, 0, 0, 0, 34};
    (void)state;

    show(handshakes, CLIENT, hello, sizeof(hello));
    show_initial(handshakes, CLIENT, ID, 0, 0, 60);
    assert_int_equal(SHOW(handshakes, SERVER, HANDSHAKE).labels, BIT(SERVER_HANDSHAKE));
    show(handshakes, CLIENT, hello, sizeof(hello));
    assert_int_equal(count_seen(handshakes), 3);
    assert_int_equal(SHOW(handshakes, SERVER, HANDSHAKE).labels, 0);
}

static void inspect_many_initials_stays_bounded(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    uint8_t packet[1200];
    (void)state;

    quic_initial_make(packet, 1, ID, 0, "\x06\x00\x01\x01", 4);
    for (uint32_t i = 0; i < 10000; i++) {
        struct ec_segment segment = {.source = client,
                                     .destination = server,
                                     .transport = EC_TRANSPORT_UDP,
                                     .payload = packet,
                                     .payload_len = sizeof(packet)};
        struct ec_need need;

        segment.source.port = (uint16_t)i;
        ec_handshakes_inspect(handshakes, &segment, &need);
        assert_int_equal(need.labels, 0);
    }
    assert_int_equal(count_seen(handshakes), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_handshake_needs_each_secret_where_it_is_used),
        cmocka_unit_test(inspect_server_flight_in_one_datagram_needs_all),
        cmocka_unit_test(inspect_hello_in_two_shuffled_datagrams_finds_random),
        cmocka_unit_test(inspect_initial_after_retry_is_same_handshake),
        cmocka_unit_test(inspect_0rtt_behind_initial_needs_early_secret),
        cmocka_unit_test(inspect_padding_or_early_short_header_needs_nothing),
        cmocka_unit_test(inspect_greased_short_header_behind_others_needs_traffic_secrets),
        cmocka_unit_test(inspect_other_initials_open_nothing),
        cmocka_unit_test(inspect_dtls_and_quic_of_one_address_pair_replace_each_other),
        cmocka_unit_test(inspect_many_initials_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
