/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "option-text.h"
#include "option-value.h"

const char *const ec_option_color_choices[] = {
    [EC_TEXT_COLOR_AUTO] = "auto",
    [EC_TEXT_COLOR_ALWAYS] = "always",
    [EC_TEXT_COLOR_NEVER] = "never",
    NULL,
};

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
    int choice = 0;

    if (!ec_option_parse_choice(option, value, &choice, error))
        return false;
    options->text.color = (enum ec_text_color)choice;
    return true;
}

bool ec_option_set_tsize(struct ec_options *options, const struct ec_option *option, const char *value, GError **error)
{
    guint64 number = 0;

    if (!ec_option_parse_number(option, value, &number, error))
        return false;
    options->text.shown_max = (size_t)number;
    return true;
}

bool ec_option_set_rotate_size(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error)
{
    return ec_option_parse_size(option, value, 0, &options->text.output.rotate_size, error);
}

bool ec_option_set_rotate_time(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error)
{
    return ec_option_parse_number(option, value, &options->text.output.rotate_seconds, error);
}
