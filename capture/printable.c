/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "printable.h"

bool ec_char_is_printable(gunichar c)
{
    GUnicodeType type;

    if (c < 0x80)
        return c >= 0x20 && c < 0x7f;
    type = g_unichar_type(c);
    return g_unichar_isprint(c) && type != G_UNICODE_LINE_SEPARATOR && type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

gunichar ec_char_decode(const char *data, size_t len, size_t *ret_len)
{
    gunichar c;

    *ret_len = 1;
    if ((unsigned char)*data < 0x80)
        return (unsigned char)*data;
    c = g_utf8_get_char_validated(data, (gssize)MIN(len, 6));
    if (c == (gunichar)-1 || c == (gunichar)-2)
        return (gunichar)-1;
    *ret_len = (size_t)(g_utf8_next_char(data) - data);
    return c;
}
