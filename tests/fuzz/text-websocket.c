/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-websocket.h"
#include "text-calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte: 1, the client sends; 2, deflated; 4, each message by itself. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text_calls calls;
    struct text_call call;
    ec_websocket *websocket;
    uint8_t flags = size ? *data++ : 0;

    if (!size--)
        return 0;
    text_calls_init(&calls);
    websocket = ec_websocket_new(&calls.receiver, flags & 1 ? EC_DIRECTION_OUT : EC_DIRECTION_IN, "/",
                                 !(flags & 2)  ? NULL
                                 : (flags & 4) ? "permessage-deflate; client_no_context_takeover"
                                               : "Permessage-Deflate");
    while (text_calls_next(&calls, &data, &size, &call)) {
        if (call.flush)
            ec_websocket_flush(websocket);
        if (call.lost)
            ec_websocket_skip(websocket, calls.time, call.direction, call.len);
        else
            ec_websocket_take(websocket, calls.time, call.direction, call.data, call.len);
    }
    ec_websocket_end(websocket, "the input ended");
    ec_websocket_free(websocket);
    if (calls.budget.used || calls.budget.decoding)
        abort();
    return 0;
}
