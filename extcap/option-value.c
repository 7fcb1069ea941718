/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "option-value.h"

#include "session.h"

#include <pwd.h>
#include <string.h>

/* PID_MAX_LIMIT, include/linux/threads.h */
#define PID_LIMIT (4u << 20)

bool ec_option_refuse(const struct ec_option *option, const char *value, GError **error)
{
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "--%s can't be '%s': give %s", option->name, value,
                option->expect);
    return false;
}

bool ec_option_parse_number(const struct ec_option *option, const char *value, guint64 *ret_number, GError **error)
{
    return g_ascii_string_to_unsigned(value, 10, option->min, option->max, ret_number, NULL) ||
           ec_option_refuse(option, value, error);
}

bool ec_option_parse_size(const struct ec_option *option, const char *value, unsigned bare_shift, guint64 *ret_size,
                          GError **error)
{
    static const char suffixes[] = "KMG";
    size_t len = strlen(value);
    const char *suffix = len ? strchr(suffixes, g_ascii_toupper(value[len - 1])) : NULL;
    unsigned shift = suffix ? 10 * (unsigned)(suffix - suffixes + 1) : bare_shift;
    g_autofree char *digits = g_strndup(value, suffix ? len - 1 : len);
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(digits, 10, 1, G_MAXUINT32, &number, NULL) || number << shift < option->min ||
        number << shift > option->max)
        return ec_option_refuse(option, value, error);
    *ret_size = number << shift;
    return true;
}

bool ec_option_parse_choice(const struct ec_option *option, const char *value, int *ret_choice, GError **error)
{
    for (int i = 0; option->choices[i]; i++) {
        if (!strcmp(value, option->choices[i])) {
            *ret_choice = i;
            return true;
        }
    }
    return ec_option_refuse(option, value, error);
}

bool ec_option_set_module(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    const struct ec_module *module = ec_module_get(value);

    if (!module && strcmp(value, "all"))
        return ec_option_refuse(option, value, error);
    options->modules = module ? 1u << module->id : (1u << EC_MODULE_MAX) - 1;
    return true;
}

bool ec_option_set_pid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);
    g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    if (!*words)
        return ec_option_refuse(option, value, error);
    for (char **word = words; *word; word++) {
        guint64 number = 0;
        uint32_t pid;

        if (!g_ascii_string_to_unsigned(*word, 10, 1, PID_LIMIT, &number, NULL))
            return ec_option_refuse(option, value, error);
        pid = (uint32_t)number;
        g_array_append_val(pids, pid);
    }
    g_array_append_vals(options->pids, pids->data, pids->len);
    return true;
}

bool ec_option_set_uid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!*value)
        return ec_option_refuse(option, value, error);
    /* (uid_t)-1 stands for "no user" in every system call. */
    if (!g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32 - 1, &number, NULL)) {
        const struct passwd *entry = getpwnam(value);

        if (!entry) {
            g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_VALUE, "there is no user '%s': give %s", value,
                        option->expect);
            return false;
        }
        number = entry->pw_uid;
    }
    options->uid = (uid_t)number;
    options->filter_uid = true;
    return true;
}

bool ec_option_set_path(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    if (!*value)
        return ec_option_refuse(option, value, error);
    g_ptr_array_add(options->paths[option->module], g_strdup(value));
    return true;
}

bool ec_option_set_interface(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error)
{
    g_auto(GStrv) words = g_strsplit(value, ",", -1);

    if (!*words || g_strv_contains((const char *const *)words, ""))
        return ec_option_refuse(option, value, error);
    for (char **word = words; *word; word++)
        g_ptr_array_add(options->interfaces, g_strdup(*word));
    return true;
}

bool ec_option_set_snaplen(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error)
{
    guint64 number = 0;

    if (!ec_option_parse_number(option, value, &number, error))
        return false;
    /* As in tcpdump, 0 is the greatest there is. */
    options->snaplen = number ? (uint32_t)number : EC_SNAPLEN_MAX;
    return true;
}

