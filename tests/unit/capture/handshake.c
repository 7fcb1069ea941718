/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "handshake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define BIT(label) (1u << EC_LABEL_##label)

enum side { CLIENT, SERVER };

static const struct ec_endpoint client = {{1}, 50000}, server = {{2}, 443};

struct connection {
    ec_handshakes *handshakes;
    uint32_t sequence[2];
};

/* Shows one segment and returns what it needs. */
static struct ec_need show(struct connection *connection, enum side side, const uint8_t *payload, size_t len)
{
    struct ec_segment segment = {.source = side == CLIENT ? client : server,
                                 .destination = side == CLIENT ? server : client,
                                 .sequence = connection->sequence[side],
                                 .payload = payload,
                                 .payload_len = len};
    struct ec_need need;

    connection->sequence[side] += (uint32_t)len;
    ec_handshakes_inspect(connection->handshakes, &segment, &need);
    return need;
}

/* A hello whose random is all `mark`; `extensions` with its 2-byte length. */
static size_t make_hello(uint8_t *out, uint8_t type, uint8_t mark, const char *extensions, size_t extensions_len)
{
    size_t fixed = type == 1 ? 2 + 32 + 1 + 4 + 2 : 2 + 32 + 1 + 2 + 1, body = fixed + extensions_len;
    uint8_t *at = out;

    memcpy(at, (uint8_t[]){22, 3, 1, (uint8_t)((body + 4) >> 8), (uint8_t)(body + 4)}, 5);
    memcpy(at + 5, (uint8_t[]){type, 0, (uint8_t)(body >> 8), (uint8_t)body, 3, 3}, 6);
    memset(at + 11, mark, 32);
    at += 43;
    if (type == 1)
        memcpy(at, "\0\0\x02\x13\x01\x01\0", 7); /* no session id, one suite, no compression */
    else
        memcpy(at, "\0\x13\x01\0", 4);
    at += type == 1 ? 7 : 4;
    memcpy(at, extensions, extensions_len);
    return (size_t)(at - out) + extensions_len;
}

#define TLS13 "\0\x06\0\x2b\0\x02\x03\x04"
#define EARLY "\0\x04\0\x2a\0\0"

static struct ec_need show_hello(struct connection *connection, enum side side, uint8_t mark, const char *extensions,
                                 size_t len)
{
    uint8_t hello[256];

    return show(connection, side, hello, make_hello(hello, side == CLIENT ? 1 : 2, mark, extensions, len));
}

static struct ec_need show_record(struct connection *connection, enum side side, uint8_t type)
{
    const uint8_t record[] = {type, 3, 3, 0, 4, 9, 9, 9, 9};

    return show(connection, side, record, sizeof(record));
}

static enum ec_secret_fate add(ec_handshakes *handshakes, const char *label, uint8_t mark, uint64_t time)
{
    struct ec_secret secret = {.secret_len = 32};

    strcpy(secret.label, label);
    memset(secret.client_random, mark, EC_RANDOM_LEN);
    memset(secret.secret, 0x5e, 32);
    return ec_handshakes_add_secret(handshakes, &secret, time);
}

static bool count(const struct ec_secret *secret, void *data)
{
    (void)secret;
    ++*(unsigned *)data;
    return true;
}

static void inspect_tls13_needs_each_secret_where_it_is_used(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_need need;
    (void)state;

    assert_int_equal(show_hello(&connection, CLIENT, 7, TLS13, 8).labels, 0);
    need = show_hello(&connection, SERVER, 8, TLS13, 8);
    assert_int_equal(need.labels, BIT(CLIENT_HANDSHAKE) | BIT(SERVER_HANDSHAKE));
    assert_int_equal(need.client_random[0], 7);
    ec_handshakes_settle(connection.handshakes, &need);
    assert_int_equal(show_record(&connection, SERVER, 20).labels, 0); /* compatibility ChangeCipherSpec */
    need = show_record(&connection, SERVER, 23);
    assert_int_equal(need.labels, BIT(SERVER_TRAFFIC_0));
    assert_false(need.last);
    ec_handshakes_settle(connection.handshakes, &need);
    need = show_record(&connection, CLIENT, 23);
    assert_int_equal(need.labels, BIT(CLIENT_TRAFFIC_0));
    assert_true(need.last);
    ec_handshakes_settle(connection.handshakes, &need);
    assert_int_equal(show_record(&connection, CLIENT, 23).labels, 0); /* done: no longer followed */
    ec_handshakes_free(connection.handshakes);
}

