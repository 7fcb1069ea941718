/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A conversation is what goes over one connection. Its first bytes, in either direction, say which protocol it is:
 *
 *   undecided ──HTTP/2 frames──► HTTP/2
 *       │ ▲─────bytes kept
 *       └──anything else───────► HTTP/1, which passes on as data what is none
 *
 * A capture may begin in the midst of anything, so a conversation that has shown nothing but data is still asked
 * at each call whether HTTP/2 begins there.
 */
#include "text-sink.h"
#include "text-http1.h"
#include "text-http2.h"
#include "text-json.h"
#include "text-print.h"

#include <pwd.h>
#include <string.h>
#include <time.h>

/* Conversations at once; the longest idle one is ended for another. */
#define CONVERSATIONS_MAX 4096
/* Bytes of messages in the making, all conversations together; and as many of decoders. */
#define BUDGET (64u << 20)
#define USERS_MAX 1024
_Static_assert(EC_TEXT_SHOWN_MAX == EC_TEXT_BODY_MAX, "the public limit is that of messages");
/* ns that bytes wait for more of them to say what they are. */
#define UNDECIDED_MAX 1000000000ull

struct pending {
    GByteArray *bytes; /* NULL: none */
    uint64_t time;     /* of the first one */
};

struct text_sink;
struct conversation {
    struct text_sink *sink;
    struct ec_sink_connection connection;
    struct ec_owner owner;
    struct ec_text_receiver receiver;
    struct pending pending[2]; /* by side: 0 received, 1 sent */
    uint64_t expected[2];      /* the next byte's offset */
    bool begun[2];
    ec_http1 *http1;
    ec_http2 *http2;
    bool certain; /* that it is HTTP/1 */
    bool waiting; /* stands in sink->waiting */
    GList link;   /* in sink->order */
};

struct text_sink {
    struct ec_sink sink;
    ec_text_output *output;
    struct ec_text_style style;
    bool json;
    struct ec_text_budget budget;
    GHashTable *conversations; /* uint64_t id → struct conversation * */
    GQueue order;              /* the same, the longest idle first */
    GPtrArray *waiting;        /* of struct conversation *: those that a flush may concern */
    GHashTable *users;         /* uid → char * */
    GString *event;            /* the one in the making */
    uint64_t shown, told;      /* events; dropped ones that were told in the output */
    GError *failure;           /* the first one; belongs to the next call's caller */
};

static struct text_sink *text_from_sink(struct ec_sink *sink)
{
    return (struct text_sink *)((char *)sink - G_STRUCT_OFFSET(struct text_sink, sink));
}

/* --- events --------------------------------------------------------------------------------------------------- */

/* NULL: not known. */
static const char *get_user(struct text_sink *self, uint32_t uid)
{
    gpointer name = NULL;
    const struct passwd *entry;

    if (g_hash_table_lookup_extended(self->users, GUINT_TO_POINTER(uid), NULL, &name))
        return name;
    if (g_hash_table_size(self->users) >= USERS_MAX)
        g_hash_table_remove_all(self->users);
    entry = getpwuid(uid);
    name = entry ? g_strdup(entry->pw_name) : NULL;
    g_hash_table_insert(self->users, GUINT_TO_POINTER(uid), name);
    return name;
}

static void write_event(struct text_sink *self)
{
    if (!self->failure)
        ec_text_output_add(self->output, self->event->str, self->event->len, &self->failure);
}

static void tell_loss(struct text_sink *self)
{
    uint64_t dropped = ec_text_output_get_dropped(self->output);
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT " messages are missing here: the output was too slow",
                                            dropped - self->told);

    g_string_truncate(self->event, 0);
    if (self->json)
        ec_text_json_loss(self->event, dropped - self->told);
    else
        ec_text_print_remark(self->event, &self->style, text);
    self->told = dropped;
    write_event(self);
}

/* False if there is no room for an event: it is counted, and not made at all. */
static bool begin_event(struct text_sink *self)
{
    if (self->failure || !ec_text_output_has_room(self->output))
        return false;
    if (ec_text_output_get_dropped(self->output) > self->told)
        tell_loss(self);
    g_string_truncate(self->event, 0);
    self->shown++;
    return true;
}

