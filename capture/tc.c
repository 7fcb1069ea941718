/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tc.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h, Linux 6.6 (commit e420bed02507); older headers lack them. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, TCX_BEFORE = 1 << 3 };
/* Our tc filters, where TCX is missing: never another's, so a start sweeps what a kill has left. */
enum { TC_HANDLE = 0xeca, TC_PRIORITY = 1 };

static void describe_tc(const struct ec_tc_interface *interface, enum ec_tc_direction direction,
                        struct bpf_tc_hook *ret_hook, struct bpf_tc_opts *ret_options)
{
    *ret_hook = (struct bpf_tc_hook){.sz = sizeof(*ret_hook),
                                     .ifindex = interface->ifindex,
                                     .attach_point = direction == EC_TC_INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS};
    *ret_options = (struct bpf_tc_opts){.sz = sizeof(*ret_options), .handle = TC_HANDLE, .priority = TC_PRIORITY};
}

/* Our filter alone: the qdisc may carry others'. */
static void detach_clsact(const struct ec_tc_interface *interface, enum ec_tc_direction direction)
{
    struct bpf_tc_opts options;
    struct bpf_tc_hook hook;

    describe_tc(interface, direction, &hook, &options);
    bpf_tc_detach(&hook, &options);
}

/* Before TCX. BPF_TC_F_REPLACE takes the place of a filter that a killed capture has left. */
static int attach_clsact(struct ec_tc_interface *interface, const struct bpf_program *program,
                         enum ec_tc_direction direction)
{
    struct bpf_tc_opts options;
    struct bpf_tc_hook hook;
    int err;

    describe_tc(interface, direction, &hook, &options);
    err = bpf_tc_hook_create(&hook);
    if (err && err != -EEXIST)
        return err;
    options.prog_fd = bpf_program__fd(program);
    options.flags = BPF_TC_F_REPLACE;
    err = bpf_tc_attach(&hook, &options);
    interface->clsact[direction] = err == 0;
    return err;
}

/* At the head: a program ahead of us could redirect packets away unseen. */
static int attach_tcx(struct ec_tc_interface *interface, const struct bpf_program *program,
                      enum ec_tc_direction direction)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = TCX_BEFORE);
    enum bpf_attach_type type = (enum bpf_attach_type)(direction == EC_TC_INGRESS ? TCX_INGRESS : TCX_EGRESS);
    int fd = bpf_link_create(bpf_program__fd(program), interface->ifindex, type, &options);

    interface->links[direction] = fd;
    return fd < 0 ? fd : 0;
}

int ec_tc_attach(struct ec_tc_interface *interface, const struct bpf_program *program, enum ec_tc_direction direction,
                 bool tcx)
{
    return (tcx ? attach_tcx : attach_clsact)(interface, program, direction);
}

void ec_tc_detach(struct ec_tc_interface *interface)
{
    for (int i = 0; i < EC_TC_DIRECTIONS; i++) {
        if (interface->links[i] >= 0)
            close(interface->links[i]);
        if (interface->clsact[i])
            detach_clsact(interface, (enum ec_tc_direction)i);
    }
}
