/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parallel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { ITEMS = 1000 };

struct counts {
    gint of[ITEMS], all;
};

static void count(guint item, void *data)
{
    struct counts *counts = data;

    g_atomic_int_inc(&counts->of[item]);
    g_atomic_int_inc(&counts->all);
}

static void for_many_takes_each_once(void **state)
{
    const guint threads[] = {0, 1, 2, 16, 1000};

    (void)state;
    for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
        struct counts counts = {0};

        ec_parallel_for(ITEMS, threads[i], count, &counts);
        assert_int_equal(g_atomic_int_get(&counts.all), ITEMS);
        for (size_t item = 0; item < ITEMS; item++)
            assert_int_equal(g_atomic_int_get(&counts.of[item]), 1);
    }
}

static void for_none_does_nothing(void **state)
{
    struct counts counts = {0};

    (void)state;
    ec_parallel_for(0, 2, count, &counts);
    assert_int_equal(counts.all, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_many_takes_each_once),
        cmocka_unit_test(for_none_does_nothing),
    };
    return cmocka_run_group_tests_name("parallel", tests, NULL, NULL);
}
