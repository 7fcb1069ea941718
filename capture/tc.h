/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Our programs at a network interface: by TCX (Linux 6.6), or as filters of its clsact qdisc. */
#include <bpf/libbpf.h>
#include <stdbool.h>

enum ec_tc_direction { EC_TC_INGRESS, EC_TC_EGRESS, EC_TC_DIRECTIONS };

/* What is attached to one. */
struct ec_tc_interface {
    int ifindex;
    int links[EC_TC_DIRECTIONS]; /* descriptors of TCX links, -1: none */
    bool clsact[EC_TC_DIRECTIONS];
};
/* Nothing yet. */
#define EC_TC_INTERFACE(index) ((struct ec_tc_interface){.ifindex = (index), .links = {-1, -1}})

/* `tcx`: the kernel has it. `program`: loaded. 0 or -errno. */
int ec_tc_attach(struct ec_tc_interface *interface, const struct bpf_program *program, enum ec_tc_direction direction,
                 bool tcx);
/* All of ours, and nothing of others'. */
void ec_tc_detach(struct ec_tc_interface *interface);
