/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "synthetic.h"

#include "linktype.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PACKETS_MAX 64

struct record {
    struct ec_segment segment;
    uint32_t payload_len, len;
    enum ec_direction direction;
    struct ec_synthetic_port real;
    char text[16]; /* how the payload begins */
};

struct fixture {
    ec_synthetic *synthetic;
    struct record records[PACKETS_MAX];
    unsigned n;
};

static uint64_t sum_words(const uint8_t *bytes, size_t len)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < len; i++)
        sum += (uint64_t)bytes[i] << (i % 2 ? 0 : 8);
    return sum;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* RFC 1071: over what it covers, itself included, a right checksum sums up to all ones. */
static void assert_checksums(const uint8_t *packet, uint32_t len)
{
    const bool ipv4 = packet[0] >> 4 == 4;
    const size_t header = ipv4 ? 20 : 40;
    const uint64_t pseudo = ipv4 ? sum_words(packet + 12, 8) + packet[9] : sum_words(packet + 8, 32) + packet[6];

    if (ipv4)
        assert_int_equal(fold(sum_words(packet, header)), 0xffff);
    assert_int_equal(fold(pseudo + (len - header) + sum_words(packet + header, len - header)), 0xffff);
}

static bool take(const uint8_t *packet, uint32_t len, enum ec_direction direction, const struct ec_synthetic_port *real,
                 void *data)
{
    struct fixture *fixture = data;
    struct record *record = &fixture->records[fixture->n++];

    assert_true(fixture->n <= PACKETS_MAX);
    assert_true(ec_segment_parse(EC_LINKTYPE_RAW, packet, len, &record->segment));
    assert_checksums(packet, len);
    record->payload_len = (uint32_t)record->segment.payload_len;
    record->len = len;
    record->direction = direction;
    record->real = *real;
    memcpy(record->text, record->segment.payload, MIN(record->payload_len, sizeof(record->text) - 1));
    return true;
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->synthetic = ec_synthetic_new();
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ec_synthetic_free(fixture->synthetic);
    g_free(fixture);
    return 0;
}

static struct ec_sink_connection make_connection(uint64_t id, bool server, uint16_t local, uint16_t remote)
{
    struct ec_sink_connection connection = {.id = id, .addressed = true, .server = server};

    connection.local.address[10] = connection.local.address[11] = 0xff;
    connection.remote.address[10] = connection.remote.address[11] = 0xff;
    memcpy(connection.local.address + 12, "\x0a\x00\x00\x01", 4);
    memcpy(connection.remote.address + 12, "\x0a\x00\x00\x02", 4);
    connection.local.port = local;
    connection.remote.port = remote;
    return connection;
}

static void add(struct fixture *fixture, const struct ec_sink_connection *connection, enum ec_direction direction,
                uint64_t offset, const char *text)
{
    const struct ec_sink_plaintext plaintext = {.connection = connection,
                                                .direction = direction,
                                                .offset = offset,
                                                .data = (const uint8_t *)text,
                                                .len = (uint32_t)strlen(text)};

    assert_true(ec_synthetic_add(fixture->synthetic, &plaintext, take, fixture));
}

static void end(struct fixture *fixture, const struct ec_sink_connection *connection)
{
    const struct ec_sink_plaintext plaintext = {
        .connection = connection, .direction = EC_DIRECTION_OUT, .offset = 5, .closed = true};

    assert_true(ec_synthetic_add(fixture->synthetic, &plaintext, take, fixture));
}

