/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "diagnosis.h"

#include "log.h"
#include "privilege.h"
#include "way.h"

static void finding_free(gpointer data)
{
    struct ec_finding *finding = data;

    g_free(finding->missing);
    g_free(finding);
}

static struct ec_finding *finding_add(GPtrArray *findings, const char *job)
{
    struct ec_finding *finding = g_new0(struct ec_finding, 1);

    finding->job = job;
    finding->works = true;
    g_ptr_array_add(findings, finding);
    return finding;
}

static bool examine_capabilities(GPtrArray *findings)
{
    struct ec_finding *finding = finding_add(findings, "capabilities");
    g_autofree char *required = ec_privilege_get_missing(true), *optional = ec_privilege_get_missing(false);

    finding->works = !*required;
    finding->uses = *required ? NULL : *optional ? "those that a capture can't do without" : "all";
    if (!*required && *optional)
        finding->cost = "deleted libraries and those in private folders are not hooked";
    if (*required || *optional)
        finding->missing = g_strdup_printf("%s: %s", *required ? required : optional, ec_privilege_get_remedy());
    return finding->works;
}

static void examine_job(GPtrArray *findings, ec_features *features, enum ec_job job)
{
    struct ec_finding *finding = finding_add(findings, ec_job_get_name(job));
    enum ec_way way = ec_way_choose(features, job), best = ec_job_get_best_way(job);

    finding->works = way != EC_WAY_MAX;
    if (finding->works) {
        finding->uses = ec_way_infos[way].name;
        finding->cost = ec_way_infos[way].cost;
    } else {
        finding->missing = ec_job_describe_missing(features, job);
    }
    if (finding->works && way != best)
        finding->missing = ec_way_describe_missing(features, best);
}

GPtrArray *ec_diagnosis_new(ec_features *features)
{
    GPtrArray *findings = g_ptr_array_new_with_free_func(finding_free);

    if (examine_capabilities(findings))
        for (enum ec_job job = 0; job < EC_JOB_MAX; job++)
            examine_job(findings, features, job);
    return findings;
}

bool ec_diagnosis_is_well(const GPtrArray *findings)
{
    for (guint i = 0; i < findings->len; i++)
        if (!((const struct ec_finding *)g_ptr_array_index(findings, i))->works)
            return false;
    return true;
}

char *ec_finding_format(const struct ec_finding *finding)
{
    GString *text = g_string_new(NULL);

    g_string_append_printf(text, "%s: %s", finding->job, finding->uses ? finding->uses : "no way");
    if (finding->cost)
        g_string_append_printf(text, "; %s", finding->cost);
    if (finding->missing)
        g_string_append_printf(text, "; missing %s", finding->missing);
    return g_string_free(text, FALSE);
}

void ec_diagnosis_log(ec_features *features)
{
    g_autoptr(GPtrArray) findings = ec_diagnosis_new(features);

    for (guint i = 0; i < findings->len; i++) {
        g_autofree char *line = ec_finding_format(g_ptr_array_index(findings, i));

        ec_log_info("%s", line);
    }
}
