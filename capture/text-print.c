/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-print.h"
#include "module.h"
#include "printable.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#define HEX_WIDTH 16
/* Bytes that are looked at to tell text from other data. */
#define SAMPLE (64u << 10)
#define COLOR_OFF "\033[0m"

enum color { COLOR_REQUEST, COLOR_RESPONSE, COLOR_OTHER, COLOR_REMARK, COLOR_MAX };
static const char *const colors[] = {
    [COLOR_REQUEST] = "\033[1;36m",
    [COLOR_RESPONSE] = "\033[1;32m",
    [COLOR_OTHER] = "\033[1;35m",
    [COLOR_REMARK] = "\033[33m",
};
_Static_assert(G_N_ELEMENTS(colors) == COLOR_MAX, "a colour each");

/* --- characters ----------------------------------------------------------------------------------------------- */

static void append_char(GString *out, const char *data, gunichar c)
{
    if (c == (gunichar)-1)
        g_string_append_printf(out, "\\x%02x", (unsigned char)*data);
    else if (ec_char_is_printable(c) || c == '\t')
        g_string_append_unichar(out, c);
    else if (c < 0x80)
        g_string_append_printf(out, "\\x%02x", c);
    else
        g_string_append_printf(out, "\\u{%x}", c);
}

/* On one line: newlines are escaped too. */
static void append_inline(GString *out, const char *data, size_t len)
{
    while (len) {
        size_t used = ec_char_count_ascii(data, len); /* most of most texts */

        if (used)
            g_string_append_len(out, data, (gssize)used);
        else
            append_char(out, data, ec_char_decode(data, len, &used));
        data += used;
        len -= used;
    }
}

static void append_string(GString *out, const char *text)
{
    append_inline(out, text, strlen(text));
}

/* A line that would look like one of ours. */
static bool is_imitation(const char *line, size_t len)
{
    return len >= 4 && (!memcmp(line, "=== ", 4) || !memcmp(line, "--- ", 4));
}

/* Lines, the last one ended whether or not it was. */
static void append_lines(GString *out, const char *data, size_t len)
{
    while (len) {
        const char *end = memchr(data, '\n', len);
        size_t line = end ? (size_t)(end - data) : len;
        size_t text = line && end && data[line - 1] == '\r' ? line - 1 : line;

        if (is_imitation(data, text))
            g_string_append_c(out, '\\');
        append_inline(out, data, text);
        g_string_append_c(out, '\n');
        line += end != NULL;
        data += line;
        len -= line;
    }
}

bool ec_text_is_readable(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    size_t bad = 0, used;

    len = ec_text_measure(data, len, SAMPLE);
    for (size_t left = len; left; text += used, left -= used) {
        if ((used = ec_char_count_ascii(text, left)) > 0)
            continue;
        gunichar c = ec_char_decode(text, left, &used);

        if (!c)
            return false;
        bad += c == (gunichar)-1 || (c < 0x20 && !strchr("\t\n\v\f\r\033", (int)c)) || c == 0x7f;
    }
    return bad <= len / 8;
}

size_t ec_text_measure(const uint8_t *data, size_t len, size_t max)
{
    size_t start = max, used;

    if (len <= max)
        return len;
    while (start > 0 && max - start < 4 && (data[start] & 0xc0) == 0x80)
        start--;
    if (start < max && ec_char_decode((const char *)data + start, len - start, &used) != (gunichar)-1)
        return start;
    return max;
}

/* --- parts of a block ----------------------------------------------------------------------------------------- */

static void begin_line(GString *out, const struct ec_text_style *style, enum color color, const char *mark)
{
    g_string_append_printf(out, "%s%s ", style->color ? colors[color] : "", mark);
}

static void end_line(GString *out, const struct ec_text_style *style)
{
    g_string_append_printf(out, "%s\n", style->color ? COLOR_OFF : "");
}

void ec_text_print_remark(GString *out, const struct ec_text_style *style, const char *text)
{
    begin_line(out, style, COLOR_REMARK, "---");
    append_string(out, text);
    end_line(out, style);
}

G_GNUC_PRINTF(3, 4)
static void print_remark(GString *out, const struct ec_text_style *style, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    ec_text_print_remark(out, style, text);
}

/* "2026-11-21 06:20:56.123456", local time */
static void append_time(GString *out, uint64_t time)
{
    time_t seconds = (time_t)(time / 1000000000);
    struct tm local = {0};
    char text[32];

    localtime_r(&seconds, &local);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
    g_string_append_printf(out, "%s.%06u", text, (unsigned)(time % 1000000000 / 1000));
}

static void append_owner(GString *out, const struct ec_owner *owner, const char *user)
{
    append_inline(out, owner->comm, strnlen(owner->comm, sizeof(owner->comm)));
    g_string_append_printf(out, "[%u] ", owner->pid);
    if (user)
        append_string(out, user);
    else
        g_string_append_printf(out, "uid %u", owner->uid);
}

