/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input's first two bytes are the skip; the rest is one segment's payload. */
#include "tls-record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t skip = data[0] << 8 | data[1], len = size - 2;
    struct ec_tls_peek peek;
    bool valid = ec_tls_record_peek(data + 2, len, skip, &peek);
    if (peek.next < skip || (peek.seen & EC_TLS_HELLO_RETRY && !(peek.seen & EC_TLS_SERVER_HELLO)) ||
        (!valid && peek.next >= len) || peek.cut_len >= EC_TLS_HEADER_LEN)
        abort();
    if (peek.cut_len > 0 && ec_tls_record_resume(peek.cut, peek.cut_len, data + 2, len, &skip) && skip == 0)
        abort();
    return 0;
}
