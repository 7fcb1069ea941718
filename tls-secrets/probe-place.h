/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where in a function to put a probe: at its entry, or at an instruction soon after it that costs less. */
#include "code-flow.h"

#include <stdint.h>

#define EC_PROBE_ARGUMENTS 5

enum ec_arguments {
    EC_ARGUMENTS_STAY,           /* each argument must still be where it was at the entry */
    EC_ARGUMENTS_AND_STACK_STAY, /* likewise the stack pointer: a return probe can be there too */
    EC_ARGUMENTS_MAY_MOVE,       /* to any of the first 16 registers */
};

struct ec_probe_place {
    uint64_t address;
    uint8_t registers[EC_PROBE_ARGUMENTS]; /* that hold the arguments there; those not asked for are 0 */
    bool emulated;                         /* false: the entry, for want of something cheaper */
};

/*
 * x86-64: the first instruction that the kernel emulates (1 us instead of the 13 us of a single step: KERNEL-FACTS),
 * that every call passes exactly once, with the first `n_arguments` (at most EC_PROBE_ARGUMENTS, pointers or integers)
 * in registers, and before memory is written to other than the stack; the entry if there is none within 64 bytes.
 * aarch64: always the entry.
 */
void ec_probe_place_find(const struct ec_elf_image *image, struct ec_code *code, uint64_t function, int n_arguments,
                         enum ec_arguments arguments, struct ec_probe_place *ret_place);

/*
 * A wrapper hands all of its `n_arguments`, as they are, to one function, and returns what that returns, or 0: a
 * probe there sees the same calls. Gives that function; false if this one is no such wrapper. It goes straight from
 * the entry to the return, whatever else it does. x86-64 only.
 */
bool ec_wrapped_find(struct ec_code *code, uint64_t function, int n_arguments, uint64_t *ret_wrapped);
/* Whether the first call in the function, in the order of its code, is of `callee`, with its own first `n_arguments`.
 */
bool ec_function_calls(struct ec_code *code, uint64_t function, int n_arguments, uint64_t callee);
