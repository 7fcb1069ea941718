/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "help.h"
#include "option.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* All of it, without a module; free() it. */
static char *print_help(const struct ec_module *module)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    ec_help_print(out, module);
    fclose(out);
    return text;
}

static void help_print_every_option_of_the_command_line_is_told(void **state)
{
    char *text = print_help(NULL);

    (void)state;
    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        g_autofree char *name = g_strdup_printf(" --%s", ec_option_table[i].name);

        if (ec_option_table[i].fronts & EC_FRONT_CLI)
            assert_non_null(strstr(text, name));
    }
    assert_null(strstr(text, "--module"));
    free(text);
}

static void help_print_no_line_is_too_long(void **state)
{
    char *text = print_help(NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    (void)state;
    for (char **line = lines; *line; line++)
        assert_true(g_utf8_strlen(*line, -1) <= 80);
    free(text);
}

static void help_print_module_only_its_options_are_told(void **state)
{
    char *tls = print_help(ec_module_get("tls"));
    char *bash = print_help(ec_module_get("bash"));

    (void)state;
    assert_non_null(strstr(tls, "Usage: ecapture tls [OPTION]... [CAPTURE FILTER]\n"));
    assert_non_null(strstr(tls, "--libssl"));
    assert_non_null(strstr(tls, "--hold"));
    assert_null(strstr(tls, "--readlineso"));
    assert_non_null(strstr(bash, "Usage: ecapture bash [OPTION]...\n"));
    assert_non_null(strstr(bash, "--readlineso"));
    assert_non_null(strstr(bash, "--pcapfile"));
    assert_null(strstr(bash, "--hold"));
    assert_null(strstr(bash, "--keylogfile"));
    free(tls);
    free(bash);
}

static void help_print_module_no_line_is_too_long(void **state)
{
    (void)state;
    for (size_t i = 0; i < EC_MODULE_MAX; i++) {
        char *text = print_help(&ec_modules[i]);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
            assert_true(g_utf8_strlen(*line, -1) <= 80);
        free(text);
    }
}

static void help_format_troff_dashes_are_minus_signs(void **state)
{
    g_autofree char *troff = ec_help_format_troff();

    (void)state;
    assert_non_null(strstr(troff, "\\fB\\-p\\fR, \\fB\\-\\-pid\\fR \\fIPID[,PID...]\\fR\n"));
    assert_null(strstr(troff, "--"));
    assert_non_null(strstr(troff, "module\\fR \\fIMODULE\\fR (Wireshark only)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(help_print_every_option_of_the_command_line_is_told),
        cmocka_unit_test(help_print_no_line_is_too_long),
        cmocka_unit_test(help_print_module_only_its_options_are_told),
        cmocka_unit_test(help_print_module_no_line_is_too_long),
        cmocka_unit_test(help_format_troff_dashes_are_minus_signs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
