/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds the man page: ecapture.1.in (first argument) with the option table laid in where it says
 * so, to the file that the second argument names. Runs at build time only. */
#include "help.h"

static char *replace(const char *text, const char *mark, const char *with)
{
    g_auto(GStrv) parts = g_strsplit(text, mark, -1);

    return g_strjoinv(with, parts);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *template = NULL;
    g_autofree char *options = ec_help_format_troff();
    g_autofree char *with_options = NULL;
    g_autofree char *page = NULL;

    if (argc != 3) {
        fprintf(stderr, "usage: %s ecapture.1.in ecapture.1\n", argv[0]);
        return 2;
    }
    if (!g_file_get_contents(argv[1], &template, NULL, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    with_options = replace(template, "@OPTIONS@\n", options);
    page = replace(with_options, "@VERSION@", ECAPTURE_VERSION);
    if (!g_file_set_contents(argv[2], page, -1, &error)) {
        fprintf(stderr, "%s\n", error->message);
        return 1;
    }
    return 0;
}
