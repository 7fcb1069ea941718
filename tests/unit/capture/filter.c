/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters run twice over the same bytes: by libpcap, and as eBPF in this kernel. Packets are cut at every length, so
 * that each load is out of range somewhere. Without the privilege to load, the kernel's half is skipped.
 */
#include "filter.h"

#include "abi.h"
#include "filter-classic.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { ETHERNET = 1, RAW = 12 };     /* DLT_EN10MB, DLT_RAW */
enum { ACCEPTED = 7, REJECTED = 9 }; /* filter.bpf.c */
#define SNAPLEN 262144u

/* ---- packets ---- */

struct packet {
    const char *name;
    uint8_t bytes[256];
    size_t len;
};

#define ETHERNET_HEADER "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01"
#define IP4(total, protocol, fragment)                                                                                 \
    "\x45\x00\x00" total "\x12\x34" fragment "\x40" protocol "\x00\x00\x0a\x01\x02\x03\xc0\xa8\x01\x02"
#define TCP(flags) "\xc3\x50\x01\xbb\x00\x00\x00\x01\x00\x00\x00\x02\x50" flags "\x10\x00\x00\x00\x00\x00"
#define UDP "\x14\xe9\x00\x35\x00\x0c\x00\x00"
#define IP6(next)                                                                                                      \
    "\x60\x00\x00\x00\x00\x20" next                                                                                    \
    "\x40\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"

#define PACKET(name, literal)                                                                                          \
    {                                                                                                                  \
        name, literal, sizeof(literal) - 1                                                                             \
    }
static const struct packet packets[] = {
    PACKET("syn", ETHERNET_HEADER "\x08\x00" IP4("\x28", "\x06", "\x40\x00") TCP("\x02")),
    PACKET("data",
           ETHERNET_HEADER "\x08\x00" IP4("\x30", "\x06", "\x40\x00") TCP("\x18") "\x16\x03\x01\x00\x05\x01\x00\x00"),
    PACKET("udp", ETHERNET_HEADER "\x08\x00" IP4("\x20", "\x11", "\x00\x00") UDP "abcd"),
    PACKET("fragment", ETHERNET_HEADER "\x08\x00" IP4("\x20", "\x11", "\x00\x08") UDP "abcd"),
    PACKET("icmp", ETHERNET_HEADER "\x08\x00" IP4("\x1c", "\x01", "\x00\x00") "\x08\x00\x00\x00\x00\x01\x00\x01"),
    PACKET("options",
           ETHERNET_HEADER "\x08\x00\x4f\x00\x00\x60\x12\x34\x40\x00\x40\x06\x00\x00\x0a\x01\x02\x03\xc0\xa8\x01\x02"
                           "1234567890123456789012345678901234567890" TCP("\x12")),
    PACKET("tcp6", ETHERNET_HEADER "\x86\xdd" IP6("\x06") TCP("\x02") "0123456789ab"),
    PACKET("udp6", ETHERNET_HEADER "\x86\xdd" IP6("\x11") UDP "0123456789abcdef01234567"),
    PACKET("arp", ETHERNET_HEADER
           "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\x02\0\0\0\0\x01\x0a\x01\x02\x03\0\0\0\0\0\0\x0a\x01\x02\x01"),
    PACKET("vlan", ETHERNET_HEADER "\x81\x00\x00\x2a\x08\x00" IP4("\x28", "\x06", "\x40\x00") TCP("\x02")),
    PACKET("lldp", "\x01\x80\xc2\x00\x00\x0e\x02\0\0\0\0\x01\x88\xcc\x02\x07\x04\x02\0\0\0\0\x01"),
};

/* ---- expressions ---- */

