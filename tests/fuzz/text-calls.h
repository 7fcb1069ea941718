/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the fuzz targets of HTTP/1 and HTTP/2 share: an input is a list of calls, and every message that comes of them
 * is decoded and printed; nothing but printable characters may come of that, and no memory stay behind. */
#include "printable.h"
#include "text-json.h"
#include "text-print.h"

#include <stdlib.h>

struct text_calls {
    struct ec_text_budget budget;
    struct ec_text_receiver receiver;
    uint64_t time; /* ns */
};

static void text_calls_check(const GString *text)
{
    size_t used;

    for (const char *c = text->str; c < text->str + text->len; c += used) {
        gunichar decoded = ec_char_decode(c, (size_t)(text->str + text->len - c), &used);

        if (decoded != '\n' && decoded != '\t' && !ec_char_is_printable(decoded))
            abort();
    }
}

static void text_calls_emit(ec_text_message *message, void *data)
{
    static const struct ec_owner owner = {.pid = 1, .comm = "a"};
    static const struct ec_sink_connection connection = {.id = 1};
    static const struct ec_text_style styles[] = {{.shown_max = 100}, {.hex = true, .shown_max = 100}};
    const struct ec_text_origin origin = {&owner, NULL, &connection};
    g_autoptr(GString) text = g_string_new(NULL);

    (void)data;
    ec_text_message_decode(message);
    for (size_t i = 0; i < G_N_ELEMENTS(styles); i++)
        ec_text_print_message(text, &styles[i], &origin, message);
    ec_text_json_message(text, &styles[0], &origin, message);
    text_calls_check(text);
    ec_text_message_free(message);
}

static void text_calls_init(struct text_calls *calls)
{
    calls->budget = (struct ec_text_budget){.max = 1 << 20, .decoding_max = 64 << 20};
    calls->time = 0;
    calls->receiver = (struct ec_text_receiver){&calls->budget, text_calls_emit, NULL};
}

/* Calls are 0.6 s apart. A call is a byte of flags (1: sent, 2: lost, 4: a flush precedes, the rest is the length's
 * upper part), one of length, and its data, unless it is lost. False at the input's end. */
struct text_call {
    bool lost, flush;
    enum ec_direction direction;
    const uint8_t *data;
    size_t len;
};

static bool text_calls_next(struct text_calls *calls, const uint8_t **data, size_t *size, struct text_call *ret_call)
{
    uint8_t flags;

    if (*size < 2)
        return false;
    calls->time += 600000000;
    flags = (*data)[0];
    *ret_call = (struct text_call){.lost = flags & 2,
                                   .flush = flags & 4,
                                   .direction = flags & 1 ? EC_DIRECTION_OUT : EC_DIRECTION_IN,
                                   .data = *data + 2,
                                   .len = (size_t)(flags >> 3) << 8 | (*data)[1]};
    *data += 2;
    *size -= 2;
    if (ret_call->lost)
        return true;
    ret_call->len = MIN(ret_call->len, *size);
    *data += ret_call->len;
    *size -= ret_call->len;
    return true;
}
