/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char *dir;
    char *path; /* in dir, not there yet */
};

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    fixture->dir = g_dir_make_tmp("ec-output-XXXXXX", NULL);
    assert_non_null(fixture->dir);
    fixture->path = g_build_filename(fixture->dir, "out", NULL);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    g_unlink(fixture->path);
    g_rmdir(fixture->dir);
    g_free(fixture->path);
    g_free(fixture->dir);
    g_free(fixture);
    return 0;
}

/* Units of four bytes. */
static size_t whole4(const void *data, size_t len)
{
    (void)data;
    return len & ~(size_t)3;
}

static ec_output *output_new(int fd)
{
    g_autoptr(GError) error = NULL;
    ec_output *output = ec_output_new(fd, whole4, &error);

    assert_non_null(output);
    return output;
}

static off_t file_size(const char *path)
{
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    return status.st_size;
}

static void open_new_file_is_private(void **state)
{
    struct fixture *fixture = *state;
    mode_t mask = umask(0);
    struct stat status;
    int fd = ec_output_open(fixture->path, NULL);

    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
}

static void open_existing_file_is_emptied_and_made_private(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    int fd;

    assert_true(g_file_set_contents(fixture->path, "old", -1, NULL));
    assert_int_equal(chmod(fixture->path, 0644), 0);
    fd = ec_output_open(fixture->path, NULL);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, 0);
    close(fd);
}

static void open_symbolic_link_is_refused(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    assert_int_equal(symlink("/dev/null", fixture->path), 0);
    assert_int_equal(ec_output_open(fixture->path, &error), -1);
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
    assert_non_null(strstr(error->message, "symbolic link"));
}

static void open_file_of_another_user_is_refused(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *content = NULL;
    g_autoptr(GError) error = NULL;

    assert_true(g_file_set_contents(fixture->path, "theirs", -1, NULL));
    assert_int_equal(chmod(fixture->path, 0666), 0);
    if (chown(fixture->path, geteuid() + 1, (gid_t)-1) < 0) {
        print_message("skipped: may not give a file away: run as root\n");
        skip();
    }
    assert_int_equal(ec_output_open(fixture->path, &error), -1);
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
    assert_true(g_file_get_contents(fixture->path, &content, NULL, NULL));
    assert_string_equal(content, "theirs");
}

static void open_missing_directory_fails(void **state)
{
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_int_equal(ec_output_open("/nonexistent/ecapture/out", &error), -1);
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
}

static void open_dash_is_stdout(void **state)
{
    int fds[2], saved = dup(STDOUT_FILENO), fd;
    struct stat in, out;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    fflush(stdout);
    dup2(fds[1], STDOUT_FILENO);
    fd = ec_output_open("-", NULL);
    dup2(saved, STDOUT_FILENO);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &out), 0);
    assert_int_equal(fstat(fds[0], &in), 0);
    assert_int_equal(in.st_ino, out.st_ino);
    /* The inherited open file stays as it was. */
    assert_int_equal(fcntl(fds[1], F_GETFL) & O_NONBLOCK, 0);
    close(fd);
    close(fds[0]);
    close(fds[1]);
    close(saved);
}

static void open_fifo_waits_for_its_reader(void **state)
{
    struct fixture *fixture = *state;
    char byte = 0;
    pid_t child;
    int fd;

    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    child = fork();
    if (child == 0) {
        fd = open(fixture->path, O_RDONLY);
        _exit(fd >= 0 && read(fd, &byte, 1) == 1 && byte == 'x' ? 0 : 1);
    }
    fd = ec_output_open(fixture->path, NULL);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void new_read_only_descriptor_is_refused(void **state)
{
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_null(ec_output_new(open("/dev/null", O_RDONLY | O_CLOEXEC), whole4, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN));
}

/* Returns the error of the write that fails at `limit` bytes of file size. */
static GError *write_until_limit(ec_output *output, rlim_t limit, const char *data, size_t len)
{
    struct rlimit saved, small;
    GError *error = NULL;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &saved), 0);
    small = saved;
    small.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    while (ec_output_write(output, data, len, &error))
        ;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &saved), 0);
    return error;
}

