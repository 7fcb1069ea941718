/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "way.h"

#include <string.h>

#define BIT(name) EC_FEATURE_BIT(name)
#define TRACED_SOCKETS (BIT(BTF) | BIT(READ_KERNEL) | BIT(SOCKET_STORAGE))

const struct ec_way_info ec_way_infos[] = {
    [EC_WAY_TYPES_KERNEL] = {EC_JOB_TYPES, "the kernel's own BTF", BIT(BTF) | BIT(READ_KERNEL), NULL},
    [EC_WAY_TYPES_FILE] = {EC_JOB_TYPES, "a BTF file", BIT(BTF_FILE) | BIT(READ_KERNEL),
                           "the last packets of closed connections lack their process"},
    [EC_WAY_TYPES_NONE] = {EC_JOB_TYPES, "none: no structure of the kernel is read", 0,
                           "processes go by their threads' names; the last packets of closed connections lack their "
                           "process"},
    [EC_WAY_PACKETS_TCX] = {EC_JOB_PACKETS, "TCX links, ahead of all others", BIT(BPF) | BIT(TCX), NULL},
    [EC_WAY_PACKETS_CLSACT] = {EC_JOB_PACKETS, "tc filters at clsact", BIT(BPF) | BIT(CLSACT),
                               "another's filter may take packets away unseen; a killed capture leaves its filters "
                               "until the next start"},
    [EC_WAY_OWNERS_TRACEPOINTS] = {EC_JOB_OWNERS, "socket storage, written at tracepoints",
                                   BIT(BPF) | TRACED_SOCKETS | BIT(SOCKET_LENGTH), NULL},
    [EC_WAY_OWNERS_FENTRY] = {EC_JOB_OWNERS, "socket storage, written at function entries (fentry)",
                              BIT(BPF) | TRACED_SOCKETS | BIT(FENTRY), "some more time at each send and receive"},
    [EC_WAY_OWNERS_KPROBES] = {EC_JOB_OWNERS, "a table of sockets, written by kprobes", BIT(BPF) | BIT(KPROBE),
                               "some more time at each send and receive; the last packets of some connections lack "
                               "their process"},
    [EC_WAY_OWNERS_CREATOR] = {EC_JOB_OWNERS, "socket storage, written at socket()",
                               BIT(BPF) | BIT(SOCKET_CREATE) | BIT(CGROUP2),
                               "a connection that another process took over is shown as its creator's"},
    [EC_WAY_OWNERS_NONE] = {EC_JOB_OWNERS, "none", BIT(BPF),
                            "packets carry no process, and --pid and --uid can't be used"},
    [EC_WAY_NEW_SOCKETS_CGROUP] = {EC_JOB_NEW_SOCKETS, "at socket(), by a cgroup program",
                                   BIT(BPF) | BIT(SOCKET_CREATE) | BIT(CGROUP2), NULL},
    [EC_WAY_NEW_SOCKETS_LATER] = {EC_JOB_NEW_SOCKETS, "at connect(), listen() and the first send or receive", BIT(BPF),
                                  "the first packets of UDP sockets that only receive lack their process"},
    [EC_WAY_OLD_SOCKETS_ITERATOR] = {EC_JOB_OLD_SOCKETS, "an iterator over all processes' files",
                                     BIT(BPF) | TRACED_SOCKETS | BIT(SOCKET_ITERATOR), NULL},
    [EC_WAY_OLD_SOCKETS_BORROW] = {EC_JOB_OLD_SOCKETS, "/proc, each socket borrowed for a moment",
                                   BIT(BPF) | BIT(PIDFD_GETFD), "a slower start where there are many sockets"},
    [EC_WAY_OLD_SOCKETS_LATER] = {EC_JOB_OLD_SOCKETS, "at their next send or receive", BIT(BPF),
                                  "their packets lack their process until then"},
    [EC_WAY_PROCESSES_TRACEPOINTS] = {EC_JOB_PROCESSES, "tracepoints", BIT(BPF) | BIT(BTF) | BIT(READ_KERNEL), NULL},
    [EC_WAY_PROCESSES_TASKS] = {EC_JOB_PROCESSES, "raw tracepoints, tasks by their addresses",
                                BIT(BPF) | BIT(RAW_TRACEPOINT),
                                "a process whose first thread ends before its others is lost to --pid"},
    [EC_WAY_PROCESSES_START] = {EC_JOB_PROCESSES, "not at all", 0, "children of a filtered process are missed"},
    [EC_WAY_EVENTS_RING_BUFFER] = {EC_JOB_EVENTS, "ring buffers", BIT(BPF) | BIT(RING_BUFFER), NULL},
    [EC_WAY_UPROBES_LINKS] = {EC_JOB_UPROBES, "uprobe links", BIT(BPF) | BIT(UPROBE_MULTI), NULL},
    [EC_WAY_UPROBES_EVENTS] = {EC_JOB_UPROBES, "uprobe events", BIT(BPF) | BIT(UPROBE_PERF) | BIT(ATTACH_COOKIE),
                               "cap_sys_admin, which some kernels ask for, is kept after the start"},
    [EC_WAY_UPROBES_COPIES] = {EC_JOB_UPROBES, "uprobe events, each with a program of its own",
                               BIT(BPF) | BIT(UPROBE_PERF),
                               "some more memory; cap_sys_admin, which some kernels ask for, is kept after the start"},
    [EC_WAY_FAULTS_SLEEP] = {EC_JOB_FAULTS, "fetched, by uprobes that may sleep", BIT(BPF) | BIT(SLEEPABLE_UPROBE),
                             NULL},
    [EC_WAY_FAULTS_COUNT] = {EC_JOB_FAULTS, "not fetched", BIT(BPF),
                             "a secret in memory that is paged out is lost, and counted"},
    [EC_WAY_MAPPINGS_EVENTS] = {EC_JOB_MAPPINGS, "perf events", BIT(MAPPING_EVENTS), NULL},
    [EC_WAY_MAPPINGS_START] = {EC_JOB_MAPPINGS, "/proc, looked through at the start", 0,
                               "libraries loaded later are not hooked"},
    [EC_WAY_PLAINTEXT_TRACEPOINTS] = {EC_JOB_PLAINTEXT, "its socket by tracepoints",
                                      BIT(BPF) | TRACED_SOCKETS | BIT(SOCKET_LENGTH), NULL},
    [EC_WAY_PLAINTEXT_FENTRY] = {EC_JOB_PLAINTEXT, "its socket by function entries (fentry)",
                                 BIT(BPF) | TRACED_SOCKETS | BIT(FENTRY), "some more time at each send and receive"},
    [EC_WAY_PLAINTEXT_NONE] = {EC_JOB_PLAINTEXT, "none", BIT(BPF), "--plaintext and text mode can't be used"},
};
_Static_assert(G_N_ELEMENTS(ec_way_infos) == EC_WAY_MAX, "a row per way");

