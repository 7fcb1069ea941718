/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Written with the sink, read back block by block here and with tshark. */
#include "pcapng-sink.h"
#include "block.h"

#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define START 1700000000123456789u

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1 };

struct fixture {
    char *dir, *path;
    struct ec_sink *sink;
    struct ec_sink_packet packet; /* of interface 0, 100 bytes, with an owner */
    uint8_t data[EC_SNAPLEN_MAX];
};

static const struct ec_owner curl = {.pid = 1234, .tid = 1235, .uid = 1000, .flags = EC_OWNER_KNOWN, .comm = "curl"};
static const struct ec_owner nginx = {.pid = 80, .tid = 81, .uid = 33, .flags = EC_OWNER_KNOWN, .comm = "ng inx"};
static const struct ec_sink_interface eth0 = {
    .id = 0, .name = "eth0", .linktype = 1, .snaplen = EC_SNAPLEN_MAX, .filter = "tcp port 443"};
static const struct ec_sink_interface tun0 = {.id = 1, .name = "tun0", .linktype = 101, .snaplen = 1500};
static const struct ec_secret secret = {
    .label = "CLIENT_RANDOM", .client_random = {1}, .secret = {2}, .secret_len = 48};

static struct ec_sink *sink_new(int fd)
{
    const struct ec_pcapng_config config = {
        .comments = true, .application = "ecapture 0.1.0", .hardware = "x86_64", .os = "Linux 6.18"};
    g_autoptr(GError) error = NULL;
    struct ec_sink *sink = ec_pcapng_sink_new(fd, &config, &error);

    assert_non_null(sink);
    return sink;
}

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    fixture->dir = g_dir_make_tmp("ec-pcapng-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->dir, "out.pcapng", NULL);
    fixture->sink = sink_new(ec_output_open(fixture->path, NULL));
    /* An Ethernet frame of a local experimental EtherType: nothing to dissect. */
    memcpy(fixture->data, "\2\2\3\4\5\6\2\2\3\4\5\7\x88\xb5", 14);
    fixture->packet = (struct ec_sink_packet){
        .time = START, .len = 100, .caplen = 100, .data = fixture->data, .direction = EC_DIRECTION_OUT, .owner = &curl};
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    if (fixture->sink)
        fixture->sink->ops->free(fixture->sink);
    g_unlink(fixture->path);
    g_rmdir(fixture->dir);
    g_free(fixture->path);
    g_free(fixture->dir);
    g_free(fixture);
    return 0;
}

static void check(bool ok, GError *error)
{
    if (!ok)
        fail_msg("%s", error ? error->message : "no error message");
}

#define CALL(fixture, op, ...)                                                                                         \
    do {                                                                                                               \
        g_autoptr(GError) call_error = NULL;                                                                           \
        check((fixture)->sink->ops->op((fixture)->sink, __VA_ARGS__, &call_error), call_error);                        \
    } while (0)

static void finish(struct fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    check(fixture->sink->ops->close(fixture->sink, &error), error);
    fixture->sink->ops->free(fixture->sink);
    fixture->sink = NULL;
}

/* The block types of a file, in order, as u32; fails unless it holds whole blocks alone. */
static GArray *block_types(const char *path, uint32_t *ret_longest)
{
    GArray *types = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autofree char *data = NULL;
    uint32_t header[2];
    size_t len;

    assert_true(g_file_get_contents(path, &data, &len, NULL));
    assert_int_equal(ec_block_whole(data, len), len);
    *ret_longest = 0;
    for (size_t at = 0; at < len; at += header[1]) {
        memcpy(header, data + at, sizeof(header));
        g_array_append_val(types, header[0]);
        *ret_longest = MAX(*ret_longest, header[1]);
    }
    return types;
}