static void write_over_limit_keeps_whole_units(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(ec_output) output = output_new(ec_output_open(fixture->path, NULL));
    char data[24] = "";
    g_autoptr(GError) error = write_until_limit(output, 4096 + 7, data, sizeof(data));
    g_autoptr(GError) again = NULL;

    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE));
    assert_int_equal(file_size(fixture->path), 4096 + 4);
    assert_false(ec_output_write(output, data, sizeof(data), &again));
    assert_string_equal(again->message, error->message);
    assert_int_equal(file_size(fixture->path), 4096 + 4);
}

/* A disk of 64 KiB, in a mount namespace that goes with the child. */
static int write_to_small_disk(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, "full", NULL);
    g_autoptr(GError) error = NULL;
    char data[1004] = "";
    ec_output *output;
    off_t size;

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("none", dir, "tmpfs", 0, "size=64k") < 0)
        return 77;
    output = output_new(ec_output_open(path, NULL));
    while (ec_output_write(output, data, sizeof(data), &error))
        ;
    size = file_size(path);
    ec_output_free(output);
    return size > 60000 && size <= 65536 && size % 4 == 0 && strstr(error->message, g_strerror(ENOSPC)) ? 0 : 1;
}

static void write_to_full_disk_keeps_whole_units(void **state)
{
    struct fixture *fixture = *state;
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(write_to_small_disk(fixture->dir));
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: may not mount a tmpfs: run as root\n");
        skip();
    }
    assert_int_equal(status, 0);
}

static void write_to_full_device_names_the_cause(void **state)
{
    g_autoptr(ec_output) output = output_new(open("/dev/full", O_WRONLY | O_CLOEXEC));
    g_autoptr(GError) error = NULL;

    (void)state;
    assert_false(ec_output_write(output, "abcd", 4, &error));
    assert_non_null(strstr(error->message, g_strerror(ENOSPC)));
    assert_null(strchr(error->message, '\n'));
}

static void write_to_left_pipe_says_reader_gone(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ec_output) output = NULL;
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    output = output_new(fds[1]);
    assert_int_equal(ec_output_get_fd(output), fds[1]);
    close(fds[0]);
    assert_false(ec_output_write(output, "abcd", 4, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE));
    assert_true(ec_output_has_failed(output));
    assert_true(ec_output_close(output, NULL));
}

static void write_more_than_pipe_holds_waits_for_reader(void **state)
{
    const size_t len = 3 << 20;
    g_autofree char *data = g_malloc0(len);
    g_autoptr(ec_output) output = NULL;
    int fds[2], status;
    pid_t child;

    (void)state;
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        char buffer[4096];
        size_t got = 0;
        ssize_t n;

        close(fds[1]);
        g_usleep(300000);
        while ((n = read(fds[0], buffer, sizeof(buffer))) > 0)
            got += (size_t)n;
        _exit(got == len ? 0 : 1);
    }
    close(fds[0]);
    output = output_new(fds[1]);
    assert_true(ec_output_write(output, data, len, NULL));
    assert_true(ec_output_close(output, NULL));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void write_to_stalled_reader_ends_when_in_a_hurry(void **state)
{
    const size_t len = 3 << 20;
    g_autofree char *data = g_malloc0(len);
    g_autoptr(ec_output) output = NULL;
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time();
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    output = output_new(fds[1]);
    ec_output_set_hurry(output);
    assert_false(ec_output_write(output, data, len, &error));
    assert_true(g_error_matches(error, EC_SINK_ERROR, EC_SINK_ERROR_WRITE));
    assert_in_range(g_get_monotonic_time() - start, 1500000, 10000000);
    close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_new_file_is_private, setup, teardown),
        cmocka_unit_test_setup_teardown(open_existing_file_is_emptied_and_made_private, setup, teardown),
        cmocka_unit_test_setup_teardown(open_symbolic_link_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(open_file_of_another_user_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(open_missing_directory_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(open_dash_is_stdout, setup, teardown),
        cmocka_unit_test_setup_teardown(open_fifo_waits_for_its_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(new_read_only_descriptor_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(write_over_limit_keeps_whole_units, setup, teardown),
        cmocka_unit_test_setup_teardown(write_to_full_disk_keeps_whole_units, setup, teardown),
        cmocka_unit_test_setup_teardown(write_to_full_device_names_the_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(write_to_left_pipe_says_reader_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(write_more_than_pipe_holds_waits_for_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(write_to_stalled_reader_ends_when_in_a_hurry, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
