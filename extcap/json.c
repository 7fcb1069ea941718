/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

static void begin_item(struct ec_json *json, const char *key)
{
    if (json->comma)
        g_string_append_c(json->text, ',');
    json->comma = true;
    if (key)
        g_string_append_printf(json->text, "\"%s\":", key);
}

void ec_json_open(struct ec_json *json, const char *key, char bracket)
{
    begin_item(json, key);
    g_string_append_c(json->text, bracket);
    json->comma = false;
}

void ec_json_close(struct ec_json *json, char bracket)
{
    g_string_append_c(json->text, bracket);
    json->comma = true;
}

void ec_json_add_string(struct ec_json *json, const char *key, const char *value)
{
    g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;

    begin_item(json, key);
    if (!valid) {
        g_string_append(json->text, "null");
        return;
    }
    g_string_append_c(json->text, '"');
    for (const char *c = valid; *c; c++) {
        if (*c == '"' || *c == '\\')
            g_string_append_printf(json->text, "\\%c", *c);
        else if ((unsigned char)*c < 0x20 || *c == 0x7f)
            g_string_append_printf(json->text, "\\u%04x", (unsigned)*c);
        else
            g_string_append_c(json->text, *c);
    }
    g_string_append_c(json->text, '"');
}

void ec_json_add_number(struct ec_json *json, const char *key, uint64_t value)
{
    begin_item(json, key);
    g_string_append_printf(json->text, "%" G_GUINT64_FORMAT, value);
}

void ec_json_add_bool(struct ec_json *json, const char *key, bool value)
{
    begin_item(json, key);
    g_string_append(json->text, value ? "true" : "false");
}
