/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-http1.h"
#include "text-calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_calls calls;
    struct text_call call;
    ec_http1 *http;

    text_calls_init(&calls);
    http = ec_http1_new(&calls.receiver);
    while (text_calls_next(&calls, &data, &size, &call)) {
        if (call.flush)
            ec_http1_flush(http, calls.time);
        if (call.len)
            ec_http1_detect(call.data, call.lost ? 0 : call.len);
        if (call.lost)
            ec_http1_skip(http, calls.time, call.direction, call.len);
        else
            ec_http1_take(http, calls.time, call.direction, call.data, call.len);
    }
    ec_http1_end(http, "the input ended");
    ec_http1_free(http);
    if (calls.budget.used || calls.budget.decoding)
        abort();
    return 0;
}