static void add_first_byte_of_client_opens_the_connection(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    struct fixture *fixture = *state;
    const struct record *records = fixture->records;

    add(fixture, &connection, EC_DIRECTION_OUT, 0, "hello");
    assert_int_equal(fixture->n, 4);
    assert_int_equal(records[0].segment.flags & 0x12, EC_TCP_SYN);
    assert_int_equal(records[1].segment.flags & 0x12, EC_TCP_SYN | 0x10);
    assert_int_equal(records[0].direction, EC_DIRECTION_OUT);
    assert_int_equal(records[1].direction, EC_DIRECTION_IN);
    assert_int_equal(records[0].segment.source.port, 40000);
    assert_int_equal(records[0].segment.destination.port, 80);
    assert_memory_equal(records[0].segment.source.address, connection.local.address, 16);
    assert_string_equal(records[3].text, "hello");
    assert_int_equal(records[3].segment.sequence, records[0].segment.sequence + 1);
    assert_false(records[3].real.client);
    assert_int_equal(records[3].real.port, 443);
}

static void add_server_is_connected_to(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, true, 993, 40000);
    struct fixture *fixture = *state;

    add(fixture, &connection, EC_DIRECTION_OUT, 0, "* OK");
    assert_int_equal(fixture->records[0].direction, EC_DIRECTION_IN);
    assert_int_equal(fixture->records[0].segment.destination.port, 143);
    assert_string_equal(fixture->records[3].text, "* OK");
}

static void add_port_of_no_tls_keeps_the_servers(void **state)
{
    const struct ec_sink_connection first = make_connection(1, false, 40000, 5432);
    const struct ec_sink_connection second = make_connection(2, false, 40002, 5432);
    struct fixture *fixture = *state;
    const struct record *records = fixture->records;

    add(fixture, &first, EC_DIRECTION_OUT, 0, "Q");
    add(fixture, &second, EC_DIRECTION_OUT, 0, "Q");
    assert_int_equal(records[0].segment.destination.port, 5432);
    assert_true(records[0].segment.source.port >= 61000);
    assert_true(records[0].real.client);
    assert_int_equal(records[0].real.port, 40000);
    assert_int_not_equal(records[4].segment.source.port, records[0].segment.source.port);
}

static void add_http_on_any_port_is_shown_on_80(void **state)
{
    static const char settings[] = "\0\0\0\4\0\0\0\0";
    const struct ec_sink_connection first = make_connection(1, false, 40000, 9443);
    const struct ec_sink_connection second = make_connection(2, true, 9443, 40002);
    const struct ec_sink_plaintext frame = {
        .connection = &second, .direction = EC_DIRECTION_OUT, .data = (const uint8_t *)settings, .len = 9};
    struct fixture *fixture = *state;

    add(fixture, &first, EC_DIRECTION_OUT, 0, "GET / HTTP/1.1\r\n");
    assert_int_equal(fixture->records[3].segment.destination.port, 80);
    assert_int_equal(fixture->records[3].real.port, 9443);
    assert_true(ec_synthetic_add(fixture->synthetic, &frame, take, fixture));
    assert_int_equal(fixture->records[7].segment.source.port, 80);
}

static void add_lost_bytes_are_a_gap(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    struct fixture *fixture = *state;

    add(fixture, &connection, EC_DIRECTION_IN, 1000, "abc");
    add(fixture, &connection, EC_DIRECTION_IN, 1103, "def");
    assert_int_equal(fixture->n, 5);
    assert_int_equal(fixture->records[3].segment.sequence, fixture->records[1].segment.sequence + 1);
    assert_int_equal(fixture->records[4].segment.sequence, fixture->records[3].segment.sequence + 103);
}

static void add_long_piece_is_cut_at_64_kib(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    g_autofree uint8_t *data = g_malloc0(200000);
    const struct ec_sink_plaintext plaintext = {
        .connection = &connection, .direction = EC_DIRECTION_OUT, .data = data, .len = 200000};
    struct fixture *fixture = *state;
    uint32_t sum = 0;

    assert_true(ec_synthetic_add(fixture->synthetic, &plaintext, take, fixture));
    for (unsigned i = 3; i < fixture->n; i++) {
        assert_true(fixture->records[i].len <= 65535);
        assert_int_equal(fixture->records[i].segment.sequence, fixture->records[2].segment.sequence + sum);
        sum += fixture->records[i].payload_len;
    }
    assert_int_equal(sum, 200000);
}