static const char *const expressions[] = {
    "",
    "tcp",
    "tcp port 443",
    "udp port 53",
    "port 443 or port 53",
    "src port 50000",
    "not port 443",
    "portrange 40-60",
    "tcp portrange 400-500",
    "host 10.1.2.3",
    "src host 192.168.1.2",
    "dst host 192.168.1.2 and tcp",
    "net 10.0.0.0/8",
    "net 192.168.0.0 mask 255.255.0.0",
    "ip6",
    "ip6 host 2001:db8::1",
    "net 2001:db8::/32",
    "ip6 and tcp port 443",
    "icmp",
    "icmp[icmptype] == icmp-echo",
    "arp",
    "arp host 10.1.2.1",
    "vlan",
    "vlan 42 and tcp port 443",
    "vlan 41",
    "ether host 02:00:00:00:00:01",
    "ether dst 01:80:c2:00:00:0e",
    "ether multicast",
    "ether proto 0x88cc",
    "ip proto 17",
    "ip proto \\tcp",
    "tcp[13] & 2 != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
    "ip[6:2] & 0x1fff = 0",
    "ip[6:2] & 0x1fff != 0",
    "greater 60",
    "less 60",
    "len - 14 = 40",
    "len * 2 > 100 and len / 2 < 40",
    "len % 7 = 3",
    "len / ether[1] > 3",
    "len / ether[5] > 3",
    "1000 % ether[12] = 0",
    "1 << ether[5] = 4",
    "ether[6:4] << (len - 20) != 0",
    "ether[6:4] >> ether[12] != 0",
    "(ether[0] ^ 3) = 1",
    "(ether[0] | 1) = 3",
    "-ether[5] = 0xfffffffe",
    "ether[len - 1] = 1",
    "ether[0 - len] = 1",
    "ether[100:4] = 0",
    "ip[ip[2:2] - 1] = 0x64",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x16030100",
    "ip[2:2] > 40 and tcp[8:4] + tcp[4:4] = 3 and (ip[8] * 2 - 1) & 0xff = 127",
    "(tcp and (host 10.1.2.3 or host 10.1.2.4)) or (udp and not (dst port 53 or src port 53)) or icmp6",
    "tcp[13] = 2 or ip[9] = 17 or ip6[6] = 6",
    "not (ip or ip6 or arp)",
    "ip multicast or ip6 multicast",
    "sctp or esp or ah or igmp",
    "mpls",
    "pppoes",
    "stp or iso or ipx",
};

/* As a long list of addresses: "host 10.0.0.0 or host 10.0.0.1 …", the last one the packets' own. */
static char *or_list_new(unsigned n_hosts)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 1; i < n_hosts; i++)
        g_string_append_printf(text, "host 10.%u.%u.%u or ", 3 + i / 60000, i / 251 % 251, i % 251);
    g_string_append(text, "host 10.1.2.3");
    return g_string_free(text, FALSE);
}

/* ---- the kernel's half ---- */

/* The object with this filter in it; NULL if the kernel refuses. */
static struct bpf_object *object_load(const ec_filter *filter, int dlt)
{
    const uint32_t magic = dlt == RAW ? EC_FILTER_MAGIC_IP : EC_FILTER_MAGIC_ETHERNET;
    g_autofree char *image = NULL;
    gsize size = 0;

    assert_true(g_file_get_contents(EC_TEST_OBJECT, &image, &size, NULL));
    assert_true(ec_filter_patch(filter, magic, image, size, NULL));
    struct bpf_object *object = bpf_object__open_mem(image, size, NULL);
    assert_non_null(object);
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, dlt == RAW ? "ethernet" : "ip"), false);
    if (bpf_object__load(object) == 0)
        return object;
    bpf_object__close(object);
    return NULL;
}

static int program_fd(struct bpf_object *object, int dlt)
{
    return bpf_program__fd(bpf_object__find_program_by_name(object, dlt == RAW ? "ip" : "ethernet"));
}

/* 1 accepted, 0 rejected, -1: the kernel won't take such a packet in a test run. */
static int program_run(int fd, const uint8_t *data, size_t len)
{
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = data, .data_size_in = (uint32_t)len, .repeat = 1);

    if (bpf_prog_test_run_opts(fd, &options) != 0)
        return -1;
    assert_true(options.retval == ACCEPTED || options.retval == REJECTED);
    return options.retval == ACCEPTED;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
    (void)level, (void)format, (void)arguments;
    return 0;
}

static void require_privilege(void)
{
    if (geteuid() != 0) {
        print_message("skipped: loading eBPF needs root\n");
        skip();
    }
    libbpf_set_print(quiet);
}

/* Every length of a packet, through libpcap and the kernel. Returns how many the kernel ran. */
static unsigned packet_compare(const ec_filter *filter, int fd, const char *text, const struct packet *packet)
{
    unsigned n_run = 0;

    for (size_t len = 14; len <= packet->len; len++) {
        int kernel = program_run(fd, packet->bytes, len);
        if (kernel < 0)
            continue;
        int expected = ec_filter_match(filter, packet->bytes, (uint32_t)len, (uint32_t)len);
        if (kernel != expected)
            fail_msg("'%.60s' on %zu of %zu bytes of %s: the kernel says %d, libpcap %d", text, len, packet->len,
                     packet->name, kernel, expected);
        n_run++;
    }
    return n_run;
}

