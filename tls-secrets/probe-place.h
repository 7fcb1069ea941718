/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where in a function to put a probe: at its entry, or at an instruction soon after it that costs less. */
#include "code-flow.h"

#include <stdint.h>

#define EC_PROBE_ARGUMENTS 4

enum ec_arguments {
    EC_ARGUMENTS_STAY,     /* each argument must still be where it was at the entry */
    EC_ARGUMENTS_MAY_MOVE, /* to any of the first 16 registers */
};

struct ec_probe_place {
    uint64_t address;
    uint8_t registers[EC_PROBE_ARGUMENTS]; /* that hold the arguments there; those not asked for are 0 */
};

/*
 * x86-64: the first instruction that the kernel emulates (1 us instead of the 13 us of a single step: KERNEL-FACTS),
 * that every call passes exactly once, with the first `n_arguments` (at most EC_PROBE_ARGUMENTS, pointers or integers)
 * in registers, and before memory is written to other than the stack; the entry if there is none within 64 bytes.
 * aarch64: always the entry.
 */
void ec_probe_place_find(const struct ec_elf_image *image, struct ec_code *code, uint64_t function, int n_arguments,
                         enum ec_arguments arguments, struct ec_probe_place *ret_place);