static void assert_types(const char *path, const uint32_t *expected, guint n_expected)
{
    uint32_t longest;
    g_autoptr(GArray) types = block_types(path, &longest);

    for (guint i = 0; i < MIN(types->len, n_expected); i++)
        assert_int_equal(g_array_index(types, uint32_t, i), expected[i]);
    assert_int_equal(types->len, n_expected);
    assert_true(longest <= EC_BLOCK_MAX);
}

#define ASSERT_TYPES(path, ...)                                                                                        \
    assert_types(path, (const uint32_t[]){__VA_ARGS__}, G_N_ELEMENTS(((const uint32_t[]){__VA_ARGS__})))

/* What `tshark <arguments>` prints; skips the test where there is none. tshark escapes a backslash in a
 * field since 4.4; that is undone. */
static char *tshark(const char *arguments)
{
    g_autofree char *program = g_find_program_in_path("tshark");
    g_autofree char *line = g_strdup_printf("tshark %s", arguments);
    g_autofree char *messages = NULL;
    g_autofree char *output = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) parts = NULL;
    int status = 0;

    if (!program) {
        print_message("skipped: no tshark here: apt install tshark\n");
        skip();
    }
    check(g_spawn_command_line_sync(line, &output, &messages, &status, &error), error);
    if (status != 0)
        fail_msg("%s: %s", line, messages);
    if (strstr(messages, "appears to") || strstr(messages, "corrupt"))
        fail_msg("%s: %s", line, messages);
    parts = g_strsplit(output, "\\\\", -1);
    return g_strjoinv("\\", parts);
}

static char *tshark_read(const char *path, const char *arguments)
{
    g_autofree char *all = g_strdup_printf("-n -r %s %s", path, arguments);

    return tshark(all);
}

static void packet_first_comes_behind_section_interface_and_secrets(void **state)
{
    struct fixture *fixture = *state;

    CALL(fixture, interface, &eth0);
    CALL(fixture, secret, &secret);
    CALL(fixture, secret, &secret);
    CALL(fixture, packet, &fixture->packet);
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, (uint32_t)EC_BLOCK_DARWIN_PROCESS, EC_BLOCK_DECRYPTION_SECRETS,
                 EC_BLOCK_ENHANCED_PACKET, EC_BLOCK_ENHANCED_PACKET);
}

static void secret_after_last_packet_is_written_at_flush(void **state)
{
    struct fixture *fixture = *state;

    fixture->packet.owner = NULL;
    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    CALL(fixture, secret, &secret);
    check(fixture->sink->ops->flush(fixture->sink, NULL), NULL);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, EC_BLOCK_ENHANCED_PACKET, EC_BLOCK_DECRYPTION_SECRETS);
    CALL(fixture, secret, &secret);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, EC_BLOCK_ENHANCED_PACKET, EC_BLOCK_DECRYPTION_SECRETS,
                 EC_BLOCK_DECRYPTION_SECRETS);
}

/* More than one block holds; each has whole lines. */
static void secret_many_are_all_written(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *data = NULL;
    unsigned lines = 0;
    size_t len;

    CALL(fixture, interface, &eth0);
    for (int i = 0; i < 1000; i++)
        CALL(fixture, secret, &secret);
    finish(fixture);
    assert_true(g_file_get_contents(fixture->path, &data, &len, NULL));
    for (size_t at = 0; at < len;) {
        uint32_t words[4];

        memcpy(words, data + at, sizeof(words));
        if (words[0] == EC_BLOCK_DECRYPTION_SECRETS) {
            assert_int_equal(data[at + 16 + words[3] - 1], '\n');
            for (uint32_t i = 0; i < words[3]; i++)
                lines += data[at + 16 + i] == '\n';
        }
        at += words[1];
    }
    assert_int_equal(lines, 1000);
}

static void interface_late_gets_its_block_in_place(void **state)
{
    struct fixture *fixture = *state;

    fixture->packet.owner = NULL;
    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    check(fixture->sink->ops->flush(fixture->sink, NULL), NULL);
    CALL(fixture, interface, &tun0);
    fixture->packet.interface = 1;
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, EC_BLOCK_ENHANCED_PACKET, INTERFACE, EC_BLOCK_ENHANCED_PACKET);
}