static void expression_compare(const char *text, int dlt)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ec_filter) filter = ec_filter_new(text, dlt, SNAPLEN, &error);
    unsigned n_run = 0;

    if (filter == NULL)
        fail_msg("'%s': %s", text, error->message);
    struct bpf_object *object = object_load(filter, dlt);
    if (object == NULL)
        fail_msg("'%.60s': the kernel refuses it", text);
    for (size_t i = 0; i < G_N_ELEMENTS(packets); i++)
        n_run += packet_compare(filter, program_fd(object, dlt), text, &packets[i]);
    bpf_object__close(object);
    assert_true(n_run > 200);
}

static void ec_filter_patch_every_expression_agrees_with_libpcap(void **state)
{
    (void)state;
    require_privilege();
    for (size_t i = 0; i < G_N_ELEMENTS(expressions); i++)
        expression_compare(expressions[i], ETHERNET);
}

static void ec_filter_patch_raw_ip_agrees_with_libpcap(void **state)
{
    static const char *const raw[] = {"", "tcp port 443", "host 10.1.2.3", "ip6", "udp", "ip[0] & 0xf = 5", "len < 40"};

    (void)state;
    require_privilege();
    for (size_t i = 0; i < G_N_ELEMENTS(raw); i++)
        expression_compare(raw[i], RAW);
}

static void ec_filter_patch_list_of_200_hosts_agrees_with_libpcap(void **state)
{
    g_autofree char *text = or_list_new(200);

    (void)state;
    require_privilege();
    expression_compare(text, ETHERNET);
}

/* "ip src host A or B or …" without libpcap, whose optimiser takes minutes over such a list. */
static ec_filter *long_filter_new(size_t n_hosts)
{
    ec_filter *filter = ec_filter_new_reject();

    filter->count = 2 * n_hosts + 2;
    g_free(filter->insns);
    filter->insns = g_new0(struct ec_classic_insn, filter->count);
    filter->insns[0] = (struct ec_classic_insn){.code = 0x20, .k = 26}; /* A = P[26:4] */
    for (size_t i = 0; i < n_hosts; i++) {
        filter->insns[2 * i + 1] =
            (struct ec_classic_insn){.code = 0x15, .jf = 1, .k = 0x0a010203 + (uint32_t)(n_hosts - i - 1)};
        filter->insns[2 * i + 2] = (struct ec_classic_insn){.code = 0x06, .k = 1};
    }
    filter->insns[2 * n_hosts + 1] = (struct ec_classic_insn){.code = 0x06, .k = 0};
    return filter;
}

static void ec_filter_patch_fullest_slot_loads(void **state)
{
    g_autofree struct bpf_insn *insns = g_new(struct bpf_insn, EC_FILTER_INSNS + 1);
    size_t n_hosts = EC_FILTER_INSNS / 3 - 2, count = 0;
    g_autoptr(ec_filter) filter = long_filter_new(n_hosts);
    g_autoptr(ec_filter) larger = long_filter_new(n_hosts + 2);

    (void)state;
    assert_true(ec_filter_generate(filter, insns, EC_FILTER_INSNS + 1, &count));
    assert_in_range(count, EC_FILTER_INSNS - 3, EC_FILTER_INSNS + 1);
    assert_false(ec_filter_generate(larger, insns, EC_FILTER_INSNS + 1, &count));
    require_privilege();
    struct bpf_object *object = object_load(filter, ETHERNET);
    assert_non_null(object);
    assert_int_equal(program_run(program_fd(object, ETHERNET), packets[0].bytes, packets[0].len), 1);
    assert_int_equal(program_run(program_fd(object, ETHERNET), packets[6].bytes, packets[6].len), 0);
    bpf_object__close(object);
}

static void ec_filter_patch_reject_rejects_all(void **state)
{
    g_autoptr(ec_filter) filter = ec_filter_new_reject();

    (void)state;
    assert_false(ec_filter_match(filter, packets[0].bytes, (uint32_t)packets[0].len, (uint32_t)packets[0].len));
    require_privilege();
    struct bpf_object *object = object_load(filter, ETHERNET);
    assert_non_null(object);
    assert_int_equal(program_run(program_fd(object, ETHERNET), packets[0].bytes, packets[0].len), 0);
    bpf_object__close(object);
}

/* ---- without privilege ---- */

