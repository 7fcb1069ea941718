/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feature.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <stddef.h>

/* A tracepoint is known to tp_btf programs by the type of its probe function. */
static bool has_socket_length(void)
{
    struct btf *btf = btf__load_vmlinux_btf();
    bool has = btf && btf__find_by_name_kind(btf, "btf_trace_sock_send_length", BTF_KIND_TYPEDEF) > 0 &&
               btf__find_by_name_kind(btf, "btf_trace_sock_recv_length", BTF_KIND_TYPEDEF) > 0;

    btf__free(btf);
    return has;
}

static bool has_socket_create(void)
{
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_get_current_pid_tgid, NULL) == 1 &&
           libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_sk_storage_get, NULL) == 1;
}

static bool (*const probes[])(void) = {
    [EC_FEATURE_SOCKET_LENGTH] = has_socket_length,
    [EC_FEATURE_SOCKET_CREATE] = has_socket_create,
};
_Static_assert(sizeof(probes) / sizeof(probes[0]) == EC_FEATURE_MAX, "a probe per feature");

bool ec_feature_probe(enum ec_feature feature)
{
    return probes[feature]();
}
