/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames are split here and header blocks decoded by nghttp2's HPACK inflater, rather than by nghttp2_session: a
 * session is an endpoint, which ends the connection at the first thing that it has not seen the beginning of. An
 * observer goes on.
 *
 * HPACK counts its dynamic table from the newest entry, so a decoder that begins in mid-connection is right about
 * everything that was added since. Its table is filled up with placeholders first: a reference to something older then
 * gives a placeholder, where the inflater would fail for good.
 */
#include "text-http2.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)
#define FRAME_HEAD 9
/* What a frame other than DATA, or a header block, may be long. */
#define BLOCK_MAX (256u << 10)
/* The default of SETTINGS_MAX_FRAME_SIZE; longer ones are taken once frames are known to be frames. */
#define FRAME_PLAUSIBLE_MAX 16384u
#define STREAMS_MAX 1024
#define RESETS_MAX 64
/* SETTINGS_HEADER_TABLE_SIZE: browsers announce 64 KiB, all else the default. */
#define TABLE_MAX (64u << 10)
#define TABLE_DEFAULT 4096u
/* No header's name (RFC 9110 section 5.6.2). Its entry takes 32 bytes more than name and value (RFC 7541 section 4.1).
 */
#define PLACEHOLDER "?"
#define PLACEHOLDER_ENTRY (32u + 1)

enum stage { STAGE_BEGIN, STAGE_PREFACE, STAGE_HEAD, STAGE_PAYLOAD, STAGE_SEEK };

struct side {
    enum stage stage;
    enum ec_direction direction;
    nghttp2_hd_inflater *inflater;
    const char *remark; /* for the next message; NULL: none */
    uint64_t lost;      /* bytes lost or passed over since frames were frames */
    uint8_t head[FRAME_HEAD];
    size_t have; /* bytes in head[], or of the preface */
    nghttp2_frame_hd frame;
    uint64_t frame_time; /* of its first byte */
    uint32_t left;       /* of its payload */
    uint32_t data_left;  /* of DATA: what is neither padding nor its length */
    bool pad_pending;    /* of DATA: the padding's length comes next */
    GByteArray *payload; /* of other frames */
    GByteArray *block;   /* the header block in the making */
    bool block_open;     /* CONTINUATION must follow */
    int32_t block_stream;
    bool block_end_stream, block_promise;
    uint64_t block_time;
};

struct stream {
    int32_t id;
    ec_text_message *messages[2]; /* by side */
    bool ended[2];
    char *method, *target;
};

struct ec_http2 {
    const struct ec_text_receiver *receiver;
    struct side sides[2];
    GHashTable *streams;        /* int32_t id → struct stream * */
    int32_t resets[RESETS_MAX]; /* streams that were reset: what still comes of them is nobody's */
    size_t n_resets;
};

/* --- frames --------------------------------------------------------------------------------------------------- */

static nghttp2_frame_hd parse_head(const uint8_t *head)
{
    return (nghttp2_frame_hd){
        .length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2],
        .type = head[3],
        .flags = head[4],
        .stream_id =
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
    [NGHTTP2_DATA] = {0x09, false, false, 0, UINT32_MAX, 1},
    [NGHTTP2_HEADERS] = {0x2d, false, false, 1, UINT32_MAX, 1},
    [NGHTTP2_PRIORITY] = {0x00, false, false, 5, 5, 1},
    [NGHTTP2_RST_STREAM] = {0x00, false, false, 4, 4, 1},
    [NGHTTP2_SETTINGS] = {0x01, true, false, 0, UINT32_MAX, 6},
    [NGHTTP2_PUSH_PROMISE] = {0x0c, false, false, 4, UINT32_MAX, 1},
    [NGHTTP2_PING] = {0x01, true, false, 8, 8, 1},
    [NGHTTP2_GOAWAY] = {0x00, true, false, 8, UINT32_MAX, 1},
    [NGHTTP2_WINDOW_UPDATE] = {0x00, false, true, 4, 4, 1},
    [NGHTTP2_CONTINUATION] = {0x04, false, false, 0, UINT32_MAX, 1},
};

static bool is_valid(const nghttp2_frame_hd *frame)
{
    const struct rule *rule = &rules[frame->type < G_N_ELEMENTS(rules) ? frame->type : 0];

    if (frame->type >= G_N_ELEMENTS(rules))
        return true;
    return frame->length >= rule->min_len && frame->length <= rule->max_len && frame->length % rule->multiple == 0 &&
           (rule->either || rule->connection == (frame->stream_id == 0));
}

