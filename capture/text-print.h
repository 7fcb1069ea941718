/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Text mode's blocks for people. Own lines begin with "=== " (a block's first) or "--- " (a remark); a line of
 * what is shown that begins so gets a backslash in front. Nothing but printable characters, tabs and newlines
 * (and with `color` our own colours) is appended, whatever the values: others appear as \xNN (a byte) or \u{NNNN}.
 */
#include "text-message.h"

struct ec_text_style {
    bool color;
    bool hex;         /* bodies and data always as a hexdump */
    size_t shown_max; /* bytes of a body, data, command or statement that are shown */
};

/* Whose message it is. */
struct ec_text_origin {
    const struct ec_owner *owner;
    const char *user; /* NULL: not known, the number is shown */
    const struct ec_sink_connection *connection;
};

void ec_text_print_message(GString *out, const struct ec_text_style *style, const struct ec_text_origin *origin,
                           const ec_text_message *message);
/* `user`: of the owner, as in ec_text_origin. */
void ec_text_print_command(GString *out, const struct ec_text_style *style, const struct ec_sink_command *command,
                           const char *user);
void ec_text_print_statement(GString *out, const struct ec_text_style *style, const struct ec_sink_statement *statement,
                             const char *user);
/* A line of our own. */
void ec_text_print_remark(GString *out, const struct ec_text_style *style, const char *text);

/* Whether people can read it: of its first 64 KiB, at most an eighth are controls or bytes that are no UTF-8, none is
 * NUL. */
bool ec_text_is_readable(const uint8_t *data, size_t len);
/* How much of `len` bytes to show of a text, at most `max`, without cutting a character in two. */
size_t ec_text_measure(const uint8_t *data, size_t len, size_t max);
/* "127.0.0.1" or "::1"; IPv4-mapped addresses as IPv4. `ret_text`: INET6_ADDRSTRLEN bytes. */
void ec_text_format_address(const struct ec_endpoint *endpoint, char *ret_text);