static void interface_many_all_carry_packets(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *output = NULL;

    for (unsigned i = 0; i < 300; i++) {
        g_autofree char *name = g_strdup_printf("veth%u", i);
        const struct ec_sink_interface interface = {.id = i, .name = name, .linktype = 1, .snaplen = 100};

        CALL(fixture, interface, &interface);
    }
    for (fixture->packet.interface = 0; fixture->packet.interface < 300; fixture->packet.interface++)
        CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    output = tshark_read(fixture->path, "-T fields -e frame.interface_name -Y frame.interface_id==299");
    assert_string_equal(output, "veth299\n");
}

static void interface_unknown_link_type_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct ec_sink_interface odd = {.id = 0, .name = "odd0", .linktype = 65000};
    g_autoptr(GError) error = NULL;

    assert_false(fixture->sink->ops->interface(fixture->sink, &odd, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_FORMAT));
}

static void close_without_interface_leaves_a_readable_file(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *output = NULL;

    finish(fixture);
    output = tshark_read(fixture->path, "");
    assert_string_equal(output, "");
}

static void packet_owner_shows_in_tshark(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *output = NULL;

    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    fixture->packet.peer = &nginx;
    fixture->packet.loopback = true;
    fixture->packet.direction = EC_DIRECTION_IN;
    fixture->packet.time++;
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    output = tshark_read(fixture->path, "-T fields -e frame.time_epoch -e frame.interface_name -e frame.comment"
                                        " -e frame.packet_flags_direction");
    assert_string_equal(output, "1700000000.123456789\teth0\tpid=1234 tid=1235 comm=curl uid=1000\t0x00000002\n"
                                "1700000000.123456790\teth0\tpid=1234 tid=1235 comm=curl uid=1000 end=src,"
                                "pid=80 tid=81 comm=ng\\x20inx uid=33 end=dst\t0x00000001\n");
}

/* The carriers must not be seen as what they are in wiretap, and no reader may find the packet odd. */
static void packet_options_disturb_no_reader(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *output = NULL;

    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    output = tshark_read(fixture->path, "-T fields -e frame.packet_id -e frame.interface_queue -e _ws.malformed"
                                        " -e _ws.expert.message");
    assert_string_equal(output, "\t\t\tpid=1234 tid=1235 comm=curl uid=1000\n");
}

/* 406 for 4.6. */
static unsigned tshark_version(void)
{
    g_autofree char *version = tshark("--version");
    unsigned major = 0, minor = 0;

    assert_int_equal(sscanf(version, "TShark (Wireshark) %u.%u", &major, &minor), 2);
    return major * 100 + minor;
}

/* 4.6 is the first to show Darwin's process blocks. */
static void packet_process_shows_in_tshark_4_6(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *output = NULL;

    if (tshark_version() < 406) {
        print_message("skipped: this tshark shows no process blocks: use 4.6\n");
        skip();
    }
    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    fixture->packet.owner = &nginx;
    CALL(fixture, packet, &fixture->packet);
    fixture->packet.owner = &curl;
    CALL(fixture, packet, &fixture->packet);
    fixture->packet.owner = NULL;
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    output =
        tshark_read(fixture->path, "-T fields -e frame.darwin.process_info.pid -e frame.darwin.process_info.pname");
    assert_string_equal(output, "1234\tcurl\n80\tng inx\n1234\tcurl\n\t\n");
}

