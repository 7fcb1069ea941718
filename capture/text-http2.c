/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames are split here and their streams put together in text-http2-stream.c, rather than by nghttp2_session: a
 * session is an endpoint, which ends the connection at the first thing that it has not seen the beginning of. An
 * observer goes on.
 */
#include "text-http2.h"
#include "text-http2-stream.h"

#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)
#define FRAME_HEAD 9
/* The default of SETTINGS_MAX_FRAME_SIZE; longer ones are taken once frames are known to be frames. */
#define FRAME_PLAUSIBLE_MAX 16384u

enum stage { STAGE_BEGIN, STAGE_PREFACE, STAGE_HEAD, STAGE_PAYLOAD, STAGE_SEEK };

struct side {
    enum stage stage;
    enum ec_direction direction;
    uint8_t head[FRAME_HEAD];
    size_t have;        /* bytes in head[], or of the preface */
    uint64_t head_time; /* of the first one */
    struct ec_http2_frame frame;
    uint32_t left;       /* of its payload */
    uint32_t data_left;  /* of DATA: what is neither padding nor its length */
    bool pad_pending;    /* of DATA: the padding's length comes next */
    GByteArray *payload; /* of other frames */
};

struct ec_http2 {
    ec_http2_streams *streams;
    struct side sides[2];
};

/* --- frames --------------------------------------------------------------------------------------------------- */

static struct ec_http2_frame parse_head(const uint8_t *head)
{
    return (struct ec_http2_frame){
        .len = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream =
            (int32_t)((uint32_t)(head[5] & 0x7f) << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8]),
    };
}

/* What RFC 9113 section 6 demands of a type; types that aren't known pass. */
static const struct rule {
    uint8_t flags;    /* that it may have */
    bool connection;  /* on stream 0, else on one */
    bool either;      /* on both */
    uint32_t min_len; /* bytes of payload */
    uint32_t max_len;
    uint32_t multiple;
} rules[] = {
    [EC_HTTP2_DATA] = {0x09, false, false, 0, UINT32_MAX, 1},
    [EC_HTTP2_HEADERS] = {0x2d, false, false, 1, UINT32_MAX, 1},
    [EC_HTTP2_PRIORITY] = {0x00, false, false, 5, 5, 1},
    [EC_HTTP2_RST_STREAM] = {0x00, false, false, 4, 4, 1},
    [EC_HTTP2_SETTINGS] = {0x01, true, false, 0, UINT32_MAX, 6},
    [EC_HTTP2_PUSH_PROMISE] = {0x0c, false, false, 4, UINT32_MAX, 1},
    [EC_HTTP2_PING] = {0x01, true, false, 8, 8, 1},
    [EC_HTTP2_GOAWAY] = {0x00, true, false, 8, UINT32_MAX, 1},
    [EC_HTTP2_WINDOW_UPDATE] = {0x00, false, true, 4, 4, 1},
    [EC_HTTP2_CONTINUATION] = {0x04, false, false, 0, UINT32_MAX, 1},
};
_Static_assert(G_N_ELEMENTS(rules) == EC_HTTP2_TYPE_MAX, "a rule per type");

static bool is_valid(const struct ec_http2_frame *frame)
{
    const struct rule *rule = &rules[frame->type < G_N_ELEMENTS(rules) ? frame->type : 0];

    if (frame->type >= G_N_ELEMENTS(rules))
        return true;
    return frame->len >= rule->min_len && frame->len <= rule->max_len && frame->len % rule->multiple == 0 &&
           (rule->either || rule->connection == (frame->stream == 0));
}

/* Strict enough that other data hardly ever pass. */
static bool is_plausible(const uint8_t *head)
{
    struct ec_http2_frame frame = parse_head(head);

    return !(head[5] & 0x80) && frame.type < G_N_ELEMENTS(rules) && frame.len <= FRAME_PLAUSIBLE_MAX &&
           !(frame.flags & ~rules[frame.type].flags) && is_valid(&frame);
}

/* Every frame head in `data` is one, and there is one at least. */
static bool are_frames(const uint8_t *data, size_t len)
{
    if (len < FRAME_HEAD)
        return false;
    while (len >= FRAME_HEAD) {
        size_t whole = FRAME_HEAD + parse_head(data).len;

        if (!is_plausible(data))
            return false;
        data += MIN(whole, len);
        len -= MIN(whole, len);
    }
    return true;
}

enum ec_text_verdict ec_http2_detect(const uint8_t *data, size_t len)
{
    if (!memcmp(data, preface, MIN(len, PREFACE_LEN)))
        return len < PREFACE_LEN ? EC_TEXT_MAYBE : EC_TEXT_YES;
    if (len < FRAME_HEAD)
        return data[0] ? EC_TEXT_NO : EC_TEXT_MAYBE;
    return are_frames(data, len) ? EC_TEXT_YES : EC_TEXT_NO;
}

/* --- bytes ---------------------------------------------------------------------------------------------------- */

static void end_frame(ec_http2 *http2, struct side *side)
{
    side->stage = STAGE_HEAD;
    if (side->frame.type == EC_HTTP2_DATA) {
        ec_http2_streams_end_data(http2->streams, side->direction, &side->frame);
        return;
    }
    ec_http2_streams_take_frame(http2->streams, side->direction, &side->frame, side->payload->data, side->payload->len);
    g_byte_array_set_size(side->payload, 0);
}

/* The bytes in head[] are not what they should be. */
static void give_up(ec_http2 *http2, struct side *side)
{
    ec_http2_streams_pass_over(http2->streams, side->direction, side->head_time, FRAME_HEAD, false);
    side->stage = STAGE_SEEK;
}

