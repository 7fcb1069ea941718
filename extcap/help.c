/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "help.h"
#include "module.h"
#include "option.h"

#include <string.h>

/* Columns of --help: where the texts begin, and where they break. */
#define TEXT_COLUMN 28
#define LINE_WIDTH 80

static bool is_shown(const struct ec_option *option, unsigned modules)
{
    return (option->fronts & EC_FRONT_CLI) && ec_option_is_for(option, modules);
}

/* "-p, --pid PID" */
static char *format_names(const struct ec_option *option)
{
    char letter[] = {'-', option->letter, ',', ' ', '\0'};

    return g_strdup_printf("%s--%s%s%s", option->letter ? letter : "    ", option->name, option->value_name ? " " : "",
                           option->value_name ? option->value_name : "");
}

/* The tooltip, with the default where there is one. */
static char *format_text(const struct ec_option *option)
{
    return g_strdup_printf("%s%s%s%s%s", option->tooltip, option->repeats ? "; may be repeated" : "",
                           option->default_text ? " (default: " : "", option->default_text ? option->default_text : "",
                           option->default_text ? ")" : "");
}

static void print_wrapped(FILE *out, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    glong column = TEXT_COLUMN;

    for (char **word = words; *word; word++) {
        glong width = g_utf8_strlen(*word, -1);

        if (column > TEXT_COLUMN && column + 1 + width > LINE_WIDTH) {
            fprintf(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
        }
        fprintf(out, "%s%s", column > TEXT_COLUMN ? " " : "", *word);
        column += width + (column > TEXT_COLUMN ? 1 : 0);
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const struct ec_option *option)
{
    g_autofree char *names = format_names(option);
    g_autofree char *text = format_text(option);

    if (strlen(names) + 4 > TEXT_COLUMN)
        fprintf(out, "  %s\n%*s", names, TEXT_COLUMN, "");
    else
        fprintf(out, "  %-*s", TEXT_COLUMN - 2, names);
    print_wrapped(out, text);
}

static void print_group(FILE *out, enum ec_option_group group, unsigned modules)
{
    bool heading = false;

    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        if (ec_option_table[i].group != group || !is_shown(&ec_option_table[i], modules))
            continue;
        if (!heading)
            fprintf(out, "\n%s:\n", ec_option_group_get_name(group));
        heading = true;
        print_option(out, &ec_option_table[i]);
    }
}

static void print_options(FILE *out, unsigned modules)
{
    for (unsigned group = 0; group < EC_GROUP_MAX; group++)
        print_group(out, group, modules);
}

static void print_module_help(FILE *out, const struct ec_module *module)
{
    const char *name = module->name, *filter = module->packets ? " [CAPTURE FILTER]" : "";

    fprintf(out, "Usage: ecapture %s [OPTION]...%s\n", name, filter);
    fprintf(out, "       ecapture %s [OPTION]...%s -- COMMAND [ARGUMENT]...\n\n", name, filter);
    if (module->packets)
        fprintf(out,
                "%s. With -w or -k, captures packets together\nwith the TLS secrets that decrypt them and the "
                "processes behind them; without,\nshows as text what programs say over TLS.\n",
                module->display);
    else
        fprintf(out, "%s. Shows as text what it is told to do;\nwith -w, writes that to a pcapng file.\n",
                module->display);
    print_options(out, 1u << module->id);
}

static void print_whole_help(FILE *out)
{
    fputs("Usage: ecapture MODULE [OPTION]... [CAPTURE FILTER]\n"
          "       ecapture MODULE [OPTION]... [CAPTURE FILTER] -- COMMAND [ARGUMENT]...\n"
          "       ecapture list [--json]      what could be hooked, and how, or why not\n"
          "       ecapture doctor [--json]    what this kernel lacks, and what that costs\n"
          "\n"
          "With -w or -k, captures packets together with the TLS secrets that decrypt them\n"
          "and the processes behind them; without, shows as text what programs say over\n"
          "TLS. ecapture MODULE --help shows the options of one module.\n"
          "\n"
          "Modules:\n",
          out);
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        fprintf(out, "  %-*s%s\n", TEXT_COLUMN - 2, ec_modules[i].name, ec_modules[i].display);
    fprintf(out, "  %-*severy module above\n", TEXT_COLUMN - 2, "all");
    print_options(out, (1u << EC_MODULE_MAX) - 1);
    fputs("\n"
          "Examples:\n"
          "  ecapture tls -- curl https://example.org\n"
          "  ecapture tls -w curl.pcapng -- curl https://example.org\n"
          "  ecapture tls -w - port 443 | wireshark -k -i -\n"
          "  ecapture tls -k keys.log -p 1234\n"
          "  ecapture bash\n",
          out);
}

void ec_help_print(FILE *out, const struct ec_module *module)
{
    if (module)
        print_module_help(out, module);
    else
        print_whole_help(out);
}

/* A dash of an option is a minus sign for troff; a backslash is its escape. */
static void append_troff(GString *troff, const char *text)
{
    for (; *text; text++) {
        if (*text == '-' || *text == '\\')
            g_string_append(troff, *text == '-' ? "\\-" : "\\e");
        else
            g_string_append_c(troff, *text);
    }
}

static void append_option(GString *troff, const struct ec_option *option)
{
    g_autofree char *long_name = g_strdup_printf("--%s", option->name);
    char letter[] = {'-', option->letter, '\0'};
    g_autofree char *text = format_text(option);

    g_string_append(troff, ".TP\n");
    if (option->letter) {
        g_string_append(troff, "\\fB");
        append_troff(troff, letter);
        g_string_append(troff, "\\fR, ");
    }
    g_string_append(troff, "\\fB");
    append_troff(troff, long_name);
    g_string_append(troff, "\\fR");
    if (option->value_name) {
        g_string_append(troff, " \\fI");
        append_troff(troff, option->value_name);
        g_string_append(troff, "\\fR");
    }
    if (!(option->fronts & EC_FRONT_CLI))
        g_string_append(troff, " (Wireshark only)");
    g_string_append_c(troff, '\n');
    append_troff(troff, text);
    g_string_append(troff, ".\n");
}

char *ec_help_format_troff(void)
{
    g_autoptr(GString) troff = g_string_new(NULL);

    for (unsigned group = 0; group < EC_GROUP_MAX; group++) {
        g_string_append_printf(troff, ".SS %s\n", ec_option_group_get_name(group));
        for (size_t i = 0; i < EC_OPTION_MAX; i++)
            if (ec_option_table[i].group == group)
                append_option(troff, &ec_option_table[i]);
    }
    return g_string_free(g_steal_pointer(&troff), FALSE);
}