static void add_one_way_data_is_acknowledged(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    g_autofree uint8_t *data = g_malloc0(2 << 20);
    const struct ec_sink_plaintext plaintext = {
        .connection = &connection, .direction = EC_DIRECTION_OUT, .data = data, .len = 2 << 20};
    struct fixture *fixture = *state;
    unsigned acknowledgements = 0;

    assert_true(ec_synthetic_add(fixture->synthetic, &plaintext, take, fixture));
    for (unsigned i = 3; i < fixture->n; i++)
        acknowledgements += fixture->records[i].direction == EC_DIRECTION_IN;
    assert_in_range(acknowledgements, 1, 2);
}

static void add_closed_ends_both_directions(void **state)
{
    const struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    struct fixture *fixture = *state;

    add(fixture, &connection, EC_DIRECTION_OUT, 0, "hello");
    end(fixture, &connection);
    assert_int_equal(fixture->n, 7);
    assert_true(fixture->records[4].segment.flags & EC_TCP_FIN);
    assert_true(fixture->records[5].segment.flags & EC_TCP_FIN);
    assert_int_not_equal(fixture->records[4].direction, fixture->records[5].direction);
    end(fixture, &connection);
    assert_int_equal(fixture->n, 7);
}

/* On one machine: curl and nginx, say. */
static void add_other_ends_view_is_not_shown(void **state)
{
    const struct ec_sink_connection client = make_connection(1, false, 40000, 443);
    struct ec_sink_connection server = make_connection(2, true, 443, 40000);
    struct fixture *fixture = *state;

    server.local = client.remote;
    server.remote = client.local;
    add(fixture, &client, EC_DIRECTION_OUT, 0, "hello");
    add(fixture, &server, EC_DIRECTION_IN, 0, "hello");
    assert_int_equal(fixture->n, 4);
    end(fixture, &client);
    end(fixture, &server);
    assert_int_equal(fixture->n, 7);
    /* The port is used again: another connection, which begins elsewhere. */
    server.id = 3;
    add(fixture, &server, EC_DIRECTION_IN, 0, "again");
    assert_int_equal(fixture->n, 11);
    assert_int_not_equal(fixture->records[7].segment.sequence, fixture->records[0].segment.sequence);
}

static void add_datagrams_have_no_handshake(void **state)
{
    struct ec_sink_connection connection = make_connection(7, false, 40000, 5684);
    struct fixture *fixture = *state;

    connection.transport = EC_TRANSPORT_UDP;
    add(fixture, &connection, EC_DIRECTION_OUT, 0, "hello");
    end(fixture, &connection);
    assert_int_equal(fixture->n, 1);
    assert_int_equal(fixture->records[0].segment.transport, EC_TRANSPORT_UDP);
    assert_string_equal(fixture->records[0].text, "hello");
}

static void add_ipv6_is_ipv6(void **state)
{
    struct ec_sink_connection connection = make_connection(7, false, 40000, 443);
    struct fixture *fixture = *state;

    connection.local.address[0] = connection.remote.address[0] = 0xfd;
    add(fixture, &connection, EC_DIRECTION_OUT, 0, "hello");
    assert_memory_equal(fixture->records[3].segment.source.address, connection.local.address, 16);
    assert_string_equal(fixture->records[3].text, "hello");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(add_first_byte_of_client_opens_the_connection),
        CASE(add_server_is_connected_to),
        CASE(add_port_of_no_tls_keeps_the_servers),
        CASE(add_http_on_any_port_is_shown_on_80),
        CASE(add_lost_bytes_are_a_gap),
        CASE(add_long_piece_is_cut_at_64_kib),
        CASE(add_one_way_data_is_acknowledged),
        CASE(add_closed_ends_both_directions),
        CASE(add_other_ends_view_is_not_shown),
        CASE(add_datagrams_have_no_handshake),
        CASE(add_ipv6_is_ipv6),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
