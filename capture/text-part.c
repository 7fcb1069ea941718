/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What has come of a body (message->body) is decoded and held (parts->held); parts are cut off the front of that. A
 * part is a message of its own for whoever shows it.
 */
#include "text-part.h"

#include <string.h>

#define MOMENT_AT_ONCE 10000000ull /* ns in which a short answer is whole */
#define MOMENT 1000000000ull       /* ns */
/* Bytes of an event or line that are held until its end comes. */
#define HELD_MAX (64u << 10)
/* A flag, and the length (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). */
#define GRPC_HEAD 5
#define GRPC_COMPRESSED 0x01
#define GRPC_WEB_TRAILERS 0x80

enum cut { CUT_ANYWHERE, CUT_LINES, CUT_EVENTS, CUT_GRPC };

/* Of Content-Type: what it begins with. */
static const struct flow {
    const char *type;
    enum cut cut;
    bool at_once;
} flows[] = {
    {"text/event-stream", CUT_EVENTS, true},
    {"application/grpc-web-text", CUT_ANYWHERE, true},
    {"application/grpc", CUT_GRPC, true},
    {"application/x-ndjson", CUT_LINES, true},
    {"application/ndjson", CUT_LINES, true},
    {"application/jsonl", CUT_LINES, true},
    {"application/stream+json", CUT_LINES, true},
    {"application/json-seq", CUT_LINES, true},
    {"text/", CUT_LINES, false},
    {"application/json", CUT_LINES, false},
    {"", CUT_ANYWHERE, false},
};

struct ec_text_parts {
    const struct flow *flow;
    enum cut cut;       /* flow->cut, until the body turns out to be something else */
    bool bounded;       /* up to EC_TEXT_BODY_MAX in all */
    bool whole;         /* not shown in parts */
    unsigned count;     /* parts emitted */
    uint64_t shown;     /* bytes of them */
    uint64_t due;       /* when the next one may go out; ns since the epoch */
    uint64_t grpc;      /* gRPC messages so far */
    char *codings;      /* of the body; NULL: none */
    char *grpc_codings; /* of compressed gRPC messages; NULL: none */
    ec_content_decoder *decoder;
    size_t cost;                   /* of the decoder, charged to the budget */
    bool undecodable;              /* some of the coded data is missing */
    enum ec_content_result result; /* of the decoder */
    bool failed;                   /* it gives nothing more */
    GByteArray *held;              /* decoded, not shown yet */
    uint64_t held_time;            /* of its first byte; while there is none, of the last part */
    uint64_t sent, lost, unkept;   /* bytes of the body since the last part, as they were sent */
};

void ec_text_parts_free(struct ec_text_parts *parts, struct ec_text_budget *budget)
{
    if (!parts)
        return;
    budget->decoding -= parts->cost;
    g_free(parts->codings);
    g_free(parts->grpc_codings);
    ec_content_decoder_free(parts->decoder);
    g_byte_array_unref(parts->held);
    g_free(parts);
}

/* --- what it is ----------------------------------------------------------------------------------------------- */

static const struct flow *find_flow(const ec_text_message *message)
{
    size_t len = 0;
    const char *type = ec_text_message_get_field(message, "content-type", &len);
    const struct flow *flow = flows;

    while (strlen(flow->type) > len || (*flow->type && g_ascii_strncasecmp(type, flow->type, strlen(flow->type))))
        flow++;
    return flow;
}

static void add_decoder(struct ec_text_parts *parts, const ec_text_message *message)
{
    parts->codings = ec_text_message_list_codings(message);
    parts->decoder = parts->codings ? ec_content_decoder_new(parts->codings) : NULL;
    if (!parts->decoder)
        return;
    parts->cost = ec_content_decoder_get_cost(parts->decoder);
    parts->whole = parts->cost > message->budget->decoding_max - message->budget->decoding;
    if (parts->whole)
        parts->cost = 0;
    message->budget->decoding += parts->cost;
}

static struct ec_text_parts *get_parts(ec_text_message *message)
{
    struct ec_text_parts *parts = message->parts;
    size_t len;

    if (parts)
        return parts;
    parts = message->parts = g_new0(struct ec_text_parts, 1);
    parts->flow = find_flow(message);
    parts->cut = parts->flow->cut;
    parts->bounded = parts->cut == CUT_ANYWHERE ||
                     (!parts->flow->at_once && ec_text_message_get_field(message, "content-length", &len));
    parts->due = message->time + (parts->flow->at_once ? MOMENT_AT_ONCE : MOMENT);
    parts->held = g_byte_array_new();
    parts->grpc_codings = parts->cut == CUT_GRPC ? ec_text_message_join_fields(message, "grpc-encoding") : NULL;
    add_decoder(parts, message);
    return parts;
}

/* --- what has come of it -------------------------------------------------------------------------------------- */

