/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live: children of this test map copies of the system's libssl, in every way that a process on a real machine might.
 */
#include "target.h"

#include "library-path.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char *directory; /* of its own, removed at the end */
    char *library;   /* a copy of the system's libssl in it, called libssl.so.3; NULL: this system has none */
    char *contents;
    gsize len;
    GArray *children; /* of pid_t */
};

static void first_library(const char *path, void *data)
{
    char **first = data;

    if (*first == NULL && g_file_test(path, G_FILE_TEST_IS_REGULAR))
        *first = g_strdup(path);
}

static int setup(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);
    g_autofree char *system_library = NULL;

    fixture->directory = g_dir_make_tmp("ec-target-XXXXXX", NULL);
    fixture->children = g_array_new(FALSE, FALSE, sizeof(pid_t));
    ec_library_path_foreach(first_library, &system_library);
    if (system_library != NULL && g_file_get_contents(system_library, &fixture->contents, &fixture->len, NULL)) {
        fixture->library = g_build_filename(fixture->directory, "libssl.so.3", NULL);
        g_file_set_contents(fixture->library, fixture->contents, (gssize)fixture->len, NULL);
    }
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *remove = g_strdup_printf("rm -r '%s'", fixture->directory);

    for (guint i = 0; i < fixture->children->len; i++) {
        pid_t child = g_array_index(fixture->children, pid_t, i);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    int result = system(remove);
    g_array_unref(fixture->children);
    g_free(fixture->directory);
    g_free(fixture->library);
    g_free(fixture->contents);
    g_free(fixture);
    return result;
}

static void require(bool condition, const char *reason)
{
    if (condition)
        return;
    print_message("skipped: %s\n", reason);
    skip();
}

static void require_library(const struct fixture *fixture)
{
    require(fixture->library != NULL, "there is no libssl on this system");
}

static void map_file(const char *path, int protection)
{
    int fd = open(path, O_RDONLY);

    if (fd < 0 || mmap(NULL, 1 << 16, protection, MAP_PRIVATE, fd, 0) == MAP_FAILED)
        _exit(1);
    close(fd);
}

/* A child that does `prepare`, maps the file, and waits to be killed; returns when it has mapped it. */
static pid_t spawn(struct fixture *fixture, const char *path, int protection, bool (*prepare)(const struct fixture *))
{
    int ready[2];
    char byte;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, "ec-mapper");
        if (prepare != NULL && !prepare(fixture))
            _exit(1);
        map_file(path, protection);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(0);
    }
    g_array_append_val(fixture->children, child);
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

/* Ends a child, and waits until it has. */
static void end(struct fixture *fixture, pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (guint i = 0; i < fixture->children->len; i++)
        if (g_array_index(fixture->children, pid_t, i) == child)
            g_array_remove_index(fixture->children, i);
}

static const struct ec_process *find_process(ec_target_list *list, pid_t pid)
{
    GPtrArray *processes = ec_target_list_get_processes(list);

    for (guint i = 0; i < processes->len; i++) {
        const struct ec_process *process = g_ptr_array_index(processes, i);
        if (process->pid == (uint32_t)pid)
            return process;
    }
    return NULL;
}

static const struct ec_library *only_library(const struct ec_process *process)
{
    assert_non_null(process);
    assert_int_equal(process->libraries->len, 1);
    return g_ptr_array_index(process->libraries, 0);
}

static void assert_same_file(const struct ec_library *library, const struct stat *status)
{
    struct stat opened;

    assert_int_equal(library->dev, status->st_dev);
    assert_int_equal(library->ino, status->st_ino);
    assert_int_equal(fstat(library->fd, &opened), 0);
    assert_int_equal(opened.st_ino, status->st_ino);
}

static void ec_target_list_new_mapped_library_is_found_and_hookable(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    require_library(fixture);
    pid_t child = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    assert_int_equal(stat(fixture->library, &status), 0);
    g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
    const struct ec_process *process = find_process(list, child);
    const struct ec_library *library = only_library(process);
    assert_string_equal(process->comm, "ec-mapper");
    assert_int_equal(process->uid, getuid());
    assert_string_equal(library->path, fixture->library);
    assert_same_file(library, &status);
    if (!library->hookable)
        fail_msg("%s", library->reason);
    assert_true(library->point.function_offset != 0);
}

