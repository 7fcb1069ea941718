/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a capture would use here for each of its jobs, what is missing for the better, and what that costs. */
#include "feature.h"

#include <stdbool.h>

struct ec_finding {
    const char *job;
    bool works;       /* false: a capture can't start */
    const char *uses; /* NULL: nothing, or unknown */
    const char *cost; /* of not having the best; NULL: it is the best, or nothing works */
    char *missing;    /* what the best lacks and how to get it; NULL: nothing */
};

/* Of struct ec_finding *, the capabilities first, then the jobs in order; unref it. Without the capabilities that a
 * capture needs nothing else can be asked, and the first is all. */
GPtrArray *ec_diagnosis_new(ec_features *features);
/* Whether all of them work. */
bool ec_diagnosis_is_well(const GPtrArray *findings);
/* "packets: TCX links…", or with what is missing and what that costs. Free with g_free(). */
char *ec_finding_format(const struct ec_finding *finding);
/* Each finding, a line, to the log. */
void ec_diagnosis_log(ec_features *features);
