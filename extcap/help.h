/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The option table as text for people. */
#include <glib.h>
#include <stdio.h>

/* What `ecapture --help` prints. */
void ec_help_print(FILE *out);
/* The man page's section on options, as troff; free with g_free(). */
char *ec_help_format_troff(void);