static void begin_frame(ec_http2 *http2, struct side *side)
{
    side->frame = parse_head(side->head);
    side->frame.time = side->head_time;
    if (!is_valid(&side->frame)) {
        give_up(http2, side);
        return;
    }
    side->stage = STAGE_PAYLOAD;
    side->left = side->data_left = side->frame.len;
    side->pad_pending = side->frame.type == EC_HTTP2_DATA && (side->frame.flags & EC_HTTP2_PADDED);
    if (!side->left)
        end_frame(http2, side);
}

/* The side's first bytes: a preface, the server's SETTINGS, or the midst of something. */
static void begin_side(ec_http2 *http2, struct side *side)
{
    bool plausible = is_plausible(side->head);

    if (!memcmp(side->head, preface, FRAME_HEAD)) {
        ec_http2_streams_begin(http2->streams, side->direction, false);
        side->stage = STAGE_PREFACE;
        side->have = FRAME_HEAD;
        return;
    }
    ec_http2_streams_begin(http2->streams, side->direction, !plausible || side->head[3] != EC_HTTP2_SETTINGS);
    if (plausible)
        begin_frame(http2, side);
    else
        give_up(http2, side);
}

static size_t take_head(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, FRAME_HEAD - side->have);

    if (!side->have)
        side->head_time = time;
    memcpy(side->head + side->have, data, used);
    side->have += used;
    if (side->have < FRAME_HEAD)
        return used;
    side->have = 0;
    if (side->stage == STAGE_BEGIN)
        begin_side(http2, side);
    else
        begin_frame(http2, side);
    return used;
}

static void take_data(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    if (side->pad_pending) {
        uint32_t overhead = 1u + *data;

        side->pad_pending = false;
        side->data_left -= MIN(overhead, side->data_left);
        data++;
        len--;
    }
    len = MIN(len, side->data_left);
    side->data_left -= (uint32_t)len;
    if (len)
        ec_http2_streams_take_data(http2->streams, side->direction, &side->frame, data, len);
}

static size_t take_payload(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, side->left);

    if (side->frame.type == EC_HTTP2_DATA)
        take_data(http2, side, data, used);
    else
        g_byte_array_append(side->payload, data, (guint)MIN(used, EC_HTTP2_BLOCK_MAX + 1 - side->payload->len));
    side->left -= (uint32_t)used;
    if (!side->left)
        end_frame(http2, side);
    return used;
}

static size_t take_preface(struct side *side, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, PREFACE_LEN - side->have);

    if (memcmp(data, preface + side->have, used)) {
        side->stage = STAGE_SEEK;
        side->have = 0;
        return 0;
    }
    side->have += used;
    if (side->have == PREFACE_LEN) {
        side->stage = STAGE_HEAD;
        side->have = 0;
    }
    return used;
}

/* Programs write whole frames mostly, so a call's first bytes are the place to look for one. */
static size_t seek_frame(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    if (are_frames(data, len)) {
        side->stage = STAGE_HEAD;
        return 0;
    }
    ec_http2_streams_pass_over(http2->streams, side->direction, time, len, false);
    return len;
}

static size_t take_bytes(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    switch (side->stage) {
    case STAGE_PREFACE:
        return take_preface(side, data, len);
    case STAGE_BEGIN:
    case STAGE_HEAD:
        return take_head(http2, side, time, data, len);
    case STAGE_PAYLOAD:
        return take_payload(http2, side, data, len);
    case STAGE_SEEK:
        break;
    }
    return seek_frame(http2, side, time, data, len);
}

void ec_http2_take(ec_http2 *http2, uint64_t time, enum ec_direction direction, const uint8_t *data, size_t len)
{
    struct side *side = &http2->sides[direction == EC_DIRECTION_OUT];

    while (len) {
        size_t used = take_bytes(http2, side, time, data, len);

        data += used;
        len -= used;
    }
}

void ec_http2_skip(ec_http2 *http2, uint64_t time, enum ec_direction direction, uint64_t len)
{
    struct side *side = &http2->sides[direction == EC_DIRECTION_OUT];
    bool in_data = side->stage == STAGE_PAYLOAD && side->frame.type == EC_HTTP2_DATA && !side->pad_pending;

    if (in_data && len <= side->data_left) {
        ec_http2_streams_lose_data(http2->streams, direction, &side->frame, len);
        side->data_left -= (uint32_t)len;
        side->left -= (uint32_t)len;
        if (!side->left)
            end_frame(http2, side);
        return;
    }
    ec_http2_streams_pass_over(http2->streams, direction, time, len, true);
    side->stage = STAGE_SEEK;
    side->have = 0;
    g_byte_array_set_size(side->payload, 0);
}

ec_http2 *ec_http2_new(const struct ec_text_receiver *receiver)
{
    ec_http2 *http2 = g_new0(ec_http2, 1);

    http2->streams = ec_http2_streams_new(receiver);
    for (size_t i = 0; i < G_N_ELEMENTS(http2->sides); i++) {
        http2->sides[i].direction = i ? EC_DIRECTION_OUT : EC_DIRECTION_IN;
        http2->sides[i].payload = g_byte_array_new();
    }
    return http2;
}

void ec_http2_free(ec_http2 *http2)
{
    if (!http2)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(http2->sides); i++)
        g_byte_array_unref(http2->sides[i].payload);
    ec_http2_streams_free(http2->streams);
    g_free(http2);
}

bool ec_http2_flush(ec_http2 *http2, uint64_t now)
{
    return ec_http2_streams_flush(http2->streams, now);
}

void ec_http2_end(ec_http2 *http2, const char *cause)
{
    ec_http2_streams_end(http2->streams, cause ? cause : "the connection ended");
}
