/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-sink.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define IN EC_DIRECTION_IN
#define OUT EC_DIRECTION_OUT

static const struct ec_owner owner = {.pid = 1234, .tid = 1234, .uid = 0, .comm = "curl"};

struct fixture {
    char *path;
    struct ec_sink *sink;
    uint64_t offsets[8][2]; /* by connection and side */
    uint64_t time;
};

static struct fixture *fixture_new(bool json)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    struct ec_text_config config = {.json = json};
    int fd = g_file_open_tmp("ecapture-text-XXXXXX", &fixture->path, NULL);
    struct timespec now;

    assert_true(fd >= 0);
    close(fd);
    config.output.path = fixture->path;
    fixture->sink = ec_text_sink_new(&config, NULL);
    assert_non_null(fixture->sink);
    clock_gettime(CLOCK_REALTIME, &now);
    fixture->time = (uint64_t)now.tv_sec * 1000000000;
    return fixture;
}

/* Returns what stands in the file. */
static char *fixture_close(struct fixture *fixture)
{
    char *content = NULL;

    if (fixture->sink) {
        assert_true(fixture->sink->ops->close(fixture->sink, NULL));
        fixture->sink->ops->free(fixture->sink);
    }
    assert_true(g_file_get_contents(fixture->path, &content, NULL, NULL));
    g_unlink(fixture->path);
    g_free(fixture->path);
    g_free(fixture);
    return content;
}

static void give(struct fixture *fixture, uint64_t id, enum ec_direction direction, const void *data, size_t len,
                 bool closed)
{
    const struct ec_sink_connection connection = {.id = id};
    uint64_t *offset = &fixture->offsets[id % 8][direction == OUT];
    struct ec_sink_plaintext plaintext = {.time = fixture->time,
                                          .connection = &connection,
                                          .owner = &owner,
                                          .direction = direction,
                                          .offset = *offset,
                                          .data = data,
                                          .len = (uint32_t)len,
                                          .closed = closed};

    assert_true(fixture->sink->ops->plaintext(fixture->sink, &plaintext, NULL));
    *offset += len;
}
#define GIVE(fixture, id, direction, text) give(fixture, id, direction, text, sizeof(text) - 1, false)

static void flush(struct fixture *fixture)
{
    assert_true(fixture->sink->ops->flush(fixture->sink, NULL));
}

/* The lines that begin with "===", without time and owner. */
static char *list_heads(const char *content)
{
    g_auto(GStrv) lines = g_strsplit(content, "\n", -1);
    GString *heads = g_string_new(NULL);

    for (char **line = lines; *line; line++) {
        const char *at = strstr(*line, "curl[1234] root ");

        if (g_str_has_prefix(*line, "=== ") && at)
            g_string_append_printf(heads, "%s\n", at + strlen("curl[1234] root "));
    }
    return g_string_free(heads, FALSE);
}

