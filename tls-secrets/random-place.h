/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where the client random lies, seen from the first argument, as the code of two functions shows it. */
#include "code-flow.h"

struct ec_random_place {
    bool indirect;    /* at *(argument + pointer) + offset, else at argument + offset */
    uint16_t pointer; /* bytes; 0 unless indirect */
    uint16_t offset;  /* bytes */
};

enum ec_random_result {
    EC_RANDOM_NONE,      /* nothing in the code tells */
    EC_RANDOM_FOUND,     /* *ret_place is set */
    EC_RANDOM_AMBIGUOUS, /* several places are possible, or the function is too large to follow */
};
/* In the function at `address` that is handed every secret: it passes (random, 32) on or loops over 32 bytes. */
enum ec_random_result ec_random_place_find_in_logger(struct ec_code *code, uint64_t address,
                                                     struct ec_random_place *ret_place);
/* In SSL_get_client_random(ssl, out, len): the one address it makes from `ssl`. */
enum ec_random_result ec_random_place_find_in_accessor(struct ec_code *code, uint64_t address,
                                                       struct ec_random_place *ret_place);
bool ec_random_place_equals(const struct ec_random_place *a, const struct ec_random_place *b);
