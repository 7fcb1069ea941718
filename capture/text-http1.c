/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each direction is read by itself, by lines and counted bytes. A response needs its request for three things: a
 * response to HEAD has no body, one to CONNECT or Upgrade turns the connection into a tunnel, and the reader wants to
 * see what it answers. After bytes were lost, or something that is no HTTP, lines are passed on as data until
 * one is a start line again.
 */
#include "text-http1.h"
#include "text-part.h"
#include "text-websocket.h"

#include <string.h>

#define LINE_MAX_LEN (64u << 10)
#define DETECT_MAX (16u << 10)
#define METHOD_MAX 32
/* Requests sent before the first one's response has come (pipelining). */
#define WAITING_MAX 1024

enum state {
    STATE_START,
    STATE_FIELDS,
    STATE_LENGTH, /* a body of `left` bytes */
    STATE_CHUNK_SIZE,
    STATE_CHUNK, /* `left` bytes of it */
    STATE_CHUNK_END,
    STATE_TRAILERS,
    STATE_TO_END, /* a body up to the connection's end */
    STATE_TUNNEL,
};

struct side {
    enum state state;
    enum ec_direction direction;
    GString *line;      /* what is there of the current line, with its ending */
    uint64_t line_time; /* of its first byte */
    bool torn;          /* the line's beginning has gone already */
    ec_text_message *message;
    uint64_t left;
    uint64_t lost; /* bytes lost since the last message */
};

struct request {
    char *method, *target;
};

struct ec_http1 {
    const struct ec_text_receiver *receiver;
    struct side sides[2];
    GQueue waiting; /* struct request *, the oldest first */
    struct ec_text_raw raw;
    ec_websocket *websocket; /* what the tunnel is; NULL: not known, or none */
};

static void request_free(gpointer data)
{
    struct request *request = data;

    g_free(request->method);
    g_free(request->target);
    g_free(request);
}

ec_http1 *ec_http1_new(const struct ec_text_receiver *receiver)
{
    ec_http1 *http1 = g_new0(ec_http1, 1);

    http1->receiver = receiver;
    http1->sides[0].direction = EC_DIRECTION_IN;
    http1->sides[1].direction = EC_DIRECTION_OUT;
    for (size_t i = 0; i < G_N_ELEMENTS(http1->sides); i++)
        http1->sides[i].line = g_string_new(NULL);
    g_queue_init(&http1->waiting);
    return http1;
}

void ec_http1_free(ec_http1 *http1)
{
    if (!http1)
        return;
    for (size_t i = 0; i < G_N_ELEMENTS(http1->sides); i++) {
        g_string_free(http1->sides[i].line, TRUE);
        ec_text_message_free(http1->sides[i].message);
    }
    g_queue_clear_full(&http1->waiting, request_free);
    ec_text_raw_clear(&http1->raw);
    ec_websocket_free(http1->websocket);
    g_free(http1);
}

/* --- start lines ---------------------------------------------------------------------------------------------- */

struct start_line {
    const char *protocol;
    const char *method, *target, *reason;
    size_t method_len, target_len, reason_len;
    unsigned status;
};

static const char *get_version(const char *text)
{
    if (!memcmp(text, "HTTP/1.1", 8))
        return "HTTP/1.1";
    return memcmp(text, "HTTP/1.0", 8) ? NULL : "HTTP/1.0";
}

/* Methods are tokens, and every registered one is made of these (RFC 9110 section 16.1). */
static size_t measure_method(const char *text, size_t len)
{
    size_t n = 0;

    while (n < len && (g_ascii_isupper(text[n]) || text[n] == '-' || text[n] == '_'))
        n++;
    return n;
}

static bool is_printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return true;
}

/* Of a line without its ending. */
static bool parse_request_line(const char *line, size_t len, struct start_line *ret)
{
    size_t method_len = measure_method(line, len);

    if (method_len == 0 || method_len > METHOD_MAX || len < method_len + 11 || line[method_len] != ' ' ||
        line[len - 9] != ' ' || !is_printable(line, len))
        return false;
    ret->protocol = get_version(line + len - 8);
    ret->method = line;
    ret->method_len = method_len;
    ret->target = line + method_len + 1;
    ret->target_len = len - 9 - method_len - 1;
    return ret->protocol && ret->target_len > 0;
}

