/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-content.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LEN 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
    ec_content_is_plain(codings);
    return 0;
}
