/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(const char *script)
{
    g_auto(ec_command) command = EC_COMMAND_INIT;
    char *const argv[] = {"/bin/sh", "-c", (char *)script, NULL};

    assert_true(ec_command_start(&command, argv, false, NULL));
    ec_command_release(&command);
    return ec_command_wait(&command);
}

static void command_wait_exit_status_is_returned(void **state)
{
    (void)state;
    assert_int_equal(run("exit 0"), 0);
    assert_int_equal(run("exit 42"), 42);
}

static void command_wait_signal_is_128_more(void **state)
{
    (void)state;
    assert_int_equal(run("kill -TERM $$"), 128 + 15);
}

static void command_wait_unknown_program_is_127(void **state)
{
    g_auto(ec_command) command = EC_COMMAND_INIT;
    char *const argv[] = {"/nonexistent/program", NULL};

    (void)state;
    assert_true(ec_command_start(&command, argv, false, NULL));
    ec_command_release(&command);
    assert_int_equal(ec_command_wait(&command), 127);
}

/* Until it is released it does nothing, and without a release it never does. */
static void command_clear_unreleased_command_never_runs(void **state)
{
    g_autofree char *directory = g_dir_make_tmp("ecapture-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "ran", NULL);
    char *const argv[] = {"/usr/bin/touch", path, NULL};
    ec_command command = EC_COMMAND_INIT;

    (void)state;
    assert_true(ec_command_start(&command, argv, false, NULL));
    assert_int_equal(waitpid(command.pid, NULL, WNOHANG), 0);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    ec_command_clear(&command);
    assert_int_equal(command.pid, 0);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    rmdir(directory);
}

static void command_start_signals_are_default_again(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    /* A shell can't trap a signal that was ignored when it started. */
    assert_int_equal(run("trap 'exit 7' PIPE; kill -PIPE $$; exit 1"), 7);
    signal(SIGPIPE, SIG_DFL);
}

static void command_start_ambient_capabilities_are_not_passed_on(void **state)
{
    cap_t caps = cap_get_proc();
    const cap_value_t value = CAP_NET_RAW;
    bool raised = !cap_set_flag(caps, CAP_INHERITABLE, 1, &value, CAP_SET) && !cap_set_proc(caps) &&
                  !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);

    (void)state;
    cap_free(caps);
    if (!raised) {
        print_message("skip: cap_net_raw can't be made ambient here: run as root\n");
        skip();
    }
    assert_int_equal(run("grep -q '^CapAmb:\t0*$' /proc/self/status && grep -q '^CapInh:\t0*$' /proc/self/status"), 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static void command_start_data_on_stdout_is_kept_clean(void **state)
{
    g_auto(ec_command) command = EC_COMMAND_INIT;
    char *const argv[] = {"/bin/sh", "-c", "test \"$(readlink /proc/$$/fd/1)\" = \"$(readlink /proc/$$/fd/2)\"", NULL};

    (void)state;
    assert_true(ec_command_start(&command, argv, true, NULL));
    ec_command_release(&command);
    assert_int_equal(ec_command_wait(&command), 0);
}

static char *find_for_script(const char *text)
{
    g_autofree char *directory = g_dir_make_tmp("ecapture-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "script", NULL);

    assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
    char *program = ec_command_find_program(path);
    /* What is returned may be the script itself. */
    if (program && g_str_equal(program, path)) {
        g_free(program);
        program = g_strdup("itself");
    }
    unlink(path);
    rmdir(directory);
    return program;
}

static void command_find_program_script_is_its_interpreter(void **state)
{
    static const struct {
        const char *text, *program;
    } cases[] = {
        {"#!/bin/some interpreter\n", "/bin/some"},
        {"#! \t/bin/some\nmore\n", "/bin/some"},
        {"#!/usr/bin/env sh\n", "sh"},
        {"#!/usr/bin/env -S NAME=value sh -e\n", "sh"},
        {"#!/usr/bin/env\n", "itself"},
        {"#!/usr/bin/env no-such-program-here\n", "itself"},
        {"#!", "itself"},
        {"\n#!/bin/some\n", "itself"},
        {"", "itself"},
    };

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *program = find_for_script(cases[i].text);
        g_autofree char *wanted =
            g_str_equal(cases[i].program, "sh") ? g_find_program_in_path("sh") : g_strdup(cases[i].program);

        assert_string_equal(program, wanted);
    }
}

static void command_find_program_looks_through_path(void **state)
{
    g_autofree char *program = ec_command_find_program("sh"), *wanted = g_find_program_in_path("sh");

    (void)state;
    assert_string_equal(program, wanted);
    assert_null(ec_command_find_program("no-such-program-here"));
    assert_null(ec_command_find_program("/nonexistent/program"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_wait_exit_status_is_returned),
        cmocka_unit_test(command_wait_signal_is_128_more),
        cmocka_unit_test(command_wait_unknown_program_is_127),
        cmocka_unit_test(command_clear_unreleased_command_never_runs),
        cmocka_unit_test(command_start_signals_are_default_again),
        cmocka_unit_test(command_start_ambient_capabilities_are_not_passed_on),
        cmocka_unit_test(command_start_data_on_stdout_is_kept_clean),
        cmocka_unit_test(command_find_program_script_is_its_interpreter),
        cmocka_unit_test(command_find_program_looks_through_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
