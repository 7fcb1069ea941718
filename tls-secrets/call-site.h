/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where one function is called directly, out of another that has no name. */
#include "code-flow.h"

struct ec_call_pair {
    uint64_t first, second; /* addresses of the instructions */
};

/* The one call of `first` behind which, before `first` is called again, control soon comes to a call of `second` in the
 * same function, and that call, if it is the only one too. False if there are none, or more. Behind calls of `last`,
 * which may not return, control isn't followed. */
bool ec_call_pair_find(const ec_elf_image *image, ec_code *code, uint64_t first, uint64_t second, uint64_t last,
                       struct ec_call_pair *ret_pair);
