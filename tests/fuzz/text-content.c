/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-content.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LEN 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In pieces the same comes of it. */
static void check_pieces(const char *codings, const uint8_t *data, size_t len, const GByteArray *content)
{
    g_autoptr(ec_content_decoder) decoder = ec_content_decoder_new(codings);
    g_autoptr(GByteArray) pieces = g_byte_array_new();

    for (size_t at = 0; at < len; at += MIN(3, len - at))
        ec_content_decoder_take(decoder, data + at, MIN(3, len - at), MAX_LEN, pieces);
    if (pieces->len != content->len || memcmp(pieces->data, content->data, content->len))
        abort();
}

/* The codings up to the first newline, the data behind it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, '\n', size) : NULL;
    g_autoptr(GByteArray) content = NULL;
    g_autofree char *codings = NULL;
    enum ec_content_result result;

    if (!end)
        return 0;
    codings = g_strndup((const char *)data, (gsize)(end - data));
    result = ec_content_decode(codings, end + 1, size - (size_t)(end + 1 - data), MAX_LEN, &content);
    if ((result == EC_CONTENT_UNKNOWN) != (content == NULL) || (content && content->len > MAX_LEN))
        abort();
    if (result == EC_CONTENT_WHOLE && content->len)
        check_pieces(codings, end + 1, size - (size_t)(end + 1 - data), content);
    ec_content_is_plain(codings);
    return 0;
}
