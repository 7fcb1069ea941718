/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stream over real rings, with records whose times and contents the test chooses. */
#include "stream.h"

#include "ring-feed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#define SIZE 65536
#define MS 1000000ull
/* More than the ring holds: packets, secrets, interfaces. */
#define CALLS_MAX (SIZE / FEED_SLOT * 2)

/* What the sink was given, one letter each: i(nterface) s(ecret) p(acket), and each packet's first data byte. */
struct record_sink {
    struct ec_sink base;
    char calls[CALLS_MAX];
    uint8_t marks[CALLS_MAX];
    uint64_t times[CALLS_MAX];
    uint32_t pids[CALLS_MAX];
    uint32_t lens[CALLS_MAX];
    unsigned n_calls, n_packets;
    bool fail;
    void (*at_first)(void *data); /* what happens when the first packet comes; may be NULL */
    void *data;
};

struct fixture {
    struct ring_feed near, packets, events;
    ec_stream *stream;
    struct record_sink *sink;
    bool hooked;
};

static bool on_interface(struct ec_sink *base, const struct ec_sink_interface *interface, GError **error)
{
    struct record_sink *sink = (struct record_sink *)base;
    (void)interface;
    (void)error;

    sink->calls[sink->n_calls++] = 'i';
    return true;
}

static bool on_secret(struct ec_sink *base, const struct ec_secret *secret, GError **error)
{
    struct record_sink *sink = (struct record_sink *)base;
    (void)secret;
    (void)error;

    sink->calls[sink->n_calls++] = 's';
    return true;
}

static bool on_packet(struct ec_sink *base, const struct ec_sink_packet *packet, GError **error)
{
    struct record_sink *sink = (struct record_sink *)base;

    if (sink->fail) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE, "full");
        return false;
    }
    sink->calls[sink->n_calls++] = 'p';
    sink->marks[sink->n_packets] = packet->data[0];
    sink->times[sink->n_packets] = packet->time;
    sink->lens[sink->n_packets] = packet->len;
    sink->pids[sink->n_packets++] = packet->owner ? packet->owner->pid : 0;
    if (sink->at_first && sink->n_packets == 1)
        sink->at_first(sink->data);
    return true;
}

static bool on_close(struct ec_sink *base, GError **error)
{
    (void)base;
    (void)error;
    return true;
}

static void on_free(struct ec_sink *base)
{
    g_free(base);
}

static const struct ec_sink_ops ops = {.name = "record",
                                       .interface = on_interface,
                                       .secret = on_secret,
                                       .packet = on_packet,
                                       .close = on_close,
                                       .free = on_free};

static unsigned explain(uint32_t pid, uint64_t time, const char **ret_reason, void *data)
{
    (void)time;
    (void)data;
    *ret_reason = "explained";
    return pid;
}

static bool is_hooked(uint32_t pid, void *data)
{
    const struct fixture *fixture = data;
    (void)pid;

    return fixture->hooked;
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static struct fixture *open_stream(struct ec_stream_config config)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    const struct ec_sink_interface interface = {.name = "t0", .linktype = EC_LINKTYPE_RAW, .snaplen = 1000};

    if (!ring_feed_open(&fixture->near, SIZE) || !ring_feed_open(&fixture->packets, SIZE) ||
        !ring_feed_open(&fixture->events, SIZE)) {
        print_message("skipped: no privilege to make a ring buffer (CAP_BPF)\n");
        skip();
    }
    config.near = (struct ec_ring_map){fixture->near.ring, SIZE};
    config.packets = (struct ec_ring_map){fixture->packets.ring, SIZE};
    config.events = (struct ec_ring_map){fixture->events.ring, SIZE};
    config.is_hooked = is_hooked;
    config.explain = explain;
    config.data = fixture;
    fixture->hooked = true;
    fixture->stream = ec_stream_new(&config, NULL);
    assert_non_null(fixture->stream);
    fixture->sink = g_new0(struct record_sink, 1);
    fixture->sink->base.ops = &ops;
    ec_stream_add_sink(fixture->stream, &fixture->sink->base);
    ec_stream_add_interface(fixture->stream, 7, &interface);
    return fixture;
}