/* Strict enough that other data hardly ever pass. */
static bool is_plausible(const uint8_t *head)
{
    nghttp2_frame_hd frame = parse_head(head);

    return !(head[5] & 0x80) && frame.type < G_N_ELEMENTS(rules) && frame.length <= FRAME_PLAUSIBLE_MAX &&
           !(frame.flags & ~rules[frame.type].flags) && is_valid(&frame);
}

/* Every frame head in `data` is one, and there is one at least. */
static bool are_frames(const uint8_t *data, size_t len)
{
    if (len < FRAME_HEAD)
        return false;
    while (len >= FRAME_HEAD) {
        size_t whole = FRAME_HEAD + parse_head(data).length;

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

/* --- streams -------------------------------------------------------------------------------------------------- */

static void stream_free(gpointer data)
{
    struct stream *stream = data;

    for (size_t i = 0; i < G_N_ELEMENTS(stream->messages); i++)
        ec_text_message_free(stream->messages[i]);
    g_free(stream->method);
    g_free(stream->target);
    g_free(stream);
}

static size_t get_index(const ec_http2 *http2, const struct side *side)
{
    return side == &http2->sides[1];
}

static void emit(ec_http2 *http2, struct stream *stream, size_t index)
{
    if (stream->messages[index])
        http2->receiver->emit(g_steal_pointer(&stream->messages[index]), http2->receiver->data);
}

static void emit_incomplete(ec_http2 *http2, struct stream *stream, const char *cause)
{
    for (size_t i = 0; i < G_N_ELEMENTS(stream->messages); i++) {
        if (stream->messages[i])
            ec_text_message_add_note(stream->messages[i], "incomplete: %s", cause);
        emit(http2, stream, i);
    }
}

static void end_side(ec_http2 *http2, struct stream *stream, size_t index)
{
    emit(http2, stream, index);
    stream->ended[index] = true;
    if (stream->ended[0] && stream->ended[1])
        g_hash_table_remove(http2->streams, &stream->id);
}

static int compare_streams(gconstpointer a, gconstpointer b)
{
    const struct stream *left = *(const struct stream *const *)a, *right = *(const struct stream *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* Sorted, so that output doesn't depend on a hash. */
static GPtrArray *list_streams(ec_http2 *http2)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, http2->streams);
    while (g_hash_table_iter_next(&iter, NULL, &stream))
        g_ptr_array_add(list, stream);
    g_ptr_array_sort(list, compare_streams);
    return list;
}

static void drop_streams(ec_http2 *http2, guint n, const char *cause)
{
    g_autoptr(GPtrArray) list = list_streams(http2);

    for (guint i = 0; i < MIN(n, list->len); i++) {
        struct stream *stream = g_ptr_array_index(list, i);

        emit_incomplete(http2, stream, cause);
        g_hash_table_remove(http2->streams, &stream->id);
    }
}

static bool was_reset(const ec_http2 *http2, int32_t id)
{
    for (size_t i = 0; i < MIN(http2->n_resets, RESETS_MAX); i++)
        if (http2->resets[i] == id)
            return true;
    return false;
}

static struct stream *get_stream(ec_http2 *http2, int32_t id)
{
    struct stream *stream = g_hash_table_lookup(http2->streams, &id);

    if (stream)
        return stream;
    if (g_hash_table_size(http2->streams) >= STREAMS_MAX)
        drop_streams(http2, STREAMS_MAX / 4, "too many streams are open");
    stream = g_new0(struct stream, 1);
    stream->id = id;
    g_hash_table_insert(http2->streams, &stream->id, stream);
    return stream;
}

static void add_remarks(struct side *side, ec_text_message *message)
{
    if (side->lost)
        ec_text_message_add_note(message, "%" G_GUINT64_FORMAT " bytes before this were lost or could not be read",
                                 side->lost);
    if (side->remark)
        ec_text_message_add_note(message, "%s", side->remark);
    side->lost = 0;
    side->remark = NULL;
}

static ec_text_message *new_message(ec_http2 *http2, struct side *side, enum ec_text_kind kind, uint64_t time,
                                    int32_t stream)
{
    ec_text_message *message = ec_text_message_new(http2->receiver, kind, time, side->direction);

    message->protocol = "HTTP/2";
    message->stream = (uint32_t)stream;
    add_remarks(side, message);
    return message;
}

/* --- header blocks -------------------------------------------------------------------------------------------- */

static nghttp2_hd_inflater *new_inflater(bool amid)
{
    static const uint8_t entry[] = {0x40, 1, PLACEHOLDER[0], 0}; /* literal, indexed: RFC 7541 section 6.2.1 */
    nghttp2_hd_inflater *inflater = NULL;

    if (nghttp2_hd_inflate_new(&inflater))
        g_error("out of memory");
    nghttp2_hd_inflate_change_table_size(inflater, TABLE_MAX);
    for (size_t i = 0; amid && i < TABLE_DEFAULT / PLACEHOLDER_ENTRY; i++) {
        nghttp2_nv field;
        int flags = 0;

        nghttp2_hd_inflate_hd2(inflater, &field, &flags, entry, sizeof(entry), 1);
        nghttp2_hd_inflate_end_headers(inflater);
    }
    return inflater;
}

static void set_amid(struct side *side, const char *remark)
{
    side->remark = remark;
    if (side->inflater)
        nghttp2_hd_inflate_del(side->inflater);
    side->inflater = new_inflater(true);
}

static bool is_name(const nghttp2_nv *field, const char *name)
{
    return field->namelen == strlen(name) && !memcmp(field->name, name, field->namelen);
}

static char *copy_value(const nghttp2_nv *field)
{
    return g_strndup((const char *)field->value, field->valuelen);
}

/* Of :status, three digits. */
static unsigned parse_status(const nghttp2_nv *field)
{
    unsigned status = 0;

    for (size_t i = 0; i < field->valuelen && i < 3; i++)
        status = status * 10 + (g_ascii_isdigit((char)field->value[i]) ? (unsigned)(field->value[i] - '0') : 0);
    return status;
}

static void add_field(ec_text_message *message, const nghttp2_nv *field, bool trailer)
{
    static const char unknown[] = "(sent before the capture)";

    if (is_name(field, ":method") && !message->method) {
        message->kind = EC_TEXT_REQUEST;
        message->method = copy_value(field);
    } else if (is_name(field, ":path") && !message->target) {
        message->target = copy_value(field);
    } else if (is_name(field, ":status") && !message->status) {
        message->kind = EC_TEXT_RESPONSE;
        message->status = parse_status(field);
    } else if (is_name(field, PLACEHOLDER) && !field->valuelen) {
        ec_text_message_add_field(message, PLACEHOLDER, 1, unknown, strlen(unknown), trailer);
    } else {
        ec_text_message_add_field(message, (const char *)field->name, field->namelen, (const char *)field->value,
                                  field->valuelen, trailer);
    }
}

/* `message` NULL: only to keep the table as the sender's is. */
static void inflate_block(struct side *side, ec_text_message *message, bool trailer)
{
    const uint8_t *data = side->block->data;
    size_t len = side->block->len;
    int flags = 0;

    while (!(flags & NGHTTP2_HD_INFLATE_FINAL)) {
        nghttp2_nv field;
        ssize_t used;

        flags = 0;
        used = nghttp2_hd_inflate_hd2(side->inflater, &field, &flags, data, len, 1);
        if (used < 0) {
            set_amid(side, NULL);
            if (message)
                ec_text_message_add_note(message, "incomplete: the rest of its header can't be decoded");
            return;
        }
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) && message)
            add_field(message, &field, trailer);
        data += used;
        len -= (size_t)used;
        if (!used && !flags)
            break;
    }
    nghttp2_hd_inflate_end_headers(side->inflater);
}

