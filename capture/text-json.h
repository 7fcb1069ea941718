/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Text mode's events for programs: each one line, a JSON object. Times are strings, UTC with nanoseconds. Bodies are
 * strings where they are UTF-8 without NUL, else base64 under another name. */
#include "text-print.h"

void ec_text_json_message(GString *out, const struct ec_text_style *style, const struct ec_text_origin *origin,
                          const ec_text_message *message);
void ec_text_json_command(GString *out, const struct ec_text_style *style, const struct ec_sink_command *command,
                          const char *user);
void ec_text_json_statement(GString *out, const struct ec_text_style *style, const struct ec_sink_statement *statement,
                            const char *user);
/* `dropped` events are missing here, because the output was too slow. */
void ec_text_json_loss(GString *out, uint64_t dropped);