static void close_stream(struct fixture *fixture)
{
    ec_stream_free(fixture->stream);
    ring_feed_close(&fixture->near);
    ring_feed_close(&fixture->packets);
    ring_feed_close(&fixture->events);
    g_free(fixture);
}

static struct ec_packet make_packet(uint64_t time, uint32_t len)
{
    return (struct ec_packet){.record = {EC_RECORD_PACKET, 0, (uint32_t)sizeof(struct ec_packet) + len, time, 0, 0},
                              .ifindex = 7,
                              .len = len,
                              .caplen = len,
                              .direction = EC_DIRECTION_IN,
                              .owner = {.pid = 42, .flags = EC_OWNER_KNOWN | EC_OWNER_MATCH}};
}

static void put_packet(const struct ring_feed *ring, const struct ec_packet *packet, const void *data)
{
    uint8_t record[FEED_LEN] = {0};

    memcpy(record, packet, sizeof(*packet));
    memcpy(record + sizeof(*packet), data, packet->caplen);
    assert_true(ring_feed_put(ring, record, sizeof(record)));
}

static void put_far(struct fixture *fixture, uint8_t mark, uint64_t time)
{
    struct ec_packet packet = make_packet(time, 1);

    put_packet(&fixture->packets, &packet, &mark);
}

static void put_marked(struct fixture *fixture, uint8_t mark, uint64_t time)
{
    struct ec_packet packet = make_packet(time, 1);

    put_packet(&fixture->near, &packet, &mark);
}

static void put_segment(struct fixture *fixture, bool from_client, uint32_t sequence, uint64_t time,
                        const void *payload, size_t len)
{
    uint8_t data[300] = {0x45, 0, 0, (uint8_t)(40 + len), 0, 0, 0, 0, 64, 6};
    struct ec_packet packet = make_packet(time, (uint32_t)(40 + len));

    data[12] = from_client ? 1 : 2;
    data[16] = from_client ? 2 : 1;
    memcpy(data + 20, from_client ? "\xc3\x50\x01\xbb" : "\x01\xbb\xc3\x50", 4);
    data[27] = (uint8_t)sequence;
    data[32] = 0x50;
    memcpy(data + 40, payload, len);
    put_packet(&fixture->near, &packet, data);
}

static void put_datagram(struct fixture *fixture, uint64_t time, uint16_t gso_size, const void *payload, size_t len)
{
    uint8_t data[300] = {0x45, 0, 0, (uint8_t)(28 + len), 0, 0, 0, 0, 64, 17, [12] = 1, [16] = 2};
    struct ec_packet packet = make_packet(time, (uint32_t)(28 + len));

    packet.gso_size = gso_size;
    memcpy(data + 20, "\xc3\x50\x01\xbb", 4);
    data[25] = (uint8_t)(8 + len);
    memcpy(data + 28, payload, len);
    put_packet(&fixture->near, &packet, data);
}

/* TLS 1.2 hellos with a random of 0x07s. */
#define CLIENT_HELLO                                                                                                   \
    "\x16\x03\x01\x00\x2d\x01\x00\x00\x29\x03\x03\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07"     \
    "\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x00\x00\x02\x00\x9c\x01\x00"
#define SERVER_HELLO                                                                                                   \
    "\x16\x03\x03\x00\x2a\x02\x00\x00\x26\x03\x03\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08"     \
    "\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x08\x00\x00\x9c\x00"
#define CHANGE_CIPHER_SPEC "\x14\x03\x03\x00\x01\x01"