static void begin_request(struct stream *stream, const ec_text_message *message)
{
    g_free(stream->method);
    g_free(stream->target);
    stream->method = g_strdup(message->method);
    stream->target = g_strdup(message->target);
}

/* A message's head is there: a request, a response, or an interim one. */
static void end_message_head(ec_http2 *http2, struct side *side, struct stream *stream, ec_text_message *message)
{
    size_t index = get_index(http2, side);

    stream->messages[index] = message;
    if (message->kind == EC_TEXT_REQUEST) {
        begin_request(stream, message);
        return;
    }
    g_free(message->method);
    g_free(message->target);
    message->method = g_strdup(stream->method);
    message->target = g_strdup(stream->target);
    if (message->status >= 100 && message->status < 200)
        emit(http2, stream, index);
}

static void take_promise(ec_http2 *http2, struct side *side)
{
    ec_text_message *message = new_message(http2, side, EC_TEXT_REQUEST, side->block_time, side->block_stream);
    struct stream *stream = get_stream(http2, side->block_stream);
    size_t other = !get_index(http2, side);

    inflate_block(side, message, false);
    begin_request(stream, message);
    ec_text_message_add_note(message, "promised by the server");
    http2->receiver->emit(message, http2->receiver->data);
    /* The client sends nothing on it. */
    stream->ended[other] = true;
}

