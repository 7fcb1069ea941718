/* SPDX-License-Identifier: GPL-2.0-or-later */
#define EC_SHARED
#include "maps.bpf.h"
#include "plaintext.bpf.h"

char LICENSE[] SEC("license") = "GPL";
