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
    EC_GO_AMBIGUOUS, /* two functions of that name, or a table that contradicts itself */
};

/* `name` as Go writes it: "crypto/tls.(*Config).writeKeyLog". *ret_address: as linked, untouched unless found. */
enum ec_go_find ec_go_table_find_function(const ec_go_program *program, const char *name, uint64_t *ret_address);