static void take_headers(ec_http2 *http2, struct side *side)
{
    size_t index = get_index(http2, side);
    struct stream *stream;

    if (was_reset(http2, side->block_stream)) {
        inflate_block(side, NULL, false);
        return;
    }
    stream = get_stream(http2, side->block_stream);
    if (stream->messages[index]) {
        inflate_block(side, stream->messages[index], true);
    } else {
        ec_text_message *message = new_message(http2, side, EC_TEXT_DATA, side->block_time, stream->id);

        inflate_block(side, message, false);
        end_message_head(http2, side, stream, message);
    }
    if (side->block_end_stream)
        end_side(http2, stream, index);
}

static void end_block(ec_http2 *http2, struct side *side)
{
    side->block_open = false;
    if (side->block->len > BLOCK_MAX)
        set_amid(side, "a header before this was too long, or malformed");
    else if (side->block_promise)
        take_promise(http2, side);
    else
        take_headers(http2, side);
    g_byte_array_set_size(side->block, 0);
}

/* Beyond BLOCK_MAX, one byte more stands for all of them. */
static void append_block(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    size_t room = BLOCK_MAX + 1 - side->block->len;

    g_byte_array_append(side->block, data, (guint)MIN(len, room));
    if (side->frame.flags & NGHTTP2_FLAG_END_HEADERS)
        end_block(http2, side);
}

/* --- what each frame says ------------------------------------------------------------------------------------- */

/* Takes the padding off; false if there is more of it than payload. */
static bool strip_padding(const nghttp2_frame_hd *frame, const uint8_t **data, size_t *len)
{
    size_t pad;

    if (!(frame->flags & NGHTTP2_FLAG_PADDED))
        return true;
    pad = *len ? **data : 0;
    if (*len < 1 + pad)
        return false;
    *data += 1;
    *len -= 1 + pad;
    return true;
}

static void on_headers(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    bool promise = side->frame.type == NGHTTP2_PUSH_PROMISE;
    size_t skipped = promise ? 4 : side->frame.flags & NGHTTP2_FLAG_PRIORITY ? 5 : 0;

    if (side->frame.length > BLOCK_MAX || !strip_padding(&side->frame, &data, &len) || len < skipped) {
        set_amid(side, "a header before this was too long, or malformed");
        return;
    }
    side->block_stream =
        promise ? parse_head((const uint8_t[]){0, 0, 0, 0, 0, data[0], data[1], data[2], data[3]}).stream_id
                : side->frame.stream_id;
    g_byte_array_set_size(side->block, 0);
    side->block_open = true;
    side->block_promise = promise;
    side->block_end_stream = !promise && (side->frame.flags & NGHTTP2_FLAG_END_STREAM);
    side->block_time = side->frame_time;
    append_block(http2, side, data + skipped, len - skipped);
}

static const char *get_error_name(const uint8_t *code)
{
    return nghttp2_http2_strerror((uint32_t)code[0] << 24 | (uint32_t)code[1] << 16 | (uint32_t)code[2] << 8 | code[3]);
}

static void on_reset(ec_http2 *http2, struct side *side, const uint8_t *data)
{
    struct stream *stream = g_hash_table_lookup(http2->streams, &side->frame.stream_id);
    g_autofree char *cause = g_strdup_printf("the stream was reset: %s", get_error_name(data));
    size_t index = get_index(http2, side);

    http2->resets[http2->n_resets++ % RESETS_MAX] = side->frame.stream_id;
    if (!stream)
        return;
    /* A request without an answer: say why. */
    if (!stream->messages[0] && !stream->messages[1] && stream->method) {
        stream->messages[index] = new_message(http2, side, EC_TEXT_RESPONSE, side->frame_time, stream->id);
        stream->messages[index]->method = g_strdup(stream->method);
        stream->messages[index]->target = g_strdup(stream->target);
    }
    emit_incomplete(http2, stream, cause);
    g_hash_table_remove(http2->streams, &side->frame.stream_id);
}

