/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input's first byte chooses the front end; the rest are arguments, each ended by a NUL. */
#include "option.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(ec_options) options = ec_options_new();
    g_autoptr(GError) error = NULL;
    size_t end;

    if (size == 0)
        return 0;
    for (size_t start = 1; start < size; start = end + 1) {
        const uint8_t *nul = memchr(data + start, 0, size - start);

        end = nul ? (size_t)(nul - data) : size;
        g_ptr_array_add(words, g_strndup((const char *)data + start, end - start));
    }
    if (ec_options_parse(options, data[0] & 1 ? EC_FRONT_EXTCAP : EC_FRONT_CLI, (int)words->len,
                         (char *const *)words->pdata, &error) == (error != NULL))
        __builtin_trap();
    return 0;
}
