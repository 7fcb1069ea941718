/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-websocket.h"

#include <string.h>

#define HEAD_MAX 14
#define CONTROL_MAX 125
#define FIN 0x80
#define RSV1 0x40 /* the message is deflated */
#define RESERVED 0x30
#define OPCODE 0x0f
#define MASKED 0x80

enum opcode { CONTINUATION = 0, TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10, OPCODE_MAX };
static const char *const names[] = {
    [TEXT] = "text", [BINARY] = "binary", [CLOSE] = "close", [PING] = "ping", [PONG] = "pong"};
_Static_assert(G_N_ELEMENTS(names) == OPCODE_MAX, "a name each");

/* RFC 7692 section 7.2.2: what a deflated message's sender has left out. */
static const uint8_t deflate_tail[] = {0x00, 0x00, 0xff, 0xff};
static const char deflate[] = "permessage-deflate";

enum stage { STAGE_HEAD, STAGE_PAYLOAD, STAGE_SEEK, STAGE_RAW };

struct frame {
    size_t head_len;
    uint8_t flags, opcode;
    bool masked;
    uint64_t len; /* bytes of payload */
    uint8_t mask[4];
};

struct side {
    enum stage stage;
    enum ec_direction direction;
    uint8_t head[HEAD_MAX];
    size_t have;        /* bytes of it */
    uint64_t head_time; /* of the first one; ns since the epoch */
    struct frame frame;
    uint64_t at;              /* bytes of its payload so far */
    ec_text_message *message; /* of text or binary frames, NULL: none is open */
    ec_text_message *control; /* of a control frame */
    uint64_t lost;            /* bytes lost or passed over since the last message */
    bool deflated;            /* the open message is */
    bool fresh;               /* each message is deflated by itself */
    bool torn;                /* what the next deflated message refers to is missing */
    ec_content_decoder *decoder;
};

struct ec_websocket {
    const struct ec_text_receiver *receiver;
    enum ec_direction client;
    char *target;
    bool deflate;
    size_t cost; /* of decoders, charged to the budget */
    struct side sides[2];
    struct ec_text_raw raw;
};

static struct side *get_side(ec_websocket *websocket, enum ec_direction direction)
{
    return &websocket->sides[direction == EC_DIRECTION_OUT];
}

/* Both directions', or none: permessage-deflate needs its window for the whole connection. */
static void charge_decoders(ec_websocket *websocket)
{
    g_autoptr(ec_content_decoder) decoder = ec_content_decoder_new(deflate);
    struct ec_text_budget *budget = websocket->receiver->budget;
    size_t cost = 2 * ec_content_decoder_get_cost(decoder);

    if (cost > budget->decoding_max - budget->decoding) {
        websocket->sides[0].torn = websocket->sides[1].torn = true;
        return;
    }
    websocket->cost = cost;
    budget->decoding += cost;
}

ec_websocket *ec_websocket_new(const struct ec_text_receiver *receiver, enum ec_direction client, const char *target,
                               const char *extensions)
{
    ec_websocket *websocket = g_new0(ec_websocket, 1);
    g_autofree char *lower = g_ascii_strdown(extensions ? extensions : "", -1);

    websocket->receiver = receiver;
    websocket->client = client;
    websocket->target = g_strdup(target);
    websocket->sides[0].direction = EC_DIRECTION_IN;
    websocket->sides[1].direction = EC_DIRECTION_OUT;
    websocket->deflate = strstr(lower, deflate) != NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(websocket->sides); i++)
        websocket->sides[i].fresh =
            strstr(lower, websocket->sides[i].direction == client ? "client_no_context_takeover"
                                                                  : "server_no_context_takeover") != NULL;
    if (websocket->deflate)
        charge_decoders(websocket);
    return websocket;
}

void ec_websocket_free(ec_websocket *websocket)
{
    if (!websocket)
        return;
    websocket->receiver->budget->decoding -= websocket->cost;
    for (size_t i = 0; i < G_N_ELEMENTS(websocket->sides); i++) {
        ec_text_message_free(websocket->sides[i].message);
        ec_text_message_free(websocket->sides[i].control);
        ec_content_decoder_free(websocket->sides[i].decoder);
    }
    ec_text_raw_clear(&websocket->raw);
    g_free(websocket->target);
    g_free(websocket);
}

/* --- heads (RFC 6455 section 5.2) ----------------------------------------------------------------------------- */

/* Bytes of the head whose first two are these. */
static size_t measure_head(const uint8_t *head)
{
    unsigned len = head[1] & ~MASKED & 0xff;

    return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (head[1] & MASKED ? 4 : 0);
}

/* Of a whole head. */
static struct frame parse_head(const uint8_t *head)
{
    struct frame frame = {
        .head_len = measure_head(head), .flags = head[0], .opcode = head[0] & OPCODE, .masked = head[1] & MASKED};
    size_t numbers = frame.head_len - 2 - (frame.masked ? sizeof(frame.mask) : 0);