static void ec_target_list_new_data_mapping_is_left_out(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t child = spawn(fixture, fixture->library, PROT_READ, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
    assert_null(find_process(list, child));
    assert_null(ec_target_list_add_process(list, (uint32_t)child));
}

static void ec_target_list_new_two_processes_share_a_library(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t a = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    pid_t b = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
    assert_ptr_equal(only_library(find_process(list, a)), only_library(find_process(list, b)));
    const struct ec_library *library = only_library(find_process(list, a));
    assert_false(library->hookable);
    assert_null(library->reason);
    assert_ptr_equal(ec_target_list_add_path(list, fixture->library, EC_MODULE_MAX, NULL), library);
}

static void ec_target_list_new_deleted_library_is_opened(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;

    require_library(fixture);
    require(geteuid() == 0, "map_files needs a privilege");
    pid_t child = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    assert_int_equal(stat(fixture->library, &status), 0);
    assert_int_equal(unlink(fixture->library), 0);
    g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
    const struct ec_library *library = only_library(find_process(list, child));
    assert_string_equal(library->path, fixture->library);
    assert_same_file(library, &status);
    assert_true(library->hookable);
}

static void ec_target_list_new_replaced_library_is_the_mapped_one(void **state)
{
    struct fixture *fixture = *state;
    struct stat before, after;

    require_library(fixture);
    require(geteuid() == 0, "map_files needs a privilege");
    pid_t child = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    assert_int_equal(stat(fixture->library, &before), 0);
    assert_true(g_file_set_contents(fixture->library, fixture->contents, (gssize)fixture->len, NULL));
    assert_int_equal(stat(fixture->library, &after), 0);
    assert_true(before.st_ino != after.st_ino);
    g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
    assert_same_file(only_library(find_process(list, child)), &before);
}

/* Binds DIRECTORY/other over DIRECTORY/seen, for this process alone. */
static bool enter_mount_namespace(const struct fixture *fixture)
{
    g_autofree char *other = g_build_filename(fixture->directory, "other", NULL);
    g_autofree char *seen = g_build_filename(fixture->directory, "seen", NULL);

    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(other, seen, NULL, MS_BIND, NULL) == 0;
}

static void ec_target_list_new_other_mount_namespace_gives_its_file(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *other = g_build_filename(fixture->directory, "other", NULL);
    g_autofree char *seen = g_build_filename(fixture->directory, "seen", NULL);
    g_autofree char *path = g_build_filename(seen, "libssl.so.3", NULL);
    g_autofree char *real = g_build_filename(other, "libssl.so.3", NULL);
    struct stat status;

    require_library(fixture);
    require(geteuid() == 0, "a mount namespace needs root");
    assert_int_equal(g_mkdir(other, 0755) | g_mkdir(seen, 0755), 0);
    assert_true(g_file_set_contents(real, fixture->contents, (gssize)fixture->len, NULL));
    assert_true(g_file_set_contents(path, "no ELF", -1, NULL));
    pid_t child = spawn(fixture, path, PROT_READ | PROT_EXEC, enter_mount_namespace);
    assert_int_equal(stat(real, &status), 0);
    g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
    const struct ec_library *library = only_library(find_process(list, child));
    /* In a chroot the kernel shows another mount namespace's paths from that namespace's root. */
    assert_true(g_str_has_suffix(library->path, path));
    assert_same_file(library, &status);
    assert_true(library->hookable);
}

static void ec_target_list_new_odd_file_name_is_opened(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->directory, "libssl.so.3 \n\xff x", NULL);
    struct stat status;

    require_library(fixture);
    assert_int_equal(rename(fixture->library, path), 0);
    assert_int_equal(stat(path, &status), 0);
    pid_t child = spawn(fixture, path, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
    const struct ec_library *library = only_library(find_process(list, child));
    assert_string_equal(library->path, path);
    assert_same_file(library, &status);
}

static void ec_target_list_new_no_elf_gives_a_reason(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->directory, "libssl.so.9", NULL);
    g_autofree char *zeroes = g_malloc0(1 << 16);

    assert_true(g_file_set_contents(path, zeroes, 1 << 16, NULL));
    pid_t child = spawn(fixture, path, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
    const struct ec_library *library = only_library(find_process(list, child));
    assert_false(library->hookable);
    assert_non_null(library->reason);
    assert_null(strchr(library->reason, '\n'));
}

static void ec_target_list_add_process_follows_what_it_maps(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(false);
    pid_t child = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    assert_int_equal(only_library(ec_target_list_add_process(list, (uint32_t)child))->dev != 0, 1);
    assert_non_null(ec_target_list_add_process(list, (uint32_t)child));
    assert_int_equal(ec_target_list_get_processes(list)->len, 1);
    assert_null(ec_target_list_add_process(list, 0));
    assert_null(ec_target_list_add_process(list, UINT32_MAX));
    end(fixture, child);
    assert_null(ec_target_list_add_process(list, (uint32_t)child));
    assert_int_equal(ec_target_list_get_processes(list)->len, 0);
    assert_int_equal(ec_target_list_get_libraries(list)->len, 1);
}

static void ec_target_list_remove_process_forgets_it_alone(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t a = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    pid_t b = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(false);
    ec_target_list_add_process(list, (uint32_t)b);
    ec_target_list_add_process(list, (uint32_t)a);
    ec_target_list_remove_process(list, (uint32_t)a);
    ec_target_list_remove_process(list, 1);
    assert_null(find_process(list, a));
    assert_non_null(find_process(list, b));
}

static guint prune(ec_target_list *list)
{
    g_autoptr(GPtrArray) dropped = ec_target_list_prune(list);

    return dropped->len;
}

static void ec_target_list_prune_deleted_library_goes_with_its_last_process(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t a = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    pid_t b = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(true);
    ec_target_list_add_process(list, (uint32_t)a);
    ec_target_list_add_process(list, (uint32_t)b);
    ec_target_list_add_process(list, (uint32_t)a);
    assert_int_equal(unlink(fixture->library), 0);
    ec_target_list_remove_process(list, (uint32_t)a);
    assert_int_equal(prune(list), 0);
    ec_target_list_remove_process(list, (uint32_t)b);
    assert_int_equal(prune(list), 1);
    assert_int_equal(ec_target_list_get_libraries(list)->len, 0);
}

static void ec_target_list_fork_process_maps_what_its_parent_does(void **state)
{
    struct fixture *fixture = *state;
    const uint32_t none = 0x7fffffff;

    require_library(fixture);
    pid_t parent = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(false);
    ec_target_list_fork_process(list, (uint32_t)getpid(), (uint32_t)parent);
    assert_int_equal(ec_target_list_get_processes(list)->len, 0);
    const struct ec_library *library = only_library(ec_target_list_add_process(list, (uint32_t)parent));
    ec_target_list_fork_process(list, none, (uint32_t)parent);
    assert_null(ec_target_list_get_process(list, none));
    ec_target_list_fork_process(list, (uint32_t)getpid(), (uint32_t)parent);
    assert_ptr_equal(only_library(ec_target_list_get_process(list, (uint32_t)getpid())), library);
    assert_int_equal(unlink(fixture->library), 0);
    ec_target_list_remove_process(list, (uint32_t)parent);
    assert_int_equal(prune(list), 0);
    ec_target_list_remove_process(list, (uint32_t)getpid());
    assert_int_equal(prune(list), 1);
}

static void ec_target_list_rescan_finds_what_came_and_forgets_what_went(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t gone = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    pid_t stays = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
    const struct ec_library *library = only_library(find_process(list, gone));
    end(fixture, gone);
    pid_t came = spawn(fixture, fixture->library, PROT_READ | PROT_EXEC, NULL);
    ec_target_list_rescan(list);
    assert_null(find_process(list, gone));
    assert_ptr_equal(only_library(find_process(list, stays)), library);
    assert_ptr_equal(only_library(find_process(list, came)), library);
    assert_int_equal(library->users, 2);
}

/* Processes that map the library and end at once, while /proc is scanned again and again. */
static void ec_target_list_new_processes_that_end_meanwhile_do_no_harm(void **state)
{
    struct fixture *fixture = *state;

    require_library(fixture);
    pid_t churn = fork();
    if (churn == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) {
            if (fork() == 0) {
                map_file(fixture->library, PROT_READ | PROT_EXEC);
                _exit(0);
            }
            wait(NULL);
        }
    }
    g_array_append_val(fixture->children, churn);
    for (unsigned i = 0; i < 50; i++) {
        g_autoptr(ec_target_list) list = ec_target_list_new(false, NULL);
        GPtrArray *processes = ec_target_list_get_processes(list);
        for (guint j = 0; j < processes->len; j++) {
            const struct ec_process *process = g_ptr_array_index(processes, j);
            assert_true(process->libraries->len > 0);
            assert_true(process->comm[0] != '\0');
        }
    }
}