static void inspect_tls12_needs_master_secret_at_change_cipher_spec(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_need need;
    (void)state;

    show_hello(&connection, CLIENT, 1, "", 0);
    assert_int_equal(show_hello(&connection, SERVER, 2, "", 0).labels, 0);
    assert_int_equal(show_record(&connection, CLIENT, 22).labels, 0);
    need = show_record(&connection, CLIENT, 20);
    assert_int_equal(need.labels, BIT(CLIENT_RANDOM));
    assert_true(need.last);
    ec_handshakes_settle(connection.handshakes, &need);
    ec_handshakes_free(connection.handshakes);
}

static void inspect_early_data_needs_early_secret(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    (void)state;

    show_hello(&connection, CLIENT, 1, EARLY, 6);
    assert_int_equal(show_record(&connection, CLIENT, 23).labels, BIT(CLIENT_EARLY));
    ec_handshakes_free(connection.handshakes);
}

static void inspect_record_cut_by_segments_stays_aligned(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    uint8_t record[400] = {23, 3, 3, 1, 0x8b}; /* 395 bytes follow; those in the middle look like a record */
    (void)state;

    show_hello(&connection, CLIENT, 1, TLS13, 8);
    show_hello(&connection, SERVER, 2, TLS13, 8);
    memcpy(record + 100, (uint8_t[]){22, 3, 3, 0, 1}, 5);
    assert_int_equal(show(&connection, SERVER, record, 100).labels, BIT(SERVER_TRAFFIC_0));
    assert_int_equal(show(&connection, SERVER, record + 100, 300).labels, 0); /* the rest of that record */
    assert_int_equal(show_record(&connection, SERVER, 23).labels, BIT(SERVER_TRAFFIC_0));
    ec_handshakes_free(connection.handshakes);
}

static void inspect_record_header_cut_by_segments_stays_aligned(void **state)
{
    static const uint8_t records[] = {23, 3, 3, 0, 2, 9, 9, 23, 3, 3, 0, 3, 23, 3, 3};

    for (size_t cut = 1; cut < sizeof(records); cut++) {
        struct connection connection = {.handshakes = ec_handshakes_new(false)};

        show_hello(&connection, CLIENT, 1, TLS13, 8);
        show_hello(&connection, SERVER, 2, TLS13, 8);
        assert_int_equal(show(&connection, SERVER, records, cut).labels, BIT(SERVER_TRAFFIC_0));
        show(&connection, SERVER, records + cut, sizeof(records) - cut);
        assert_int_equal(show_record(&connection, SERVER, 23).labels, BIT(SERVER_TRAFFIC_0));
        ec_handshakes_free(connection.handshakes);
    }
    (void)state;
}

static void get_missing_shrinks_as_secrets_come(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_need need;
    unsigned taken = 0;
    (void)state;

    show_hello(&connection, CLIENT, 7, TLS13, 8);
    need = show_hello(&connection, SERVER, 8, TLS13, 8);
    assert_int_equal(add(connection.handshakes, "SERVER_HANDSHAKE_TRAFFIC_SECRET", 7, 1), EC_SECRET_KEPT);
    assert_int_equal(ec_handshakes_get_missing(connection.handshakes, &need), BIT(CLIENT_HANDSHAKE));
    assert_int_equal(add(connection.handshakes, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 7, 2), EC_SECRET_KEPT);
    assert_int_equal(ec_handshakes_get_missing(connection.handshakes, &need), 0);
    ec_handshakes_take(connection.handshakes, need.client_random, count, &taken);
    assert_int_equal(taken, 2);
    ec_handshakes_take(connection.handshakes, need.client_random, count, &taken);
    assert_int_equal(taken, 2);
    ec_handshakes_free(connection.handshakes);
}

