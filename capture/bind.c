/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bind.h"

#include <string.h>

/* Bytes behind the values at least: the number of result formats. */
#define TRAILER 2u

struct reader {
    const uint8_t *at, *end;
};

static bool read_u16(struct reader *reader, unsigned *ret_value)
{
    if (reader->end - reader->at < 2)
        return false;
    *ret_value = (unsigned)reader->at[0] << 8 | reader->at[1];
    reader->at += 2;
    return true;
}

static bool read_i32(struct reader *reader, int32_t *ret_value)
{
    uint32_t value;

    if (reader->end - reader->at < 4)
        return false;
    memcpy(&value, reader->at, sizeof(value));
    *ret_value = (int32_t)GUINT32_FROM_BE(value);
    reader->at += 4;
    return true;
}

static bool skip_string(struct reader *reader)
{
    const uint8_t *nul = memchr(reader->at, '\0', (size_t)(reader->end - reader->at));

    reader->at = nul ? nul + 1 : reader->end;
    return nul;
}

/* One format for all, or one each; none: text. */
static bool is_binary(const uint8_t *formats, unsigned n_formats, unsigned i)
{
    if (n_formats == 0)
        return false;
    return formats[2 * (n_formats == 1 ? 0 : i) + 1] == 1;
}

/* `left`: bytes of the message from the value on, all of them. */
static bool read_value(struct reader *reader, size_t left, struct ec_sink_parameter *parameter)
{
    int32_t len;

    if (!read_i32(reader, &len) || len < -1 || (size_t)MAX(len, 0) + sizeof(len) > left)
        return false;
    if (len < 0)
        return true;
    parameter->data = reader->at;
    parameter->full_len = (uint32_t)len;
    parameter->len = (uint32_t)MIN((size_t)len, (size_t)(reader->end - reader->at));
    reader->at += parameter->len;
    return true;
}

bool ec_bind_parse(const uint8_t *data, size_t len, size_t total, GArray *parameters, unsigned *ret_n)
{
    struct reader reader = {data, data + len};
    const guint before = parameters->len;
    const uint8_t *formats;
    unsigned n_formats, n;

    if (!skip_string(&reader) || !skip_string(&reader) || !read_u16(&reader, &n_formats) ||
        reader.end - reader.at < 2 * (ptrdiff_t)n_formats)
        return false;
    formats = reader.at;
    reader.at += 2 * (size_t)n_formats;
    if (!read_u16(&reader, &n) || (n_formats > 1 && n_formats != n))
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct ec_sink_parameter parameter = {.binary = is_binary(formats, n_formats, i)};
        size_t left = total - TRAILER - MIN(total - TRAILER, (size_t)(reader.at - data));

        if (!read_value(&reader, left, &parameter)) {
            if (len < total) /* the rest was not read */
                break;
            g_array_set_size(parameters, before);
            return false;
        }
        g_array_append_val(parameters, parameter);
    }
    *ret_n = n;
    return true;
}