static void ec_target_list_new_other_users_processes_are_counted(void **state)
{
    unsigned unreadable = 0;
    int status = 0;

    (void)state;
    require(geteuid() == 0, "changing the user needs root");
    pid_t child = fork();
    if (child == 0) {
        if (setgid(65534) != 0 || setuid(65534) != 0)
            _exit(3);
        ec_target_list *list = ec_target_list_new(false, &unreadable);
        _exit(list == NULL ? 3 : unreadable > 0 ? 0 : 1);
    }
    waitpid(child, &status, 0);
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* A child that runs `openssl dgst` until its input ends, which it does with this test. */
static pid_t spawn_openssl(struct fixture *fixture, int *ret_input)
{
    int input[2];

    assert_int_equal(pipe(input), 0);
    pid_t child = fork();
    if (child == 0) {
        int output = open("/dev/null", O_WRONLY);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(input[0], STDIN_FILENO);
        dup2(output, STDOUT_FILENO);
        close(input[1]);
        execlp("openssl", "openssl", "dgst", (char *)NULL);
        _exit(1);
    }
    g_array_append_val(fixture->children, child);
    close(input[0]);
    *ret_input = input[1];
    return child;
}

/* While a program starts, its libssl may be mapped and its libcrypto, which tells the version, not yet. */
static void ec_target_list_new_openssl_tells_its_version(void **state)
{
    struct fixture *fixture = *state;
    const gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
    bool found = false;
    int input;

    g_autofree char *program = g_find_program_in_path("openssl");
    require(program != NULL, "there is no openssl on this system");
    pid_t child = spawn_openssl(fixture, &input);
    while (!found && g_get_monotonic_time() < deadline) {
        g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
        const struct ec_process *process = find_process(list, child);
        const struct ec_library *library = process != NULL ? g_ptr_array_index(process->libraries, 0) : NULL;
        found = library != NULL && strcmp(process->comm, "openssl") == 0 && library->hookable &&
                g_ascii_isdigit(library->point.version[0]);
        if (!found)
            g_usleep(20000);
    }
    close(input);
    assert_true(found);
}

static void ec_target_list_add_path_what_is_no_file_fails(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *missing = g_build_filename(fixture->directory, "none", NULL);
    g_autofree char *fifo = g_build_filename(fixture->directory, "fifo", NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(true);
    g_autoptr(GError) missing_error = NULL;
    g_autoptr(GError) fifo_error = NULL;

    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(ec_target_list_add_path(list, missing, EC_MODULE_MAX, &missing_error));
    assert_true(g_error_matches(missing_error, EC_TARGET_ERROR, EC_TARGET_ERROR_OPEN));
    assert_null(ec_target_list_add_path(list, fifo, EC_MODULE_MAX, &fifo_error));
    assert_null(ec_target_list_add_path(list, fixture->directory, EC_MODULE_MAX, NULL));
    assert_int_equal(ec_target_list_get_libraries(list)->len, 0);
}

/* A copy with the same bytes is hooked like the first; one that differs by a byte is looked at anew. */
static void ec_target_list_add_path_equal_copy_is_hookable_alike(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *copy = g_build_filename(fixture->directory, "copy.so", NULL);
    g_autofree char *other = g_build_filename(fixture->directory, "other.so", NULL);
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(true);

    require_library(fixture);
    assert_true(g_file_set_contents(copy, fixture->contents, (gssize)fixture->len, NULL));
    memset(fixture->contents, 0, 64);
    assert_true(g_file_set_contents(other, fixture->contents, (gssize)fixture->len, NULL));
    const struct ec_library *first = ec_target_list_add_path(list, fixture->library, EC_MODULE_MAX, NULL);
    const struct ec_library *second = ec_target_list_add_path(list, copy, EC_MODULE_MAX, NULL);
    const struct ec_library *third = ec_target_list_add_path(list, other, EC_MODULE_MAX, NULL);
    assert_true(first->hookable);
    assert_ptr_not_equal(first, second);
    assert_true(second->hookable);
    assert_memory_equal(&first->point, &second->point, sizeof(first->point));
    assert_false(third->hookable);
    assert_non_null(third->reason);
}

static void ec_target_list_add_defaults_finds_the_systems_library(void **state)
{
    struct fixture *fixture = *state;
    g_autoptr(ec_target_list) list = ec_target_list_new_empty(true);

    require_library(fixture);
    ec_target_list_add_defaults(list, 1u << EC_MODULE_TLS);
    GPtrArray *libraries = ec_target_list_get_libraries(list);
    assert_true(libraries->len > 0);
    const struct ec_library *library = g_ptr_array_index(libraries, 0);
    assert_true(library->hookable);
    assert_true(g_ascii_isdigit(library->point.version[0]));
    guint before = libraries->len;
    ec_target_list_add_defaults(list, 1u << EC_MODULE_TLS);
    assert_int_equal(libraries->len, before);
}

static void ec_target_list_add_defaults_of_shells_looks_into_those_alone(void **state)
{
    g_autoptr(ec_target_list) none = ec_target_list_new_empty(true), shells = ec_target_list_new_empty(true);
    GPtrArray *libraries = ec_target_list_get_libraries(shells);

    (void)state;
    ec_target_list_add_defaults(none, 1u << EC_MODULE_MYSQLD);
    assert_int_equal(ec_target_list_get_libraries(none)->len, 0);
    require(g_file_test("/bin/bash", G_FILE_TEST_IS_REGULAR), "there is no /bin/bash");
    ec_target_list_add_defaults(shells, 1u << EC_MODULE_BASH);
    assert_int_equal(libraries->len, 1);
    assert_int_equal(((const struct ec_library *)g_ptr_array_index(libraries, 0))->module, EC_MODULE_BASH);
}

/* What was found in another run is not known to this one. */
static int group_setup(void **state)
{
    char *cache = g_dir_make_tmp("ec-target-cache-XXXXXX", NULL);

    g_setenv("XDG_CACHE_HOME", cache, TRUE);
    *state = cache;
    return 0;
}

static int group_teardown(void **state)
{
    g_autofree char *cache = *state;
    g_autofree char *remove = g_strdup_printf("rm -r '%s'", cache);

    return system(remove);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(ec_target_list_new_mapped_library_is_found_and_hookable),
        CASE(ec_target_list_new_data_mapping_is_left_out),
        CASE(ec_target_list_new_two_processes_share_a_library),
        CASE(ec_target_list_new_deleted_library_is_opened),
        CASE(ec_target_list_new_replaced_library_is_the_mapped_one),
        CASE(ec_target_list_new_other_mount_namespace_gives_its_file),
        CASE(ec_target_list_new_odd_file_name_is_opened),
        CASE(ec_target_list_new_no_elf_gives_a_reason),
        CASE(ec_target_list_add_process_follows_what_it_maps),
        CASE(ec_target_list_remove_process_forgets_it_alone),
        CASE(ec_target_list_prune_deleted_library_goes_with_its_last_process),
        CASE(ec_target_list_fork_process_maps_what_its_parent_does),
        CASE(ec_target_list_rescan_finds_what_came_and_forgets_what_went),
        CASE(ec_target_list_new_processes_that_end_meanwhile_do_no_harm),
        CASE(ec_target_list_new_other_users_processes_are_counted),
        CASE(ec_target_list_new_openssl_tells_its_version),
        CASE(ec_target_list_add_path_what_is_no_file_fails),
        CASE(ec_target_list_add_path_equal_copy_is_hookable_alike),
        CASE(ec_target_list_add_defaults_finds_the_systems_library),
        CASE(ec_target_list_add_defaults_of_shells_looks_into_those_alone),
    };

    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
