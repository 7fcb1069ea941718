/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "json.h"

#include "printable.h"

#include <string.h>

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

static void append_char(GString *text, gunichar c)
{
    if (c == (gunichar)-1)
        g_string_append(text, "\xef\xbf\xbd");
    else if (c == '"' || c == '\\')
        g_string_append_printf(text, "\\%c", (int)c);
    else if (ec_char_is_printable(c))
        g_string_append_unichar(text, c);
    else if (c < 0x10000)
        g_string_append_printf(text, "\\u%04x", c);
    else
        g_string_append_printf(text, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + (c & 0x3ff));
}

/* Bytes that stand for themselves: most of most texts. */
static size_t count_plain(const char *value, size_t len)
{
    size_t n = 0;

    while (n < len && value[n] >= 0x20 && value[n] < 0x7f && value[n] != '"' && value[n] != '\\')
        n++;
    return n;
}

void ec_json_add_bytes(struct ec_json *json, const char *key, const char *value, size_t len)
{
    begin_item(json, key);
    g_string_append_c(json->text, '"');
    while (len) {
        size_t used = count_plain(value, len);

        if (used)
            g_string_append_len(json->text, value, (gssize)used);
        else
            append_char(json->text, ec_char_decode(value, len, &used));
        value += used;
        len -= used;
    }
    g_string_append_c(json->text, '"');
}

void ec_json_add_string(struct ec_json *json, const char *key, const char *value)
{
    if (value) {
        ec_json_add_bytes(json, key, value, strlen(value));
    } else {
        begin_item(json, key);
        g_string_append(json->text, "null");
    }
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
