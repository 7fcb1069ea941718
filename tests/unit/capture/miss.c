/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "miss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const ec_misses *misses, const char *expected)
{
    g_autofree char *text = ec_misses_format(misses);

    assert_string_equal(text, expected);
}

static void format_counts_by_reason_with_names_once(void **state)
{
    g_autoptr(ec_misses) misses = ec_misses_new();
    (void)state;

    assert_text(misses, "");
    ec_misses_add(misses, "not known", "");
    ec_misses_add(misses, "no library", "java");
    ec_misses_add(misses, "no library", "workerd");
    ec_misses_add(misses, "no library", "java");
    assert_text(misses, "no library × 3 (java, workerd); not known × 1");
}

static void add_hostile_name_is_made_printable(void **state)
{
    g_autoptr(ec_misses) misses = ec_misses_new();
    (void)state;

    ec_misses_add(misses, "no library", "\033]0;x\007");
    ec_misses_add(misses, "no library", "\033]0;x\007");
    assert_text(misses, "no library × 2 (?]0;x?)");
}

static void move_counts_for_the_other_reason(void **state)
{
    g_autoptr(ec_misses) misses = ec_misses_new();
    (void)state;

    ec_misses_add(misses, "none came", "curl");
    ec_misses_move(misses, "none came", "too late", "curl");
    assert_text(misses, "too late × 1 (curl)");
    ec_misses_move(misses, "none came", "too late", "curl");
    ec_misses_move(misses, "unheard of", "too late", "curl");
    assert_text(misses, "too late × 1 (curl)");
}

static void add_many_reasons_and_names_stays_bounded(void **state)
{
    g_autoptr(ec_misses) misses = ec_misses_new();
    g_autofree char *text = NULL;
    (void)state;

    for (unsigned i = 0; i < 1000; i++) {
        g_autofree char *name = g_strdup_printf("process-%u", i);
        g_autofree char *reason = g_strdup_printf("reason-%u", i);

        ec_misses_add(misses, "common", name);
        ec_misses_add(misses, reason, "x");
    }
    text = ec_misses_format(misses);
    assert_non_null(strstr(text, "common × 1000 (process-0, "));
    assert_non_null(strstr(text, ", …)"));
    assert_non_null(strstr(text, "other reasons × 986"));
    assert_true(strlen(text) < 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(format_counts_by_reason_with_names_once),
        cmocka_unit_test(add_hostile_name_is_made_printable),
        cmocka_unit_test(move_counts_for_the_other_reason),
        cmocka_unit_test(add_many_reasons_and_names_stays_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
