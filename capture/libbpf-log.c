/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "libbpf-log.h"

#include "log.h"

#include <bpf/libbpf.h>

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
    g_autofree char *text = g_strchomp(g_strdup_vprintf(format, args));
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1); /* the verifier's log has many */

    for (char **line = lines; *line; line++)
        ec_log(level == LIBBPF_WARN ? EC_LOG_INFO : EC_LOG_DEBUG, "%s", *line);
    return 0;
}

void ec_libbpf_log_redirect(void)
{
    libbpf_set_print(print_libbpf);
}