/* The first packet of a label is written by wiretap, the others after its example. */
static void packet_repeated_is_the_same_block(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *file = NULL;
    g_autoptr(GByteArray) last = g_byte_array_new();
    uint32_t words[2], packets = 0;
    size_t len;

    fixture->packet.peer = &nginx;
    fixture->packet.loopback = true;
    CALL(fixture, interface, &eth0);
    for (uint32_t i = 0; i < 8; i++) {
        fixture->packet.caplen = fixture->packet.len = 60 + i / 2 % 4;
        fixture->packet.direction = i / 4 ? EC_DIRECTION_IN : EC_DIRECTION_OUT;
        CALL(fixture, packet, &fixture->packet);
    }
    finish(fixture);
    assert_true(g_file_get_contents(fixture->path, &file, &len, NULL));
    for (size_t at = 0; at < len; at += words[1]) {
        memcpy(words, file + at, sizeof(words));
        if (words[0] != EC_BLOCK_ENHANCED_PACKET)
            continue;
        if (packets++ % 2 != 0) {
            assert_int_equal(words[1], last->len);
            assert_memory_equal(file + at, last->data, words[1]);
        }
        g_byte_array_set_size(last, 0);
        g_byte_array_append(last, (const guint8 *)file + at, words[1]);
    }
    assert_int_equal(packets, 8);
}

static void packet_lengths_survive(void **state)
{
    static const uint32_t lengths[] = {14,    60,    61,    4095,  4096,   16383,
                                       16384, 16385, 16386, 65549, 250000, EC_SNAPLEN_MAX};
    struct fixture *fixture = *state;
    g_autoptr(GString) expected = g_string_new(NULL);
    g_autofree char *output = NULL;
    uint32_t longest;

    CALL(fixture, interface, &eth0);
    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        fixture->packet.caplen = lengths[i];
        fixture->packet.len = lengths[i] + 1;
        CALL(fixture, packet, &fixture->packet);
        g_string_append_printf(expected, "%u\t%u\n", lengths[i], lengths[i] + 1);
    }
    finish(fixture);
    g_array_unref(block_types(fixture->path, &longest));
    assert_true(longest <= EC_BLOCK_MAX);
    output = tshark_read(fixture->path, "-T fields -e frame.cap_len -e frame.len");
    assert_string_equal(output, expected->str);
}

/* The bytes of each packet, in the file, are those that were handed over. */
static void packet_data_survives(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *file = NULL;
    g_autoptr(GByteArray) all = g_byte_array_new();
    size_t len, offset = 0;

    fixture->packet.owner = NULL;
    CALL(fixture, interface, &eth0);
    for (uint32_t i = 0; i < 600; i++) {
        fixture->packet.caplen = fixture->packet.len = i * 97 % 30000 + 1;
        for (uint32_t k = 0; k < fixture->packet.caplen; k++)
            fixture->data[k] = (uint8_t)(i * 7 + k * 13);
        g_byte_array_append(all, fixture->data, fixture->packet.caplen);
        CALL(fixture, packet, &fixture->packet);
    }
    finish(fixture);
    assert_true(g_file_get_contents(fixture->path, &file, &len, NULL));
    for (size_t at = 0; at < len;) {
        uint32_t words[7];

        memcpy(words, file + at, MIN(sizeof(words), len - at));
        if (words[0] == EC_BLOCK_ENHANCED_PACKET) {
            assert_true(offset + words[5] <= all->len);
            assert_memory_equal(file + at + 28, all->data + offset, words[5]);
            offset += words[5];
        }
        at += words[1];
    }
    assert_int_equal(offset, all->len);
}

