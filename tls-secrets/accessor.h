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
    EC_ACCESSOR_PAIR,        /* returns *(argument + offset) and the 8 bytes behind it, a structure of two registers */
};

struct ec_accessor {
    enum ec_accessor_kind kind;
    uint32_t pointer, offset; /* bytes */
    uint32_t size;            /* bytes that are read of the member, 0 if none */
};

/* False if the function does more than that, or something else. */
bool ec_accessor_find(struct ec_code *code, uint64_t function, struct ec_accessor *ret_accessor);

/* Where the variable of 8 bytes lies that a function returns, which does nothing else. */
bool ec_accessor_find_variable(ec_code *code, uint64_t function, uint64_t *ret_address);

/* The same of other functions that are handed a structure first. What they do to anything else doesn't matter. */

/* Stores a member, 8 bytes, where its second argument points to: the member. */
bool ec_accessor_find_stored(ec_code *code, uint64_t function, uint32_t *ret_offset);
/* Sets no more than one member, to its second argument, 8 bytes. To others it may add. */
bool ec_setter_find(ec_code *code, uint64_t function, uint32_t *ret_offset);
/* Sets two members, one behind the other, 8 bytes each, and no other: the first. */
bool ec_setter_find_pair(ec_code *code, uint64_t function, uint32_t *ret_offset);

/* Sets one member to its second argument, 4 or 8 bytes: that one; and the member at `state`, 4 bytes, to `value`. */
bool ec_state_setter_find(ec_code *code, uint64_t function, uint32_t state, uint32_t value, uint32_t *ret_offset);
/* Hands on one member, by address, to the functions that it calls. */
bool ec_handed_on_find(ec_code *code, uint64_t function, uint32_t *ret_offset);
