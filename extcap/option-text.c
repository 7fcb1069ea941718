/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "option-text.h"

#include <string.h>

const char *const ec_option_color_choices[] = {
    [EC_TEXT_COLOR_AUTO] = "auto",
    [EC_TEXT_COLOR_ALWAYS] = "always",
    [EC_TEXT_COLOR_NEVER] = "never",
    NULL,
};

static bool refuse(const struct ec_option *option, const char *value, GError **error)
{
    g_set_error(error, EC_OPTION_ERROR, EC_OPTION_ERROR_USAGE, "--%s can't be '%s': give %s", option->name, value,
                option->expect);
    return false;
}

bool ec_option_set_hex(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->text.hex = true;
    return true;
}

bool ec_option_set_json(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    (void)option, (void)value, (void)error;
    options->text.json = true;
    return true;
}

bool ec_option_set_color(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    for (int i = 0; ec_option_color_choices[i]; i++) {
        if (!strcmp(ec_option_color_choices[i], value)) {
            options->text.color = (enum ec_text_color)i;
            return true;
        }
    }
    return refuse(option, value, error);
}

bool ec_option_set_tsize(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(value, 10, option->min, option->max, &number, NULL))
        return refuse(option, value, error);
    options->text.shown_max = (size_t)number;
    return true;
}

bool ec_option_set_rotate_size(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error)
{
    static const char suffixes[] = "KMG";
    size_t len = strlen(value);
    const char *suffix = len ? strchr(suffixes, g_ascii_toupper(value[len - 1])) : NULL;
    g_autofree char *digits = g_strndup(value, suffix ? len - 1 : len);
    guint64 number = 0;

    if (!g_ascii_string_to_unsigned(digits, 10, option->min, option->max, &number, NULL))
        return refuse(option, value, error);
    options->text.output.rotate_size = number << (suffix ? 10 * (suffix - suffixes + 1) : 0);
    return true;
}

bool ec_option_set_rotate_time(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error)
{
    return g_ascii_string_to_unsigned(value, 10, option->min, option->max, &options->text.output.rotate_seconds,
                                      NULL) ||
           refuse(option, value, error);
}
