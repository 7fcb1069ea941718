/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the options of text mode set: ec_option.set of their rows. */
#include "option.h"

extern const char *const ec_option_color_choices[];

bool ec_option_set_hex(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_json(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_color(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_tsize(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_rotate_size(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error);
bool ec_option_set_rotate_time(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error);