static void statistics_while_running_are_blocks_in_place(void **state)
{
    struct fixture *fixture = *state;
    const struct ec_statistics total = {.packets = 1, .drop_ring = 7, .reordered = 2};
    struct ec_interface_statistics counts[] = {
        {.interface = 0, .start = START, .now = START + 1, .received = 8, .dropped = 7, .ring_drops = "0=3 5=4"},
        {.interface = 1, .start = START, .now = START + 1}};
    g_autofree char *file = NULL;
    size_t len;

    fixture->packet.owner = NULL;
    CALL(fixture, interface, &eth0);
    CALL(fixture, interface, &tun0);
    CALL(fixture, packet, &fixture->packet);
    CALL(fixture, statistics, &total, counts, 2);
    /* Nothing has changed: nothing is added. */
    CALL(fixture, statistics, &total, counts, 2);
    counts[1].received++;
    CALL(fixture, statistics, &total, counts, 2);
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, INTERFACE, EC_BLOCK_ENHANCED_PACKET, EC_BLOCK_INTERFACE_STATISTICS,
                 EC_BLOCK_INTERFACE_STATISTICS, EC_BLOCK_INTERFACE_STATISTICS, EC_BLOCK_ENHANCED_PACKET);
    assert_true(g_file_get_contents(fixture->path, &file, &len, NULL));
    assert_non_null(memmem(file, len, "packets=1 bytes=0 ", 18));
    assert_non_null(memmem(file, len, " drop_ring=7 ", 13));
    assert_non_null(memmem(file, len, " reordered=2", 12));
    assert_non_null(memmem(file, len, "drop_ring by CPU: 0=3 5=4", 25));
    g_autofree char *output = tshark_read(fixture->path, "-T fields -e frame.number");
    assert_string_equal(output, "1\n2\n");
}

static void section_long_texts_stay_short(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *text = g_strnfill(5000, 'x');
    const struct ec_pcapng_config config = {.application = text, .hardware = text, .os = text};
    g_autofree char *file = NULL;
    uint32_t header[2];

    fixture->sink->ops->free(fixture->sink);
    fixture->sink = ec_pcapng_sink_new(ec_output_open(fixture->path, NULL), &config, NULL);
    finish(fixture);
    assert_true(g_file_get_contents(fixture->path, &file, NULL, NULL));
    memcpy(header, file, sizeof(header));
    assert_in_range(header[1], 700, 2047);
}

static void packet_file_full_keeps_whole_blocks(void **state)
{
    static const uint32_t lengths[] = {100, 20000};
    struct fixture *fixture = *state;

    for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
        struct rlimit saved, small;
        g_autoptr(GError) error = NULL;
        uint32_t longest;
        bool ok = true;

        fixture->sink->ops->free(fixture->sink);
        fixture->sink = sink_new(ec_output_open(fixture->path, NULL));
        CALL(fixture, interface, &eth0);
        fixture->packet.caplen = fixture->packet.len = lengths[i];
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
        small = saved;
        small.rlim_cur = 100001;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        for (int k = 0; ok && k < 2000; k++)
            ok = fixture->sink->ops->packet(fixture->sink, &fixture->packet, &error) &&
                 fixture->sink->ops->flush(fixture->sink, &error);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
        assert_false(ok);
        assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE));
        /* The error has been told: the end is quiet, and adds nothing. */
        finish(fixture);
        g_array_unref(block_types(fixture->path, &longest));
        fixture->sink = sink_new(ec_output_open("/dev/null", NULL));
    }
}

static void flush_reader_gone_is_told_once(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    fixture->sink->ops->free(fixture->sink);
    fixture->sink = sink_new(fds[1]);
    assert_int_equal(fixture->sink->ops->get_fd(fixture->sink), fds[1]);
    CALL(fixture, interface, &eth0);
    close(fds[0]);
    assert_false(fixture->sink->ops->flush(fixture->sink, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE));
    finish(fixture);
}

/* A Darwin process block is known by its number, which a ring of dumpcap's would break. */
static void packet_to_pipe_has_no_process_block(void **state)
{
    struct fixture *fixture = *state;
    char data[65536];
    ssize_t len;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    fixture->sink->ops->free(fixture->sink);
    fixture->sink = sink_new(fds[1]);
    CALL(fixture, interface, &eth0);
    CALL(fixture, packet, &fixture->packet);
    finish(fixture);
    len = read(fds[0], data, sizeof(data));
    close(fds[0]);
    assert_true(len > 0);
    assert_true(g_file_set_contents(fixture->path, data, len, NULL));
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, EC_BLOCK_ENHANCED_PACKET);
}

