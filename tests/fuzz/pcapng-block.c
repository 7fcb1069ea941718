/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The walkers of pcapng/block.c, over bytes that no wiretap wrote. */
#include "block.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree uint8_t *copy = g_memdup2(data, size);
    size_t whole = ec_block_whole(copy, size);

    if (whole > size || ec_block_whole(copy, whole) != whole)
        abort();
    if (ec_block_patch(copy, size)) {
        /* Names change, lengths don't; and what was renamed once stays. */
        g_autofree uint8_t *again = g_memdup2(copy, size);

        if (whole != size || !ec_block_patch(again, size) || (size && memcmp(again, copy, size) != 0))
            abort();
    }
    return 0;
}
