/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keylog.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ec_secret secret, again;
    if (!ec_keylog_line_parse((const char *)data, size, &secret))
        return 0;
    char line[EC_KEYLOG_LINE_LEN];
    size_t len = ec_keylog_line_format(&secret, line);
    if (!ec_keylog_line_parse(line, len, &again) || memcmp(&secret, &again, sizeof(secret)) != 0)
        abort();
    return 0;
}
