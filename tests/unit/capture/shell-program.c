/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shell-program.h"

#include "abi.h"
#include "descriptor.h"
#include "elf-image.h"
#include "hook-point.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int open_fixture(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/%s", EC_TEST_FIXTURES, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static uint64_t get_address(int fd, const char *name)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    struct ec_elf_symbol symbol;

    assert_true(ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, name, &symbol));
    return symbol.address;
}

static uint64_t get_offset(int fd, uint64_t address)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    uint64_t offset;

    assert_true(ec_elf_image_get_offset(image, address, &offset));
    return offset;
}

/* The probe of this kind at the entry of a function, its first variable where its cookie says. */
static void assert_entry(int fd, const struct ec_probe *probe, enum ec_uprobe uprobe, const char *function,
                         const char *variable)
{
    const uint64_t entry = get_address(fd, function);

    assert_int_equal(probe->uprobe, uprobe);
    assert_false(probe->at_return);
    assert_int_equal(probe->offset, get_offset(fd, entry));
    if (variable)
        assert_int_equal(entry + (uint64_t)(int64_t)EC_VARIABLES_COOKIE_FIRST(probe->cookie),
                         get_address(fd, variable));
}

/* The rest of the plan: at instructions of the function, which return. */
static void assert_returns(int fd, const struct ec_probe_plan *plan, size_t from, enum ec_uprobe uprobe,
                           const char *function, const char *second)
{
    const uint64_t entry = get_address(fd, function), start = get_offset(fd, entry);

    assert_true(plan->n_probes > from);
    for (size_t i = from; i < plan->n_probes; i++) {
        const struct ec_probe *probe = &plan->probes[i];
        const uint64_t address = entry + (probe->offset - start);
        uint8_t code[4] = {0};

        assert_int_equal(probe->uprobe, uprobe);
        assert_true(probe->offset > start);
        assert_int_equal(pread(fd, code, sizeof(code), (off_t)probe->offset), sizeof(code));
#if defined(__x86_64__)
        assert_true(code[0] == 0xc3 || code[1] == 0xc3);
#endif
        if (second)
            assert_int_equal(address + (uint64_t)(int64_t)EC_VARIABLES_COOKIE_SECOND(probe->cookie),
                             get_address(fd, second));
    }
}

static void bash_find_probes_exported_names_gives_plan(void **state)
{
    g_auto(ec_fd) fd = open_fixture("bash");
    g_autoptr(GError) error = NULL;
    struct ec_probe_plan plan;
    (void)state;

    assert_true(ec_bash_matches(fd));
    assert_false(ec_zsh_matches(fd));
    assert_true(ec_bash_find_probes(fd, &plan, &error));
    assert_string_equal(plan.version, "5.2.15");
    assert_entry(fd, &plan.probes[0], EC_UPROBE_SHELL_DONE, "read_command", "last_command_exit_value");
    assert_entry(fd, &plan.probes[1], EC_UPROBE_BASH_PROMPT, "readline", "executing");
    assert_returns(fd, &plan, 2, EC_UPROBE_BASH_LINE, "readline", "the_current_working_directory");
}

static void zsh_find_probes_exported_names_gives_plan(void **state)
{
    g_auto(ec_fd) fd = open_fixture("zsh");
    g_autoptr(GError) error = NULL;
    struct ec_probe_plan plan;
    (void)state;

    assert_true(ec_zsh_matches(fd));
    assert_false(ec_bash_matches(fd));
    assert_true(ec_zsh_find_probes(fd, &plan, &error));
    assert_string_equal(plan.version, "5.9");
    assert_entry(fd, &plan.probes[0], EC_UPROBE_SHELL_DONE, "preprompt", "lastval");
    assert_entry(fd, &plan.probes[1], EC_UPROBE_ZSH_ENTRY, "zleentry", NULL);
    assert_returns(fd, &plan, 2, EC_UPROBE_ZSH_LINE, "zleentry", NULL);
}

