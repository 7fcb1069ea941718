/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Just enough of a JSON writer (RFC 8259). Commas are its own business. Whatever the values, its text is valid UTF-8
 * and safe for a terminal: other characters than printable ones are escaped. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct ec_json {
    GString *text;
    bool comma; /* the next item needs one in front */
};

/* `key` NULL: an element of an array, or the outermost value. Keys are ASCII without quotes. */
void ec_json_open(struct ec_json *json, const char *key, char bracket);
void ec_json_close(struct ec_json *json, char bracket);
/* Any bytes: what is no UTF-8 becomes U+FFFD. NULL becomes null. */
void ec_json_add_string(struct ec_json *json, const char *key, const char *value);
void ec_json_add_bytes(struct ec_json *json, const char *key, const char *value, size_t len);
void ec_json_add_number(struct ec_json *json, const char *key, uint64_t value);
void ec_json_add_bool(struct ec_json *json, const char *key, bool value);