static bool take_failure(struct text_sink *self, GError **error)
{
    if (!self->failure)
        return true;
    g_propagate_error(error, g_error_copy(self->failure));
    return false;
}

static void on_message(ec_text_message *message, void *data)
{
    struct conversation *conversation = data;
    struct text_sink *self = conversation->sink;
    g_autoptr(ec_text_message) owned = message;
    struct ec_text_origin origin = {.owner = &conversation->owner, .connection = &conversation->connection};

    conversation->certain |= message->kind != EC_TEXT_DATA;
    if (!begin_event(self))
        return;
    origin.user = get_user(self, conversation->owner.uid);
    ec_text_message_decode(owned);
    if (self->json)
        ec_text_json_message(self->event, &self->style, &origin, owned);
    else
        ec_text_print_message(self->event, &self->style, &origin, owned);
    write_event(self);
}

/* --- conversations -------------------------------------------------------------------------------------------- */

static void conversation_free(gpointer data)
{
    struct conversation *conversation = data;

    g_queue_unlink(&conversation->sink->order, &conversation->link);
    if (conversation->waiting)
        g_ptr_array_remove_fast(conversation->sink->waiting, conversation);
    for (size_t i = 0; i < G_N_ELEMENTS(conversation->pending); i++)
        g_clear_pointer(&conversation->pending[i].bytes, g_byte_array_unref);
    ec_http1_free(conversation->http1);
    ec_http2_free(conversation->http2);
    g_free(conversation);
}

static void give(struct conversation *conversation, uint64_t time, enum ec_direction direction, const uint8_t *data,
                 size_t len)
{
    if (conversation->http1 && !conversation->certain && len && ec_http2_detect(data, len) == EC_TEXT_YES) {
        ec_http1_end(conversation->http1, NULL);
        g_clear_pointer(&conversation->http1, ec_http1_free);
        conversation->http2 = ec_http2_new(&conversation->receiver);
    }
    if (conversation->http2)
        ec_http2_take(conversation->http2, time, direction, data, len);
    else
        ec_http1_take(conversation->http1, time, direction, data, len);
}

static void give_pending(struct conversation *conversation, enum ec_direction direction)
{
    struct pending *pending = &conversation->pending[direction == EC_DIRECTION_OUT];

    if (!pending->bytes)
        return;
    give(conversation, pending->time, direction, pending->bytes->data, pending->bytes->len);
    g_clear_pointer(&pending->bytes, g_byte_array_unref);
}

static void decide(struct conversation *conversation, bool http2)
{
    const struct pending *in = &conversation->pending[0], *out = &conversation->pending[1];
    bool in_first = !out->bytes || (in->bytes && in->time < out->time);

    if (http2)
        conversation->http2 = ec_http2_new(&conversation->receiver);
    else
        conversation->http1 = ec_http1_new(&conversation->receiver);
    give_pending(conversation, in_first ? EC_DIRECTION_IN : EC_DIRECTION_OUT);
    give_pending(conversation, in_first ? EC_DIRECTION_OUT : EC_DIRECTION_IN);
}

static bool is_decided(const struct conversation *conversation)
{
    return conversation->http1 || conversation->http2;
}

static void try_to_decide(struct conversation *conversation, const struct pending *pending)
{
    enum ec_text_verdict http2 = ec_http2_detect(pending->bytes->data, pending->bytes->len);
    enum ec_text_verdict http1 = ec_http1_detect(pending->bytes->data, pending->bytes->len);

    if (http2 == EC_TEXT_YES || http1 == EC_TEXT_YES)
        decide(conversation, http2 == EC_TEXT_YES);
    else if (http2 == EC_TEXT_NO && http1 == EC_TEXT_NO)
        decide(conversation, false);
}

static void end_conversation(struct conversation *conversation, const char *cause)
{
    if (!is_decided(conversation))
        decide(conversation, false);
    if (conversation->http2)
        ec_http2_end(conversation->http2, cause);
    else
        ec_http1_end(conversation->http1, cause);
    g_hash_table_remove(conversation->sink->conversations, &conversation->connection.id);
}

