/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Room for the user's capture filter inside a tc program.
 *
 * A slot is a subprogram of a fixed number of instructions: one that loads a magic number, then
 * `goto +0`, then the exit. capture/filter-program.c finds it by its magic in the object file, before libbpf opens
 * that, and writes the filter over it, at its end, with `goto +0` in front; the verifier takes those out
 * (opt_remove_nops, Linux 5.0), so that unused room costs nothing at run time.
 *
 * It is a subprogram of its own because an LD_ABS beyond the packet's end makes the function that it
 * stands in return 0: here that means "reject"; in the main program it would be TC_ACT_OK. The verifier
 * wants such a function to return int according to BTF (check_abnormal_return, Linux 5.10).
 */

#include "abi.h"

#define EC_FILTER_STRING_(x) #x
#define EC_FILTER_STRING(x) EC_FILTER_STRING_(x)
/* One line of assembly in each: */
/* clang-format off */
#define EC_FILTER_ASSEMBLY(magic)                          \
    "%0 = " EC_FILTER_STRING(magic) "\n"                   \
    ".rept " EC_FILTER_STRING(EC_FILTER_INSNS) " - 1\n"    \
    "goto +0\n"                                            \
    ".endr\n"
/* clang-format on */

/* Defines `static int name(struct __sk_buff *skb)`: 0 rejects, all else accepts. To be called only in
 * programs of an object that ec_filter_patch() may be run over. */
#define EC_FILTER_SLOT(name, magic)                                                                                    \
    static __attribute__((noinline)) int name(struct __sk_buff *skb)                                                   \
    {                                                                                                                  \
        register struct __sk_buff *context asm("r1") = skb;                                                            \
        register long accept asm("r0");                                                                                \
        asm volatile(EC_FILTER_ASSEMBLY(magic) : "=r"(accept) : "r"(context) : "r2", "r3", "r4", "r5", "memory");      \
        return accept;                                                                                                 \
    }
