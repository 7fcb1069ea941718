/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnosis.h"
#include "privilege.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>
#include <sys/capability.h>

#define ALL UINT32_MAX

static bool may_capture(void)
{
    g_autofree char *missing = ec_privilege_get_missing(true);

    return !*missing;
}

static const struct ec_finding *find(const GPtrArray *findings, const char *job)
{
    for (guint i = 0; i < findings->len; i++)
        if (!strcmp(((const struct ec_finding *)g_ptr_array_index(findings, i))->job, job))
            return g_ptr_array_index(findings, i);
    return NULL;
}

static void new_without_capabilities_asks_nothing_else(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL);
    g_autoptr(GPtrArray) findings = NULL;
    cap_t none = cap_init();

    (void)state;
    assert_int_equal(cap_set_proc(none), 0);
    cap_free(none);
    findings = ec_diagnosis_new(features);
    assert_int_equal(findings->len, 1);
    assert_false(ec_diagnosis_is_well(findings));
    assert_non_null(strstr(find(findings, "capabilities")->missing, "cap_bpf"));
}

static void new_with_all_features_misses_nothing(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL);
    g_autoptr(GPtrArray) findings = NULL;

    (void)state;
    if (!may_capture())
        skip();
    findings = ec_diagnosis_new(features);
    assert_true(ec_diagnosis_is_well(findings));
    for (guint i = 1; i < findings->len; i++) {
        assert_null(((const struct ec_finding *)g_ptr_array_index(findings, i))->missing);
        assert_null(((const struct ec_finding *)g_ptr_array_index(findings, i))->cost);
    }
}

static void new_without_ring_buffer_is_not_well(void **state)
{
    g_autoptr(ec_features) features = ec_features_new_fixed(ALL & ~EC_FEATURE_BIT(RING_BUFFER));
    g_autoptr(GPtrArray) findings = NULL;
    const struct ec_finding *finding;

    (void)state;
    if (!may_capture())
        skip();
    findings = ec_diagnosis_new(features);
    finding = find(findings, "records to user space");
    assert_false(ec_diagnosis_is_well(findings));
    assert_false(finding->works);
    assert_non_null(strstr(finding->missing, "Linux 5.8 or later; the perf buffer of older ones is not used"));
}

static void format_names_cost_and_what_is_missing(void **state)
{
    const struct ec_finding finding = {
        .job = "a job", .works = true, .uses = "a way", .cost = "time", .missing = "luck"};
    const struct ec_finding none = {.job = "a job", .missing = "luck"};
    g_autofree char *some = ec_finding_format(&finding), *nothing = ec_finding_format(&none);

    (void)state;
    assert_string_equal(some, "a job: a way; time; missing luck");
    assert_string_equal(nothing, "a job: no way; missing luck");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_with_all_features_misses_nothing),
        cmocka_unit_test(new_without_ring_buffer_is_not_well),
        cmocka_unit_test(format_names_cost_and_what_is_missing),
        /* Last: what it drops is gone. */
        cmocka_unit_test(new_without_capabilities_asks_nothing_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
