/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-json.h"
#include "json.h"
#include "module.h"

#include <arpa/inet.h>
#include <string.h>
#include <time.h>

static void begin_event(struct ec_json *json, const char *type)
{
    ec_json_open(json, NULL, '{');
    ec_json_add_string(json, "type", type);
}

static void end_event(struct ec_json *json)
{
    ec_json_close(json, '}');
    g_string_append_c(json->text, '\n');
}

/* RFC 3339 */
static void add_time(struct ec_json *json, const char *key, uint64_t time)
{
    time_t seconds = (time_t)(time / 1000000000);
    struct tm utc = {0};
    char text[32], whole[48];

    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    g_snprintf(whole, sizeof(whole), "%s.%09uZ", text, (unsigned)(time % 1000000000));
    ec_json_add_string(json, key, whole);
}

static void add_owner(struct ec_json *json, const struct ec_owner *owner, const char *user)
{
    ec_json_add_number(json, "pid", owner->pid);
    ec_json_add_number(json, "tid", owner->tid);
    ec_json_add_bytes(json, "comm", owner->comm, strnlen(owner->comm, sizeof(owner->comm)));
    ec_json_add_number(json, "uid", owner->uid);
    ec_json_add_string(json, "user", user);
}

static void add_endpoint(struct ec_json *json, const char *key, const struct ec_endpoint *endpoint)
{
    char address[INET6_ADDRSTRLEN];

    ec_text_format_address(endpoint, address);
    ec_json_open(json, key, '{');
    ec_json_add_string(json, "address", address);
    ec_json_add_number(json, "port", endpoint->port);
    ec_json_close(json, '}');
}

static void add_connection(struct ec_json *json, const struct ec_sink_connection *connection)
{
    ec_json_add_number(json, "connection", connection->id);
    if (!connection->addressed)
        return;
    add_endpoint(json, "local", &connection->local);
    add_endpoint(json, "remote", &connection->remote);
}

static void add_fields(struct ec_json *json, const char *key, const ec_text_message *message, bool trailers)
{
    ec_json_open(json, key, '[');
    for (guint i = 0; i < message->fields->len; i++) {
        const struct ec_text_field *field = &g_array_index(message->fields, struct ec_text_field, i);

        if (field->trailer != trailers)
            continue;
        ec_json_open(json, NULL, '{');
        ec_json_add_bytes(json, "name", message->text->str + field->name, field->name_len);
        ec_json_add_bytes(json, "value", message->text->str + field->value, field->value_len);
        ec_json_close(json, '}');
    }
    ec_json_close(json, ']');
}

/* "NAME" or "NAME_base64", with "NAME_length" and, if it isn't all there, "NAME_truncated". */
static void add_content(struct ec_json *json, const char *name, const struct ec_text_style *style, const uint8_t *data,
                        size_t len, uint64_t total)
{
    size_t shown = ec_text_measure(data, len, style->shown_max);
    g_autofree char *length = g_strdup_printf("%s_length", name);
    g_autofree char *truncated = g_strdup_printf("%s_truncated", name);
    g_autofree char *coded = g_strdup_printf("%s_base64", name);

    if (g_utf8_validate_len((const char *)data, shown, NULL)) {
        ec_json_add_bytes(json, name, (const char *)data, shown);
    } else {
        g_autofree char *base64 = g_base64_encode(data, shown);

        ec_json_add_string(json, coded, base64);
    }
    ec_json_add_number(json, length, total);
    if (shown < total)
        ec_json_add_bool(json, truncated, true);
}

static void add_notes(struct ec_json *json, const ec_text_message *message)
{
    if (!message->notes->len)
        return;
    ec_json_open(json, "notes", '[');
    for (guint i = 0; i < message->notes->len; i++)
        ec_json_add_string(json, NULL, g_ptr_array_index(message->notes, i));
    ec_json_close(json, ']');
}

static void add_http(struct ec_json *json, const ec_text_message *message)
{
    ec_json_add_string(json, "protocol", message->protocol);
    if (message->stream)
        ec_json_add_number(json, "stream", message->stream);
    if (message->what)
        ec_json_add_string(json, "message", message->what);
    if (message->method)
        ec_json_add_string(json, "method", message->method);
    if (message->target)
        ec_json_add_string(json, "target", message->target);
    if (message->status)
        ec_json_add_number(json, "status", message->status);
    if (message->reason)
        ec_json_add_string(json, "reason", message->reason);
    add_fields(json, "headers", message, false);
    add_fields(json, "trailers", message, true);
}

