/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What Wireshark's options dialog offers for an option: a selector's choices, the processes that
 * could be hooked, the network interfaces. */
#include "option.h"

/* `value` and `display` are safe in an extcap sentence: no braces, no control characters, UTF-8. An
 * entry that is not enabled only tells something. */
typedef void (*ec_choice_func)(void *data, const char *value, const char *display, bool enabled);

/* Calls `func` for each choice of the option, if it has any. `modules`: bits of 1 << enum ec_module_id, those whose
 * processes are offered. */
void ec_choices_foreach(const struct ec_option *option, unsigned modules, ec_choice_func func, void *data);