static void put_handshake(struct fixture *fixture, uint64_t time)
{
    put_segment(fixture, true, 0, time, CLIENT_HELLO, sizeof(CLIENT_HELLO) - 1);
    put_segment(fixture, false, 0, time + 1, SERVER_HELLO, sizeof(SERVER_HELLO) - 1);
    put_segment(fixture, true, sizeof(CLIENT_HELLO) - 1, time + 2, CHANGE_CIPHER_SPEC, 6);
}

static void put_secret(struct fixture *fixture, uint8_t mark, uint64_t time)
{
    struct ec_secret_event event = {.record = {EC_RECORD_SECRET, 0, sizeof(event), time, 42, 42},
                                    .secret_len = 48,
                                    .label_len = 13,
                                    .label = "CLIENT_RANDOM"};

    memset(event.client_random, mark, sizeof(event.client_random));
    assert_true(ring_feed_put(&fixture->events, &event, sizeof(event)));
}

static void pump_unordered_packets_hands_out_by_time(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    uint64_t base = now() - 100 * MS;
    (void)state;

    put_marked(fixture, 'b', base + 2);
    put_marked(fixture, 'a', base + 1);
    put_marked(fixture, 'c', base + 3);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_string_equal(fixture->sink->calls, "ippp");
    assert_memory_equal(fixture->sink->marks, "abc", 3);
    assert_int_equal(fixture->sink->times[1] - fixture->sink->times[0], 1);
    close_stream(fixture);
}

static void pump_packets_of_both_rings_hands_out_by_time(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    uint64_t base = now() - 100 * MS;
    (void)state;

    put_marked(fixture, 'a', base + 1);
    put_far(fixture, 'b', base + 2);
    put_far(fixture, 'd', base + 4);
    put_marked(fixture, 'c', base + 3);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_memory_equal(fixture->sink->marks, "abcd", 4);
    assert_int_equal(ec_stream_get_batch(fixture->stream), 4);
    assert_false(ec_stream_has_unread(fixture->stream));
    /* Given back, both: as much again has room, several times over. */
    for (uint64_t i = 0; i < 2 * CALLS_MAX; i++) {
        fixture->sink->n_calls = fixture->sink->n_packets = 0;
        put_marked(fixture, 'a', base + 10 + i);
        put_far(fixture, 'b', base + 10 + i);
        ec_stream_pump(fixture->stream, false, NULL);
        assert_int_equal(fixture->sink->n_packets, 2);
    }
    close_stream(fixture);
}

static void pump_packet_behind_watermark_waits(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    (void)state;

    put_marked(fixture, 'a', now() + 60000 * MS);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_HOLDING);
    assert_int_equal(fixture->sink->n_packets, 0);
    ec_stream_pump(fixture->stream, true, NULL);
    assert_int_equal(fixture->sink->n_packets, 1);
    close_stream(fixture);
}

static void pump_secret_known_stands_right_before_its_packet(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 1000 * MS});
    uint64_t base = now() - 10 * MS;
    (void)state;

    put_secret(fixture, 7, base + 1);
    put_handshake(fixture, base);
    ec_stream_pump(fixture->stream, false, NULL);
    assert_string_equal(fixture->sink->calls, "ippsp");
    close_stream(fixture);
}

static void put_secret_of_handshake(void *data)
{
    put_secret(data, 7, now());
}

/* The process ends between the reading of secrets and that of packets. */
static void pump_secret_that_comes_meanwhile_is_not_late(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 1000 * MS});
    uint64_t base = now() - 10 * MS;
    (void)state;

    fixture->hooked = false;
    fixture->sink->at_first = put_secret_of_handshake;
    fixture->sink->data = fixture;
    put_handshake(fixture, base);
    ec_stream_pump(fixture->stream, false, NULL);
    assert_string_equal(fixture->sink->calls, "ippsp");
    close_stream(fixture);
}

