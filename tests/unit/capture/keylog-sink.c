/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keylog-sink.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static const struct ec_secret secret = {
    .label = "CLIENT_RANDOM",
    .client_random = {0xab, 0x01},
    .secret = {0xcd, 0x02},
    .secret_len = 48,
};

/* A socket of datagrams shows each write by itself. */
static void secret_valid_is_one_write_of_one_line(void **state)
{
    char expected[EC_KEYLOG_LINE_LEN], got[1024];
    size_t len = ec_keylog_line_format(&secret, expected);
    struct ec_sink *sink;
    int fds[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    sink = ec_keylog_sink_new(fds[1], NULL);
    assert_non_null(sink);
    for (int i = 0; i < 2; i++) {
        assert_true(sink->ops->secret(sink, &secret, NULL));
        assert_int_equal(read(fds[0], got, sizeof(got)), len);
        assert_memory_equal(got, expected, len);
        assert_int_equal(got[len - 1], '\n');
    }
    assert_true(sink->ops->close(sink, NULL));
    sink->ops->free(sink);
    close(fds[0]);
}

static void secret_reader_gone_is_told(void **state)
{
    g_autoptr(GError) error = NULL;
    struct ec_sink *sink;
    int fds[2];

    (void)state;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(fds), 0);
    sink = ec_keylog_sink_new(fds[1], NULL);
    assert_int_equal(sink->ops->get_fd(sink), fds[1]);
    close(fds[0]);
    assert_false(sink->ops->secret(sink, &secret, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE));
    assert_true(sink->ops->close(sink, NULL));
    sink->ops->free(sink);
}

static void new_without_descriptor_fails(void **state)
{
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_null(ec_keylog_sink_new(-1, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret_valid_is_one_write_of_one_line),
        cmocka_unit_test(secret_reader_gone_is_told),
        cmocka_unit_test(new_without_descriptor_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
