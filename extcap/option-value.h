/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the options set, but for those of text mode (option-text.h): ec_option.set of their rows. */
#include "option.h"

/* False, with what the option expects as error. */
bool ec_option_refuse(const struct ec_option *option, const char *value, GError **error);
/* From option->min to option->max, decimal. */
bool ec_option_parse_number(const struct ec_option *option, const char *value, guint64 *ret_number, GError **error);
/* Likewise, in bytes, with or without a suffix K, M or G; `bare_shift`: a number without one counts 1 << bare_shift
 * bytes. */
bool ec_option_parse_size(const struct ec_option *option, const char *value, unsigned bare_shift, guint64 *ret_size,
                          GError **error);
/* The place of the value among option->choices. */
bool ec_option_parse_choice(const struct ec_option *option, const char *value, int *ret_choice, GError **error);

extern const char *const ec_option_plaintext_choices[];

bool ec_option_set_module(struct ec_options *options, const struct ec_option *option, const char *value,
                          GError **error);
bool ec_option_set_pid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_uid(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_path(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_interface(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error);
bool ec_option_set_snaplen(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error);
bool ec_option_set_mapsize(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error);
bool ec_option_set_hold(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_errnumber(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error);
bool ec_option_set_count(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_autostop(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error);
bool ec_option_set_btf(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_pcapfile(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error);
bool ec_option_set_keylogfile(struct ec_options *options, const struct ec_option *option, const char *value,
                              GError **error);
bool ec_option_set_model(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_comments(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error);
bool ec_option_set_verify(struct ec_options *options, const struct ec_option *option, const char *value,
                          GError **error);
bool ec_option_set_verify_extcap(struct ec_options *options, const struct ec_option *option, const char *value,
                                 GError **error);
bool ec_option_set_no_comments(struct ec_options *options, const struct ec_option *option, const char *value,
                               GError **error);
bool ec_option_set_plaintext(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error);
bool ec_option_set_log_level(struct ec_options *options, const struct ec_option *option, const char *value,
                             GError **error);
bool ec_option_set_log_file(struct ec_options *options, const struct ec_option *option, const char *value,
                            GError **error);
bool ec_option_set_help(struct ec_options *options, const struct ec_option *option, const char *value, GError **error);
bool ec_option_set_version(struct ec_options *options, const struct ec_option *option, const char *value,
                           GError **error);