void ec_text_format_address(const struct ec_endpoint *endpoint, char *ret_text)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    bool ipv4 = !memcmp(endpoint->address, mapped, sizeof(mapped));

    if (!inet_ntop(ipv4 ? AF_INET : AF_INET6, endpoint->address + (ipv4 ? sizeof(mapped) : 0), ret_text,
                   INET6_ADDRSTRLEN))
        *ret_text = '\0';
}

static void append_endpoint(GString *out, const struct ec_endpoint *endpoint)
{
    char address[INET6_ADDRSTRLEN];

    ec_text_format_address(endpoint, address);
    g_string_append_printf(out, strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, endpoint->port);
}

static void append_connection(GString *out, const struct ec_sink_connection *connection, enum ec_direction direction)
{
    bool sent = direction == EC_DIRECTION_OUT;

    g_string_append(out, sent ? " sent " : " received ");
    if (!connection->addressed) {
        g_string_append_printf(out, "connection %" G_GUINT64_FORMAT, connection->id);
        return;
    }
    append_endpoint(out, sent ? &connection->local : &connection->remote);
    g_string_append(out, " > ");
    append_endpoint(out, sent ? &connection->remote : &connection->local);
}

/* Built by hand: printf takes longer than all else for a large body. */
static void print_hexdump(GString *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t at = 0; at < len; at += HEX_WIDTH) {
        size_t n = MIN(HEX_WIDTH, len - at);
        char hex[3 * HEX_WIDTH + 1], text[HEX_WIDTH + 1] = "";

        memset(hex, ' ', sizeof(hex) - 1);
        hex[sizeof(hex) - 1] = '\0';
        for (size_t i = 0; i < n; i++) {
            uint8_t byte = data[at + i];

            hex[3 * i + 1] = digits[byte >> 4];
            hex[3 * i + 2] = digits[byte & 15];
            text[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
        }
        g_string_append_printf(out, "%08zx %s  |%s|\n", at, hex, text);
    }
}

/* `total`: its length, of which `len` bytes are there. */
static void print_content(GString *out, const struct ec_text_style *style, const uint8_t *data, size_t len,
                          uint64_t total)
{
    bool readable = !style->hex && ec_text_is_readable(data, len);
    size_t shown = readable ? ec_text_measure(data, len, style->shown_max) : MIN(len, style->shown_max);

    if (readable)
        append_lines(out, (const char *)data, shown);
    else
        print_hexdump(out, data, shown);
    if (shown < len)
        print_remark(out, style, "cut: %zu of %" G_GUINT64_FORMAT " bytes shown", shown, total);
}

/* --- messages ------------------------------------------------------------------------------------------------- */

static void append_target(GString *out, const ec_text_message *message)
{
    const char *target = message->target ? message->target : "";

    append_inline(out, target, ec_text_measure((const uint8_t *)target, strlen(target), 256));
}

static void append_what(GString *out, const ec_text_message *message)
{
    static const char *const names[] = {
        [EC_TEXT_REQUEST] = "request", [EC_TEXT_RESPONSE] = "response", [EC_TEXT_DATA] = "data"};
    _Static_assert(G_N_ELEMENTS(names) == EC_TEXT_KIND_MAX, "a name per kind");

    g_string_append_printf(out, " %s%s%s", message->protocol ? message->protocol : "", message->protocol ? " " : "",
                           message->what ? message->what : names[message->kind]);
    if (message->stream)
        g_string_append_printf(out, ", stream %u", message->stream);
    if (message->kind == EC_TEXT_RESPONSE && message->method) {
        g_string_append(out, ", to ");
        append_string(out, message->method);
        g_string_append_c(out, ' ');
        append_target(out, message);
    } else if (message->kind == EC_TEXT_DATA && message->target) {
        g_string_append(out, ", on ");
        append_target(out, message);
    }
    if (message->part)
        g_string_append_printf(out, ", part %u%s", message->part, message->more ? "" : ", the last");
}

static void print_start_line(GString *out, const ec_text_message *message)
{
    if (message->part > 1)
        return;
    if (message->kind == EC_TEXT_REQUEST) {
        append_string(out, message->method ? message->method : "-");
        g_string_append_c(out, ' ');
        append_string(out, message->target ? message->target : "-");
        g_string_append_printf(out, " %s\n", message->protocol);
    } else if (message->status) {
        g_string_append_printf(out, "%s %u", message->protocol, message->status);
        if (message->reason) {
            g_string_append_c(out, ' ');
            append_string(out, message->reason);
        }
        g_string_append_c(out, '\n');
    }
}

static void print_fields(GString *out, const ec_text_message *message, bool trailers)
{
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);
        const char *name = message->text->str + field->name;

        if (field->trailer != trailers)
            continue;
        if (is_imitation(name, field->name_len))
            g_string_append_c(out, '\\');
        append_inline(out, name, field->name_len);
        g_string_append(out, ": ");
        append_inline(out, message->text->str + field->value, field->value_len);
        g_string_append_c(out, '\n');
    }
}

