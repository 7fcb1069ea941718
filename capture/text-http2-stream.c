/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HPACK counts its dynamic table from the newest entry, so a decoder that begins in mid-connection is right about
 * everything that was added since. Its table is filled up with placeholders first: a reference to something older then
 * gives a placeholder, where the inflater would fail for good.
 */
#include "text-http2-stream.h"
#include "text-part.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define STREAMS_MAX 1024
#define RESETS_MAX 64
/* SETTINGS_HEADER_TABLE_SIZE: browsers announce 64 KiB, all else the default. */
#define TABLE_MAX (64u << 10)
#define TABLE_DEFAULT 4096u
/* No header's name (RFC 9110 section 5.6.2). Its entry takes 32 bytes more than name and value (RFC 7541 section 4.1).
 */
#define PLACEHOLDER "?"
#define PLACEHOLDER_ENTRY (32u + 1)

static const char malformed[] = "a header before this was too long, or malformed";

struct side {
    enum ec_direction direction;
    nghttp2_hd_inflater *inflater; /* NULL: no frame has come yet */
    const char *remark;            /* for the next message; NULL: none */
    uint64_t lost, lost_time;      /* bytes lost or passed over since the last message; when */
    GByteArray *block;             /* the header block in the making */
    bool block_open;               /* CONTINUATION must follow */
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

struct ec_http2_streams {
    const struct ec_text_receiver *receiver;
    struct side sides[2];
    GHashTable *table;          /* int32_t id → struct stream * */
    int32_t resets[RESETS_MAX]; /* streams that were reset: what still comes of them is nobody's */
    size_t n_resets;
};

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

static size_t get_index(const ec_http2_streams *streams, const struct side *side)
{
    return side == &streams->sides[1];
}

static void emit(ec_http2_streams *streams, struct stream *stream, size_t index)
{
    if (stream->messages[index])
        ec_text_part_finish(g_steal_pointer(&stream->messages[index]), streams->receiver);
}

static void emit_incomplete(ec_http2_streams *streams, struct stream *stream, const char *cause)
{
    for (size_t i = 0; i < G_N_ELEMENTS(stream->messages); i++) {
        if (stream->messages[i])
            ec_text_message_add_note(stream->messages[i], "incomplete: %s", cause);
        emit(streams, stream, i);
    }
}

static void end_side(ec_http2_streams *streams, struct stream *stream, size_t index)
{
    emit(streams, stream, index);
    stream->ended[index] = true;
    if (stream->ended[0] && stream->ended[1])
        g_hash_table_remove(streams->table, &stream->id);
}

static int compare_streams(gconstpointer a, gconstpointer b)
{
    const struct stream *left = *(const struct stream *const *)a, *right = *(const struct stream *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* Sorted, so that output doesn't depend on a hash. */
static GPtrArray *list_streams(ec_http2_streams *streams)
{
    GPtrArray *list = g_ptr_array_new();
    GHashTableIter iter;
    gpointer stream;

    g_hash_table_iter_init(&iter, streams->table);
    while (g_hash_table_iter_next(&iter, NULL, &stream))
        g_ptr_array_add(list, stream);
    g_ptr_array_sort(list, compare_streams);
    return list;
}

static void drop_streams(ec_http2_streams *streams, guint n, const char *cause)
{
    g_autoptr(GPtrArray) list = list_streams(streams);

    for (guint i = 0; i < MIN(n, list->len); i++) {
        struct stream *stream = g_ptr_array_index(list, i);

        emit_incomplete(streams, stream, cause);
        g_hash_table_remove(streams->table, &stream->id);
    }
}

static bool was_reset(const ec_http2_streams *streams, int32_t id)
{
    for (size_t i = 0; i < MIN(streams->n_resets, RESETS_MAX); i++)
        if (streams->resets[i] == id)
            return true;
    return false;
}

static struct stream *get_stream(ec_http2_streams *streams, int32_t id)
{
    struct stream *stream = g_hash_table_lookup(streams->table, &id);

    if (stream)
        return stream;
    if (g_hash_table_size(streams->table) >= STREAMS_MAX)
        drop_streams(streams, STREAMS_MAX / 4, "too many streams are open");
    stream = g_new0(struct stream, 1);
    stream->id = id;
    g_hash_table_insert(streams->table, &stream->id, stream);
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

static ec_text_message *new_message(ec_http2_streams *streams, struct side *side, enum ec_text_kind kind, uint64_t time,
                                    int32_t stream)
{
    ec_text_message *message = ec_text_message_new(streams->receiver, kind, time, side->direction);

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
static void end_message_head(ec_http2_streams *streams, struct side *side, struct stream *stream,
                             ec_text_message *message)
{
    size_t index = get_index(streams, side), len;

    stream->messages[index] = message;
    if (message->kind == EC_TEXT_REQUEST) {
        if (ec_text_message_get_field(message, ":protocol", &len)) /* RFC 8441 */
            ec_text_message_add_note(message, "a tunnel: what goes over it is shown as it is");
        begin_request(stream, message);
        return;
    }
    g_free(message->method);
    g_free(message->target);
    message->method = g_strdup(stream->method);
    message->target = g_strdup(stream->target);
    if (message->status >= 100 && message->status < 200)
        emit(streams, stream, index);
}

static void take_promise(ec_http2_streams *streams, struct side *side)
{
    ec_text_message *message = new_message(streams, side, EC_TEXT_REQUEST, side->block_time, side->block_stream);
    struct stream *stream = get_stream(streams, side->block_stream);
    size_t other = !get_index(streams, side);

    inflate_block(side, message, false);
    begin_request(stream, message);
    ec_text_message_add_note(message, "promised by the server");
    streams->receiver->emit(message, streams->receiver->data);
    /* The client sends nothing on it. */
    stream->ended[other] = true;
}

static void take_headers(ec_http2_streams *streams, struct side *side)
{
    size_t index = get_index(streams, side);
    struct stream *stream;

    if (was_reset(streams, side->block_stream)) {
        inflate_block(side, NULL, false);
        return;
    }
    stream = get_stream(streams, side->block_stream);
    if (stream->messages[index]) {
        inflate_block(side, stream->messages[index], true);
    } else {
        ec_text_message *message = new_message(streams, side, EC_TEXT_DATA, side->block_time, stream->id);

        inflate_block(side, message, false);
        end_message_head(streams, side, stream, message);
    }
    if (side->block_end_stream)
        end_side(streams, stream, index);
}

static void end_block(ec_http2_streams *streams, struct side *side)
{
    side->block_open = false;
    if (side->block->len > EC_HTTP2_BLOCK_MAX)
        set_amid(side, malformed);
    else if (side->block_promise)
        take_promise(streams, side);
    else
        take_headers(streams, side);
    g_byte_array_set_size(side->block, 0);
}

/* Beyond EC_HTTP2_BLOCK_MAX, one byte more stands for all of them. */
static void append_block(ec_http2_streams *streams, struct side *side, const struct ec_http2_frame *frame,
                         const uint8_t *data, size_t len)
{
    size_t room = EC_HTTP2_BLOCK_MAX + 1 - side->block->len;

    g_byte_array_append(side->block, data, (guint)MIN(len, room));
    if (frame->flags & EC_HTTP2_END_HEADERS)
        end_block(streams, side);
}

/* --- what each frame says ------------------------------------------------------------------------------------- */

/* Takes the padding off; false if there is more of it than payload. */
static bool strip_padding(const struct ec_http2_frame *frame, const uint8_t **data, size_t *len)
{
    size_t pad;

    if (!(frame->flags & EC_HTTP2_PADDED))
        return true;
    pad = *len ? **data : 0;
    if (*len < 1 + pad)
        return false;
    *data += 1;
    *len -= 1 + pad;
    return true;
}

static uint32_t read_number(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static void on_headers(ec_http2_streams *streams, struct side *side, const struct ec_http2_frame *frame,
                       const uint8_t *data, size_t len)
{
    bool promise = frame->type == EC_HTTP2_PUSH_PROMISE;
    size_t skipped = promise ? 4 : frame->flags & EC_HTTP2_WITH_PRIORITY ? 5 : 0;

    if (frame->len > EC_HTTP2_BLOCK_MAX || !strip_padding(frame, &data, &len) || len < skipped) {
        set_amid(side, malformed);
        return;
    }
    side->block_stream = promise ? (int32_t)(read_number(data) & INT32_MAX) : frame->stream;
    g_byte_array_set_size(side->block, 0);
    side->block_open = true;
    side->block_promise = promise;
    side->block_end_stream = !promise && (frame->flags & EC_HTTP2_END_STREAM);
    side->block_time = frame->time;
    append_block(streams, side, frame, data + skipped, len - skipped);
}

static void on_reset(ec_http2_streams *streams, struct side *side, const struct ec_http2_frame *frame,
                     const uint8_t *data)
{
    struct stream *stream = g_hash_table_lookup(streams->table, &frame->stream);
    g_autofree char *cause = g_strdup_printf("the stream was reset: %s", nghttp2_http2_strerror(read_number(data)));
    size_t index = get_index(streams, side);

    streams->resets[streams->n_resets++ % RESETS_MAX] = frame->stream;
    if (!stream)
        return;
    /* A request without an answer: say why. */
    if (!stream->messages[0] && !stream->messages[1] && stream->method) {
        stream->messages[index] = new_message(streams, side, EC_TEXT_RESPONSE, frame->time, stream->id);
        stream->messages[index]->method = g_strdup(stream->method);
        stream->messages[index]->target = g_strdup(stream->target);
    }
    emit_incomplete(streams, stream, cause);
    g_hash_table_remove(streams->table, &frame->stream);
}

static void on_goaway(ec_http2_streams *streams, struct side *side, const struct ec_http2_frame *frame,
                      const uint8_t *data, size_t len)
{
    uint32_t code = read_number(data + 4);
    ec_text_message *message;

    if (code == NGHTTP2_NO_ERROR)
        return;
    message = new_message(streams, side, EC_TEXT_DATA, frame->time, 0);
    ec_text_message_add_note(message, "GOAWAY: %s", nghttp2_http2_strerror(code));
    ec_text_message_add_body(message, frame->time, data + 8, len - 8);
    streams->receiver->emit(message, streams->receiver->data);
}

static struct side *get_side(ec_http2_streams *streams, enum ec_direction direction)
{
    return &streams->sides[direction == EC_DIRECTION_OUT];
}

void ec_http2_streams_take_frame(ec_http2_streams *streams, enum ec_direction direction,
                                 const struct ec_http2_frame *frame, const uint8_t *payload, size_t len)
{
    struct side *side = get_side(streams, direction);

    switch (frame->type) {
    case EC_HTTP2_HEADERS:
    case EC_HTTP2_PUSH_PROMISE:
        on_headers(streams, side, frame, payload, len);
        break;
    case EC_HTTP2_CONTINUATION:
        if (side->block_open && side->block_stream == frame->stream)
            append_block(streams, side, frame, payload, len);
        break;
    case EC_HTTP2_RST_STREAM:
        on_reset(streams, side, frame, payload);
        break;
    case EC_HTTP2_GOAWAY:
        on_goaway(streams, side, frame, payload, len);
        break;
    default:
        break;
    }
}

/* --- data ----------------------------------------------------------------------------------------------------- */

/* NULL: what comes of this stream is nobody's. */
static ec_text_message *get_data_message(ec_http2_streams *streams, struct side *side,
                                         const struct ec_http2_frame *frame)
{
    size_t index = get_index(streams, side);
    struct stream *stream;

    if (was_reset(streams, frame->stream))
        return NULL;
    stream = get_stream(streams, frame->stream);
    if (!stream->messages[index]) {
        stream->messages[index] = new_message(streams, side, EC_TEXT_DATA, frame->time, stream->id);
        ec_text_message_add_note(stream->messages[index], "incomplete: its header was not captured");
    }
    return stream->messages[index];
}

void ec_http2_streams_take_data(ec_http2_streams *streams, enum ec_direction direction,
                                const struct ec_http2_frame *frame, const uint8_t *data, size_t len)
{
    ec_text_message *message = get_data_message(streams, get_side(streams, direction), frame);

    if (message)
        ec_text_message_add_body(message, frame->time, data, len);
}

void ec_http2_streams_lose_data(ec_http2_streams *streams, enum ec_direction direction,
                                const struct ec_http2_frame *frame, uint64_t len)
{
    ec_text_message *message = get_data_message(streams, get_side(streams, direction), frame);

    if (message)
        ec_text_message_add_loss(message, len);
}

void ec_http2_streams_end_data(ec_http2_streams *streams, enum ec_direction direction,
                               const struct ec_http2_frame *frame)
{
    struct side *side = get_side(streams, direction);

    if ((frame->flags & EC_HTTP2_END_STREAM) && get_data_message(streams, side, frame))
        end_side(streams, get_stream(streams, frame->stream), get_index(streams, side));
}

/* --- the connection ------------------------------------------------------------------------------------------- */

void ec_http2_streams_begin(ec_http2_streams *streams, enum ec_direction direction, bool amid)
{
    struct side *side = get_side(streams, direction);

    if (amid)
        set_amid(side, "the connection began before the capture: header values sent earlier are not known");
    else
        side->inflater = new_inflater(false);
}

void ec_http2_streams_pass_over(ec_http2_streams *streams, enum ec_direction direction, uint64_t time, uint64_t len,
                                bool hole)
{
    struct side *side = get_side(streams, direction);

    side->lost += len;
    side->lost_time = time;
    if (!hole)
        return;
    side->block_open = false;
    set_amid(side, "header values sent before the loss are not known");
}

ec_http2_streams *ec_http2_streams_new(const struct ec_text_receiver *receiver)
{
    ec_http2_streams *streams = g_new0(ec_http2_streams, 1);

    streams->receiver = receiver;
    streams->table = g_hash_table_new_full(g_int_hash, g_int_equal, NULL, stream_free);
    for (size_t i = 0; i < G_N_ELEMENTS(streams->sides); i++) {
        streams->sides[i].direction = i ? EC_DIRECTION_OUT : EC_DIRECTION_IN;
        streams->sides[i].block = g_byte_array_new();
    }
    return streams;
}

void ec_http2_streams_free(ec_http2_streams *streams)
{
    if (!streams)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(streams->sides); i++) {
        if (streams->sides[i].inflater)
            nghttp2_hd_inflate_del(streams->sides[i].inflater);
        g_byte_array_unref(streams->sides[i].block);
    }
    g_hash_table_unref(streams->table);
    g_free(streams);
}

bool ec_http2_streams_flush(ec_http2_streams *streams, uint64_t now)
{
    g_autoptr(GPtrArray) list = g_hash_table_size(streams->table) ? list_streams(streams) : NULL;
    bool waits = false;

    for (guint i = 0; list && i < list->len; i++) {
        struct stream *stream = g_ptr_array_index(list, i);

        for (size_t index = 0; index < G_N_ELEMENTS(stream->messages); index++)
            if (stream->messages[index])
                waits |= ec_text_part_emit(stream->messages[index], streams->receiver, now);
    }
    return waits;
}

void ec_http2_streams_end(ec_http2_streams *streams, const char *cause)
{
    drop_streams(streams, STREAMS_MAX, cause);
    for (size_t i = 0; i < G_N_ELEMENTS(streams->sides); i++) {
        struct side *side = &streams->sides[i];

        if (side->lost)
            streams->receiver->emit(new_message(streams, side, EC_TEXT_DATA, side->lost_time, 0),
                                    streams->receiver->data);
    }
}
