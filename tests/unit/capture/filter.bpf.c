/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The smallest tc program with both slots, for filter.c beside it. */
#include <linux/bpf.h>

#include "filter.bpf.h"

#include <bpf/bpf_helpers.h>

/* What the program returns; neither is what an LD_ABS that ends the whole program would return: 0. */
#define ACCEPTED 7
#define REJECTED 9

EC_FILTER_SLOT(filter_ethernet, EC_FILTER_MAGIC_ETHERNET)
EC_FILTER_SLOT(filter_ip, EC_FILTER_MAGIC_IP)

SEC("tc") int ethernet(struct __sk_buff *skb)
{
    return filter_ethernet(skb) != 0 ? ACCEPTED : REJECTED;
}

SEC("tc") int ip(struct __sk_buff *skb)
{
    return filter_ip(skb) != 0 ? ACCEPTED : REJECTED;
}

char LICENSE[] SEC("license") = "GPL";
