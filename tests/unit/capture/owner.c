/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "owner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void get_after_set_returns_newest(void **state)
{
    g_autoptr(ec_owners) owners = ec_owners_new(4);
    (void)state;

    assert_null(ec_owners_get(owners, 7));
    ec_owners_set(owners, 7, &(struct ec_owner){.pid = 1});
    ec_owners_set(owners, 7, &(struct ec_owner){.pid = 2});
    assert_int_equal(ec_owners_get(owners, 7)->pid, 2);
}

static void set_beyond_capacity_evicts_oldest(void **state)
{
    g_autoptr(ec_owners) owners = ec_owners_new(4);
    (void)state;

    for (uint32_t i = 1; i <= 6; i++)
        ec_owners_set(owners, i, &(struct ec_owner){.pid = i});
    assert_null(ec_owners_get(owners, 1));
    assert_null(ec_owners_get(owners, 2));
    for (uint32_t i = 3; i <= 6; i++)
        assert_int_equal(ec_owners_get(owners, i)->pid, i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_after_set_returns_newest),
        cmocka_unit_test(set_beyond_capacity_evicts_oldest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
