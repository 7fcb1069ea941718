/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The option table as text for people. */
#include "module.h"

#include <glib.h>
#include <stdio.h>

/* What `ecapture --help` prints; `module`: `ecapture tls --help`, of which only what that module has a use for. NULL:
 * all. */
void ec_help_print(FILE *out, const struct ec_module *module);
/* The man page's section on options, as troff; free with g_free(). */
char *ec_help_format_troff(void);
