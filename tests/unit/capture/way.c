/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "way.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define ALL UINT32_MAX
#define BIT(name) EC_FEATURE_BIT(name)

static void choose_with_all_features_takes_the_best(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL);

    (void)state;
    for (enum ec_job job = 0; job < EC_JOB_MAX; job++) {
        assert_int_equal(ec_way_choose(features, job), ec_job_get_best_way(job));
        assert_null(ec_way_infos[ec_job_get_best_way(job)].cost);
    }
}

static void choose_without_tcx_takes_clsact(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL & ~BIT(TCX));
    g_autofree char *missing = ec_way_describe_missing(features, EC_WAY_PACKETS_TCX);

    (void)state;
    assert_int_equal(ec_way_choose(features, EC_JOB_PACKETS), EC_WAY_PACKETS_CLSACT);
    assert_non_null(strstr(missing, "Linux 6.6"));
}

/* As tests/kernels found them. */
static void choose_on_linux_5_10_takes_the_fallbacks(void **state)
{
    g_autoptr(ec_features) features =
        ec_features_new_fixed(ALL & ~(BIT(TCX) | BIT(SOCKET_STORAGE) | BIT(SOCKET_ITERATOR) | BIT(SOCKET_LENGTH) |
                                      BIT(UPROBE_MULTI) | BIT(ATTACH_COOKIE) | BIT(SLEEPABLE_UPROBE)));

    (void)state;
    assert_int_equal(ec_way_choose(features, EC_JOB_TYPES), EC_WAY_TYPES_KERNEL);
    assert_int_equal(ec_way_choose(features, EC_JOB_OWNERS), EC_WAY_OWNERS_KPROBES);
    assert_int_equal(ec_way_choose(features, EC_JOB_OLD_SOCKETS), EC_WAY_OLD_SOCKETS_BORROW);
    assert_int_equal(ec_way_choose(features, EC_JOB_UPROBES), EC_WAY_UPROBES_COPIES);
    assert_int_equal(ec_way_choose(features, EC_JOB_PLAINTEXT), EC_WAY_PLAINTEXT_NONE);
}

static void choose_without_btf_reads_no_structure(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL & ~(BIT(BTF) | BIT(BTF_FILE)));

    (void)state;
    assert_int_equal(ec_way_choose(features, EC_JOB_TYPES), EC_WAY_TYPES_NONE);
    assert_int_equal(ec_way_choose(features, EC_JOB_OWNERS), EC_WAY_OWNERS_KPROBES);
    assert_int_equal(ec_way_choose(features, EC_JOB_PROCESSES), EC_WAY_PROCESSES_TASKS);
}

static void choose_without_any_way_tells_so(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL & ~BIT(RING_BUFFER));

    (void)state;
    assert_int_equal(ec_way_choose(features, EC_JOB_EVENTS), EC_WAY_MAX);
}

static void describe_missing_of_a_job_names_every_way(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL & ~(BIT(TCX) | BIT(CLSACT)));
    g_autoptr(ec_features) none = ec_features_new_fixed(0);
    g_autofree char *text = ec_job_describe_missing(features, EC_JOB_PACKETS);
    g_autofree char *bpf = ec_job_describe_missing(none, EC_JOB_PACKETS);

    (void)state;
    assert_non_null(strstr(text, "TCX links: Linux 6.6 or later; or tc filters (clsact): "));
    assert_true(g_str_has_prefix(bpf, "eBPF, allowed: "));
    assert_null(strstr(bpf, "; or "));
}

static void get_missing_without_bpf_is_bpf_alone(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(0);

    (void)state;
    assert_int_equal(ec_way_get_missing(features, EC_WAY_OWNERS_TRACEPOINTS), BIT(BPF));
    assert_int_equal(ec_way_get_missing(features, EC_WAY_MAPPINGS_EVENTS), BIT(MAPPING_EVENTS));
}

static void every_worse_way_says_what_it_costs(void **state)
{
    (void)state;
    for (enum ec_way way = 0; way < EC_WAY_MAX; way++)
        if (way != ec_job_get_best_way(ec_way_infos[way].job))
            assert_non_null(ec_way_infos[way].cost);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choose_with_all_features_takes_the_best),
        cmocka_unit_test(choose_without_tcx_takes_clsact),
        cmocka_unit_test(choose_without_any_way_tells_so),
        cmocka_unit_test(describe_missing_of_a_job_names_every_way),
        cmocka_unit_test(get_missing_without_bpf_is_bpf_alone),
        cmocka_unit_test(choose_on_linux_5_10_takes_the_fallbacks),
        cmocka_unit_test(choose_without_btf_reads_no_structure),
        cmocka_unit_test(every_worse_way_says_what_it_costs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