static void add_secret_twice_is_duplicate(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    (void)state;

    assert_int_equal(add(handshakes, "CLIENT_RANDOM", 1, 1), EC_SECRET_KEPT);
    assert_int_equal(add(handshakes, "CLIENT_RANDOM", 1, 2), EC_SECRET_DUPLICATE);
    assert_int_equal(add(handshakes, "CLIENT_RANDOM", 2, 3), EC_SECRET_KEPT);
    assert_int_equal(add(handshakes, "NO_SUCH_LABEL", 3, 4), EC_SECRET_INVALID);
}

static void add_secret_after_its_packet_is_late_and_counted_without(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_handshake_counts counts;
    struct ec_need need;
    (void)state;

    show_hello(&connection, CLIENT, 1, "", 0);
    show_hello(&connection, SERVER, 2, "", 0);
    need = show_record(&connection, CLIENT, 20);
    ec_handshakes_settle(connection.handshakes, &need);
    assert_int_equal(add(connection.handshakes, "CLIENT_RANDOM", 1, 9), EC_SECRET_LATE);
    ec_handshakes_get_counts(connection.handshakes, &counts);
    assert_int_equal(counts.seen, 1);
    assert_int_equal(counts.with_secrets, 0);
    assert_int_equal(counts.without_secrets, 1);
    ec_handshakes_free(connection.handshakes);
}

static void assert_misses(const ec_handshakes *handshakes, const char *expected)
{
    g_autofree char *text = ec_misses_format(ec_handshakes_get_misses(handshakes));

    assert_string_equal(text, expected);
}

static void need_blame_is_told_until_the_secret_comes_late(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    struct connection connection = {.handshakes = handshakes};
    struct ec_need need;
    (void)state;

    show_hello(&connection, CLIENT, 7, "", 0);
    show_hello(&connection, SERVER, 8, "", 0);
    need = show_record(&connection, CLIENT, 20);
    ec_need_blame(&need, 0, "not known", "");
    ec_need_blame(&need, 2, "first reason", "curl");
    ec_need_blame(&need, 2, "second reason", "nginx");
    ec_need_blame(&need, 1, "third reason", "nginx");
    assert_misses(handshakes, "");
    ec_handshakes_settle(handshakes, &need);
    assert_misses(handshakes, "first reason × 1 (curl)");
    assert_int_equal(add(handshakes, "CLIENT_RANDOM", 7, 1), EC_SECRET_LATE);
    assert_misses(handshakes, "the secret came too late × 1 (curl)");
}

static void settle_with_verify_counts_what_was_tried(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(true);
    struct connection connection = {.handshakes = handshakes};
    struct ec_handshake_counts counts;
    struct ec_need need;
    (void)state;

    show_hello(&connection, CLIENT, 7, TLS13, sizeof(TLS13) - 1);
    add(handshakes, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 7, 1);
    add(handshakes, "SERVER_HANDSHAKE_TRAFFIC_SECRET", 7, 1);
    add(handshakes, "SERVER_TRAFFIC_SECRET_0", 7, 1);
    add(handshakes, "CLIENT_TRAFFIC_SECRET_0", 7, 1);
    need = show_hello(&connection, SERVER, 8, TLS13, sizeof(TLS13) - 1);
    ec_handshakes_settle(handshakes, &need);
    need = show_record(&connection, SERVER, 23);
    ec_handshakes_settle(handshakes, &need);
    need = show_record(&connection, CLIENT, 23);
    ec_handshakes_settle(handshakes, &need);
    ec_handshakes_get_counts(handshakes, &counts);
    assert_int_equal(counts.with_secrets, 1);
    assert_int_equal(counts.verified, 0);
    assert_int_equal(counts.wrong, 1); /* the records are no ciphertext */
}

