/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live: a child maps a file with a library's name, forks and exits. Skipped where perf events are refused. */
#include "mappings.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct told {
    pid_t child;      /* whose events count */
    const char *path; /* of the library */
    struct stat status;
    unsigned n_mapped, n_forked, n_exited;
    uint64_t n_lost; /* records that the kernel could not write */
};

static void mapped(const struct ec_mapping *mapping, void *data)
{
    struct told *told = data;

    if (mapping->pid != (uint32_t)told->child)
        return;
    assert_string_equal(mapping->path, told->path);
    assert_int_equal(mapping->ino, told->status.st_ino);
    assert_int_equal(mapping->tid, mapping->pid);
    told->n_mapped++;
}

static void forked(uint32_t pid, uint32_t parent, void *data)
{
    struct told *told = data;

    told->n_forked += parent == (uint32_t)told->child && pid != parent;
}

static void exited(uint32_t pid, void *data)
{
    struct told *told = data;

    told->n_exited += pid == (uint32_t)told->child;
}

static void lost(uint64_t n_records, void *data)
{
    ((struct told *)data)->n_lost += n_records;
}

static const struct ec_mapping_handler handler = {.mapped = mapped, .forked = forked, .exited = exited, .lost = lost};

static ec_mappings *mappings_new(void)
{
    g_autoptr(GError) error = NULL;
    ec_mappings *mappings = ec_mappings_new(&error);

    if (mappings == NULL) {
        print_message("skipped: %s\n", error->message);
        skip();
    }
    return mappings;
}

/* Waits for an event of any CPU. */
static int wait_for_event(const ec_mappings *mappings, int timeout_ms)
{
    struct pollfd fds[256];
    nfds_t n_fds = 0;

    for (const int *fd = ec_mappings_get_fds(mappings); *fd >= 0 && n_fds < G_N_ELEMENTS(fds); fd++)
        fds[n_fds++] = (struct pollfd){.fd = *fd, .events = POLLIN};
    return poll(fds, n_fds, timeout_ms);
}

/* A child that maps `path` so often, then forks, then exits. `release`: it starts when a byte comes. */
static pid_t child_start(const char *path, int protection, unsigned times, int release)
{
    char byte;
    pid_t child = fork();

    if (child != 0)
        return child;
    int fd = open(path, O_RDONLY);
    if (read(release, &byte, 1) != 1)
        _exit(1);
    for (unsigned i = 0; i < times; i++)
        if (mmap(NULL, 4096, protection, MAP_PRIVATE, fd, 0) == MAP_FAILED)
            _exit(1);
    pid_t grandchild = fork();
    if (grandchild == 0)
        _exit(0);
    waitpid(grandchild, NULL, 0);
    _exit(0);
}