static struct conversation *get_conversation(struct text_sink *self, const struct ec_sink_plaintext *plaintext)
{
    struct conversation *conversation = g_hash_table_lookup(self->conversations, &plaintext->connection->id);

    if (!conversation) {
        if (self->order.length >= CONVERSATIONS_MAX)
            end_conversation(g_queue_peek_head(&self->order), "too many connections are open");
        conversation = g_new0(struct conversation, 1);
        conversation->sink = self;
        conversation->receiver =
            (struct ec_text_receiver){.budget = &self->budget, .emit = on_message, .data = conversation};
        conversation->link.data = conversation;
        conversation->connection.id = plaintext->connection->id;
        g_hash_table_insert(self->conversations, &conversation->connection.id, conversation);
    } else {
        g_queue_unlink(&self->order, &conversation->link);
    }
    g_queue_push_tail_link(&self->order, &conversation->link);
    conversation->connection = *plaintext->connection;
    conversation->owner = *plaintext->owner;
    return conversation;
}

/* What the capture lost between the last bytes and these. */
static void take_gap(struct conversation *conversation, const struct ec_sink_plaintext *plaintext)
{
    size_t side = plaintext->direction == EC_DIRECTION_OUT;
    uint64_t expected = conversation->expected[side];
    bool gap = conversation->begun[side] && plaintext->offset > expected;

    conversation->begun[side] = true;
    conversation->expected[side] = plaintext->offset + plaintext->len;
    if (!gap)
        return;
    if (!is_decided(conversation))
        decide(conversation, false);
    if (conversation->http2)
        ec_http2_skip(conversation->http2, plaintext->time, plaintext->direction, plaintext->offset - expected);
    else
        ec_http1_skip(conversation->http1, plaintext->time, plaintext->direction, plaintext->offset - expected);
}

static void take_bytes(struct conversation *conversation, const struct ec_sink_plaintext *plaintext)
{
    struct pending *pending = &conversation->pending[plaintext->direction == EC_DIRECTION_OUT];

    if (is_decided(conversation)) {
        give(conversation, plaintext->time, plaintext->direction, plaintext->data, plaintext->len);
        return;
    }
    if (!pending->bytes) {
        pending->bytes = g_byte_array_new();
        pending->time = plaintext->time;
    }
    g_byte_array_append(pending->bytes, plaintext->data, plaintext->len);
    try_to_decide(conversation, pending);
}

static bool text_plaintext(struct ec_sink *sink, const struct ec_sink_plaintext *plaintext, GError **error)
{
    struct text_sink *self = text_from_sink(sink);
    struct conversation *conversation = get_conversation(self, plaintext);

    take_gap(conversation, plaintext);
    if (plaintext->len)
        take_bytes(conversation, plaintext);
    if (!conversation->waiting) {
        conversation->waiting = true;
        g_ptr_array_add(self->waiting, conversation);
    }
    if (plaintext->closed)
        end_conversation(conversation, NULL);
    return take_failure(self, error);
}

/* --- commands and statements ---------------------------------------------------------------------------------- */

static bool text_command(struct ec_sink *sink, const struct ec_sink_command *command, GError **error)
{
    struct text_sink *self = text_from_sink(sink);

    if (begin_event(self)) {
        const char *user = get_user(self, command->owner->uid);

        if (self->json)
            ec_text_json_command(self->event, &self->style, command, user);
        else
            ec_text_print_command(self->event, &self->style, command, user);
        write_event(self);
    }
    return take_failure(self, error);
}

static bool text_statement(struct ec_sink *sink, const struct ec_sink_statement *statement, GError **error)
{
    struct text_sink *self = text_from_sink(sink);

    if (begin_event(self)) {
        const char *user = get_user(self, statement->owner->uid);

        if (self->json)
            ec_text_json_statement(self->event, &self->style, statement, user);
        else
            ec_text_print_statement(self->event, &self->style, statement, user);
        write_event(self);
    }
    return take_failure(self, error);
}

/* --- the end of a batch, and of all --------------------------------------------------------------------------- */

static bool is_stale(const struct pending *pending, uint64_t now)
{
    return pending->bytes && pending->time + UNDECIDED_MAX < now;
}

