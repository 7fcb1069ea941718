/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "printable.h"

#include <stdint.h>
#include <string.h>

bool ec_char_is_printable(gunichar c)
{
    GUnicodeType type;

    if (c < 0x80)
        return c >= 0x20 && c < 0x7f;
    type = g_unichar_type(c);
    return g_unichar_isprint(c) && type != G_UNICODE_LINE_SEPARATOR && type != G_UNICODE_PARAGRAPH_SEPARATOR;
}

size_t ec_char_count_ascii(const char *data, size_t len)
{
    const uint64_t ones = 0x0101010101010101, tops = 0x80 * ones;
    uint64_t eight;
    size_t n = 0;

    /* A byte sets its top bit if it has it already, if 0x20 can't be taken from it, or if it is 0x7f. */
    for (; len - n >= sizeof(eight); n += sizeof(eight)) {
        memcpy(&eight, data + n, sizeof(eight));
        if (((eight - 0x20 * ones) | eight | (eight + ones)) & tops)
            break;
    }
    while (n < len && data[n] >= 0x20 && data[n] < 0x7f)
        n++;
    return n;
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

char *ec_printable_copy(const char *text)
{
    GString *copy = g_string_new(NULL);

    for (size_t len = strlen(text), used; len; text += used, len -= used) {
        const gunichar c = ec_char_decode(text, len, &used);

        g_string_append_unichar(copy, c != (gunichar)-1 && ec_char_is_printable(c) ? c : '?');
    }
    return g_string_free(copy, FALSE);
}
