/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What this kernel can do, found out by its BTF or by trying, never by its version number. */
#include <stdbool.h>

enum ec_feature {
    /* The tracepoints sock_send_length and sock_recv_length ("sock: add tracepoint for send recv length", Linux 6.3).
     */
    EC_FEATURE_SOCKET_LENGTH,
    /* A cgroup sock_create program may ask which task runs it (bpf_get_current_pid_tgid there: Linux 6.2). */
    EC_FEATURE_SOCKET_CREATE,
    EC_FEATURE_MAX,
};

/* Asks the kernel at each call. Needs the privileges of a capture. */
bool ec_feature_probe(enum ec_feature feature);
