/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-message.h"

#include "text-part.h"

#include <string.h>

/* Notes are for people: a stream of oddities must not become a stream of notes. */
#define NOTES_MAX 16

ec_text_message *ec_text_message_new(const struct ec_text_receiver *receiver, enum ec_text_kind kind, uint64_t time,
                                     enum ec_direction direction)
{
    ec_text_message *message = g_new0(ec_text_message, 1);

    message->kind = kind;
    message->time = time;
    message->direction = direction;
    message->text = g_string_new(NULL);
    message->fields = g_array_new(FALSE, FALSE, sizeof(struct ec_text_field));
    message->body = g_byte_array_new();
    message->notes = g_ptr_array_new_with_free_func(g_free);
    message->budget = receiver->budget;
    return message;
}

void ec_text_message_free(ec_text_message *message)
{
    if (!message)
        return;
    ec_text_parts_free(message->parts, message->budget);
    message->budget->used -= message->charged;
    g_free(message->method);
    g_free(message->target);
    g_free(message->reason);
    g_free(message->codings);
    g_string_free(message->text, TRUE);
    g_array_unref(message->fields);
    g_byte_array_unref(message->body);
    g_ptr_array_unref(message->notes);
    g_free(message);
}

/* How many of `len` bytes there is room for. */
static size_t charge(ec_text_message *message, size_t len, size_t room)
{
    size_t left = message->budget->max - MIN(message->budget->used, message->budget->max);
    size_t taken = MIN(len, MIN(room, left));

    message->budget->used += taken;
    message->charged += taken;
    return taken;
}

void ec_text_message_add_field(ec_text_message *message, const char *name, size_t name_len, const char *value,
                               size_t value_len, bool trailer)
{
    size_t len = name_len + value_len + sizeof(struct ec_text_field);
    size_t used = message->text->len + message->fields->len * sizeof(struct ec_text_field);
    struct ec_text_field field;

    if (used + len > EC_TEXT_FIELDS_MAX || charge(message, len, len) < len) {
        message->fields_cut = true;
        return;
    }
    field = (struct ec_text_field){.name = (guint32)message->text->len,
                                   .name_len = (guint32)name_len,
                                   .value = (guint32)(message->text->len + name_len),
                                   .value_len = (guint32)value_len,
                                   .trailer = trailer};
    g_string_append_len(message->text, name, (gssize)name_len);
    g_string_append_len(message->text, value, (gssize)value_len);
    g_array_append_val(message->fields, field);
}

void ec_text_message_fold_field(ec_text_message *message, const char *value, size_t value_len)
{
    struct ec_text_field *last;

    if (message->fields->len == 0 || message->fields_cut)
        return;
    if (message->text->len + 1 + value_len > EC_TEXT_FIELDS_MAX ||
        charge(message, value_len + 1, value_len + 1) <= value_len) {
        message->fields_cut = true;
        return;
    }
    last = &g_array_index(message->fields, struct ec_text_field, message->fields->len - 1);
    g_string_append_c(message->text, ' ');
    g_string_append_len(message->text, value, (gssize)value_len);
    last->value_len += (guint32)value_len + 1;
}

static bool is_named(const ec_text_message *message, const struct ec_text_field *field, const char *name)
{
    return field->name_len == strlen(name) &&
           !g_ascii_strncasecmp(message->text->str + field->name, name, field->name_len);
}

const char *ec_text_message_get_field(const ec_text_message *message, const char *name, size_t *ret_len)
{
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        if (!field->trailer && is_named(message, field, name)) {
            *ret_len = field->value_len;
            return message->text->str + field->value;
        }
    }
    return NULL;
}

char *ec_text_message_join_fields(const ec_text_message *message, const char *name)
{
    GString *joined = NULL;

    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        if (field->trailer || !is_named(message, field, name))
            continue;
        if (joined)
            g_string_append_c(joined, ',');
        else
            joined = g_string_new(NULL);
        g_string_append_len(joined, message->text->str + field->value, field->value_len);
    }
    return joined ? g_string_free(joined, FALSE) : NULL;
}

void ec_text_message_add_body(ec_text_message *message, uint64_t time, const uint8_t *data, size_t len)
{
    bool whole = message->body_len == message->body->len + message->lost;
    /* Behind something that wasn't kept, nothing is: a body has no hole that isn't a loss. */
    size_t kept = whole ? charge(message, len, EC_TEXT_BODY_MAX - message->body->len) : 0;

    if (!message->body_len)
        message->body_time = time;
    message->body_len += len;
    if (kept)
        g_byte_array_append(message->body, data, (guint)kept);
    if (!message->lost)
        message->intact = message->body->len;
}