static bool parse_status_line(const char *line, size_t len, struct start_line *ret)
{
    if (len < 12 || line[8] != ' ' || (len > 12 && line[12] != ' '))
        return false;
    ret->protocol = get_version(line);
    for (size_t i = 9; i < 12; i++) {
        if (!g_ascii_isdigit(line[i]))
            return false;
        ret->status = ret->status * 10 + (unsigned)(line[i] - '0');
    }
    ret->reason = len > 13 ? line + 13 : NULL;
    ret->reason_len = len > 13 ? len - 13 : 0;
    return ret->protocol && ret->status >= 100;
}

static bool parse_start_line(const char *line, size_t len, struct start_line *ret)
{
    *ret = (struct start_line){0};
    if (parse_status_line(line, len, ret))
        return true;
    *ret = (struct start_line){0};
    return parse_request_line(line, len, ret);
}

static size_t trim_ending(const char *line, size_t len)
{
    if (len && line[len - 1] == '\n')
        len--;
    if (len && line[len - 1] == '\r')
        len--;
    return len;
}

enum ec_text_verdict ec_http1_detect(const uint8_t *data, size_t len)
{
    static const char version[] = "HTTP/1.";
    const char *text = (const char *)data;
    const char *end = len ? memchr(text, '\n', len) : NULL;
    struct start_line start;
    size_t method_len;

    if (end) {
        size_t line_len = trim_ending(text, (size_t)(end - text) + 1);

        return parse_start_line(text, line_len, &start) ? EC_TEXT_YES : EC_TEXT_NO;
    }
    len = trim_ending(text, len);
    if (len > DETECT_MAX || !is_printable(text, len))
        return EC_TEXT_NO;
    if (!memcmp(text, version, MIN(len, strlen(version))))
        return EC_TEXT_MAYBE;
    method_len = measure_method(text, len);
    if (method_len > METHOD_MAX || (method_len < len && (method_len == 0 || text[method_len] != ' ')))
        return EC_TEXT_NO;
    return EC_TEXT_MAYBE;
}

/* --- messages ------------------------------------------------------------------------------------------------- */

static struct side *get_side(ec_http1 *http1, enum ec_direction direction)
{
    return &http1->sides[direction == EC_DIRECTION_OUT];
}

static struct side *get_other(ec_http1 *http1, const struct side *side)
{
    return &http1->sides[side == &http1->sides[0]];
}

static void note_loss(struct side *side, ec_text_message *message)
{
    if (side->lost)
        ec_text_message_add_note(message, "%" G_GUINT64_FORMAT " bytes before this were lost", side->lost);
    side->lost = 0;
}

static void give_raw(ec_http1 *http1, struct side *side, uint64_t time, const void *data, size_t len)
{
    if (side->lost)
        ec_text_raw_flush(&http1->raw, http1->receiver);
    ec_text_raw_take(&http1->raw, http1->receiver, time, side->direction, data, len);
    if (http1->raw.message)
        note_loss(side, http1->raw.message);
}

static void finish(ec_http1 *http1, struct side *side, enum state next)
{
    ec_text_raw_flush(&http1->raw, http1->receiver);
    side->state = next;
    ec_text_part_finish(g_steal_pointer(&side->message), http1->receiver);
}

static void finish_broken(ec_http1 *http1, struct side *side, const char *what)
{
    ec_text_message_add_note(side->message, "malformed: %s; what follows is shown as data", what);
    finish(http1, side, STATE_START);
}

static void begin_message(ec_http1 *http1, struct side *side, const struct start_line *start)
{
    ec_text_message *message = ec_text_message_new(http1->receiver, start->method ? EC_TEXT_REQUEST : EC_TEXT_RESPONSE,
                                                   side->line_time, side->direction);

    ec_text_raw_flush(&http1->raw, http1->receiver);
    message->protocol = start->protocol;
    message->status = start->status;
    message->method = start->method ? g_strndup(start->method, start->method_len) : NULL;
    message->target = start->target ? g_strndup(start->target, start->target_len) : NULL;
    message->reason = start->reason ? g_strndup(start->reason, start->reason_len) : NULL;
    note_loss(side, message);
    side->message = message;
    side->state = STATE_FIELDS;
}