    frame.len = numbers ? 0 : head[1] & ~MASKED & 0xff;
    for (size_t i = 0; i < numbers; i++)
        frame.len = frame.len << 8 | head[2 + i];
    if (frame.masked)
        memcpy(frame.mask, head + 2 + numbers, sizeof(frame.mask));
    return frame;
}

static bool is_control(const struct frame *frame)
{
    return frame->opcode >= CLOSE;
}

static bool is_valid(const ec_websocket *websocket, const struct side *side, const struct frame *frame)
{
    bool known = frame->opcode < OPCODE_MAX && (frame->opcode == CONTINUATION || names[frame->opcode]);
    bool deflated = frame->flags & RSV1;

    if (!known || (frame->flags & RESERVED) || frame->len > G_MAXINT64 ||
        frame->masked != (side->direction == websocket->client))
        return false;
    if (is_control(frame))
        return (frame->flags & FIN) && !deflated && frame->len <= CONTROL_MAX;
    return !deflated || (websocket->deflate && frame->opcode != CONTINUATION);
}

/* Nothing but whole frames. */
static bool are_frames(const ec_websocket *websocket, const struct side *side, const uint8_t *data, size_t len)
{
    while (len) {
        struct frame frame;

        if (len < 2 || len < measure_head(data))
            return false;
        frame = parse_head(data);
        if (!is_valid(websocket, side, &frame) || frame.len > len - frame.head_len)
            return false;
        data += frame.head_len + frame.len;
        len -= frame.head_len + (size_t)frame.len;
    }
    return true;
}

/* --- messages ------------------------------------------------------------------------------------------------- */

static void note_loss(struct side *side, ec_text_message *message)
{
    if (side->lost)
        ec_text_message_add_note(message, "%" G_GUINT64_FORMAT " bytes before this were lost", side->lost);
    side->lost = 0;
}

static ec_text_message *new_message(ec_websocket *websocket, struct side *side, uint8_t opcode)
{
    ec_text_message *message = ec_text_message_new(websocket->receiver, EC_TEXT_DATA, side->head_time, side->direction);

    message->protocol = "WebSocket";
    message->what = opcode == CONTINUATION ? NULL : names[opcode];
    message->target = g_strdup(websocket->target);
    note_loss(side, message);
    return message;
}

static void inflate_message(struct side *side, ec_text_message *message)
{
    bool whole = message->body->len == message->body_len && !message->lost;
    GByteArray *content;
    enum ec_content_result result;

    if (!whole || side->torn) {
        side->torn = !side->fresh;
        ec_text_message_add_note(message, "not decoded: some of what was deflated is missing (%s)", deflate);
        return;
    }
    if (!side->decoder)
        side->decoder = ec_content_decoder_new(deflate);
    content = g_byte_array_new();
    result = ec_content_decoder_take(side->decoder, message->body->data, message->body->len, EC_TEXT_BODY_MAX, content);
    if (result == EC_CONTENT_SHORT)
        result = ec_content_decoder_take(side->decoder, deflate_tail, sizeof(deflate_tail),
                                         EC_TEXT_BODY_MAX - content->len, content);
    if (result == EC_CONTENT_CUT || result == EC_CONTENT_BROKEN) {
        ec_text_message_note_result(message, result, deflate);
        side->torn = !side->fresh;
    }
    if (side->fresh || result != EC_CONTENT_SHORT)
        g_clear_pointer(&side->decoder, ec_content_decoder_free);
    message->codings = g_strdup(deflate);
    message->coded_len = message->body_len;
    message->body_len = content->len;
    g_byte_array_unref(message->body);
    message->body = content;
}

/* Its code is shown as a remark, and the reason is its body (RFC 6455 section 5.5.1). */
static void note_close_code(ec_text_message *message)
{
    if (message->body->len < 2)
        return;
    ec_text_message_add_note(message, "code %u", message->body->data[0] << 8 | message->body->data[1]);
    g_byte_array_remove_range(message->body, 0, 2);
    message->body_len -= 2;
}

static void emit(ec_websocket *websocket, ec_text_message *message)
{
    ec_text_raw_flush(&websocket->raw, websocket->receiver);
    websocket->receiver->emit(message, websocket->receiver->data);
}

static void finish_message(ec_websocket *websocket, struct side *side)
{
    if (side->deflated)
        inflate_message(side, side->message);
    side->deflated = false;
    emit(websocket, g_steal_pointer(&side->message));
}

static void break_off(ec_websocket *websocket, struct side *side, const char *cause)
{
    ec_text_message **open[] = {&side->control, &side->message};

    for (size_t i = 0; i < G_N_ELEMENTS(open); i++) {
        if (!*open[i])
            continue;
        ec_text_message_add_note(*open[i], "incomplete: %s", cause);
        if (side->deflated && open[i] == &side->message)
            ec_text_message_add_note(*open[i], "not decoded (%s)", deflate);
        emit(websocket, g_steal_pointer(open[i]));
    }
    side->torn |= side->deflated && !side->fresh;
    side->deflated = false;
}

/* --- bytes ---------------------------------------------------------------------------------------------------- */

