/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How each job of a capture can be done, best way first, and what each needs of the kernel. The capture takes the first
 * way whose features are all there; `ecapture doctor` shows the same choice.
 */
#include "feature.h"

#include <stdint.h>

enum ec_job {
    EC_JOB_TYPES,
    EC_JOB_PACKETS,
    EC_JOB_OWNERS,
    EC_JOB_NEW_SOCKETS,
    EC_JOB_OLD_SOCKETS,
    EC_JOB_PROCESSES,
    EC_JOB_EVENTS,
    EC_JOB_UPROBES,
    EC_JOB_FAULTS,
    EC_JOB_MAPPINGS,
    EC_JOB_PLAINTEXT,
    EC_JOB_MAX,
};

enum ec_way {
    EC_WAY_TYPES_KERNEL,
    EC_WAY_TYPES_FILE,
    EC_WAY_TYPES_NONE,
    EC_WAY_PACKETS_TCX,
    EC_WAY_PACKETS_CLSACT,
    EC_WAY_OWNERS_TRACEPOINTS,
    EC_WAY_OWNERS_FENTRY,
    EC_WAY_OWNERS_KPROBES,
    EC_WAY_OWNERS_CREATOR,
    EC_WAY_OWNERS_NONE,
    EC_WAY_NEW_SOCKETS_CGROUP,
    EC_WAY_NEW_SOCKETS_LATER,
    EC_WAY_OLD_SOCKETS_ITERATOR,
    EC_WAY_OLD_SOCKETS_BORROW,
    EC_WAY_OLD_SOCKETS_LATER,
    EC_WAY_PROCESSES_TRACEPOINTS,
    EC_WAY_PROCESSES_TASKS,
    EC_WAY_PROCESSES_START,
    EC_WAY_EVENTS_RING_BUFFER,
    EC_WAY_UPROBES_LINKS,
    EC_WAY_UPROBES_EVENTS,
    EC_WAY_UPROBES_COPIES,
    EC_WAY_FAULTS_SLEEP,
    EC_WAY_FAULTS_COUNT,
    EC_WAY_MAPPINGS_EVENTS,
    EC_WAY_MAPPINGS_START,
    EC_WAY_PLAINTEXT_TRACEPOINTS,
    EC_WAY_PLAINTEXT_FENTRY,
    EC_WAY_PLAINTEXT_NONE,
    EC_WAY_MAX, /* also: no way */
};

struct ec_way_info {
    enum ec_job job;
    const char *name;
    uint32_t needs;   /* bits of enum ec_feature */
    const char *cost; /* against the best way; NULL: it is the best */
};
extern const struct ec_way_info ec_way_infos[EC_WAY_MAX];

const char *ec_job_get_name(enum ec_job job);
enum ec_way ec_job_get_best_way(enum ec_job job);
/* The best way that this kernel has, EC_WAY_MAX if it has none. */
enum ec_way ec_way_choose(ec_features *features, enum ec_job job);
/* Whether `way` is the one of its job in `ways`, which has one of each job. */
bool ec_ways_have(const enum ec_way *ways, enum ec_way way);
/* What a way lacks, bits of enum ec_feature. If eBPF is not to be had at all, that alone. */
uint32_t ec_way_get_missing(ec_features *features, enum ec_way way);
/* What is missing and how to get it, for a reader; "" if nothing is. Free with g_free(). */
char *ec_way_describe_missing(ec_features *features, enum ec_way way);
/* Of a job that none of them does: what each of its ways lacks. Free with g_free(). */
char *ec_job_describe_missing(ec_features *features, enum ec_job job);