static void expire_hands_out_orphans_at_once_and_others_after_grace(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    unsigned taken = 0;
    (void)state;

    add(connection.handshakes, "CLIENT_RANDOM", 9, 1000);
    ec_handshakes_expire(connection.handshakes, 1000, count, &taken);
    assert_int_equal(taken, 0);
    ec_handshakes_expire(connection.handshakes, 1001, count, &taken);
    assert_int_equal(taken, 1);
    show_hello(&connection, CLIENT, 1, "", 0);
    add(connection.handshakes, "EXPORTER_SECRET", 1, 2000);
    ec_handshakes_expire(connection.handshakes, 3000, count, &taken);
    assert_int_equal(taken, 1);
    ec_handshakes_expire(connection.handshakes, 2000 + 1000000000ull, count, &taken);
    assert_int_equal(taken, 2);
    ec_handshakes_free(connection.handshakes);
}

static void expire_counts_each_random_without_hello_once(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_handshake_counts counts;
    unsigned taken = 0;
    (void)state;

    show_hello(&connection, CLIENT, 1, "", 0);
    add(connection.handshakes, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 1, 1000);
    add(connection.handshakes, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 9, 1000);
    add(connection.handshakes, "SERVER_HANDSHAKE_TRAFFIC_SECRET", 9, 2000);
    ec_handshakes_expire(connection.handshakes, 1001, count, &taken);
    ec_handshakes_expire(connection.handshakes, UINT64_MAX, count, &taken);
    assert_int_equal(taken, 3);
    ec_handshakes_get_counts(connection.handshakes, &counts);
    assert_int_equal(counts.unmatched, 1);
    ec_handshakes_free(connection.handshakes);
}

static void inspect_connection_without_hello_began_before_the_capture(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_handshake_counts counts;
    (void)state;

    assert_true(show_record(&connection, SERVER, 23).older);
    assert_false(show_record(&connection, CLIENT, 23).older);
    ec_handshakes_add_older(connection.handshakes, "nginx");
    assert_misses(connection.handshakes, "it began before the capture × 1 (nginx)");
    show_hello(&connection, CLIENT, 1, "", 0);
    ec_handshakes_get_counts(connection.handshakes, &counts);
    assert_int_equal(counts.without_secrets, 1);
    assert_int_equal(counts.seen, 1);
    ec_handshakes_free(connection.handshakes);
}

static bool count_one(const struct ec_secret *secret, void *data)
{
    (void)secret;
    ++*(unsigned *)data;
    return true;
}

static void take_unproven_secret_is_given_for_a_hello_that_was_seen_alone(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    struct connection connection = {.handshakes = handshakes};
    unsigned count = 0;
    (void)state;

    for (uint8_t mark = 1; mark <= 2; mark++) {
        struct ec_secret secret = {.label = "CLIENT_RANDOM", .secret_len = 48, .unproven = true};

        memset(secret.client_random, mark, EC_RANDOM_LEN);
        assert_int_equal(ec_handshakes_add_secret(handshakes, &secret, 1), EC_SECRET_KEPT);
    }
    show_hello(&connection, CLIENT, 2, "", 0);
    assert_true(ec_handshakes_expire(handshakes, UINT64_MAX, count_one, &count));
    assert_int_equal(count, 1);
}

/* A secret of the server whose random is all `mark`. */
static struct ec_secret make_server_secret(const char *label, uint8_t mark)
{
    struct ec_secret secret = {.secret_len = 32, .unproven = true, .of_server = true};

    strcpy(secret.label, label);
    memset(secret.client_random, mark, EC_RANDOM_LEN);
    return secret;
}

static bool check_random(const struct ec_secret *secret, void *data)
{
    assert_int_equal(secret->client_random[0], 1);
    return count_one(secret, data);
}

