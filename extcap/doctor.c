/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor.h"
#include "diagnosis.h"
#include "json.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

/* Columns of the table. */
#define NAME_WIDTH 48
#define JOB_WIDTH 24

static void print_features(ec_features *features)
{
    puts("\nWhat the kernel has:");
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++) {
        const struct ec_feature_info *info = &ec_feature_infos[feature];
        bool present = ec_features_has(features, feature);
        g_autofree char *since = info->since ? g_strdup_printf(" (Linux %s)", info->since) : g_strdup("");
        g_autofree char *name = g_strdup_printf("%s%s", info->name, since);

        if (present)
            printf("  yes  %s\n", name);
        else
            printf("  no   %-*s  %s\n", NAME_WIDTH, name, info->remedy);
    }
}

static void print_findings(const GPtrArray *findings)
{
    puts("\nWhat a capture uses:");
    for (guint i = 0; i < findings->len; i++) {
        const struct ec_finding *finding = g_ptr_array_index(findings, i);

        printf("  %-*s  %s\n", JOB_WIDTH, finding->job, finding->uses ? finding->uses : "NO WAY");
        if (finding->cost)
            printf("  %*s  costs: %s\n", JOB_WIDTH, "", finding->cost);
        if (finding->missing)
            printf("  %*s  missing: %s\n", JOB_WIDTH, "", finding->missing);
    }
}

static void print_table(ec_features *features, const GPtrArray *findings, const struct utsname *host, bool probed)
{
    bool well = ec_diagnosis_is_well(findings);

    printf("%s %s %s\n", host->sysname, host->release, host->machine);
    if (probed)
        print_features(features);
    print_findings(findings);
    if (!probed)
        puts("\nWithout these capabilities nothing else can be asked of the kernel.");
    puts(well ? "\nA capture can start." : "\nA capture can't start.");
}

static void add_features(struct ec_json *json, ec_features *features)
{
    ec_json_open(json, "features", '[');
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++) {
        const struct ec_feature_info *info = &ec_feature_infos[feature];

        ec_json_open(json, NULL, '{');
        ec_json_add_string(json, "name", info->name);
        ec_json_add_string(json, "since", info->since);
        ec_json_add_bool(json, "present", ec_features_has(features, feature));
        ec_json_add_string(json, "remedy", info->remedy);
        ec_json_close(json, '}');
    }
    ec_json_close(json, ']');
}

static void add_findings(struct ec_json *json, const GPtrArray *findings)
{
    ec_json_open(json, "jobs", '[');
    for (guint i = 0; i < findings->len; i++) {
        const struct ec_finding *finding = g_ptr_array_index(findings, i);

        ec_json_open(json, NULL, '{');
        ec_json_add_string(json, "job", finding->job);
        ec_json_add_bool(json, "works", finding->works);
        ec_json_add_string(json, "uses", finding->uses);
        ec_json_add_string(json, "cost", finding->cost);
        ec_json_add_string(json, "missing", finding->missing);
        ec_json_close(json, '}');
    }
    ec_json_close(json, ']');
}

static void print_json(ec_features *features, const GPtrArray *findings, const struct utsname *host, bool probed)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct ec_json json = {.text = text};

    ec_json_open(&json, NULL, '{');
    ec_json_add_bool(&json, "well", ec_diagnosis_is_well(findings));
    ec_json_add_string(&json, "kernel", host->release);
    ec_json_add_string(&json, "machine", host->machine);
    if (probed)
        add_features(&json, features);
    add_findings(&json, findings);
    ec_json_close(&json, '}');
    puts(text->str);
}

int ec_doctor_run(int n_args, char *const *args)
{
    g_autoptr(ec_features) features = NULL;
    g_autoptr(GPtrArray) findings = NULL;
    struct utsname host = {0};
    bool json = n_args == 1 && !strcmp(args[0], "--json"), probed;

    if (n_args > 0 && !json) {
        fprintf(stderr, "ecapture: doctor takes no arguments but --json: leave the others out\n");
        return 2;
    }
    uname(&host);
    features = ec_features_new(NULL);
    findings = ec_diagnosis_new(features);
    probed = findings->len > 1;
    if (json)
        print_json(features, findings, &host, probed);
    else
        print_table(features, findings, &host, probed);
    if (fflush(stdout)) {
        fprintf(stderr, "ecapture: can't write what was found: free the disk or look at the pipe's reader\n");
        return 1;
    }
    return ec_diagnosis_is_well(findings) ? 0 : 1;
}
