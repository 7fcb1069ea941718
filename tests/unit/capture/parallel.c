/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ITEMS = 1000 };

static void count(void *item, void *data)
{
    g_atomic_int_inc((gint *)item);
    g_atomic_int_inc((gint *)data);
}

static void foreach_many_takes_each_once(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    gint counts[ITEMS] = {0}, all = 0;

    for (int i = 0; i < ITEMS; i++)
        g_ptr_array_add(items, &counts[i]);
    ec_parallel_foreach(items, count, &all);
    assert_int_equal(g_atomic_int_get(&all), ITEMS);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(g_atomic_int_get(&counts[i]), 1);
}

static void foreach_none_does_nothing(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) items = g_ptr_array_new();
    gint all = 0;

    ec_parallel_foreach(items, count, &all);
    assert_int_equal(all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreach_many_takes_each_once),
        cmocka_unit_test(foreach_none_does_nothing),
    };
    return cmocka_run_group_tests_name("parallel", tests, NULL, NULL);
}
