/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli.h"
#include "command.h"
#include "doctor.h"
#include "help.h"
#include "list.h"
#include "log.h"
#include "module.h"
#include "option.h"
#include "printable.h"
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STATUS_FAILURE 1
#define STATUS_USAGE 2

/* The words beside the modules. */
static const struct query {
    const char *name;
    int (*run)(int n_args, char *const *args);
    const char *help;
} queries[] = {
    {"list", ec_list_run,
     "Usage: ecapture list [--json]\n\n"
     "Shows the processes that could be captured: their TLS libraries, shells and\n"
     "database servers, and how each would be hooked, or why it can't be.\n"},
    {"doctor", ec_doctor_run,
     "Usage: ecapture doctor [--json]\n\n"
     "Shows what this kernel has, what a capture would use for each of its jobs, and\n"
     "what is missing, what that costs and how to get it. Exit status 1: a capture\n"
     "can't start.\n"},
};

static int fail(const GError *error)
{
    g_autofree char *message = ec_printable_copy(error->message);

    fprintf(stderr, "ecapture: %s\n", message);
    if (ec_log_has_file())
        ec_log_error("%s", error->message);
    return g_error_matches(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE) ? STATUS_USAGE : STATUS_FAILURE;
}

static bool set_usage_error(GError **error, const char *text)
{
    g_set_error_literal(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, text);
    return false;
}

static bool parse_module(struct ec_options *options, const char *name, GError **error)
{
    const struct ec_module *module = ec_module_get(name);
    g_autoptr(GString) names = g_string_new("all");

    if (module || !strcmp(name, "all")) {
        options->modules = module ? 1u << module->id : (1u << EC_MODULE_MAX) - 1;
        return true;
    }
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        g_string_append_printf(names, ", %s", ec_modules[i].name);
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE,
                "there is no module '%s': use one of %s, or the commands list and doctor", name, names->str);
    return false;
}

/* -m keylog makes -w name the key log, as eCapture has it. */
static bool settle_keylog(struct ec_options *options, GError **error)
{
    if (options->pcapfile && options->keylogfile)
        return set_usage_error(error, "two files for one key log: with -m keylog give -w or -k, not both");
    if (options->pcapfile)
        options->keylogfile = g_steal_pointer(&options->pcapfile);
    return options->keylogfile ||
           set_usage_error(error, "no key log is given: add -w FILE, or -w - for standard output");
}

/* pcap has one link type for all of a file, and no room for what was made up. */
static bool check_plaintext(const struct ec_options *options, GError **error)
{
    if (options->plaintext == EC_PLAINTEXT_NONE)
        return true;
    if (options->mode == EC_MODE_PCAP)
        return set_usage_error(error, "pcap can't hold plaintext beside packets, it has one link type: use -m pcapng");
    if (options->mode == EC_MODE_KEYLOG || (options->keylogfile && !options->pcapfile))
        return set_usage_error(error, "a key log can't hold plaintext: add -w FILE");
    return true;
}

static bool is_stdout(const char *path)
{
    return !path || !strcmp(path, "-") || !strcmp(path, "/dev/stdout");
}

static bool settle_text(struct ec_options *options, GError **error)
{
    bool rotates = options->text.output.rotate_size || options->text.output.rotate_seconds;

    options->text.output.path = options->pcapfile ? options->pcapfile : "-";
    if (rotates && is_stdout(options->pcapfile))
        return set_usage_error(error, "only files can be rotated: add -w FILE");
    if (options->text.json && options->text.hex)
        return set_usage_error(error, "--json and --hex exclude each other: leave one out");
    if (options->keylogfile && (!g_strcmp0(options->text.output.path, options->keylogfile) ||
                                (is_stdout(options->pcapfile) && is_stdout(options->keylogfile))))
        return set_usage_error(error, "text and key log can't share one file: give -w and -k different ones");
    if (options->filter)
        return set_usage_error(error, "a capture filter is for packets, text mode has none: choose processes with -p, "
                                      "or add -w FILE");
    return true;
}

static bool refuse_option(const struct ec_option *option, const char *reason, GError **error)
{
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "--%s %s", option->name, reason);
    return false;
}