static void add_secret_of_server_is_given_for_the_client_it_answers(void **state)
{
    g_autoptr(ec_handshakes) handshakes = ec_handshakes_new(false);
    const struct ec_secret before[] = {make_server_secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 7),
                                       make_server_secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", 7)},
                           after = make_server_secret("SERVER_TRAFFIC_SECRET_0", 7),
                           strange = make_server_secret("SERVER_TRAFFIC_SECRET_0", 8);
    struct connection connection = {.handshakes = handshakes};
    const uint8_t client_random[EC_RANDOM_LEN] = {[0 ... EC_RANDOM_LEN - 1] = 1};
    unsigned count = 0;
    struct ec_need need;
    (void)state;

    show_hello(&connection, CLIENT, 1, TLS13, sizeof(TLS13) - 1);
    for (size_t i = 0; i < G_N_ELEMENTS(before); i++)
        assert_int_equal(ec_handshakes_add_secret(handshakes, &before[i], 5), EC_SECRET_KEPT);
    assert_true(ec_handshakes_expire(handshakes, 6, check_random, &count));
    need = show_hello(&connection, SERVER, 7, TLS13, sizeof(TLS13) - 1);
    assert_int_equal(need.labels, BIT(CLIENT_HANDSHAKE) | BIT(SERVER_HANDSHAKE));
    assert_int_equal(ec_handshakes_get_missing(handshakes, &need), 0);
    assert_false(need.patient);
    need = show_record(&connection, SERVER, 23);
    assert_int_equal(need.labels, BIT(SERVER_TRAFFIC_0));
    assert_true(need.patient);
    assert_int_equal(ec_handshakes_add_secret(handshakes, &after, 9), EC_SECRET_KEPT);
    assert_int_equal(ec_handshakes_add_secret(handshakes, &strange, 9), EC_SECRET_KEPT);
    assert_true(ec_handshakes_take(handshakes, client_random, check_random, &count));
    assert_int_equal(count, 3);
    assert_true(ec_handshakes_expire(handshakes, UINT64_MAX, check_random, &count));
    assert_int_equal(count, 3);
}

static void inspect_many_hellos_stays_bounded(void **state)
{
    struct connection connection = {.handshakes = ec_handshakes_new(false)};
    struct ec_handshake_counts counts;
    (void)state;

    for (uint32_t i = 0; i < 20000; i++) {
        uint8_t hello[256];
        size_t len = make_hello(hello, 1, 0, "", 0);
        struct ec_segment segment = {.source = client, .destination = server, .payload = hello, .payload_len = len};
        struct ec_need need;

        memcpy(hello + 11, &i, sizeof(i));
        segment.source.port = (uint16_t)i;
        segment.source.address[1] = (uint8_t)(i >> 16);
        ec_handshakes_inspect(connection.handshakes, &segment, &need);
    }
    ec_handshakes_get_counts(connection.handshakes, &counts);
    assert_int_equal(counts.seen, 20000);
    ec_handshakes_free(connection.handshakes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inspect_tls13_needs_each_secret_where_it_is_used),
        cmocka_unit_test(inspect_tls12_needs_master_secret_at_change_cipher_spec),
        cmocka_unit_test(inspect_early_data_needs_early_secret),
        cmocka_unit_test(inspect_record_cut_by_segments_stays_aligned),
        cmocka_unit_test(inspect_record_header_cut_by_segments_stays_aligned),
        cmocka_unit_test(get_missing_shrinks_as_secrets_come),
        cmocka_unit_test(add_secret_twice_is_duplicate),
        cmocka_unit_test(add_secret_after_its_packet_is_late_and_counted_without),
        cmocka_unit_test(need_blame_is_told_until_the_secret_comes_late),
        cmocka_unit_test(settle_with_verify_counts_what_was_tried),
        cmocka_unit_test(expire_hands_out_orphans_at_once_and_others_after_grace),
        cmocka_unit_test(expire_counts_each_random_without_hello_once),
        cmocka_unit_test(inspect_connection_without_hello_began_before_the_capture),
        cmocka_unit_test(take_unproven_secret_is_given_for_a_hello_that_was_seen_alone),
        cmocka_unit_test(add_secret_of_server_is_given_for_the_client_it_answers),
        cmocka_unit_test(inspect_many_hellos_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
