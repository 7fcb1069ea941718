/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-output.h"
#include "sink.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char *directory, *path;
};

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    signal(SIGPIPE, SIG_IGN);
    fixture->directory = g_dir_make_tmp("ecapture-text-XXXXXX", NULL);
    fixture->path = g_build_filename(fixture->directory, "out.log", NULL);
    *state = fixture;
    return fixture->directory ? 0 : -1;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted names; each is removed when the test ends. */
static GPtrArray *list_files(const struct fixture *fixture)
{
    GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GDir) directory = g_dir_open(fixture->directory, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(directory)))
        g_ptr_array_add(names, g_build_filename(fixture->directory, name, NULL));
    g_ptr_array_sort(names, compare_names);
    return names;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(GPtrArray) names = list_files(fixture);

    for (guint i = 0; i < names->len; i++)
        g_unlink(g_ptr_array_index(names, i));
    g_rmdir(fixture->directory);
    g_free(fixture->directory);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

static void assert_content(const char *path, const char *expected)
{
    g_autofree char *content = NULL;

    assert_true(g_file_get_contents(path, &content, NULL, NULL));
    assert_string_equal(content, expected);
}

static void add_to_a_file_is_there_after_a_flush(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path};
    g_autoptr(ec_text_output) output = ec_text_output_new(&config, NULL);
    struct stat status;

    assert_non_null(output);
    assert_true(ec_text_output_has_room(output));
    assert_true(ec_text_output_add(output, "one\n", 4, NULL));
    assert_true(ec_text_output_flush(output, NULL));
    assert_content(fixture->path, "one\n");
    assert_true(ec_text_output_close(output, NULL));
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(ec_text_output_get_dropped(output), 0);
}

static void add_beyond_the_size_begins_the_next_file(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path, .rotate_size = 10};
    g_autoptr(ec_text_output) output = ec_text_output_new(&config, NULL);
    static const char *const expected[] = {"aaaa\nbbb\n", "cccccccccccc\n", "d\n"};
    g_autoptr(GPtrArray) names = NULL;

    assert_true(ec_text_output_add(output, "aaaa\n", 5, NULL));
    assert_true(ec_text_output_add(output, "bbb\n", 4, NULL));
    assert_true(ec_text_output_add(output, "cccccccccccc\n", 13, NULL));
    assert_true(ec_text_output_add(output, "d\n", 2, NULL));
    assert_true(ec_text_output_close(output, NULL));
    names = list_files(fixture);
    assert_int_equal(names->len, 3);
    for (guint i = 0; i < 3; i++) {
        struct stat status;

        assert_content(g_ptr_array_index(names, i), expected[i]);
        assert_true(g_str_has_suffix(g_ptr_array_index(names, i), ".log"));
        assert_int_equal(stat(g_ptr_array_index(names, i), &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
    assert_non_null(strstr(g_ptr_array_index(names, 0), "/out_00001_"));
}

static void add_after_the_time_begins_the_next_file(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path, .rotate_seconds = 1};
    g_autoptr(ec_text_output) output = ec_text_output_new(&config, NULL);
    g_autoptr(GPtrArray) names = NULL;

    assert_true(ec_text_output_add(output, "a\n", 2, NULL));
    g_usleep(2100000);
    assert_true(ec_text_output_add(output, "b\n", 2, NULL));
    assert_true(ec_text_output_close(output, NULL));
    names = list_files(fixture);
    assert_int_equal(names->len, 2);
    assert_content(g_ptr_array_index(names, 1), "b\n");
}

/* A FIFO that nobody reads until the end. */
static void has_room_stalled_reader_costs_events_not_memory(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path};
    g_autoptr(ec_text_output) output = NULL;
    g_autofree char *event = g_strnfill(100000, 'x');
    unsigned accepted = 0;
    uint64_t lines = 0;
    int reader;

    event[99999] = '\n';
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    reader = open(fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    output = ec_text_output_new(&config, NULL);
    assert_non_null(output);
    for (unsigned i = 0; i < 1000; i++) {
        if (!ec_text_output_has_room(output))
            continue;
        assert_true(ec_text_output_add(output, event, 100000, NULL));
        accepted++;
    }
    assert_true(accepted > 50 && accepted < 200);
    assert_int_equal(ec_text_output_get_dropped(output), 1000 - accepted);
    for (ssize_t got = 1; got > 0;) {
        char buffer[65536];

        assert_true(ec_text_output_flush(output, NULL));
        got = read(reader, buffer, sizeof(buffer));
        for (ssize_t i = 0; i < got; i++)
            lines += buffer[i] == '\n';
    }
    assert_int_equal(lines, accepted);
    assert_true(ec_text_output_has_room(output));
    close(reader);
}

static void close_with_a_stalled_reader_counts_what_is_left(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path};
    g_autoptr(ec_text_output) output = NULL;
    g_autofree char *event = g_strnfill(2 << 20, 'x');
    gint64 began = g_get_monotonic_time();
    int reader;

    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    reader = open(fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    output = ec_text_output_new(&config, NULL);
    for (unsigned i = 0; i < 3; i++)
        assert_true(ec_text_output_add(output, event, 2 << 20, NULL));
    assert_true(ec_text_output_close(output, NULL));
    assert_int_equal(ec_text_output_get_dropped(output), 3);
    assert_true(g_get_monotonic_time() - began < 20000000);
    close(reader);
}

static void flush_reader_gone_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct ec_text_output_config config = {.path = fixture->path};
    g_autoptr(ec_text_output) output = NULL;
    g_autoptr(GError) error = NULL;
    int reader;

    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    reader = open(fixture->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    output = ec_text_output_new(&config, NULL);
    assert_true(ec_text_output_get_fd(output) >= 0);
    close(reader);
    assert_true(ec_text_output_add(output, "x\n", 2, NULL));
    assert_false(ec_text_output_flush(output, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE));
}

static void new_without_directory_fails(void **state)
{
    struct ec_text_output_config config = {.path = "/nonexistent/out.log", .rotate_size = 5};
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_null(ec_text_output_new(&config, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(add_to_a_file_is_there_after_a_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(add_beyond_the_size_begins_the_next_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(add_after_the_time_begins_the_next_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(has_room_stalled_reader_costs_events_not_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(close_with_a_stalled_reader_counts_what_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flush_reader_gone_is_told, set_up, tear_down),
        cmocka_unit_test(new_without_directory_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
