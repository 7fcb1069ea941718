/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-http2.h"
#include "text-calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_calls calls;
    struct text_call call;
    ec_http2 *http;

    text_calls_init(&calls);
    http = ec_http2_new(&calls.receiver);
    while (text_calls_next(&calls, &data, &size, &call)) {

        if (call.len)
            ec_http2_detect(call.data, call.lost ? 0 : call.len);
        if (call.flush)
            ec_http2_flush(http, calls.time);
        if (call.lost)
            ec_http2_skip(http, calls.time, call.direction, call.len);
        else
            ec_http2_take(http, calls.time, call.direction, call.data, call.len);
    }
    ec_http2_end(http, "the input ended");
    ec_http2_free(http);
    if (calls.budget.used || calls.budget.decoding)
        abort();
    return 0;
}