/* The caller then sleeps for a batch's time, instead of being woken by the next one. */
static void pump_secret_alone_is_busy_once(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 1000 * MS});
    (void)state;

    put_secret(fixture, 7, now());
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_IDLE);
    close_stream(fixture);
}

static void pump_packet_without_its_secret_waits_and_all_behind_it(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 10000 * MS});
    uint64_t base = now() - 10 * MS;
    (void)state;

    put_handshake(fixture, base);
    put_marked(fixture, 'z', base + 5);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_HOLDING);
    assert_string_equal(fixture->sink->calls, "ipp");
    put_secret(fixture, 7, now());
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_string_equal(fixture->sink->calls, "ippspp");
    close_stream(fixture);
}

static void pump_deadline_passed_goes_on_and_counts_late(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 1 * MS});
    struct ec_statistics statistics;
    (void)state;

    put_handshake(fixture, now() - 100 * MS);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    put_secret(fixture, 7, now());
    ec_stream_pump(fixture->stream, true, NULL);
    assert_string_equal(fixture->sink->calls, "ippps");
    ec_stream_get_statistics(fixture->stream, &statistics);
    assert_int_equal(statistics.late_secrets, 1);
    assert_int_equal(statistics.handshakes_without_secrets, 1);
    close_stream(fixture);
}

static void pump_end_that_moved_on_is_not_waited_for_any_longer(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 100000 * MS});
    uint64_t base = now() - 100 * MS;
    (void)state;

    put_handshake(fixture, base);
    put_marked(fixture, 'z', base + 5);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_HOLDING);
    /* The packets came in at the end that owes the secret: its answer. */
    put_segment(fixture, false, sizeof(SERVER_HELLO) - 1, base + 10, CHANGE_CIPHER_SPEC, 6);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_int_equal(fixture->sink->n_packets, 5);
    close_stream(fixture);
}

static void pump_unhooked_process_is_not_waited_for(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 10000 * MS});
    (void)state;

    fixture->hooked = false;
    put_handshake(fixture, now() - 1 * MS);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    assert_int_equal(fixture->sink->n_packets, 3);
    close_stream(fixture);
}

static void pump_crowded_ring_releases_early(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.hold_ns = 100000 * MS});
    struct ec_statistics statistics;
    uint64_t base = now() - 10 * MS;
    (void)state;

    put_handshake(fixture, base);
    for (unsigned i = 0; i < SIZE / FEED_SLOT / 2 + 1; i++)
        put_far(fixture, 'f', base + 10 + i);
    fixture->sink->n_calls = 0;
    ec_stream_pump(fixture->stream, false, NULL);
    ec_stream_get_statistics(fixture->stream, &statistics);
    assert_true(statistics.drop_queue > 0);
    assert_true(statistics.packets > SIZE / FEED_SLOT / 2);
    close_stream(fixture);
}

static void pump_owner_by_cookie_is_found(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    struct ec_packet packet = make_packet(now() - 1 * MS, 1);
    struct ec_owner_event event = {.record = {EC_RECORD_OWNER, 0, sizeof(event), 1, 9, 9},
                                   .cookie = 77,
                                   .owner = {.pid = 9, .flags = EC_OWNER_KNOWN | EC_OWNER_MATCH}};
    (void)state;

    packet.owner.flags = 0;
    packet.cookie = 77;
    put_packet(&fixture->near, &packet, "x");
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_HOLDING); /* its owner is due */
    assert_true(ring_feed_put(&fixture->events, &event, sizeof(event)));
    ec_stream_pump(fixture->stream, false, NULL);
    assert_int_equal(fixture->sink->n_packets, 1);
    assert_int_equal(fixture->sink->pids[0], 9);
    close_stream(fixture);
}

