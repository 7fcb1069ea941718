/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines of /proc/PID/maps: their file names are anybody's choice. */
#include "map-line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* of just this size, so that a read beyond is noticed */
    struct ec_map_line line;

    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    ec_library_name_match(text, size);
    ec_library_name_match_crypto(text, size);
    if (ec_map_line_parse(text, size, &line) &&
        (line.ino == 0 || line.path_len == 0 || line.path < text || line.path + line.path_len > text + size))
        abort();
    free(text);
    return 0;
}
