/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hooked-set.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void ec_hooked_set_contains_only_what_was_added(void **state)
{
    g_autoptr(ec_hooked_set) set = ec_hooked_set_new(10);

    (void)state;
    assert_true(ec_hooked_set_add(set, 7));
    assert_true(ec_hooked_set_contains(set, 7));
    assert_false(ec_hooked_set_contains(set, 8));
    ec_hooked_set_remove(set, 7);
    ec_hooked_set_remove(set, 8);
    assert_false(ec_hooked_set_contains(set, 7));
    assert_true(ec_hooked_set_add(set, 7));
    ec_hooked_set_clear(set);
    assert_false(ec_hooked_set_contains(set, 7));
}

static void ec_hooked_set_inherit_follows_forks_of_members(void **state)
{
    g_autoptr(ec_hooked_set) set = ec_hooked_set_new(10);

    (void)state;
    ec_hooked_set_add(set, 7);
    ec_hooked_set_inherit(set, 8, 7);
    ec_hooked_set_inherit(set, 9, 6);
    assert_true(ec_hooked_set_contains(set, 8));
    assert_false(ec_hooked_set_contains(set, 9));
}

static void ec_hooked_set_add_full_takes_no_more(void **state)
{
    g_autoptr(ec_hooked_set) set = ec_hooked_set_new(2);

    (void)state;
    assert_true(ec_hooked_set_add(set, 1));
    assert_true(ec_hooked_set_add(set, 2));
    assert_true(ec_hooked_set_add(set, 2));
    assert_false(ec_hooked_set_add(set, 3));
    assert_false(ec_hooked_set_contains(set, 3));
    ec_hooked_set_remove(set, 1);
    assert_true(ec_hooked_set_add(set, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_hooked_set_contains_only_what_was_added),
        cmocka_unit_test(ec_hooked_set_inherit_follows_forks_of_members),
        cmocka_unit_test(ec_hooked_set_add_full_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