static void pump_socket_without_process_waits_once(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    struct ec_packet packet = make_packet(now() - 100 * MS, 1);
    struct ec_statistics statistics;
    (void)state;

    packet.owner.flags = 0;
    packet.cookie = 78;
    put_packet(&fixture->near, &packet, "x");
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY); /* waited for long enough */
    packet.record.time = now();
    put_packet(&fixture->near, &packet, "y");
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_BUSY);
    ec_stream_get_statistics(fixture->stream, &statistics);
    assert_int_equal(statistics.packets, 2);
    assert_int_equal(statistics.unattributed, 2);
    close_stream(fixture);
}

static void pump_process_filter_drops_others(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.filter_process = true});
    struct ec_packet packet = make_packet(now() - 1 * MS, 1);
    (void)state;

    packet.owner.flags = EC_OWNER_KNOWN;
    put_packet(&fixture->near, &packet, "x");
    put_marked(fixture, 'y', now() - 1);
    ec_stream_pump(fixture->stream, true, NULL);
    assert_int_equal(fixture->sink->n_packets, 1);
    assert_int_equal(fixture->sink->marks[0], 'y');
    close_stream(fixture);
}

static void pump_torn_record_is_counted_not_read(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    struct ec_packet packet = make_packet(now() - 1 * MS, 1);
    struct ec_statistics statistics;
    uint8_t record[FEED_LEN] = {0};
    (void)state;

    packet.caplen = packet.len = FEED_LEN; /* more than its slot holds */
    packet.record.size = sizeof(packet) + FEED_LEN;
    memcpy(record, &packet, sizeof(packet));
    assert_true(ring_feed_put(&fixture->packets, record, sizeof(record)));
    ec_stream_pump(fixture->stream, true, NULL);
    ec_stream_get_statistics(fixture->stream, &statistics);
    assert_int_equal(statistics.drop_read, 1);
    assert_int_equal(fixture->sink->n_packets, 0);
    close_stream(fixture);
}

static void pump_max_packets_stops(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){.max_packets = 2});
    uint64_t base = now() - 1 * MS;
    (void)state;

    for (uint8_t i = 0; i < 5; i++)
        put_marked(fixture, i, base + i);
    assert_int_equal(ec_stream_pump(fixture->stream, false, NULL), EC_STREAM_FULL);
    assert_int_equal(fixture->sink->n_packets, 2);
    close_stream(fixture);
}

static void pump_failing_sink_returns_its_error(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    g_autoptr(GError) error = NULL;
    (void)state;

    fixture->sink->fail = true;
    put_marked(fixture, 'a', now() - 1 * MS);
    assert_int_equal(ec_stream_pump(fixture->stream, false, &error), EC_STREAM_FAILED);
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE));
    close_stream(fixture);
}

static void pump_vlan_tag_is_put_back(void **state)
{
    struct fixture *fixture = open_stream((struct ec_stream_config){0});
    struct ec_packet packet = make_packet(now() - 1 * MS, 20);
    const struct ec_sink_interface ethernet = {.name = "t1", .linktype = EC_LINKTYPE_ETHERNET, .snaplen = 1000};
    struct ec_statistics statistics;
    (void)state;

    ec_stream_add_interface(fixture->stream, 8, &ethernet);
    packet.ifindex = 8;
    packet.flags = EC_PACKET_VLAN;
    packet.vlan_proto = 0x8100;
    packet.vlan_tci = 5;
    put_packet(&fixture->near, &packet, "aaaaaabbbbbb\x08\x00xxxxxx");
    ec_stream_pump(fixture->stream, true, NULL);
    ec_stream_get_statistics(fixture->stream, &statistics);
    assert_int_equal(statistics.packets, 1);
    assert_int_equal(statistics.bytes, 24);
    close_stream(fixture);
}