static const char *const job_names[] = {
    [EC_JOB_TYPES] = "types of the kernel",
    [EC_JOB_PACKETS] = "packets",
    [EC_JOB_OWNERS] = "processes of sockets",
    [EC_JOB_NEW_SOCKETS] = "new sockets",
    [EC_JOB_OLD_SOCKETS] = "sockets from before",
    [EC_JOB_PROCESSES] = "children of processes",
    [EC_JOB_EVENTS] = "records to user space",
    [EC_JOB_UPROBES] = "library probes",
    [EC_JOB_FAULTS] = "memory paged out",
    [EC_JOB_MAPPINGS] = "new libraries",
    [EC_JOB_PLAINTEXT] = "plaintext",
};
_Static_assert(G_N_ELEMENTS(job_names) == EC_JOB_MAX, "a name per job");

const char *ec_job_get_name(enum ec_job job)
{
    return job_names[job];
}

enum ec_way ec_job_get_best_way(enum ec_job job)
{
    enum ec_way way = 0;

    while (ec_way_infos[way].job != job)
        way++;
    return way;
}

uint32_t ec_way_get_missing(ec_features *features, enum ec_way way)
{
    uint32_t needs = ec_way_infos[way].needs, missing = 0;

    if ((needs & BIT(BPF)) && !ec_features_has(features, EC_FEATURE_BPF))
        return BIT(BPF);
    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++)
        if ((needs & 1u << feature) && !ec_features_has(features, feature))
            missing |= 1u << feature;
    return missing;
}

enum ec_way ec_way_choose(ec_features *features, enum ec_job job)
{
    enum ec_way way = 0;

    while (way < EC_WAY_MAX && (ec_way_infos[way].job != job || ec_way_get_missing(features, way) != 0))
        way++;
    return way;
}

bool ec_ways_have(const enum ec_way *ways, enum ec_way way)
{
    return ways[ec_way_infos[way].job] == way;
}

char *ec_way_describe_missing(ec_features *features, enum ec_way way)
{
    uint32_t missing = ec_way_get_missing(features, way);
    GString *text = g_string_new(NULL);

    for (enum ec_feature feature = 0; feature < EC_FEATURE_MAX; feature++)
        if (missing & 1u << feature)
            g_string_append_printf(text, "%s%s: %s", text->len ? "; " : "", ec_feature_infos[feature].name,
                                   ec_feature_infos[feature].remedy);
    return g_string_free(text, FALSE);
}

char *ec_job_describe_missing(ec_features *features, enum ec_job job)
{
    GString *text = g_string_new(NULL);

    for (enum ec_way way = ec_job_get_best_way(job); way < EC_WAY_MAX && ec_way_infos[way].job == job; way++) {
        g_autofree char *missing = ec_way_describe_missing(features, way);

        if (!strstr(text->str, missing))
            g_string_append_printf(text, "%s%s", text->len ? "; or " : "", missing);
    }
    return g_string_free(text, FALSE);
}