/* How the memory that it keeps stands in the budget. */
static void charge(ec_text_message *message)
{
    size_t kept = message->text->len + message->fields->len * sizeof(struct ec_text_field) + message->body->len +
                  message->parts->held->len;

    message->budget->used = message->budget->used - message->charged + kept;
    message->charged = kept;
}

/* Bytes that may be held beyond those that are. */
static size_t get_room(const struct ec_text_parts *parts)
{
    uint64_t taken = parts->held->len + (parts->bounded ? parts->shown : 0);

    return EC_TEXT_BODY_MAX - (size_t)MIN(taken, EC_TEXT_BODY_MAX);
}

static void decode(struct ec_text_parts *parts, const ec_text_message *message)
{
    enum ec_content_result result;

    if (parts->undecodable)
        return;
    result =
        ec_content_decoder_take(parts->decoder, message->body->data, message->intact, get_room(parts), parts->held);
    parts->undecodable = message->body_len > message->intact;
    if (!parts->failed)
        parts->result = result;
    parts->failed = result == EC_CONTENT_CUT || result == EC_CONTENT_BROKEN;
}

/* Moves what has come of the body to what is held. */
static void take_body(ec_text_message *message)
{
    struct ec_text_parts *parts = message->parts;
    size_t kept = parts->decoder || !parts->bounded ? message->body->len : MIN(message->body->len, get_room(parts));

    if (!message->body_len)
        return;
    if (!parts->held->len)
        parts->held_time = message->body_time;
    if (parts->decoder)
        decode(parts, message);
    else
        g_byte_array_append(parts->held, message->body->data, (guint)kept);
    if (parts->cut == CUT_GRPC && message->body_len > message->intact)
        parts->cut = CUT_ANYWHERE;
    parts->sent += message->body_len;
    parts->lost += message->lost;
    parts->unkept += message->body_len - message->lost - kept;
    g_byte_array_set_size(message->body, 0);
    message->body_len = message->lost = message->intact = 0;
    charge(message);
}

/* --- where to cut --------------------------------------------------------------------------------------------- */

/* Behind the last blank line (html.spec.whatwg.org, section 9.2.5); 0: there is none. */
static size_t find_events_end(const uint8_t *data, size_t len)
{
    for (size_t end = len; end >= 2; end--) {
        const uint8_t *last = data + end - 1;

        if ((*last == '\n' || *last == '\r') && last[-1] == *last)
            return end;
        if (end >= 4 && !memcmp(last - 3, "\r\n\r\n", 4))
            return end;
    }
    return 0;
}

/* How much of what is held makes the next part; 0: none yet. */
static size_t measure_part(const struct ec_text_parts *parts, uint64_t now)
{
    const GByteArray *held = parts->held;
    const uint8_t *newline;
    size_t len = held->len;

    if (parts->cut == CUT_LINES) {
        newline = len ? memrchr(held->data, '\n', len) : NULL;
        len = newline ? (size_t)(newline - held->data) + 1 : 0;
    } else if (parts->cut == CUT_EVENTS) {
        len = find_events_end(held->data, len);
    }
    return len || (held->len < HELD_MAX && now < parts->held_time + MOMENT) ? len : held->len;
}

/* The gRPC message that what is held begins with. False if it isn't whole yet, or isn't one. */
static bool find_grpc(struct ec_text_parts *parts, size_t *ret_len)
{
    const uint8_t *head = parts->held->data;
    size_t len;

    if (parts->cut != CUT_GRPC || parts->held->len < GRPC_HEAD)
        return false;
    len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
    if ((head[0] & ~(GRPC_COMPRESSED | GRPC_WEB_TRAILERS)) || len > EC_TEXT_BODY_MAX - GRPC_HEAD) {
        parts->cut = CUT_ANYWHERE;
        return false;
    }
    *ret_len = len;
    return parts->held->len >= GRPC_HEAD + len;
}

/* --- parts ---------------------------------------------------------------------------------------------------- */

#define SWAP(a, b)                                                                                                     \
    do {                                                                                                               \
        __typeof__(a) swapped = a;                                                                                     \
        (a) = b;                                                                                                       \
        (b) = swapped;                                                                                                 \
    } while (0)

/* A part that others follow. The first one gets the header. */
static ec_text_message *new_part(ec_text_message *message, const struct ec_text_receiver *receiver)
{
    bool first = !message->parts->count;
    ec_text_message *part = ec_text_message_new(receiver, message->kind,
                                                first ? message->time : message->parts->held_time, message->direction);

    part->protocol = message->protocol;
    part->stream = message->stream;
    part->method = g_strdup(message->method);
    part->target = g_strdup(message->target);
    part->status = message->status;
    part->more = true;
    if (first) {
        SWAP(part->reason, message->reason);
        SWAP(part->text, message->text);
        SWAP(part->fields, message->fields);
        SWAP(part->notes, message->notes);
        SWAP(part->fields_cut, message->fields_cut);
    }
    SWAP(part->charged, message->charged);
    return part;
}

