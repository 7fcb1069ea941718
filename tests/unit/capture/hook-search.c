/* SPDX-License-Identifier: GPL-2.0-or-later */
/* With this test's own program, which is no TLS library, and the system's libssl. */
#include "hook-search.h"

#include "library-path.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 30000 };

static int open_self(void)
{
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static struct ec_hook_result wait_for_result(ec_hook_search *search)
{
    struct pollfd poll_fd = {.fd = ec_hook_search_get_fd(search), .events = POLLIN};
    struct ec_hook_result result;

    while (!ec_hook_search_take(search, &result))
        assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
    return result;
}

static void take_nothing_started_is_false(void **state)
{
    (void)state;
    g_autoptr(ec_hook_search) search = ec_hook_search_new();
    struct ec_hook_result result;

    assert_false(ec_hook_search_take(search, &result));
}

static void start_no_library_gives_reason(void **state)
{
    (void)state;
    g_autoptr(ec_hook_search) search = ec_hook_search_new();
    int key, fd = open_self();

    assert_true(ec_hook_search_start(search, fd, -1, &key));
    close(fd);
    struct ec_hook_result result = wait_for_result(search);
    assert_ptr_equal(result.key, &key);
    assert_false(result.found);
    assert_non_null(result.error);
    g_clear_error(&result.error);
}

static void take_library(const char *path, void *data)
{
    int *fd = data;

    if (*fd < 0)
        *fd = open(path, O_RDONLY | O_CLOEXEC);
}

static void start_library_gives_what_find_gives(void **state)
{
    (void)state;
    g_autoptr(ec_hook_search) search = ec_hook_search_new();
    struct ec_hook_point point;
    int fd = -1;

    ec_library_path_foreach(take_library, &fd);
    if (fd < 0 || !ec_hook_point_find(fd, -1, &point, NULL)) {
        print_message("skipped: this system has no libssl that can be hooked\n");
        skip();
    }
    assert_true(ec_hook_search_start(search, fd, -1, search));
    close(fd);
    struct ec_hook_result result = wait_for_result(search);
    assert_true(result.found);
    assert_int_equal(result.point.probe_offset, point.probe_offset);
    assert_string_equal(result.point.build_id, point.build_id);
}

static void start_many_gives_each_once(void **state)
{
    (void)state;
    g_autoptr(ec_hook_search) search = ec_hook_search_new();
    bool taken[8] = {false};
    int fd = open_self();

    for (int i = 0; i < 8; i++)
        assert_true(ec_hook_search_start(search, fd, -1, &taken[i]));
    close(fd);
    for (int i = 0; i < 8; i++) {
        struct ec_hook_result result = wait_for_result(search);
        assert_false(*(bool *)result.key);
        *(bool *)result.key = true;
        g_clear_error(&result.error);
    }
    struct ec_hook_result none;
    assert_false(ec_hook_search_take(search, &none));
}

static void free_under_way_is_harmless(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        g_autoptr(ec_hook_search) search = ec_hook_search_new();
        int fd = open_self();
        assert_true(ec_hook_search_start(search, fd, -1, NULL));
        close(fd);
    }
    g_usleep(100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_nothing_started_is_false),       cmocka_unit_test(start_no_library_gives_reason),
        cmocka_unit_test(start_library_gives_what_find_gives), cmocka_unit_test(start_many_gives_each_once),
        cmocka_unit_test(free_under_way_is_harmless),
    };
    return cmocka_run_group_tests_name("hook-search", tests, NULL, NULL);
}
