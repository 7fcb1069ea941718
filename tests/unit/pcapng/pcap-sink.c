/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written with the sink, read back with libpcap. */
#include "pcap-sink.h"

#include <glib/gstdio.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ec_sink_interface eth0 = {.id = 0, .name = "eth0", .linktype = 1, .snaplen = EC_SNAPLEN_MAX};
static const struct ec_sink_interface lo = {.id = 1, .name = "lo", .linktype = 1, .snaplen = EC_SNAPLEN_MAX};
static const struct ec_sink_interface tun0 = {.id = 2, .name = "tun0", .linktype = 101, .snaplen = EC_SNAPLEN_MAX};

struct fixture {
    char *dir, *path;
    struct ec_sink *sink;
    uint8_t data[EC_SNAPLEN_MAX];
};

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    signal(SIGXFSZ, SIG_IGN);
    fixture->dir = g_dir_make_tmp("ec-pcap-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->dir, "out.pcap", NULL);
    fixture->sink = ec_pcap_sink_new(ec_output_open(fixture->path, NULL), NULL);
    assert_non_null(fixture->sink);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    fixture->sink->ops->free(fixture->sink);
    g_unlink(fixture->path);
    g_rmdir(fixture->dir);
    g_free(fixture->path);
    g_free(fixture->dir);
    g_free(fixture);
    return 0;
}

/* The number of packets libpcap reads; fails unless it reads to a clean end. */
static unsigned read_all(const char *path, int linktype, uint64_t *ret_bytes)
{
    char message[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, message);
    struct pcap_pkthdr *header;
    const uint8_t *data;
    unsigned packets = 0;
    int result;

    assert_non_null(pcap);
    assert_int_equal(pcap_datalink(pcap), linktype);
    *ret_bytes = 0;
    while ((result = pcap_next_ex(pcap, &header, &data)) == 1) {
        assert_int_equal(header->ts.tv_sec, 1700000000);
        assert_int_equal(header->ts.tv_usec, 123456789 + packets++);
        *ret_bytes += header->caplen;
    }
    assert_int_equal(result, PCAP_ERROR_BREAK);
    pcap_close(pcap);
    return packets;
}

static bool write_packet(struct fixture *fixture, unsigned number, uint32_t len, GError **error)
{
    const struct ec_sink_packet packet = {.interface = number % 2,
                                          .time = 1700000000123456789u + number,
                                          .len = len,
                                          .caplen = len,
                                          .data = fixture->data};

    return fixture->sink->ops->packet(fixture->sink, &packet, error);
}

static void packet_any_length_is_read_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t bytes = 0, read;

    assert_true(fixture->sink->ops->interface(fixture->sink, &eth0, NULL));
    assert_true(fixture->sink->ops->interface(fixture->sink, &lo, NULL));
    for (unsigned i = 0; i < 100; i++) {
        uint32_t len = i == 50 ? EC_SNAPLEN_MAX : 60 + i * 401;

        assert_true(write_packet(fixture, i, len, NULL));
        bytes += len;
    }
    assert_true(fixture->sink->ops->close(fixture->sink, NULL));
    assert_int_equal(read_all(fixture->path, DLT_EN10MB, &read), 100);
    assert_int_equal(read, bytes);
}

static void interface_of_second_link_type_is_refused(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    assert_true(fixture->sink->ops->interface(fixture->sink, &eth0, NULL));
    assert_false(fixture->sink->ops->interface(fixture->sink, &tun0, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT));
    assert_non_null(strstr(error->message, "tun0"));
}

static void interface_raw_ip_is_read_back(void **state)
{
    struct fixture *fixture = *state;
    uint64_t bytes;

    assert_true(fixture->sink->ops->interface(fixture->sink, &tun0, NULL));
    assert_true(write_packet(fixture, 0, 60, NULL));
    assert_true(fixture->sink->ops->close(fixture->sink, NULL));
    assert_int_equal(read_all(fixture->path, DLT_RAW, &bytes), 1);
}

static void close_without_interface_leaves_a_readable_file(void **state)
{
    struct fixture *fixture = *state;
    uint64_t bytes;

    assert_true(fixture->sink->ops->close(fixture->sink, NULL));
    assert_int_equal(read_all(fixture->path, DLT_EN10MB, &bytes), 0);
}

static void packet_file_full_keeps_whole_packets(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    struct rlimit saved, small;
    unsigned packets;
    uint64_t bytes;

    assert_true(fixture->sink->ops->interface(fixture->sink, &eth0, NULL));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = 50000;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (unsigned i = 0; !error && i < 2000; i++)
        (void)(write_packet(fixture, i, 1000, &error) && fixture->sink->ops->flush(fixture->sink, &error));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE));
    assert_true(fixture->sink->ops->close(fixture->sink, NULL));
    packets = read_all(fixture->path, DLT_EN10MB, &bytes);
    assert_int_equal(packets, (50000 - 24) / 1016);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(packet_any_length_is_read_back),       TEST(interface_of_second_link_type_is_refused),
        TEST(interface_raw_ip_is_read_back),        TEST(close_without_interface_leaves_a_readable_file),
        TEST(packet_file_full_keeps_whole_packets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