/* Whoever gives an option expects something of it: one that would change nothing is refused. */
static bool check_given(const struct ec_options *options, GError **error)
{
    bool text = options->mode == EC_MODE_TEXT;

    for (size_t i = 0; i < EC_OPTION_MAX; i++) {
        const struct ec_option *option = &ec_option_table[i];

        if (!options->given[i])
            continue;
        if (!ec_option_is_for(option, options->modules))
            return refuse_option(option, "is not for this module: leave it out, or name another module, or all", error);
        if (text && option->packets)
            return refuse_option(option, "is for packets, text mode has none: leave it out, or add -w FILE", error);
        if (!text && option->group == EC_GROUP_TEXT)
            return refuse_option(option, "is for text mode: leave it out, or add -m text", error);
    }
    return true;
}

/* Shells and databases have statements and commands, nothing else. */
static bool check_packets(const struct ec_options *options, GError **error)
{
    if (ec_modules_have(options->modules, true))
        return true;
    if (options->mode == EC_MODE_PCAP || options->mode == EC_MODE_KEYLOG)
        return set_usage_error(error, "this module has neither packets nor secrets: use -m pcapng, or -m text");
    if (options->filter)
        return set_usage_error(error,
                               "a capture filter is for packets, this module has none: choose processes with -p");
    return true;
}

static bool settle_output(struct ec_options *options, GError **error)
{
    if (!options->mode_given && !options->pcapfile && !options->keylogfile)
        options->mode = EC_MODE_TEXT;
    if (!check_given(options, error) || !check_packets(options, error))
        return false;
    if (options->mode == EC_MODE_TEXT)
        return settle_text(options, error);
    if (!check_plaintext(options, error))
        return false;
    if (options->mode == EC_MODE_KEYLOG)
        return settle_keylog(options, error);
    if (options->mode_given && !options->pcapfile)
        return set_usage_error(error, "no capture file is given: add -w FILE, or -w - for standard output");
    if (options->pcapfile && !g_strcmp0(options->pcapfile, options->keylogfile))
        return set_usage_error(error, "capture and key log can't share one file: give -w and -k different ones");
    if (!g_strcmp0(options->pcapfile, "-") && isatty(STDOUT_FILENO))
        return set_usage_error(error, "a capture would garble the terminal: pipe it on, or give -w FILE");
    if (options->mode == EC_MODE_PCAP && !options->keylogfile)
        fprintf(stderr, "ecapture: warning: a pcap file has no room for secrets: add -k FILE, or use -m pcapng\n");
    return true;
}

static bool check_command(const struct ec_options *options, GError **error)
{
    g_autofree char *path = NULL;

    if (!options->command)
        return true;
    if (options->pids->len)
        return set_usage_error(error, "-p and -- COMMAND exclude each other: leave one out");
    path = g_find_program_in_path(options->command[0]);
    if (path)
        return true;
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE,
                "there is no program '%s': give its path, or a name that PATH leads to", options->command[0]);
    return false;
}

static int print_version(void)
{
    puts("ecapture " ECAPTURE_VERSION);
    return 0;
}

static int capture(const char *module, int n_args, char *const *args)
{
    g_autoptr(ec_options) options = ec_options_new();
    g_autoptr(GError) error = NULL;
    int status = 0;

    if (!parse_module(options, module, &error) || !ec_options_parse(options, EC_FRONT_CLI, n_args, args, &error))
        return fail(error);
    if (options->help) {
        ec_help_print(stdout, ec_module_get(module));
        return 0;
    }
    if (options->version)
        return print_version();
    if (!settle_output(options, &error) || !check_command(options, &error) || !ec_options_check(options, &error) ||
        !ec_log_open(options->log_level, options->log_file, &error) || !ec_run_command_line(options, &status, &error))
        return fail(error);
    return status;
}

static bool is_help(const char *word)
{
    return !strcmp(word, "-h") || !strcmp(word, "--help");
}

static int query(const struct query *query, int n_args, char *const *args)
{
    if (n_args == 0 || !is_help(args[0]))
        return query->run(n_args, args);
    fputs(query->help, stdout);
    return 0;
}

int ec_cli_run(int n_args, char *const *args)
{
    if (n_args == 0) {
        fprintf(stderr, "ecapture: no module is given: try ecapture tls, ecapture list, or ecapture --help\n");
        return STATUS_USAGE;
    }
    if (is_help(args[0])) {
        ec_help_print(stdout, NULL);
        return 0;
    }
    if (!strcmp(args[0], "--version"))
        return print_version();
    for (size_t i = 0; i < G_N_ELEMENTS(queries); i++)
        if (!strcmp(args[0], queries[i].name))
            return query(&queries[i], n_args - 1, args + 1);
    return capture(args[0], n_args - 1, args + 1);
}