static void on_goaway(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    static const uint8_t no_error[4];
    ec_text_message *message;

    if (!memcmp(data + 4, no_error, sizeof(no_error)))
        return;
    message = new_message(http2, side, EC_TEXT_DATA, side->frame_time, 0);
    ec_text_message_add_note(message, "GOAWAY: %s", get_error_name(data + 4));
    ec_text_message_add_body(message, data + 8, len - 8);
    http2->receiver->emit(message, http2->receiver->data);
}

static void on_frame(ec_http2 *http2, struct side *side)
{
    const uint8_t *data = side->payload->data;
    size_t len = side->payload->len;

    switch (side->frame.type) {
    case NGHTTP2_HEADERS:
    case NGHTTP2_PUSH_PROMISE:
        on_headers(http2, side, data, len);
        break;
    case NGHTTP2_CONTINUATION:
        if (side->block_open && side->block_stream == side->frame.stream_id)
            append_block(http2, side, data, len);
        break;
    case NGHTTP2_RST_STREAM:
        on_reset(http2, side, data);
        break;
    case NGHTTP2_GOAWAY:
        on_goaway(http2, side, data, len);
        break;
    default:
        break;
    }
}

/* NULL: what comes of this stream is nobody's. */
static ec_text_message *get_data_message(ec_http2 *http2, struct side *side)
{
    size_t index = get_index(http2, side);
    struct stream *stream;

    if (was_reset(http2, side->frame.stream_id))
        return NULL;
    stream = get_stream(http2, side->frame.stream_id);
    if (!stream->messages[index]) {
        stream->messages[index] = new_message(http2, side, EC_TEXT_DATA, side->frame_time, stream->id);
        ec_text_message_add_note(stream->messages[index], "incomplete: its header was not captured");
    }
    return stream->messages[index];
}

static void end_frame(ec_http2 *http2, struct side *side)
{
    side->stage = STAGE_HEAD;
    side->have = 0;
    if (side->frame.type != NGHTTP2_DATA) {
        on_frame(http2, side);
        g_byte_array_set_size(side->payload, 0);
    } else if ((side->frame.flags & NGHTTP2_FLAG_END_STREAM) && !was_reset(http2, side->frame.stream_id)) {
        if (get_data_message(http2, side))
            end_side(http2, get_stream(http2, side->frame.stream_id), get_index(http2, side));
    }
}

/* --- bytes ---------------------------------------------------------------------------------------------------- */

static void begin_frame(ec_http2 *http2, struct side *side)
{
    side->frame = parse_head(side->head);
    side->have = 0;
    if (!is_valid(&side->frame)) {
        side->stage = STAGE_SEEK;
        side->lost += FRAME_HEAD;
        return;
    }
    side->stage = STAGE_PAYLOAD;
    side->left = side->data_left = (uint32_t)side->frame.length;
    side->pad_pending = side->frame.type == NGHTTP2_DATA && (side->frame.flags & NGHTTP2_FLAG_PADDED);
    if (!side->left)
        end_frame(http2, side);
}

static size_t take_head(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, FRAME_HEAD - side->have);

    if (!side->have)
        side->frame_time = time;
    memcpy(side->head + side->have, data, used);
    side->have += used;
    if (side->have == FRAME_HEAD)
        begin_frame(http2, side);
    return used;
}

static void take_data(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    ec_text_message *message;

    if (side->pad_pending) {
        uint32_t overhead = 1u + *data;

        side->pad_pending = false;
        side->data_left -= MIN(overhead, side->data_left);
        data++;
        len--;
    }
    len = MIN(len, side->data_left);
    side->data_left -= (uint32_t)len;
    message = len ? get_data_message(http2, side) : NULL;
    if (message)
        ec_text_message_add_body(message, data, len);
}