static void on_start_line(ec_http1 *http1, struct side *side, const char *line, size_t len)
{
    struct start_line start;

    if (!side->torn && parse_start_line(line, len, &start))
        begin_message(http1, side, &start);
    else if (len || http1->raw.message || side->torn)
        give_raw(http1, side, side->line_time, side->line->str, side->line->len);
}

static void on_field_line(ec_http1 *http1, struct side *side, const char *line, size_t len)
{
    bool folded = line[0] == ' ' || line[0] == '\t';
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : len;
    const char *value = folded ? line : colon ? colon + 1 : line + len;
    const char *end = line + len;

    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    if (folded)
        ec_text_message_fold_field(side->message, value, (size_t)(end - value));
    else
        ec_text_message_add_field(side->message, line, name_len, value, (size_t)(end - value),
                                  side->state == STATE_TRAILERS);
    if (side->message->fields_cut)
        finish_broken(http1, side, "its header never ends");
}

/* --- where a body ends (RFC 9112 section 6.3) ----------------------------------------------------------------- */

/* False: there is a Content-Length that can't be relied on. */
static bool get_length(const ec_text_message *message, bool *ret_given, uint64_t *ret_length)
{
    g_autofree char *joined = ec_text_message_join_fields(message, "content-length");
    g_auto(GStrv) values = joined ? g_strsplit(joined, ",", -1) : NULL;
    guint64 length = 0;

    *ret_given = values && *values;
    for (char **value = values; value && *value; value++) {
        guint64 number;

        if (!g_ascii_string_to_unsigned(g_strstrip(*value), 10, 0, G_MAXINT64, &number, NULL) ||
            (value > values && number != length))
            return false;
        length = number;
    }
    *ret_length = length;
    return true;
}

static bool is_chunked(const char *codings)
{
    const char *last = strrchr(codings, ',');
    g_autofree char *word = g_strstrip(g_strdup(last ? last + 1 : codings));

    return !g_ascii_strcasecmp(word, "chunked");
}

static void begin_body(ec_http1 *http1, struct side *side)
{
    g_autofree char *codings = ec_text_message_join_fields(side->message, "transfer-encoding");
    bool request = side->message->kind == EC_TEXT_REQUEST;
    uint64_t length = 0;
    bool given = false;

    if (codings && is_chunked(codings)) {
        side->state = STATE_CHUNK_SIZE;
    } else if (!get_length(side->message, &given, &length)) {
        finish_broken(http1, side, "its Content-Length is no number, or two");
    } else if (given && !codings) {
        side->left = length;
        side->state = STATE_LENGTH;
        if (!length)
            finish(http1, side, STATE_START);
    } else if (request) {
        finish(http1, side, STATE_START);
    } else {
        side->state = STATE_TO_END;
    }
}

static void give_tunnel(ec_http1 *http1, struct side *side, uint64_t time, const void *data, size_t len)
{
    if (http1->websocket)
        ec_websocket_take(http1->websocket, time, side->direction, data, len);
    else
        give_raw(http1, side, time, data, len);
}

/* What the response that is `side`'s message turns the connection into. */
static void make_tunnel(ec_http1 *http1, struct side *side)
{
    struct side *other = get_other(http1, side);
    g_autofree char *upgrade = ec_text_message_join_fields(side->message, "upgrade");

    if (side->message->status == 101 && upgrade && !g_ascii_strcasecmp(upgrade, "websocket") && !http1->websocket) {
        g_autofree char *extensions = ec_text_message_join_fields(side->message, "sec-websocket-extensions");

        http1->websocket = ec_websocket_new(http1->receiver, other->direction, side->message->target, extensions);
    }
    finish(http1, side, STATE_TUNNEL);
    if (other->message)
        finish(http1, other, STATE_TUNNEL);
    other->state = STATE_TUNNEL;
    if (other->line->len)
        give_tunnel(http1, other, other->line_time, other->line->str, other->line->len);
    g_string_truncate(other->line, 0);
}