/* True if it has to be asked again at the next flush. */
static bool flush_conversation(struct conversation *conversation, uint64_t now)
{
    if (!is_decided(conversation) &&
        (is_stale(&conversation->pending[0], now) || is_stale(&conversation->pending[1], now)))
        decide(conversation, false);
    if (conversation->http1)
        return ec_http1_flush(conversation->http1, now);
    return !conversation->http2 || ec_http2_flush(conversation->http2, now);
}

static void flush_waiting(struct text_sink *self)
{
    struct timespec now;
    guint kept = 0;

    clock_gettime(CLOCK_REALTIME, &now);
    for (guint i = 0; i < self->waiting->len; i++) {
        struct conversation *conversation = g_ptr_array_index(self->waiting, i);

        conversation->waiting =
            flush_conversation(conversation, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
        if (conversation->waiting)
            self->waiting->pdata[kept++] = conversation;
    }
    g_ptr_array_set_size(self->waiting, (gint)kept);
}

static bool text_flush(struct ec_sink *sink, GError **error)
{
    struct text_sink *self = text_from_sink(sink);

    flush_waiting(self);
    if (!self->failure)
        ec_text_output_flush(self->output, &self->failure);
    return take_failure(self, error);
}

static bool text_close(struct ec_sink *sink, GError **error)
{
    struct text_sink *self = text_from_sink(sink);
    uint64_t dropped;
    bool ok;

    while (self->order.head)
        end_conversation(self->order.head->data, "the capture ended");
    /* It was told when it happened. */
    if (self->failure)
        return true;
    if (ec_text_output_get_dropped(self->output) > self->told)
        tell_loss(self);
    dropped = ec_text_output_get_dropped(self->output);
    ok = ec_text_output_close(self->output, error);
    self->shown -= MIN(self->shown, ec_text_output_get_dropped(self->output) - dropped);
    return ok;
}

static void text_free(struct ec_sink *sink)
{
    struct text_sink *self = text_from_sink(sink);

    g_hash_table_unref(self->conversations);
    g_ptr_array_unref(self->waiting);
    g_hash_table_unref(self->users);
    g_string_free(self->event, TRUE);
    g_clear_error(&self->failure);
    ec_text_output_free(self->output);
    g_free(self);
}

static int text_get_fd(struct ec_sink *sink)
{
    return ec_text_output_get_fd(text_from_sink(sink)->output);
}

static const struct ec_sink_ops text_ops = {
    .name = "text",
    .plaintext = text_plaintext,
    .command = text_command,
    .statement = text_statement,
    .flush = text_flush,
    .close = text_close,
    .free = text_free,
    .get_fd = text_get_fd,
};

static bool wants_color(const struct ec_text_config *config, const ec_text_output *output)
{
    const char *off = g_getenv("NO_COLOR"); /* no-color.org */

    if (config->json || config->color == EC_TEXT_COLOR_NEVER)
        return false;
    return config->color == EC_TEXT_COLOR_ALWAYS ||
           (ec_text_output_is_terminal(output) && !(off && *off) && g_strcmp0(g_getenv("TERM"), "dumb"));
}

struct ec_sink *ec_text_sink_new(const struct ec_text_config *config, GError **error)
{
    g_autoptr(ec_text_output) output = ec_text_output_new(&config->output, error);
    struct text_sink *self;

    if (!output)
        return NULL;
    self = g_new0(struct text_sink, 1);
    self->sink.ops = &text_ops;
    self->json = config->json;
    self->style.hex = config->hex;
    self->style.color = wants_color(config, output);
    self->style.shown_max = config->shown_max ? config->shown_max : SIZE_MAX;
    self->output = g_steal_pointer(&output);
    self->budget.max = BUDGET;
    self->budget.decoding_max = BUDGET;
    self->conversations = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, conversation_free);
    self->waiting = g_ptr_array_new();
    self->users = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    self->event = g_string_new(NULL);
    return &self->sink;
}

struct ec_text_counts ec_text_sink_get_counts(const struct ec_sink *sink)
{
    const struct text_sink *self =
        (const struct text_sink *)((const char *)sink - G_STRUCT_OFFSET(struct text_sink, sink));

    return (struct ec_text_counts){.shown = self->shown, .dropped = ec_text_output_get_dropped(self->output)};
}