static size_t take_payload(ec_http2 *http2, struct side *side, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, side->left);

    if (side->frame.type == NGHTTP2_DATA)
        take_data(http2, side, data, used);
    else
        g_byte_array_append(side->payload, data, (guint)MIN(used, BLOCK_MAX + 1 - side->payload->len));
    side->left -= (uint32_t)used;
    if (!side->left)
        end_frame(http2, side);
    return used;
}

/* The side's first bytes: a preface, the server's SETTINGS, or the midst of something. */
static void end_begin(ec_http2 *http2, struct side *side)
{
    if (!memcmp(side->head, preface, FRAME_HEAD)) {
        side->stage = STAGE_PREFACE;
        side->inflater = new_inflater(false);
        return;
    }
    if (is_plausible(side->head) && side->head[3] == NGHTTP2_SETTINGS)
        side->inflater = new_inflater(false);
    else
        set_amid(side, "the connection began before the capture: header values sent earlier are not known");
    if (is_plausible(side->head)) {
        begin_frame(http2, side);
        return;
    }
    side->lost += side->have;
    side->have = 0;
    side->stage = STAGE_SEEK;
}

static size_t take_begin(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, FRAME_HEAD - side->have);

    if (!side->have)
        side->frame_time = time;
    memcpy(side->head + side->have, data, used);
    side->have += used;
    if (side->have == FRAME_HEAD)
        end_begin(http2, side);
    return used;
}

static size_t take_preface(struct side *side, const uint8_t *data, size_t len)
{
    size_t used = MIN(len, PREFACE_LEN - side->have);

    if (memcmp(data, preface + side->have, used)) {
        side->stage = STAGE_SEEK;
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
static size_t seek_frame(struct side *side, const uint8_t *data, size_t len)
{
    if (are_frames(data, len)) {
        side->stage = STAGE_HEAD;
        return 0;
    }
    side->lost += len;
    return len;
}

static size_t take_bytes(ec_http2 *http2, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    switch (side->stage) {
    case STAGE_BEGIN:
        return take_begin(http2, side, time, data, len);
    case STAGE_PREFACE:
        return take_preface(side, data, len);
    case STAGE_HEAD:
        return take_head(http2, side, time, data, len);
    case STAGE_PAYLOAD:
        return take_payload(http2, side, data, len);
    case STAGE_SEEK:
        break;
    }
    return seek_frame(side, data, len);
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
    bool in_data = side->stage == STAGE_PAYLOAD && side->frame.type == NGHTTP2_DATA && !side->pad_pending;

    (void)time;
    if (in_data && len <= side->data_left) {
        ec_text_message *message = get_data_message(http2, side);

        if (message)
            ec_text_message_add_loss(message, len);
        side->data_left -= (uint32_t)len;
        side->left -= (uint32_t)len;
        if (!side->left)
            end_frame(http2, side);
        return;
    }
    side->lost += len;
    side->stage = STAGE_SEEK;
    side->have = 0;
    side->block_open = false;
    g_byte_array_set_size(side->payload, 0);
    set_amid(side, "header values sent before the loss are not known");
}

ec_http2 *ec_http2_new(const struct ec_text_receiver *receiver)
{
    ec_http2 *http2 = g_new0(ec_http2, 1);

    http2->receiver = receiver;
    http2->streams = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, stream_free);
    for (size_t i = 0; i < G_N_ELEMENTS(http2->sides); i++) {
        http2->sides[i].direction = i ? EC_DIRECTION_OUT : EC_DIRECTION_IN;
        http2->sides[i].payload = g_byte_array_new();
        http2->sides[i].block = g_byte_array_new();
    }
    return http2;
}

void ec_http2_free(ec_http2 *http2)
{
    if (!http2)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(http2->sides); i++) {
        if (http2->sides[i].inflater)
            nghttp2_hd_inflate_del(http2->sides[i].inflater);
        g_byte_array_unref(http2->sides[i].payload);
        g_byte_array_unref(http2->sides[i].block);
    }
    g_hash_table_unref(http2->streams);
    g_free(http2);
}

void ec_http2_end(ec_http2 *http2, const char *cause)
{
    drop_streams(http2, STREAMS_MAX, cause ? cause : "the connection ended");
    for (size_t i = 0; i < G_N_ELEMENTS(http2->sides); i++)
        if (http2->sides[i].lost)
            http2->receiver->emit(new_message(http2, &http2->sides[i], EC_TEXT_DATA, http2->sides[i].frame_time, 0),
                                  http2->receiver->data);
}
