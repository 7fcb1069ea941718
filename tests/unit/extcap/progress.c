/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

static void progress_format_counters_are_named(void **state)
{
    const struct ec_statistics total = {.packets = 12,
                                        .bytes = 2048,
                                        .handshakes_with_secrets = 3,
                                        .handshakes_without_secrets = 4,
                                        .drop_ring = 5,
                                        .drop_read = 1,
                                        .drop_secret_fault = 7};
    g_autofree char *line = ec_progress_format(&total, false);

    (void)state;
    assert_non_null(strstr(line, "12 packets, 2.0"));
    assert_non_null(strstr(line, "3 with secrets, 4 without"));
    assert_non_null(strstr(line, "lost: 6 packets, 7 secrets"));
    assert_null(strchr(line, '\n'));
}

static void progress_format_message_summary_speaks_of_no_packets(void **state)
{
    const struct ec_statistics total = {.messages = 7, .drop_message_ring = 2};
    g_autofree char *text = ec_progress_format_message_summary(&total);

    (void)state;
    assert_string_equal(text, "7 messages captured\n2 messages lost, the ring was full: raise --mapsize\n");
}

static void progress_format_summary_clean_run_has_three_lines(void **state)
{
    const struct ec_statistics total = {.packets = 1};
    g_autofree char *text = ec_progress_format_summary(&total, false, "", "");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    (void)state;
    assert_int_equal(g_strv_length(lines), 4);
    assert_string_equal(lines[1], "no TLS handshakes seen");
    assert_string_equal(lines[3], "");
}

/* Such a connection is no handshake that was seen. */
static void progress_format_summary_older_connections_alone_are_told(void **state)
{
    const struct ec_statistics total = {.packets = 1, .handshakes_without_secrets = 1};
    g_autofree char *text = ec_progress_format_summary(&total, false, "it began before × 1 (java)", "");

    (void)state;
    assert_non_null(strstr(text, "\n0 TLS handshakes seen, 0 with secrets; 1 without: it began before × 1 (java)\n"));
}

static void progress_format_summary_one_takes_no_plural(void **state)
{
    const struct ec_statistics total = {
        .packets = 1, .handshakes = 1, .handshakes_unmatched = 1, .secrets = 1, .drop_read = 1, .late_secrets = 2};
    g_autofree char *text = ec_progress_format_summary(&total, false, "", "");

    (void)state;
    assert_non_null(strstr(text, "1 packet captured"));
    assert_non_null(strstr(text, "1 TLS handshake seen"));
    assert_non_null(strstr(text, "1 secret; 1 packet and 0 secrets lost\n"));
    assert_non_null(strstr(text, "\n1 handshake gave secrets, but no packets in this capture\n"));
    assert_non_null(strstr(text, "\n2 secrets came too late for a packet\n"));
    assert_non_null(strstr(text, "\n1 packet lost, unreadable in the kernel\n"));
}

static void progress_format_summary_verified_and_misses_are_told(void **state)
{
    const struct ec_statistics total = {
        .handshakes = 5, .handshakes_with_secrets = 3, .handshakes_verified = 3, .handshakes_without_secrets = 2};
    g_autofree char *text = ec_progress_format_summary(&total, true, "no library × 2 (java)", "");
    g_autofree char *unverified = ec_progress_format_summary(&total, false, "no library × 2 (java)", "");
    g_autofree char *line = ec_progress_format(&total, true);

    (void)state;
    assert_non_null(
        strstr(text, "\n5 TLS handshakes seen, 3 with secrets, 3 verified; 2 without: no library × 2 (java)\n"));
    assert_non_null(strstr(unverified, "3 with secrets; 2 without: no library × 2 (java)\n"));
    assert_non_null(strstr(line, "3 with secrets, 3 verified, 2 without"));
    assert_null(strstr(text, "wrong"));
}

/* Whoever adds a counter must give it a line: every member set to a number of its own has to appear. */
static void progress_format_summary_every_counter_is_told(void **state)
{
    struct ec_statistics total;
    uint64_t *counters = (uint64_t *)&total;
    const size_t n_counters = sizeof(total) / sizeof(uint64_t);
    g_autofree char *text = NULL;

    (void)state;
    for (size_t i = 0; i < n_counters; i++)
        counters[i] = 1000000001 + 1000 * i;
    text = ec_progress_format_summary(&total, true, "", "0=3 1=2");
    assert_non_null(strstr(text, ", by CPU: 0=3 1=2\n"));
    for (size_t i = 0; i < n_counters; i++) {
        g_autofree char *number = g_strdup_printf("%" G_GUINT64_FORMAT, counters[i]);

        if (&counters[i] != &total.bytes)
            assert_non_null(strstr(text, number));
    }
}

static void progress_format_text_summary_tells_what_is_missing(void **state)
{
    const struct ec_statistics total = {.messages = 99, .drop_message_ring = 7};
    const struct ec_text_counts counts = {.shown = 1, .dropped = 3}, whole = {.shown = 5};
    const struct ec_statistics none = {.messages = 99};
    g_autofree char *text = ec_progress_format_text_summary(&total, &counts);
    g_autofree char *clean = ec_progress_format_text_summary(&none, &whole);

    (void)state;
    assert_string_equal(text, "1 message shown\n3 not shown, the output was too slow\n"
                              "7 messages lost, the ring was full: raise --mapsize\n");
    assert_string_equal(clean, "5 messages shown\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_format_counters_are_named),
        cmocka_unit_test(progress_format_message_summary_speaks_of_no_packets),
        cmocka_unit_test(progress_format_summary_clean_run_has_three_lines),
        cmocka_unit_test(progress_format_summary_one_takes_no_plural),
        cmocka_unit_test(progress_format_summary_older_connections_alone_are_told),
        cmocka_unit_test(progress_format_summary_verified_and_misses_are_told),
        cmocka_unit_test(progress_format_text_summary_tells_what_is_missing),
        cmocka_unit_test(progress_format_summary_every_counter_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