static void bash_find_probes_library_gives_lines_alone(void **state)
{
    g_auto(ec_fd) fd = open_fixture("libreadline");
    g_autoptr(GError) error = NULL;
    struct ec_probe_plan plan;
    (void)state;

    assert_false(ec_bash_matches(fd));
    assert_true(ec_bash_find_probes(fd, &plan, &error));
    assert_string_equal(plan.version, "");
    assert_returns(fd, &plan, 0, EC_UPROBE_READLINE_LINE, "readline", NULL);
}

static void assert_refused(const char *name, bool matches, const char *reason)
{
    g_auto(ec_fd) fd = open_fixture(name);
    g_autoptr(GError) error = NULL;
    struct ec_probe_plan plan = {.n_probes = 99};

    assert_int_equal(ec_bash_matches(fd), matches);
    assert_false(ec_bash_find_probes(fd, &plan, &error));
    assert_int_equal(plan.n_probes, 99);
    assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN));
    assert_non_null(strstr(error->message, reason));
}

static void bash_find_probes_without_names_says_why(void **state)
{
    (void)state;

    assert_refused("bash-without-names", true, "it has no symbol read_command");
    assert_refused("bash-without-editor", true, "--readlineso");
    assert_refused("zsh", false, "no bash");
}

static void bash_find_probes_tail_call_is_refused(void **state)
{
    (void)state;

    assert_refused("tail-call", false, "where its readline returns");
}

static void readline_find_probes_address_gives_its_return(void **state)
{
    g_auto(ec_fd) fd = open_fixture("libreadline");
    const uint64_t address = get_address(fd, "readline");
    g_autoptr(GError) error = NULL;
    struct ec_probe_plan plan = {.n_probes = 99};
    (void)state;

    assert_false(ec_readline_find_probes(fd, UINT64_C(1) << 40, &plan, &error));
    assert_true(g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN));
    assert_int_equal(plan.n_probes, 99);
    assert_true(ec_readline_find_probes(fd, address, &plan, NULL));
    assert_int_equal(plan.n_probes, 1);
    assert_int_equal(plan.probes[0].uprobe, EC_UPROBE_READLINE_LINE);
    assert_true(plan.probes[0].at_return);
    assert_int_equal(plan.probes[0].offset, get_offset(fd, address));
}

static void path_split_takes_addresses_alone(void **state)
{
    static const char *const others[] = {"/bin/x",        "/bin/x@", "/bin/x@0x", "/bin/x@12",
                                         "/opt/a@0x12/x", "x@0x12g", "x@0x-1"};
    const char *program = "/proc/self/exe@0x4f3c0";
    g_autofree char *path = NULL;
    uint64_t address = 0;
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        assert_false(ec_shell_path_split(others[i], &path, &address));
    assert_null(path);
    assert_true(ec_shell_path_split(program, &path, &address));
    assert_string_equal(path, "/proc/self/exe");
    assert_int_equal(address, 0x4f3c0);
}

static void matches_other_files_is_false(void **state)
{
    g_auto(ec_fd) itself = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    g_auto(ec_fd) none = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    (void)state;

    assert_false(ec_bash_matches(itself));
    assert_false(ec_zsh_matches(itself));
    assert_false(ec_bash_matches(none));
    assert_false(ec_zsh_matches(none));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bash_find_probes_exported_names_gives_plan),
        cmocka_unit_test(zsh_find_probes_exported_names_gives_plan),
        cmocka_unit_test(bash_find_probes_library_gives_lines_alone),
        cmocka_unit_test(bash_find_probes_without_names_says_why),
        cmocka_unit_test(bash_find_probes_tail_call_is_refused),
        cmocka_unit_test(readline_find_probes_address_gives_its_return),
        cmocka_unit_test(path_split_takes_addresses_alone),
        cmocka_unit_test(matches_other_files_is_false),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