static ec_text_message *get_message(const struct side *side)
{
    return is_control(&side->frame) ? side->control : side->message;
}

static void end_frame(ec_websocket *websocket, struct side *side)
{
    side->stage = STAGE_HEAD;
    if (is_control(&side->frame)) {
        if (side->frame.opcode == CLOSE && !side->control->lost)
            note_close_code(side->control);
        emit(websocket, g_steal_pointer(&side->control));
    } else if (side->frame.flags & FIN) {
        finish_message(websocket, side);
    }
}

static void begin_frame(ec_websocket *websocket, struct side *side)
{
    side->stage = STAGE_PAYLOAD;
    side->at = 0;
    if (is_control(&side->frame)) {
        side->control = new_message(websocket, side, side->frame.opcode);
    } else {
        if (side->message && side->frame.opcode != CONTINUATION)
            break_off(websocket, side, "its end was not captured");
        if (!side->message) {
            side->message = new_message(websocket, side, side->frame.opcode);
            if (side->frame.opcode == CONTINUATION)
                ec_text_message_add_note(side->message, "incomplete: its beginning was not captured");
            side->deflated = side->frame.flags & RSV1;
        }
    }
    if (!side->frame.len)
        end_frame(websocket, side);
}

static void give_raw(ec_websocket *websocket, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    ec_text_raw_take(&websocket->raw, websocket->receiver, time, side->direction, data, len);
    if (websocket->raw.message)
        note_loss(side, websocket->raw.message);
}

static void give_up(ec_websocket *websocket, struct side *side)
{
    break_off(websocket, side, "what follows is no frame of WebSocket, and shown as data");
    side->stage = STAGE_RAW;
    give_raw(websocket, side, side->head_time, side->head, side->have);
}

static size_t take_head(ec_websocket *websocket, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    size_t wanted = side->have < 2 ? 2 : measure_head(side->head);
    size_t used = MIN(len, wanted - side->have);

    if (!side->have)
        side->head_time = time;
    memcpy(side->head + side->have, data, used);
    side->have += used;
    if (side->have < 2 || side->have < measure_head(side->head))
        return used;
    side->frame = parse_head(side->head);
    if (is_valid(websocket, side, &side->frame))
        begin_frame(websocket, side);
    else
        give_up(websocket, side);
    side->have = 0;
    return used;
}

static size_t take_payload(ec_websocket *websocket, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    ec_text_message *message = get_message(side);
    size_t used = (size_t)MIN(len, side->frame.len - side->at);
    size_t begin = message->body->len;

    ec_text_message_add_body(message, time, data, used);
    for (size_t i = begin; side->frame.masked && i < message->body->len; i++)
        message->body->data[i] ^= side->frame.mask[(side->at + i - begin) % sizeof(side->frame.mask)];
    side->at += used;
    if (side->at == side->frame.len)
        end_frame(websocket, side);
    return used;
}

void ec_websocket_take(ec_websocket *websocket, uint64_t time, enum ec_direction direction, const uint8_t *data,
                       size_t len)
{
    struct side *side = get_side(websocket, direction);

    /* Programs write whole frames mostly, so a call's first bytes are the place to look for one. */
    if (side->stage == STAGE_SEEK && are_frames(websocket, side, data, len))
        side->stage = STAGE_HEAD;
    while (len) {
        size_t used = len;

        if (side->stage == STAGE_HEAD)
            used = take_head(websocket, side, time, data, len);
        else if (side->stage == STAGE_PAYLOAD)
            used = take_payload(websocket, side, time, data, len);
        else if (side->stage == STAGE_RAW)
            give_raw(websocket, side, time, data, len);
        else
            side->lost += len;
        data += used;
        len -= used;
    }
}

void ec_websocket_skip(ec_websocket *websocket, uint64_t time, enum ec_direction direction, uint64_t len)
{
    struct side *side = get_side(websocket, direction);

    if (side->stage == STAGE_PAYLOAD && len <= side->frame.len - side->at) {
        ec_text_message_add_loss(get_message(side), len);
        side->at += len;
        if (side->at == side->frame.len)
            end_frame(websocket, side);
        return;
    }
    ec_text_raw_flush(&websocket->raw, websocket->receiver);
    side->lost += len;
    side->head_time = time;
    if (side->stage == STAGE_RAW)
        return;
    break_off(websocket, side, "bytes were lost here");
    side->torn |= websocket->deflate && !side->fresh;
    side->stage = STAGE_SEEK;
    side->have = 0;
}

void ec_websocket_flush(ec_websocket *websocket)
{
    ec_text_raw_flush(&websocket->raw, websocket->receiver);
}

void ec_websocket_end(ec_websocket *websocket, const char *cause)
{
    for (size_t i = 0; i < G_N_ELEMENTS(websocket->sides); i++) {
        struct side *side = &websocket->sides[i];

        break_off(websocket, side, cause);
        if (side->lost)
            emit(websocket, new_message(websocket, side, CONTINUATION));
    }
    ec_websocket_flush(websocket);
}