static void print_notes(GString *out, const struct ec_text_style *style, const ec_text_message *message)
{
    if (message->codings)
        print_remark(out, style, "%s: %" G_GUINT64_FORMAT " bytes, decoded %u", message->codings, message->coded_len,
                     message->body->len);
    for (guint i = 0; i < message->notes->len; i++)
        ec_text_print_remark(out, style, g_ptr_array_index(message->notes, i));
    if (message->grpc)
        print_remark(out, style, "gRPC message %" G_GUINT64_FORMAT, message->grpc);
    if (message->part == 1)
        ec_text_print_remark(out, style, "the rest follows in parts, as it comes");
}

void ec_text_print_message(GString *out, const struct ec_text_style *style, const struct ec_text_origin *origin,
                           const ec_text_message *message)
{
    static const enum color by_kind[] = {
        [EC_TEXT_REQUEST] = COLOR_REQUEST, [EC_TEXT_RESPONSE] = COLOR_RESPONSE, [EC_TEXT_DATA] = COLOR_OTHER};

    begin_line(out, style, by_kind[message->kind], "===");
    append_time(out, message->time);
    g_string_append_c(out, ' ');
    append_owner(out, origin->owner, origin->user);
    append_connection(out, origin->connection, message->direction);
    append_what(out, message);
    end_line(out, style);
    print_start_line(out, message);
    print_fields(out, message, false);
    if (message->body->len) {
        if (message->part <= 1 && (message->kind != EC_TEXT_DATA || message->fields->len))
            g_string_append_c(out, '\n');
        print_content(out, style, message->body->data, message->body->len, message->body_len);
    }
    print_fields(out, message, true);
    print_notes(out, style, message);
    g_string_append_c(out, '\n');
}

/* --- commands and statements ---------------------------------------------------------------------------------- */

static void append_property(GString *out, const char *name, const char *value)
{
    if (!value)
        return;
    g_string_append_printf(out, " %s=", name);
    append_string(out, value);
}

void ec_text_print_command(GString *out, const struct ec_text_style *style, const struct ec_sink_command *command,
                           const char *user)
{
    begin_line(out, style, COLOR_OTHER, "===");
    append_time(out, command->started);
    g_string_append_c(out, ' ');
    append_owner(out, command->owner, user);
    append_property(out, "tty", command->tty);
    append_property(out, "cwd", command->cwd);
    if (command->has_status)
        g_string_append_printf(out, " status=%d", command->status);
    end_line(out, style);
    print_content(out, style, (const uint8_t *)command->text, command->len, command->len);
    if (command->truncated)
        print_remark(out, style, "incomplete: the command was longer");
    g_string_append_c(out, '\n');
}

static void print_parameter(GString *out, const struct ec_text_style *style, unsigned number,
                            const struct ec_sink_parameter *parameter)
{
    const size_t shown = ec_text_measure(parameter->data, parameter->len, style->shown_max);
    g_autoptr(GString) value = g_string_new(NULL);

    if (!parameter->data) {
        g_string_append(value, "NULL");
    } else if (parameter->binary || !ec_text_is_readable(parameter->data, parameter->len)) {
        g_string_append(value, "0x");
        for (size_t i = 0; i < shown; i++)
            g_string_append_printf(value, "%02x", parameter->data[i]);
    } else {
        g_string_append_c(value, '\'');
        append_inline(value, (const char *)parameter->data, shown);
        g_string_append_c(value, '\'');
    }
    if (parameter->data && shown < parameter->full_len)
        g_string_append_printf(value, " (%zu of %u bytes)", shown, parameter->full_len);
    print_remark(out, style, "$%u = %s", number, value->str);
}

void ec_text_print_statement(GString *out, const struct ec_text_style *style, const struct ec_sink_statement *statement,
                             const char *user)
{
    uint64_t duration = statement->time - MIN(statement->started, statement->time);

    begin_line(out, style, COLOR_OTHER, "===");
    append_time(out, statement->started);
    g_string_append_c(out, ' ');
    append_owner(out, statement->owner, user);
    g_string_append_printf(out, " %s", ec_modules[statement->module].name);
    if (statement->connection)
        g_string_append_printf(out, " connection=%" G_GUINT64_FORMAT, statement->connection);
    append_property(out, "user", statement->user);
    append_property(out, "db", statement->database);
    g_string_append_printf(out, " time=%.3fms", (double)duration / 1e6);
    if (statement->has_rows)
        g_string_append_printf(out, " rows=%" G_GUINT64_FORMAT, statement->rows);
    if (statement->has_error && statement->error)
        g_string_append_printf(out, " error=%u", statement->error);
    end_line(out, style);
    print_content(out, style, (const uint8_t *)statement->text, statement->len, statement->full_len);
    if (statement->full_len > statement->len)
        print_remark(out, style, "incomplete: the statement has %" G_GUINT64_FORMAT " bytes", statement->full_len);
    for (unsigned i = 0; i < statement->n_parameters; i++)
        print_parameter(out, style, i + 1, &statement->parameters[i]);
    if (statement->n_parameters < statement->full_n_parameters)
        print_remark(out, style, "incomplete: the statement has %u parameters", statement->full_n_parameters);
    if (statement->has_error && statement->error_text)
        print_remark(out, style, "error: %s", statement->error_text);
    g_string_append_c(out, '\n');
}
