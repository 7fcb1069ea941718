/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Between filter.c, which sees libpcap's `struct bpf_insn`, and filter-program.c, which sees the kernel's: the two
 * headers can't be included together. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An instruction of classic BPF, laid out as libpcap's struct bpf_insn and the kernel's struct sock_filter. */
struct ec_classic_insn {
    uint16_t code;
    uint8_t jt;
    uint8_t jf;
    uint32_t k;
};
_Static_assert(sizeof(struct ec_classic_insn) == 8, "layout of struct sock_filter");

struct ec_filter {
    struct ec_classic_insn *insns;
    size_t count; /* at least 1 */
    bool tests_vlan;
};