void ec_text_message_add_loss(ec_text_message *message, uint64_t len)
{
    message->body_len += len;
    message->lost += len;
}

char *ec_text_message_list_codings(const ec_text_message *message)
{
    static const char *const names[] = {"content-encoding", "transfer-encoding"};
    g_autoptr(GString) list = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *joined = ec_text_message_join_fields(message, names[i]);
        g_auto(GStrv) words = g_strsplit(joined ? joined : "", ",", -1);

        for (char **word = words; *word; word++)
            if (*g_strstrip(*word) && g_ascii_strcasecmp(*word, "chunked"))
                g_string_append_printf(list, "%s%s", list->len ? ", " : "", *word);
    }
    return ec_content_is_plain(list->str) ? NULL : g_string_free(g_steal_pointer(&list), FALSE);
}

static const char *get_problem(enum ec_content_result result)
{
    switch (result) {
    case EC_CONTENT_WHOLE:
        return NULL;
    case EC_CONTENT_CUT:
        return "incomplete: only the first 4 MiB were decoded";
    case EC_CONTENT_SHORT:
        return "incomplete: the coded data end early";
    case EC_CONTENT_BROKEN:
        return "incomplete: the coded data are malformed";
    case EC_CONTENT_UNKNOWN:
        break;
    }
    return "not decoded: an unknown coding";
}

void ec_text_message_note_result(ec_text_message *message, enum ec_content_result result, const char *codings)
{
    if (get_problem(result))
        ec_text_message_add_note(message, "%s (%s)", get_problem(result), codings);
}

static void decode_body(ec_text_message *message, const char *codings)
{
    GByteArray *content = NULL;
    enum ec_content_result result =
        ec_content_decode(codings, message->body->data, message->intact, EC_TEXT_BODY_MAX, &content);

    ec_text_message_note_result(message, result, codings);
    if (!content)
        return;
    message->codings = g_strdup(codings);
    message->coded_len = message->body_len;
    g_byte_array_unref(message->body);
    message->body = content;
    message->body_len = content->len;
}

void ec_text_message_note_missing(ec_text_message *message, uint64_t lost, uint64_t unkept)
{
    if (lost)
        ec_text_message_add_note(message, "incomplete: %" G_GUINT64_FORMAT " bytes of the body were lost", lost);
    if (unkept)
        ec_text_message_add_note(message, "incomplete: the body's last %" G_GUINT64_FORMAT " bytes were not kept",
                                 unkept);
    if (message->fields_cut)
        ec_text_message_add_note(message, "incomplete: not all of the header was kept");
}

void ec_text_message_decode(ec_text_message *message)
{
    g_autofree char *codings = NULL;

    if (message->decoded)
        return;
    message->decoded = true;
    ec_text_message_note_missing(message, message->lost, message->body_len - message->lost - message->body->len);
    if (message->body->len)
        codings = ec_text_message_list_codings(message);
    if (codings)
        decode_body(message, codings);
}

void ec_text_message_add_note(ec_text_message *message, const char *format, ...)
{
    va_list args;

    if (message->notes->len >= NOTES_MAX)
        return;
    va_start(args, format);
    g_ptr_array_add(message->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

void ec_text_raw_take(struct ec_text_raw *raw, const struct ec_text_receiver *receiver, uint64_t time,
                      enum ec_direction direction, const uint8_t *data, size_t len)
{
    if (raw->message && raw->message->direction != direction)
        ec_text_raw_flush(raw, receiver);
    while (len) {
        size_t taken;

        if (!raw->message)
            raw->message = ec_text_message_new(receiver, EC_TEXT_DATA, time, direction);
        taken = MIN(len, EC_TEXT_RAW_MAX - raw->message->body_len);
        ec_text_message_add_body(raw->message, time, data, taken);
        data += taken;
        len -= taken;
        if (raw->message->body_len == EC_TEXT_RAW_MAX)
            ec_text_raw_flush(raw, receiver);
    }
}

void ec_text_raw_flush(struct ec_text_raw *raw, const struct ec_text_receiver *receiver)
{
    if (raw->message)
        receiver->emit(g_steal_pointer(&raw->message), receiver->data);
}

void ec_text_raw_clear(struct ec_text_raw *raw)
{
    g_clear_pointer(&raw->message, ec_text_message_free);
}