/* Runs such a child to its end under the watch. False: the kernel left records out, maybe of the child. */
static bool child_watch(ec_mappings *mappings, const char *name, int protection, unsigned times, struct told *told)
{
    g_autofree char *directory = g_dir_make_tmp("ec-mappings-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, name, NULL);
    int release[2], status = 0;
    pid_t ended = 0;

    assert_true(g_file_set_contents(path, "content", -1, NULL));
    assert_int_equal(stat(path, &told->status), 0);
    assert_int_equal(pipe(release), 0);
    told->path = path;
    told->child = child_start(path, protection, times, release[0]);
    assert_int_equal(write(release[1], "", 1), 1);
    while (ended == 0) {
        ended = waitpid(told->child, &status, WNOHANG); /* its last record is there before it can be waited for */
        if (ended == 0)
            wait_for_event(mappings, 20);
        ec_mappings_read(mappings, &handler, told);
    }
    assert_int_equal(ended, told->child);
    assert_int_equal(status, 0);
    close(release[0]);
    close(release[1]);
    g_unlink(path);
    g_rmdir(directory);
    told->path = NULL;
    return told->n_lost == 0;
}

static void ec_mappings_read_library_fork_and_exit_are_told(void **state)
{
    g_autoptr(ec_mappings) mappings = mappings_new();
    struct told told;
    bool complete = false;

    (void)state;
    for (unsigned i = 0; i < 20 && !complete; i++) {
        told = (struct told){0};
        complete = child_watch(mappings, "libssl.so.3", PROT_READ | PROT_EXEC, 1, &told);
    }
    assert_true(complete);
    assert_int_equal(told.n_mapped, 1);
    assert_int_equal(told.n_forked, 1);
    assert_int_equal(told.n_exited, 1);
}

static void ec_mappings_read_other_files_and_data_are_not_told(void **state)
{
    g_autoptr(ec_mappings) mappings = mappings_new();
    struct told other = {0}, data = {0};

    (void)state;
    child_watch(mappings, "libother.so.3", PROT_READ | PROT_EXEC, 1, &other);
    child_watch(mappings, "libssl.so.3", PROT_READ, 1, &data);
    assert_int_equal(other.n_mapped, 0);
    assert_int_equal(data.n_mapped, 0);
}

static void ec_mappings_read_long_after_goes_round_the_ring(void **state)
{
    g_autoptr(ec_mappings) mappings = mappings_new();
    struct told told = {0};
    unsigned rounds = 40;

    (void)state;
    for (unsigned i = 0; i < rounds; i++) {
        struct told round = {0};
        child_watch(mappings, "libssl.so.3", PROT_READ | PROT_EXEC, 100, &round);
        told.n_mapped += round.n_mapped;
        told.n_lost += round.n_lost;
    }
    assert_true(told.n_mapped <= rounds * 100);
    assert_true(told.n_mapped + told.n_lost >= rounds * 100);
}

/* Nobody reads while more happens than the ring holds: the kernel tells how much was lost with the next record of the
 * same CPU. */
static void ec_mappings_read_full_ring_is_counted(void **state)
{
    g_autoptr(ec_mappings) mappings = mappings_new();
    const struct ec_mapping_handler counting = {.lost = lost};
    struct told told = {0};
    int release[2];

    (void)state;
    assert_int_equal(pipe(release), 0);
    pid_t child = child_start("/proc/self/exe", PROT_READ | PROT_EXEC, 20000, release[0]);
    assert_int_equal(write(release[1], "", 1), 1);
    waitpid(child, NULL, 0);
    ec_mappings_read(mappings, &counting, &told);
    for (unsigned i = 0; i < 1000 && told.n_lost == 0; i++) {
        child = child_start("/proc/self/exe", PROT_READ | PROT_EXEC, 1, release[0]);
        assert_int_equal(write(release[1], "", 1), 1);
        waitpid(child, NULL, 0);
        ec_mappings_read(mappings, &counting, &told);
    }
    close(release[0]);
    close(release[1]);
    assert_true(told.n_lost > 0);
}

static void ec_mappings_new_without_privilege_says_what_is_missing(void **state)
{
    int status = 0;

    (void)state;
    g_autofree char *paranoid = NULL;
    if (geteuid() != 0 || !g_file_get_contents("/proc/sys/kernel/perf_event_paranoid", &paranoid, NULL, NULL) ||
        atoi(paranoid) <= 0) {
        print_message("skipped: needs root to give up, and kernel.perf_event_paranoid above 0\n");
        skip();
    }
    pid_t child = fork();
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        if (setgid(65534) != 0 || setuid(65534) != 0 || ec_mappings_new(&error) != NULL)
            _exit(1);
        _exit(g_error_matches(error, EC_MAPPINGS_ERROR, EC_MAPPINGS_ERROR_PRIVILEGE) &&
                      strstr(error->message, "cap_perfmon") != NULL
                  ? 0
                  : 2);
    }
    waitpid(child, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_mappings_read_library_fork_and_exit_are_told),
        cmocka_unit_test(ec_mappings_read_other_files_and_data_are_not_told),
        cmocka_unit_test(ec_mappings_read_long_after_goes_round_the_ring),
        cmocka_unit_test(ec_mappings_read_full_ring_is_counted),
        cmocka_unit_test(ec_mappings_new_without_privilege_says_what_is_missing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