static void note_coding(ec_text_message *part, struct ec_text_parts *parts)
{
    if (!parts->codings || !parts->sent)
        return;
    if (!parts->decoder) {
        ec_text_message_note_result(part, EC_CONTENT_UNKNOWN, parts->codings);
        g_clear_pointer(&parts->codings, g_free); /* said once */
        return;
    }
    part->codings = g_strdup(parts->codings);
    part->coded_len = parts->sent;
    if (parts->undecodable)
        ec_text_message_add_note(part, "incomplete: what comes behind a loss can't be decoded");
    else if (parts->failed || !part->more)
        ec_text_message_note_result(part, parts->result, parts->codings);
}

/* Gives the part what has been held: `len` bytes, of which `skipped` are not the content. */
static void fill(ec_text_message *part, struct ec_text_parts *parts, size_t skipped, size_t len)
{
    if (len > skipped)
        g_byte_array_append(part->body, parts->held->data + skipped, (guint)(len - skipped));
    g_byte_array_remove_range(parts->held, 0, (guint)len);
    part->part = ++parts->count;
    part->decoded = true;
    part->body_len = part->body->len + (parts->decoder ? 0 : parts->lost + parts->unkept);
    ec_text_message_note_missing(part, parts->lost, parts->unkept);
    note_coding(part, parts);
    parts->shown += len;
    parts->sent = parts->lost = parts->unkept = 0;
}

static void fill_grpc(ec_text_message *part, struct ec_text_parts *parts, size_t len)
{
    uint8_t flags = *parts->held->data;
    GByteArray *content = NULL;
    enum ec_content_result result;

    fill(part, parts, GRPC_HEAD, GRPC_HEAD + len);
    if (flags & GRPC_WEB_TRAILERS)
        ec_text_message_add_note(part, "trailers of gRPC-Web");
    else
        part->grpc = ++parts->grpc;
    if (!(flags & GRPC_COMPRESSED))
        return;
    result = ec_content_decode(parts->grpc_codings ? parts->grpc_codings : "?", part->body->data, len, EC_TEXT_BODY_MAX,
                               &content);
    ec_text_message_note_result(part, result, parts->grpc_codings ? parts->grpc_codings : "none is named");
    if (!content)
        return;
    g_free(part->codings);
    part->codings = g_strdup(parts->grpc_codings);
    part->coded_len = len;
    g_byte_array_unref(part->body);
    part->body = content;
    part->body_len = content->len;
}

static void emit_part(ec_text_message *message, const struct ec_text_receiver *receiver, size_t len, bool grpc)
{
    struct ec_text_parts *parts = message->parts;
    ec_text_message *part = new_part(message, receiver);

    if (grpc)
        fill_grpc(part, parts, len);
    else
        fill(part, parts, 0, len);
    charge(message);
    receiver->emit(part, receiver->data);
}

bool ec_text_part_emit(ec_text_message *message, const struct ec_text_receiver *receiver, uint64_t now)
{
    struct ec_text_parts *parts;
    unsigned count;
    size_t len;

    if (!message->parts && now < message->time + MOMENT_AT_ONCE)
        return true;
    parts = get_parts(message);
    if (parts->whole)
        return false;
    if (now < parts->due)
        return !parts->count || message->body_len || parts->held->len;
    count = parts->count;
    take_body(message);
    while (find_grpc(parts, &len))
        emit_part(message, receiver, len, true);
    len = parts->cut == CUT_GRPC ? 0 : measure_part(parts, now);
    if (len || !parts->count)
        emit_part(message, receiver, len, false);
    if (parts->count > count) {
        parts->due = parts->flow->at_once ? now : now + MOMENT;
        parts->held_time = now;
    }
    return parts->held->len && parts->cut != CUT_GRPC;
}

/* The last part is what the message itself has become. */
static void fill_last(ec_text_message *message, const struct ec_text_receiver *receiver)
{
    struct ec_text_parts *parts = message->parts;
    size_t len;

    take_body(message);
    while (find_grpc(parts, &len)) {
        if (parts->held->len == GRPC_HEAD + len) {
            fill_grpc(message, parts, len);
            return;
        }
        emit_part(message, receiver, len, true);
    }
    if (parts->cut == CUT_GRPC && parts->held->len)
        ec_text_message_add_note(message, "incomplete: the end of a gRPC message is missing");
    fill(message, parts, 0, parts->held->len);
}

void ec_text_part_finish(ec_text_message *message, const struct ec_text_receiver *receiver)
{
    if (!message->parts && find_flow(message)->cut == CUT_GRPC)
        get_parts(message);
    if (message->parts && !message->parts->whole && (message->parts->count || message->parts->cut == CUT_GRPC)) {
        if (message->parts->count)
            message->time = MAX(message->body_time, message->parts->held_time);
        fill_last(message, receiver);
        if (message->part == 1)
            message->part = 0;
    }
    receiver->emit(message, receiver->data);
}