void ec_text_json_message(GString *out, const struct ec_text_style *style, const struct ec_text_origin *origin,
                          const ec_text_message *message)
{
    static const char *const types[] = {
        [EC_TEXT_REQUEST] = "request", [EC_TEXT_RESPONSE] = "response", [EC_TEXT_DATA] = "data"};
    _Static_assert(G_N_ELEMENTS(types) == EC_TEXT_KIND_MAX, "a name per kind");
    struct ec_json json = {.text = out};

    begin_event(&json, message->part > 1 ? "body" : types[message->kind]);
    add_time(&json, "time", message->time);
    add_owner(&json, origin->owner, origin->user);
    ec_json_add_string(&json, "direction", message->direction == EC_DIRECTION_OUT ? "sent" : "received");
    add_connection(&json, origin->connection);
    if (message->protocol)
        add_http(&json, message);
    if (message->part) {
        ec_json_add_number(&json, "part", message->part);
        ec_json_add_bool(&json, "last", !message->more);
    }
    if (message->grpc)
        ec_json_add_number(&json, "grpc_message", message->grpc);
    add_content(&json, "body", style, message->body->data, message->body->len, message->body_len);
    if (message->codings) {
        ec_json_add_string(&json, "coding", message->codings);
        ec_json_add_number(&json, "coded_length", message->coded_len);
    }
    add_notes(&json, message);
    end_event(&json);
}

void ec_text_json_command(GString *out, const struct ec_text_style *style, const struct ec_sink_command *command,
                          const char *user)
{
    struct ec_json json = {.text = out};

    begin_event(&json, "command");
    add_time(&json, "time", command->started);
    if (command->has_status)
        add_time(&json, "ended", command->time);
    add_owner(&json, command->owner, user);
    ec_json_add_string(&json, "module", ec_modules[command->module].name);
    ec_json_add_string(&json, "tty", command->tty);
    ec_json_add_string(&json, "cwd", command->cwd);
    if (command->has_status)
        ec_json_add_number(&json, "status", (uint64_t)command->status);
    add_content(&json, "command", style, (const uint8_t *)command->text, command->len,
                command->len + (command->truncated ? 1 : 0));
    end_event(&json);
}

static void add_parameters(struct ec_json *json, const struct ec_text_style *style,
                           const struct ec_sink_statement *statement)
{
    ec_json_open(json, "parameters", '[');
    for (unsigned i = 0; i < statement->n_parameters; i++) {
        const struct ec_sink_parameter *parameter = &statement->parameters[i];

        ec_json_open(json, NULL, '{');
        ec_json_add_bool(json, "binary", parameter->binary);
        if (parameter->data)
            add_content(json, "value", style, parameter->data, parameter->len, parameter->full_len);
        else
            ec_json_add_string(json, "value", NULL);
        ec_json_close(json, '}');
    }
    ec_json_close(json, ']');
    if (statement->n_parameters < statement->full_n_parameters)
        ec_json_add_number(json, "parameters_length", statement->full_n_parameters);
}

void ec_text_json_statement(GString *out, const struct ec_text_style *style, const struct ec_sink_statement *statement,
                            const char *user)
{
    struct ec_json json = {.text = out};

    begin_event(&json, "statement");
    add_time(&json, "time", statement->started);
    add_time(&json, "ended", statement->time);
    add_owner(&json, statement->owner, user);
    ec_json_add_string(&json, "module", ec_modules[statement->module].name);
    if (statement->connection)
        ec_json_add_number(&json, "connection", statement->connection);
    ec_json_add_string(&json, "database_user", statement->user);
    ec_json_add_string(&json, "database", statement->database);
    ec_json_add_number(&json, "duration_ns", statement->time - MIN(statement->started, statement->time));
    if (statement->has_rows)
        ec_json_add_number(&json, "rows", statement->rows);
    if (statement->has_error && statement->error)
        ec_json_add_number(&json, "error", statement->error);
    if (statement->has_error)
        ec_json_add_string(&json, "error_text", statement->error_text);
    add_content(&json, "statement", style, (const uint8_t *)statement->text, statement->len, statement->full_len);
    if (statement->full_n_parameters)
        add_parameters(&json, style, statement);
    end_event(&json);
}

void ec_text_json_loss(GString *out, uint64_t dropped)
{
    struct ec_json json = {.text = out};

    begin_event(&json, "dropped");
    ec_json_add_number(&json, "events", dropped);
    end_event(&json);
}