/* As in eCapture a bare number counts KiB. */
bool ec_option_set_mapsize(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error)
{
    guint64 size = 0;

    if (!ec_option_parse_size(option, value, 10, &size, error))
        return false;
    options->ring_size = (size_t)size;
    return true;
}

bool ec_option_set_hold(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!ec_option_parse_number(option, value, &number, error))
        return false;
    options->hold_ms = (unsigned)number;
    return true;
}

bool ec_option_set_errnumber(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error)
{
    guint64 number = 0;

    if (!ec_option_parse_number(option, value, &number, error))
        return false;
    options->filter_status = true;
    options->status = (int)number;
    return true;
}

bool ec_option_set_count(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return ec_option_parse_number(option, value, &options->max_packets, error);
}

bool ec_option_set_autostop(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error)
{
    static const char prefix[] = "duration:";

    if (!g_str_has_prefix(value, prefix) ||
        !g_ascii_string_to_unsigned(value + strlen(prefix), 10, 1, G_MAXUINT32, &options->max_seconds, NULL))
        return ec_option_refuse(option, value, error);
    return true;
}

static bool replace(char **string, const struct ec_option *option, const char *value, GError **error)
{
    if (!*value)
        return ec_option_refuse(option, value, error);
    g_free(*string);
    *string = g_strdup(value);
    return true;
}

bool ec_option_set_btf(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    return replace(&options->btf_file, option, value, error);
}

bool ec_option_set_pcapfile(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error)
{
    return replace(&options->pcapfile, option, value, error);
}

bool ec_option_set_keylogfile(struct ec_options *options, const struct ec_option *option, const char *value,
                              GError **error)
{
    return replace(&options->keylogfile, option, value, error);
}

bool ec_option_set_model(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    static const struct {
        const char *name;
        enum ec_output_mode mode;
    } modes[] = {{"pcapng", EC_MODE_PCAPNG},
                 {"pcap", EC_MODE_PCAP},
                 {"keylog", EC_MODE_KEYLOG},
                 {"key", EC_MODE_KEYLOG},
                 {"text", EC_MODE_TEXT}};

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (!strcmp(modes[i].name, value)) {
            options->mode = modes[i].mode;
            options->mode_given = true;
            return true;
        }
    }
    return ec_option_refuse(option, value, error);
}

static bool parse_boolean(const struct ec_option *option, const char *value, bool *ret_boolean, GError **error)
{
    if (strcmp(value, "true") && strcmp(value, "false"))
        return ec_option_refuse(option, value, error);
    *ret_boolean = value[0] == 't';
    return true;
}

bool ec_option_set_comments(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error)
{
    return parse_boolean(option, value, &options->comments, error);
}

bool ec_option_set_verify(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->verify = true;
    return true;
}

bool ec_option_set_verify_extcap(struct ec_options *options, const struct ec_option *option, const char *value,
                                 GError **error)
{
    return parse_boolean(option, value, &options->verify, error);
}

bool ec_option_set_no_comments(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error)
{
    (void)option, (void)value, (void)error;
    options->comments = false;
    return true;
}

const char *const ec_option_plaintext_choices[] = {
    [EC_PLAINTEXT_NONE] = "none", [EC_PLAINTEXT_MISSING] = "missing", [EC_PLAINTEXT_ALL] = "all", NULL};

bool ec_option_set_plaintext(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error)
{
    int choice = 0;

    if (!ec_option_parse_choice(option, value, &choice, error))
        return false;
    options->plaintext = (enum ec_plaintext_mode)choice;
    return true;
}

bool ec_option_set_log_level(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error)
{
    enum ec_log_level level = ec_log_level_parse(value);

    if (level == EC_LOG_LEVEL_MAX)
        return ec_option_refuse(option, value, error);
    options->log_level = level;
    return true;
}

bool ec_option_set_log_file(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error)
{
    return replace(&options->log_file, option, value, error);
}

bool ec_option_set_help(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->help = true;
    return true;
}

bool ec_option_set_version(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error)
{
    (void)option, (void)value, (void)error;
    options->version = true;
    return true;
}
