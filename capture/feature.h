/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What this kernel can do, found out by its BTF or by trying, never by its version number: distributions bring features
 * to older versions, and leave them out of newer ones. Each is asked for when it is first needed, once.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum ec_feature {
    EC_FEATURE_BPF,
    EC_FEATURE_RING_BUFFER,
    EC_FEATURE_BTF,
    EC_FEATURE_BTF_FILE,
    EC_FEATURE_READ_KERNEL,
    EC_FEATURE_TCX,
    EC_FEATURE_CLSACT,
    EC_FEATURE_SOCKET_STORAGE,
    EC_FEATURE_SOCKET_ITERATOR,
    EC_FEATURE_SOCKET_LENGTH,
    EC_FEATURE_FENTRY,
    EC_FEATURE_KPROBE,
    EC_FEATURE_SOCKET_CREATE,
    EC_FEATURE_CGROUP2,
    EC_FEATURE_UPROBE_MULTI,
    EC_FEATURE_UPROBE_PERF,
    EC_FEATURE_ATTACH_COOKIE,
    EC_FEATURE_SLEEPABLE_UPROBE,
    EC_FEATURE_PIDFD_GETFD,
    EC_FEATURE_MAPPING_EVENTS,
    EC_FEATURE_RAW_TRACEPOINT,
    EC_FEATURE_MAX,
};
#define EC_FEATURE_BIT(name) (1u << EC_FEATURE_##name)

struct ec_feature_info {
    const char *name;
    const char *since;  /* the kernel version that brought it; NULL: all that ecapture runs on. For the reader only */
    const char *remedy; /* what to do where it is missing */
};
extern const struct ec_feature_info ec_feature_infos[EC_FEATURE_MAX];

/* The answers so far. Not to be shared between threads. */
typedef struct ec_features ec_features;
/* `btf_file`: types of this kernel, given by the user; NULL: none. */
ec_features *ec_features_new(const char *btf_file);
/* Of another kernel, that has just these (bits of enum ec_feature): nothing is asked. */
ec_features *ec_features_new_fixed(uint32_t present);
void ec_features_free(ec_features *features);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_features, ec_features_free)

/* Needs the privileges of a capture: without them most is missing. */
bool ec_features_has(ec_features *features, enum ec_feature feature);
/* Whether the kernel's BTF, which it must have, knows a function: only then can fentry programs be loaded for it. */
bool ec_features_has_function(ec_features *features, const char *name);