static void plaintext_of_several_connections_is_not_mixed_up(void **state)
{
    static const char a[] = "GET /a HTTP/1.1\r\n\r\n",
                      b[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\3\1\5\0\0\0\1\x82\x84\x87";
    struct fixture *fixture = fixture_new(false);
    g_autofree char *content = NULL, *heads = NULL;

    (void)state;
    for (size_t i = 0; i < MAX(sizeof(a), sizeof(b)) - 1; i++) {
        if (i < sizeof(a) - 1)
            give(fixture, 1, OUT, a + i, 1, false);
        if (i < sizeof(b) - 1)
            give(fixture, 2, OUT, b + i, 1, false);
        flush(fixture);
    }
    GIVE(fixture, 3, OUT, "* OK\r\n");
    GIVE(fixture, 1, IN, "HTTP/1.1 204 No Content\r\n\r\n");
    content = fixture_close(fixture);
    heads = list_heads(content);
    assert_string_equal(heads, "sent connection 1 HTTP/1.1 request\nsent connection 2 HTTP/2 request, stream 1\n"
                               "received connection 1 HTTP/1.1 response, to GET /a\nsent connection 3 data\n");
}

static void plaintext_with_a_gap_is_told(void **state)
{
    struct fixture *fixture = fixture_new(false);
    g_autofree char *content = NULL;

    (void)state;
    GIVE(fixture, 1, IN, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
    fixture->offsets[1][0] += 5;
    GIVE(fixture, 1, IN, "xyz");
    content = fixture_close(fixture);
    assert_non_null(strstr(content, "\n\nabxyz\n--- incomplete: 5 bytes of the body were lost\n"));
}

static void plaintext_undecided_is_shown_in_the_end(void **state)
{
    struct fixture *fixture = fixture_new(false);
    g_autofree char *content = NULL, *heads = NULL;

    (void)state;
    GIVE(fixture, 1, OUT, "HELLO");
    flush(fixture);
    give(fixture, 1, OUT, "", 0, true);
    fixture->time -= 5000000000;
    GIVE(fixture, 2, OUT, "OLD");
    flush(fixture);
    content = fixture_close(fixture);
    heads = list_heads(content);
    assert_string_equal(heads, "sent connection 1 data\nsent connection 2 data\n");
}

/* The capture began in the midst of a frame: nothing but data until a call begins with a frame. */
static void plaintext_amid_http2_is_recognised_later(void **state)
{
    struct fixture *fixture = fixture_new(false);
    g_autofree char *content = NULL, *heads = NULL;

    (void)state;
    GIVE(fixture, 1, IN, "\x01\x02the rest of a body\x03");
    flush(fixture);
    GIVE(fixture, 1, IN, "\0\0\1\1\5\0\0\0\3\x88");
    content = fixture_close(fixture);
    heads = list_heads(content);
    assert_string_equal(heads, "received connection 1 data\nreceived connection 1 HTTP/2 response, stream 3\n");
    assert_non_null(strstr(content, "--- the connection began before the capture"));
}

static void plaintext_of_many_connections_is_bounded(void **state)
{
    struct fixture *fixture = fixture_new(false);
    g_autofree char *content = NULL;

    (void)state;
    for (uint64_t id = 1; id <= 5000; id++) {
        memset(fixture->offsets, 0, sizeof(fixture->offsets));
        GIVE(fixture, id, OUT, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
    }
    assert_int_equal(ec_text_sink_get_counts(fixture->sink).shown, 5000 - 4096);
    content = fixture_close(fixture);
    assert_non_null(strstr(content, "--- incomplete: too many connections are open"));
    assert_non_null(strstr(content, "--- incomplete: the capture ended"));
}

static void command_and_statement_are_events(void **state)
{
    struct fixture *fixture = fixture_new(true);
    struct ec_sink_command command = {.owner = &owner, .text = "ls", .len = 2};
    struct ec_sink_statement statement = {.owner = &owner, .text = "SELECT 1", .len = 8, .full_len = 8};
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;

    (void)state;
    assert_true(fixture->sink->ops->command(fixture->sink, &command, NULL));
    assert_true(fixture->sink->ops->statement(fixture->sink, &statement, NULL));
    GIVE(fixture, 1, OUT, "GET / HTTP/1.1\r\n\r\n");
    content = fixture_close(fixture);
    lines = g_strsplit(content, "\n", -1);
    assert_int_equal(g_strv_length(lines), 4);
    assert_true(g_str_has_prefix(lines[0], "{\"type\":\"command\","));
    assert_true(g_str_has_prefix(lines[1], "{\"type\":\"statement\","));
    assert_true(g_str_has_prefix(lines[2], "{\"type\":\"request\","));
}

/* A FIFO whose reader stops for a while: what is missing is counted, and told where it is missing. */
static void plaintext_stalled_reader_is_told_where_events_are_missing(void **state)
{
    g_autofree char *directory = g_dir_make_tmp("ecapture-text-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "fifo", NULL);
    g_autofree char *body = g_strnfill(1 << 20, 'x');
    struct ec_text_config config = {.json = true, .output = {.path = path}};
    struct fixture fixture = {0};
    g_autoptr(GString) got = g_string_new(NULL);
    struct ec_text_counts counts;
    int reader;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    reader = g_open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    fixture.sink = ec_text_sink_new(&config, NULL);
    for (unsigned i = 0; i < 50; i++) {
        GIVE(&fixture, 1, OUT, "POST / HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n");
        give(&fixture, 1, OUT, body, 1 << 20, false);
        flush(&fixture);
    }
    counts = ec_text_sink_get_counts(fixture.sink);
    assert_int_equal(counts.shown + counts.dropped, 50);
    assert_true(counts.dropped > 30);
    for (ssize_t n = 1; n > 0;) {
        char buffer[65536];

        flush(&fixture);
        n = read(reader, buffer, sizeof(buffer));
        if (n > 0)
            g_string_append_len(got, buffer, n);
    }
    assert_null(strstr(got->str, "\"dropped\""));
    GIVE(&fixture, 1, OUT, "GET / HTTP/1.1\r\n\r\n");
    flush(&fixture);
    for (ssize_t n = 1; n > 0;) {
        char buffer[65536];

        n = read(reader, buffer, sizeof(buffer));
        if (n > 0)
            g_string_append_len(got, buffer, n);
    }
    g_free(body);
    body = g_strdup_printf("\n{\"type\":\"dropped\",\"events\":%u}\n{\"type\":\"request\",", (unsigned)counts.dropped);
    assert_non_null(strstr(got->str, body));
    assert_true(fixture.sink->ops->close(fixture.sink, NULL));
    fixture.sink->ops->free(fixture.sink);
    close(reader);
    g_unlink(path);
    g_rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plaintext_of_several_connections_is_not_mixed_up),
        cmocka_unit_test(plaintext_with_a_gap_is_told),
        cmocka_unit_test(plaintext_undecided_is_shown_in_the_end),
        cmocka_unit_test(plaintext_amid_http2_is_recognised_later),
        cmocka_unit_test(plaintext_of_many_connections_is_bounded),
        cmocka_unit_test(command_and_statement_are_events),
        cmocka_unit_test(plaintext_stalled_reader_is_told_where_events_are_missing),
    };

    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