static void end_request_head(ec_http1 *http1, struct side *side)
{
    struct request *request = g_new0(struct request, 1);

    request->method = g_strdup(side->message->method);
    request->target = g_strdup(side->message->target);
    if (g_queue_get_length(&http1->waiting) >= WAITING_MAX)
        g_queue_clear_full(&http1->waiting, request_free);
    g_queue_push_tail(&http1->waiting, request);
    /* Nobody sends anything but the tunnel's data behind it; a refusal ends this state. */
    if (!strcmp(request->method, "CONNECT"))
        finish(http1, side, STATE_TUNNEL);
    else
        begin_body(http1, side);
}

static void end_response_head(ec_http1 *http1, struct side *side)
{
    unsigned status = side->message->status;
    bool interim = status < 200 && status != 101;
    struct request *request = interim ? g_queue_peek_head(&http1->waiting) : g_queue_pop_head(&http1->waiting);
    bool connect = request && !strcmp(request->method, "CONNECT");
    bool bodiless = status < 200 || status == 204 || status == 304 || (request && !strcmp(request->method, "HEAD"));

    if (request) {
        side->message->method = g_strdup(request->method);
        side->message->target = g_strdup(request->target);
    }
    if (request && !interim)
        request_free(request);
    if (status == 101 || (connect && status >= 200 && status < 300)) {
        make_tunnel(http1, side);
        return;
    }
    if (connect && !interim && get_other(http1, side)->state == STATE_TUNNEL)
        get_other(http1, side)->state = STATE_START;
    if (bodiless)
        finish(http1, side, STATE_START);
    else
        begin_body(http1, side);
}

static void end_head(ec_http1 *http1, struct side *side)
{
    if (side->message->kind == EC_TEXT_REQUEST)
        end_request_head(http1, side);
    else
        end_response_head(http1, side);
}

static void on_chunk_size(ec_http1 *http1, struct side *side, const char *line, size_t len)
{
    uint64_t size = 0;
    size_t digits = 0;

    for (; digits < len && g_ascii_isxdigit(line[digits]); digits++)
        size = size << 4 | (uint64_t)g_ascii_xdigit_value(line[digits]);
    if (digits == 0 || digits > 15 || (digits < len && !strchr("; \t", line[digits]))) {
        finish_broken(http1, side, "a chunk without its size");
        return;
    }
    side->left = size;
    side->state = size ? STATE_CHUNK : STATE_TRAILERS;
}

static void on_line(ec_http1 *http1, struct side *side)
{
    const char *line = side->line->str;
    size_t len = trim_ending(line, side->line->len);

    switch (side->state) {
    case STATE_START:
        on_start_line(http1, side, line, len);
        break;
    case STATE_FIELDS:
        if (len)
            on_field_line(http1, side, line, len);
        else
            end_head(http1, side);
        break;
    case STATE_CHUNK_SIZE:
        on_chunk_size(http1, side, line, len);
        break;
    case STATE_CHUNK_END:
        side->state = STATE_CHUNK_SIZE;
        if (len)
            finish_broken(http1, side, "a chunk longer than its size");
        break;
    case STATE_TRAILERS:
        if (len)
            on_field_line(http1, side, line, len);
        else
            finish(http1, side, STATE_START);
        break;
    case STATE_LENGTH:
    case STATE_CHUNK:
    case STATE_TO_END:
    case STATE_TUNNEL:
        break; /* have no lines */
    }
    side->torn = false;
    g_string_truncate(side->line, 0);
}

/* --- bytes ---------------------------------------------------------------------------------------------------- */

static void give_torn_line(ec_http1 *http1, struct side *side)
{
    give_raw(http1, side, side->line_time, side->line->str, side->line->len);
    g_string_truncate(side->line, 0);
    side->torn = true;
}

static size_t take_line(ec_http1 *http1, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    const uint8_t *end = memchr(data, '\n', len);
    size_t used = MIN(end ? (size_t)(end - data) + 1 : len, LINE_MAX_LEN - side->line->len);

    if (!side->line->len)
        side->line_time = time;
    g_string_append_len(side->line, (const char *)data, (gssize)used);
    if (side->line->str[side->line->len - 1] == '\n') {
        on_line(http1, side);
    } else if (side->line->len == LINE_MAX_LEN) {
        if (side->message)
            finish_broken(http1, side, "a line that never ends");
        give_torn_line(http1, side);
    }
    return used;
}

