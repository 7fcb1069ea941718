/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Go's run-time table of functions, pclntab: from a function's name to its address, in stripped programs too. */
#include "go-program.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum ec_go_find {
    EC_GO_FOUND,
    EC_GO_NO_TABLE,  /* no table of a known format: Go 1.2 to 1.27 */
    EC_GO_NO_NAME,   /* no function of that name */
    EC_GO_NO_TEXT,   /* the addresses are relative to a start of the code that isn't told */
    EC_GO_AMBIGUOUS, /* the table or what belongs to it contradicts itself */
};

struct ec_go_function {
    const char *name; /* as Go writes it: "crypto/tls.(*Config).writeKeyLog"; below EC_GO_NAME_LEN bytes */
    enum ec_go_find found;
    uint64_t address; /* as linked; 0 unless found */
};

#define EC_GO_NAME_LEN 128
#define EC_GO_FUNCTIONS_MAX 4
/* Looks for all of them at once, at most EC_GO_FUNCTIONS_MAX: sets `found` and `address`. True if the first was found.
 * A process may be milliseconds away from its first handshake: this takes one or two for a program of a usual size. */
bool ec_go_table_find(const ec_go_program *program, struct ec_go_function *functions, size_t count);