static void ec_filter_generate_protochain_returns_false(void **state)
{
    g_autofree struct bpf_insn *insns = g_new(struct bpf_insn, EC_FILTER_INSNS);
    g_autoptr(ec_filter) filter = ec_filter_new("ip6 protochain 6", ETHERNET, SNAPLEN, NULL);
    const struct packet *tcp6 = &packets[6];
    size_t count = 77;

    (void)state;
    assert_non_null(filter);
    assert_false(ec_filter_generate(filter, insns, EC_FILTER_INSNS, &count));
    assert_int_equal(count, 77);
    assert_true(ec_filter_match(filter, tcp6->bytes, (uint32_t)tcp6->len, (uint32_t)tcp6->len));
}

static void ec_filter_generate_small_capacity_returns_false(void **state)
{
    struct bpf_insn insns[8];
    g_autoptr(ec_filter) filter = ec_filter_new("tcp port 443", ETHERNET, SNAPLEN, NULL);
    size_t count = 77;

    (void)state;
    assert_false(ec_filter_generate(filter, insns, G_N_ELEMENTS(insns), &count));
    assert_int_equal(count, 77);
}

static void ec_filter_patch_without_slot_fails(void **state)
{
    struct bpf_insn insns[] = {{.code = 0xb7, .imm = EC_FILTER_MAGIC_IP}, {.code = 0x95}};
    const struct bpf_insn before[] = {insns[0], insns[1]};
    g_autoptr(ec_filter) filter = ec_filter_new("tcp", RAW, SNAPLEN, NULL);
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_false(ec_filter_patch(filter, EC_FILTER_MAGIC_IP, insns, sizeof(insns), &error));
    assert_true(g_error_matches(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SLOT));
    assert_memory_equal(insns, before, sizeof(insns));
}

static void ec_filter_new_bad_expression_gives_libpcaps_message(void **state)
{
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_null(ec_filter_new("tcp prot 443", ETHERNET, SNAPLEN, &error));
    assert_true(g_error_matches(error, EC_FILTER_ERROR, EC_FILTER_ERROR_SYNTAX));
    assert_string_equal(error->message, "can't parse filter expression: syntax error");
}

static void ec_filter_match_wire_length_counts_for_len(void **state)
{
    g_autoptr(ec_filter) filter = ec_filter_new("greater 1000", ETHERNET, SNAPLEN, NULL);

    (void)state;
    assert_true(ec_filter_match(filter, packets[0].bytes, 54, 1500));
    assert_false(ec_filter_match(filter, packets[0].bytes, 54, 54));
}

static void ec_filter_tests_vlan_only_by_its_keyword(void **state)
{
    static const struct {
        const char *text;
        bool expected;
    } cases[] = {
        {"vlan", true}, {"(vlan 5)and tcp", true},     {"not vlan", true}, {"tcp port 443", false},
        {"", false},    {"ether proto 0x8100", false},
    };
    g_autoptr(ec_filter) reject = ec_filter_new_reject();

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ec_filter) filter = ec_filter_new(cases[i].text, ETHERNET, SNAPLEN, NULL);
        assert_non_null(filter);
        assert_int_equal(ec_filter_tests_vlan(filter), cases[i].expected);
    }
    assert_false(ec_filter_tests_vlan(reject));
}

static void ec_capture_filter_check_tells_good_from_bad(void **state)
{
    g_autofree char *syntax = ec_capture_filter_check("tcp prot 443");
    g_autofree char *never = ec_capture_filter_check("ip and not ip");

    (void)state;
    assert_null(ec_capture_filter_check("tcp port 443"));
    assert_null(ec_capture_filter_check(""));
    assert_null(ec_capture_filter_check("ether host 02:00:00:00:00:01"));
    assert_null(ec_capture_filter_check("ip6 protochain 6"));
    assert_non_null(syntax);
    assert_non_null(never);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_filter_new_bad_expression_gives_libpcaps_message),
        cmocka_unit_test(ec_filter_match_wire_length_counts_for_len),
        cmocka_unit_test(ec_filter_tests_vlan_only_by_its_keyword),
        cmocka_unit_test(ec_capture_filter_check_tells_good_from_bad),
        cmocka_unit_test(ec_filter_generate_protochain_returns_false),
        cmocka_unit_test(ec_filter_generate_small_capacity_returns_false),
        cmocka_unit_test(ec_filter_patch_without_slot_fails),
        cmocka_unit_test(ec_filter_patch_reject_rejects_all),
        cmocka_unit_test(ec_filter_patch_every_expression_agrees_with_libpcap),
        cmocka_unit_test(ec_filter_patch_raw_ip_agrees_with_libpcap),
        cmocka_unit_test(ec_filter_patch_list_of_200_hosts_agrees_with_libpcap),
        cmocka_unit_test(ec_filter_patch_fullest_slot_loads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
