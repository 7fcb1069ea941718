/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a short exported function that reads one member of a structure tells of where the member lies, from its code:
 * so that no table of layouts by version is needed.
 */
#include "code-flow.h"

enum ec_accessor_kind {
    EC_ACCESSOR_ADDRESS,     /* returns argument + offset */
    EC_ACCESSOR_FIELD,       /* returns *(argument + offset) */
    EC_ACCESSOR_FAR_ADDRESS, /* returns *(argument + pointer) + offset */
    EC_ACCESSOR_FAR_FIELD,   /* returns *(*(argument + pointer) + offset) */
};

struct ec_accessor {
    enum ec_accessor_kind kind;
    uint32_t pointer, offset; /* bytes */
};

/* False if the function does more than that, or something else. */
bool ec_accessor_find(struct ec_code *code, uint64_t function, struct ec_accessor *ret_accessor);

/* The same of a function that sets no more than one member, to its second argument, 8 bytes: where it lies. To others
 * it may add. */
bool ec_setter_find(ec_code *code, uint64_t function, uint32_t *ret_offset);
