/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <unistd.h>

static void has_the_same_answer_twice(void **state)
{
    g_autoptr(ec_features) features = ec_features_new(NULL);

    (void)state;
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++) {
        bool first = ec_features_has(features, feature);

        assert_int_equal(ec_features_has(features, feature), first);
    }
}

static void has_what_a_capture_cannot_do_without(void **state)
{
    g_autoptr(ec_features) features = ec_features_new(NULL);

    (void)state;
    if (geteuid() != 0 || access("/sys/kernel/btf/vmlinux", R_OK))
        skip(); /* the probes need a capture's privileges */
    assert_true(ec_features_has(features, EC_FEATURE_BPF));
    assert_true(ec_features_has(features, EC_FEATURE_BTF));
    assert_true(ec_features_has_function(features, "tcp_sendmsg"));
    assert_false(ec_features_has_function(features, "no such function"));
}

static void new_fixed_has_what_it_was_given(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(EC_FEATURE_BIT(TCX));

    (void)state;
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++)
        assert_int_equal(ec_features_has(features, feature), feature == EC_FEATURE_TCX);
}

static void every_feature_has_a_name_and_a_remedy(void **state)
{
    (void)state;
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++) {
        assert_non_null(ec_feature_infos[feature].name);
        assert_non_null(ec_feature_infos[feature].remedy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_the_same_answer_twice),
        cmocka_unit_test(has_what_a_capture_cannot_do_without),
        cmocka_unit_test(new_fixed_has_what_it_was_given),
        cmocka_unit_test(every_feature_has_a_name_and_a_remedy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