/* Both dissectors get the text, beside an interface that came first. */
static void statement_sql_is_dissected_by_tshark(void **state)
{
    struct fixture *fixture = *state;
    struct ec_sink_statement statement = {
        .sql = EC_SQL_POSTGRES,
        .time = START + 1500000,
        .started = START,
        .owner = &curl,
        .user = "a b",
        .text = "select 1",
        .len = 8,
        .full_len = 8,
        .has_rows = true,
        .rows = 1,
    };

    CALL(fixture, interface, &eth0);
    CALL(fixture, statement, &statement);
    statement.sql = EC_SQL_MYSQL;
    statement.has_rows = false;
    statement.has_error = true;
    statement.error = 1064;
    statement.error_text = "no\nsyntax";
    statement.connection = 7;
    CALL(fixture, statement, &statement);
    CALL(fixture, interface, &tun0);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, INTERFACE, EC_BLOCK_ENHANCED_PACKET, EC_BLOCK_ENHANCED_PACKET,
                 INTERFACE);
    g_autofree char *output =
        tshark_read(fixture->path, "-T fields -e frame.interface_name -e pgsql.query -e mysql.query -e frame.comment");
    g_auto(GStrv) lines = g_strsplit(output, "\n", -1);
    assert_string_equal(lines[0], "ecapture-pdu\tselect 1\t\tpid=1234 tid=1235 comm=curl uid=1000 user=a\\x20b "
                                  "duration=0.001500 rows=1");
    assert_true(g_str_has_prefix(lines[1], "ecapture-pdu\t\tselect 1\t"));
    assert_non_null(strstr(lines[1], "conn=7 duration=0.001500 error=1064 no"));
}

static void command_before_interface_keeps_packets_on_theirs(void **state)
{
    static const struct ec_sink_command command = {.time = START,
                                                   .started = START - 1000000,
                                                   .owner = &curl,
                                                   .module = EC_MODULE_BASH,
                                                   .text = "echo a\necho b",
                                                   .len = 13,
                                                   .has_status = true};
    struct fixture *fixture = *state;
    g_autofree char *text = NULL;

    CALL(fixture, command, &command);
    CALL(fixture, interface, &eth0);
    fixture->packet.owner = NULL;
    CALL(fixture, packet, &fixture->packet);
    CALL(fixture, command, &command);
    finish(fixture);
    ASSERT_TYPES(fixture->path, SECTION, INTERFACE, EC_BLOCK_JOURNAL, INTERFACE, EC_BLOCK_ENHANCED_PACKET,
                 EC_BLOCK_JOURNAL);
    text = tshark_read(fixture->path, "-T fields -e systemd_journal.pid -e systemd_journal.message -e "
                                      "frame.interface_name");
    assert_string_equal(text, "1234\techo a\\necho b\t\n\t\teth0\n1234\techo a\\necho b\t\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(packet_first_comes_behind_section_interface_and_secrets),
        TEST(secret_after_last_packet_is_written_at_flush),
        TEST(secret_many_are_all_written),
        TEST(interface_late_gets_its_block_in_place),
        TEST(interface_many_all_carry_packets),
        TEST(interface_unknown_link_type_is_refused),
        TEST(close_without_interface_leaves_a_readable_file),
        TEST(packet_owner_shows_in_tshark),
        TEST(packet_options_disturb_no_reader),
        TEST(statement_sql_is_dissected_by_tshark),
        TEST(packet_process_shows_in_tshark_4_6),
        TEST(packet_repeated_is_the_same_block),
        TEST(packet_lengths_survive),
        TEST(packet_data_survives),
        TEST(statistics_while_running_are_blocks_in_place),
        TEST(section_long_texts_stay_short),
        TEST(packet_file_full_keeps_whole_blocks),
        TEST(flush_reader_gone_is_told_once),
        TEST(packet_to_pipe_has_no_process_block),
        TEST(command_before_interface_keeps_packets_on_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