/* The counted bytes of a body or chunk have come, or are lost. */
static void count_body(ec_http1 *http1, struct side *side, uint64_t len)
{
    side->left -= len;
    if (side->left)
        return;
    if (side->state == STATE_LENGTH)
        finish(http1, side, STATE_START);
    else
        side->state = STATE_CHUNK_END;
}

static size_t take_bytes(ec_http1 *http1, struct side *side, uint64_t time, const uint8_t *data, size_t len)
{
    size_t used = len;

    switch (side->state) {
    case STATE_LENGTH:
    case STATE_CHUNK:
        used = (size_t)MIN(len, side->left);
        ec_text_message_add_body(side->message, time, data, used);
        count_body(http1, side, used);
        return used;
    case STATE_TO_END:
        ec_text_message_add_body(side->message, time, data, len);
        return len;
    case STATE_TUNNEL:
        give_tunnel(http1, side, time, data, len);
        return len;
    default:
        return take_line(http1, side, time, data, len);
    }
}

void ec_http1_take(ec_http1 *http1, uint64_t time, enum ec_direction direction, const uint8_t *data, size_t len)
{
    struct side *side = get_side(http1, direction);
    bool amid = side->state == STATE_START && (side->torn || side->line->len);

    /* A call mostly begins with what it sends: a message may follow data that did not end its line. */
    if (amid && len && ec_http1_detect(data, len) == EC_TEXT_YES) {
        give_torn_line(http1, side);
        side->torn = false;
    }
    while (len) {
        size_t used = take_bytes(http1, side, time, data, len);

        data += used;
        len -= used;
    }
}

void ec_http1_skip(ec_http1 *http1, uint64_t time, enum ec_direction direction, uint64_t len)
{
    struct side *side = get_side(http1, direction);
    bool counted = side->state == STATE_LENGTH || side->state == STATE_CHUNK;

    if (side->state == STATE_TUNNEL && http1->websocket) {
        ec_websocket_skip(http1->websocket, time, direction, len);
        return;
    }
    if ((counted && side->left >= len) || side->state == STATE_TO_END) {
        ec_text_message_add_loss(side->message, len);
        if (counted)
            count_body(http1, side, len);
        return;
    }
    if (side->line->len && side->message)
        g_string_truncate(side->line, 0);
    else if (side->line->len)
        give_torn_line(http1, side);
    if (side->message) {
        ec_text_message_add_note(side->message, "incomplete: %" G_GUINT64_FORMAT " bytes were lost here", len);
        finish(http1, side, STATE_START);
    }
    side->torn = false;
    side->lost += len;
    /* How many requests or responses went with them can't be known. */
    g_queue_clear_full(&http1->waiting, request_free);
}

bool ec_http1_flush(ec_http1 *http1, uint64_t now)
{
    bool waits = false;

    for (size_t i = 0; i < G_N_ELEMENTS(http1->sides); i++) {
        struct side *side = &http1->sides[i];

        if (side->state == STATE_START && side->line->len &&
            (side->torn || !ec_http1_detect((const uint8_t *)side->line->str, side->line->len)))
            give_torn_line(http1, side);
    }
    ec_text_raw_flush(&http1->raw, http1->receiver);
    if (http1->websocket)
        ec_websocket_flush(http1->websocket);
    for (size_t i = 0; i < G_N_ELEMENTS(http1->sides); i++) {
        struct side *side = &http1->sides[i];

        if (side->message && side->state != STATE_FIELDS)
            waits |= ec_text_part_emit(side->message, http1->receiver, now);
    }
    return waits;
}

void ec_http1_end(ec_http1 *http1, const char *cause)
{
    for (size_t i = 0; i < G_N_ELEMENTS(http1->sides); i++) {
        struct side *side = &http1->sides[i];
        bool whole = side->state == STATE_TO_END && !cause;

        if (side->message) {
            if (!whole)
                ec_text_message_add_note(side->message, "incomplete: %s", cause ? cause : "the connection ended");
            finish(http1, side, STATE_START);
        } else if (side->line->len) {
            give_torn_line(http1, side);
        }
    }
    ec_text_raw_flush(&http1->raw, http1->receiver);
    if (http1->websocket)
        ec_websocket_end(http1->websocket, cause ? cause : "the connection ended");
}
