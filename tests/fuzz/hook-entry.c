/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Entries of the cache of hook points: a file in the user's home. What is taken must come back as it is. */
#include "hook-cache.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of just this size, so that a read beyond is noticed */
    struct ec_hook_entry entry, again;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    if (ec_hook_entry_parse(text, size, &entry)) {
        g_autofree char *formatted = ec_hook_entry_format(&entry);
        if (!ec_hook_entry_parse(formatted, strlen(formatted), &again) || memcmp(&entry, &again, sizeof(entry)) != 0)
            abort();
    }
    free(text);
    return 0;
}