/* As tcpdump's live filters see it, which the kernel shows the tag apart from the bytes. */
static void pump_vlan_tag_is_filtered_like_tcpdump(void **state)
{
    static const struct {
        const char *filter;
        unsigned packets;
    } cases[] = {{"ether proto 0x0800", 1}, {"vlan 5", 1}, {"vlan 6", 0}, {"not vlan", 0}, {"arp", 0}};
    const struct ec_sink_interface ethernet = {.name = "t1", .linktype = EC_LINKTYPE_ETHERNET, .snaplen = 1000};
    struct ec_statistics statistics;
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ec_filter) filter = ec_filter_new(cases[i].filter, 1 /* DLT_EN10MB */, 1000, NULL);
        struct fixture *fixture = open_stream((struct ec_stream_config){.filter_eth = filter});
        struct ec_packet packet = make_packet(now() - 1 * MS, 20);
        ec_stream_add_interface(fixture->stream, 8, &ethernet);
        packet.ifindex = 8;
        packet.flags = EC_PACKET_VLAN | EC_PACKET_UNFILTERED;
        packet.vlan_proto = 0x8100;
        packet.vlan_tci = 5;
        put_packet(&fixture->near, &packet, "aaaaaabbbbbb\x08\x00xxxxxx");
        ec_stream_pump(fixture->stream, true, NULL);
        ec_stream_get_statistics(fixture->stream, &statistics);
        assert_int_equal(statistics.packets, cases[i].packets);
        close_stream(fixture);
    }
}

/* Behind a DTLS ClientHello, or behind nothing. */
static void pump_several_datagrams_in_one_are_cut_where_a_handshake_was_seen(void **state)
{
    static const uint8_t hello[25 + 34] = {22, 0xfe, 0xfd, [12] = 46, 1, [16] = 34, [24] = 34, 0xfe, 0xfd};
    (void)state;

    for (unsigned known = 0; known < 2; known++) {
        struct fixture *fixture = open_stream((struct ec_stream_config){0});

        if (known)
            put_datagram(fixture, now() - 2 * MS, 0, hello, sizeof(hello));
        put_datagram(fixture, now() - 1 * MS, 3, "abcdefg", 7);
        ec_stream_pump(fixture->stream, true, NULL);
        assert_string_equal(fixture->sink->calls, known ? "ipppp" : "ip");
        assert_int_equal(fixture->sink->lens[0], known ? 28 + sizeof(hello) : 28 + 7);
        assert_int_equal(fixture->sink->lens[2], known ? 28 + 3 : 0);
        assert_int_equal(fixture->sink->lens[3], known ? 28 + 1 : 0);
        close_stream(fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pump_unordered_packets_hands_out_by_time),
        cmocka_unit_test(pump_packets_of_both_rings_hands_out_by_time),
        cmocka_unit_test(pump_packet_behind_watermark_waits),
        cmocka_unit_test(pump_secret_known_stands_right_before_its_packet),
        cmocka_unit_test(pump_secret_that_comes_meanwhile_is_not_late),
        cmocka_unit_test(pump_secret_alone_is_busy_once),
        cmocka_unit_test(pump_packet_without_its_secret_waits_and_all_behind_it),
        cmocka_unit_test(pump_deadline_passed_goes_on_and_counts_late),
        cmocka_unit_test(pump_end_that_moved_on_is_not_waited_for_any_longer),
        cmocka_unit_test(pump_unhooked_process_is_not_waited_for),
        cmocka_unit_test(pump_crowded_ring_releases_early),
        cmocka_unit_test(pump_owner_by_cookie_is_found),
        cmocka_unit_test(pump_socket_without_process_waits_once),
        cmocka_unit_test(pump_process_filter_drops_others),
        cmocka_unit_test(pump_torn_record_is_counted_not_read),
        cmocka_unit_test(pump_max_packets_stops),
        cmocka_unit_test(pump_failing_sink_returns_its_error),
        cmocka_unit_test(pump_vlan_tag_is_put_back),
        cmocka_unit_test(pump_vlan_tag_is_filtered_like_tcpdump),
        cmocka_unit_test(pump_several_datagrams_in_one_are_cut_where_a_handshake_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
