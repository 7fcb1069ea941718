/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What it costs to write a packet: the pcapng sink (owner, direction, flushed every 64 packets, as
 * the session's batches do) beside libpcap's pcap_dump, in CPU time, to files in the same directory.
 *
 *   bench-pcapng-sink [DIRECTORY]
 */
#include "pcapng-sink.h"

#include <glib/gstdio.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 64
#define ROUNDS 3

struct load {
    const char *name;
    uint32_t len;     /* bytes of a packet */
    unsigned packets; /* per round */
    unsigned owners;
};

static const struct load loads[] = {
    {"100 bytes, one owner", 100, 2000000, 1},  {"100 bytes, 100 owners in turn", 100, 2000000, 100},
    {"1500 bytes, one owner", 1500, 300000, 1}, {"16000 bytes, one owner", 16000, 32000, 1},
    {"65549 bytes, one owner", 65549, 8000, 1},
};

static uint8_t data[65549];

static double cpu_seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void check(bool ok, const GError *error)
{
    if (ok)
        return;
    fprintf(stderr, "bench-pcapng-sink: %s\n", error ? error->message : "libpcap failed");
    exit(EXIT_FAILURE);
}

/* CPU seconds for one round. */
static double run_sink(const struct load *load, const char *path)
{
    const struct ec_pcapng_config config = {.comments = true, .application = "bench"};
    const struct ec_sink_interface interface = {.name = "lo", .linktype = 1, .snaplen = EC_SNAPLEN_MAX};
    struct ec_owner owner = {.uid = 1000, .flags = EC_OWNER_KNOWN, .comm = "bench"};
    struct ec_sink_packet packet = {.len = load->len,
                                    .caplen = load->len,
                                    .data = data,
                                    .time = 1700000000000000000u,
                                    .direction = EC_DIRECTION_OUT,
                                    .owner = &owner};
    g_autoptr(GError) error = NULL;
    struct ec_sink *sink = ec_pcapng_sink_new(ec_output_open(path, NULL), &config, &error);
    double start = cpu_seconds();

    check(sink, error);
    check(sink->ops->interface(sink, &interface, &error), error);
    for (unsigned i = 0; i < load->packets; i++) {
        packet.time += 1000;
        owner.pid = owner.tid = 1000 + i % load->owners;
        check(sink->ops->packet(sink, &packet, &error), error);
        if (i % BATCH == BATCH - 1)
            check(sink->ops->flush(sink, &error), error);
    }
    check(sink->ops->close(sink, &error), error);
    sink->ops->free(sink);
    return cpu_seconds() - start;
}

static double run_libpcap(const struct load *load, const char *path)
{
    pcap_t *pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, EC_SNAPLEN_MAX, PCAP_TSTAMP_PRECISION_NANO);
    pcap_dumper_t *dumper = pcap_dump_open(pcap, path);
    struct pcap_pkthdr header = {.ts.tv_sec = 1700000000, .len = load->len, .caplen = load->len};
    double start = cpu_seconds();

    check(dumper, NULL);
    for (unsigned i = 0; i < load->packets; i++) {
        header.ts.tv_usec = (header.ts.tv_usec + 1000) % 1000000000;
        pcap_dump((u_char *)dumper, &header, data);
    }
    check(pcap_dump_flush(dumper) == 0, NULL);
    pcap_dump_close(dumper);
    pcap_close(pcap);
    return cpu_seconds() - start;
}

static double best(double (*run)(const struct load *load, const char *path), const struct load *load, const char *path)
{
    double least = G_MAXDOUBLE;

    for (int i = 0; i < ROUNDS; i++) {
        double seconds = run(load, path);

        least = MIN(least, seconds);
        g_unlink(path);
    }
    return least;
}

int main(int argc, char **argv)
{
    g_autofree char *path = g_build_filename(argc > 1 ? argv[1] : g_get_tmp_dir(), "bench-pcapng-sink.out", NULL);

    printf("%-32s %14s %14s %12s %12s %7s\n", "packets", "sink ns", "pcap_dump ns", "sink GB/s", "pcap GB/s", "ratio");
    for (size_t i = 0; i < G_N_ELEMENTS(loads); i++) {
        double sink = best(run_sink, &loads[i], path) / loads[i].packets;
        double pcap = best(run_libpcap, &loads[i], path) / loads[i].packets;

        printf("%-32s %14.0f %14.0f %12.2f %12.2f %7.2f\n", loads[i].name, sink * 1e9, pcap * 1e9,
               loads[i].len / sink / 1e9, loads[i].len / pcap / 1e9, sink / pcap);
    }
    return EXIT_SUCCESS;
}
