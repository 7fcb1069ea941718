/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "exported-pdu.h"

#include "synthetic.h"

#include <string.h>

enum tag {
    TAG_END = 0,
    TAG_DISSECTOR_NAME = 12,   /* EXP_PDU_TAG_DISSECTOR_NAME, until 4.0 _PROTO_NAME */
    TAG_TABLE_NAME = 14,       /* EXP_PDU_TAG_DISSECTOR_TABLE_NAME */
    TAG_SOURCE_PORT = 25,      /* EXP_PDU_TAG_SRC_PORT */
    TAG_DESTINATION_PORT = 26, /* EXP_PDU_TAG_DST_PORT */
    TAG_TABLE_VALUE = 32,      /* EXP_PDU_TAG_DISSECTOR_TABLE_NAME_NUM_VAL */
};

enum { HTTP_PORT = 80, MYSQL_PORT = 3306, POSTGRES_PORT = 5432 };
/* Tags, and the longest head of a message. */
#define OVERHEAD_MAX 64u
/* The command byte of a MySQL text query: include/mysql/.../protocol_text.html, COM_QUERY */
#define MYSQL_COM_QUERY 3

static void append_u16(GByteArray *pdu, uint16_t value)
{
    const uint16_t big = GUINT16_TO_BE(value);

    g_byte_array_append(pdu, (const guint8 *)&big, sizeof(big));
}

static void append_u32(GByteArray *pdu, uint32_t value)
{
    const uint32_t big = GUINT32_TO_BE(value);

    g_byte_array_append(pdu, (const guint8 *)&big, sizeof(big));
}

static void append_number_tag(GByteArray *pdu, enum tag tag, uint32_t value)
{
    append_u16(pdu, (uint16_t)tag);
    append_u16(pdu, sizeof(value));
    append_u32(pdu, value);
}

void ec_exported_pdu_append_tags(GByteArray *pdu, uint16_t tcp_port)
{
    static const char table[] = "tcp.port";

    append_u16(pdu, TAG_TABLE_NAME);
    append_u16(pdu, sizeof(table) - 1);
    g_byte_array_append(pdu, (const guint8 *)table, sizeof(table) - 1);
    append_number_tag(pdu, TAG_TABLE_VALUE, tcp_port);
    /* From the client: the dissectors tell requests by the port that they go to. */
    append_number_tag(pdu, TAG_SOURCE_PORT, 0);
    append_number_tag(pdu, TAG_DESTINATION_PORT, tcp_port);
    append_u16(pdu, TAG_END);
    append_u16(pdu, 0);
}

void ec_exported_pdu_append_plaintext(GByteArray *pdu, const uint8_t *data, uint32_t len)
{
    static const char name[] = "data";

    if (ec_synthetic_is_http(data, len)) {
        ec_exported_pdu_append_tags(pdu, HTTP_PORT);
    } else {
        append_u16(pdu, TAG_DISSECTOR_NAME);
        append_u16(pdu, sizeof(name) - 1);
        g_byte_array_append(pdu, (const guint8 *)name, sizeof(name) - 1);
        append_u16(pdu, TAG_END);
        append_u16(pdu, 0);
    }
    g_byte_array_append(pdu, data, len);
}

/* How much of a statement goes into one packet. */
struct fit {
    uint32_t text_len;
    uint32_t values_max; /* bytes for the parameters */
};

/* Bytes of a parameter in a Bind message but for its value: its format and its length. */
#define PARAMETER_HEAD 6u

static uint32_t parameter_fit(const struct ec_sink_parameter *parameter, uint32_t *left)
{
    uint32_t len;

    *left -= PARAMETER_HEAD;
    len = MIN(parameter->len, *left);
    *left -= len;
    return len;
}

/* The parameters get what the text leaves, at least half. */
static struct fit statement_fit(const struct ec_sink_statement *statement)
{
    const uint32_t max = EC_SNAPLEN_MAX - OVERHEAD_MAX;
    uint32_t left = max / 2;
    struct fit fit;

    for (unsigned i = 0; i < statement->n_parameters && left >= PARAMETER_HEAD; i++)
        parameter_fit(&statement->parameters[i], &left);
    fit.text_len = (uint32_t)MIN(statement->len, max / 2 + left);
    fit.values_max = max - fit.text_len;
    return fit;
}

static void append_mysql(GByteArray *pdu, const char *text, uint32_t len)
{
    /* Packet: 3-byte length, little-endian, of what follows the sequence number. */
    const guint8 head[] = {(guint8)(len + 1), (guint8)((len + 1) >> 8), (guint8)((len + 1) >> 16), 0, MYSQL_COM_QUERY};

    ec_exported_pdu_append_tags(pdu, MYSQL_PORT);
    g_byte_array_append(pdu, head, sizeof(head));
    g_byte_array_append(pdu, (const guint8 *)text, len);
}

/* A message of PostgreSQL's, whose length is set by message_end(). Where it begins. */
static guint message_begin(GByteArray *pdu, char type)
{
    const guint start = pdu->len;

    g_byte_array_append(pdu, (const guint8 *)&type, 1);
    append_u32(pdu, 0);
    return start;
}

static void message_end(GByteArray *pdu, guint start)
{
    const uint32_t len = GUINT32_TO_BE(pdu->len - start - 1);

    memcpy(pdu->data + start + 1, &len, sizeof(len));
}

static void append_text(GByteArray *pdu, const char *text, uint32_t len)
{
    g_byte_array_append(pdu, (const guint8 *)text, len);
    g_byte_array_append(pdu, (const guint8 *)"", 1);
}

/* To the unnamed portal of the unnamed statement; all results as text. */
static void append_bind(GByteArray *pdu, const struct ec_sink_statement *statement, uint32_t left)
{
    const guint start = message_begin(pdu, 'B');
    const uint32_t all = left;
    uint16_t n = 0;

    append_text(pdu, "", 0);
    append_text(pdu, "", 0);
    for (; n < statement->n_parameters && left >= PARAMETER_HEAD; n++)
        parameter_fit(&statement->parameters[n], &left);
    append_u16(pdu, n);
    for (unsigned i = 0; i < n; i++)
        append_u16(pdu, statement->parameters[i].binary);
    append_u16(pdu, n);
    left = all;
    for (unsigned i = 0; i < n; i++) {
        const struct ec_sink_parameter *parameter = &statement->parameters[i];
        const uint32_t len = parameter_fit(parameter, &left);

        append_u32(pdu, parameter->data ? len : UINT32_MAX);
        g_byte_array_append(pdu, parameter->data, len);
    }
    append_u16(pdu, 0);
    message_end(pdu, start);
}

static void append_postgres(GByteArray *pdu, const struct ec_sink_statement *statement, struct fit fit)
{
    const bool extended = statement->n_parameters > 0;
    guint start;

    ec_exported_pdu_append_tags(pdu, POSTGRES_PORT);
    start = message_begin(pdu, extended ? 'P' : 'Q');
    if (extended)
        append_text(pdu, "", 0); /* the statement's name */
    append_text(pdu, statement->text, fit.text_len);
    if (extended)
        append_u16(pdu, 0); /* parameters of a given type */
    message_end(pdu, start);
    if (extended)
        append_bind(pdu, statement, fit.values_max);
}

void ec_exported_pdu_append_statement(GByteArray *pdu, const struct ec_sink_statement *statement)
{
    const struct fit fit = statement_fit(statement);

    if (statement->sql == EC_SQL_POSTGRES)
        append_postgres(pdu, statement, fit);
    else
        append_mysql(pdu, statement->text, fit.text_len);
}

static void append_name(GString *text, const char *key, const char *name)
{
    if (!name)
        return;
    g_string_append_printf(text, " %s=", key);
    for (; *name; name++) {
        if (*name > 0x20 && *name < 0x7f && *name != '\\')
            g_string_append_c(text, *name);
        else
            g_string_append_printf(text, "\\x%02x", (unsigned char)*name);
    }
}

static void append_parameter_count(GString *text, const struct ec_sink_statement *statement, uint32_t left)
{
    unsigned whole = 0;

    if (statement->full_n_parameters == 0)
        return;
    for (; whole < statement->n_parameters && left >= PARAMETER_HEAD; whole++)
        if (parameter_fit(&statement->parameters[whole], &left) < statement->parameters[whole].full_len)
            break;
    g_string_append_printf(text, " params=%u", statement->full_n_parameters);
    if (whole < statement->full_n_parameters)
        g_string_append_printf(text, " params_cut=%u", whole + 1);
}

char *ec_exported_pdu_format_remark(const struct ec_sink_statement *statement)
{
    const uint64_t duration = statement->time - statement->started;
    const struct fit fit = statement_fit(statement);
    GString *text = g_string_new(NULL);

    append_name(text, "user", statement->user);
    append_name(text, "db", statement->database);
    if (statement->connection)
        g_string_append_printf(text, " conn=%" G_GUINT64_FORMAT, statement->connection);
    g_string_append_printf(text, " duration=%" G_GUINT64_FORMAT ".%06u", duration / G_GUINT64_CONSTANT(1000000000),
                           (unsigned)(duration / 1000 % 1000000));
    if (statement->has_rows)
        g_string_append_printf(text, " rows=%" G_GUINT64_FORMAT, statement->rows);
    if (statement->full_len > fit.text_len)
        g_string_append_printf(text, " cut=%" G_GUINT64_FORMAT, statement->full_len);
    append_parameter_count(text, statement, fit.values_max);
    if (statement->has_error)
        g_string_append(text, " error=");
    if (statement->has_error && statement->error)
        g_string_append_printf(text, "%u ", statement->error);
    if (statement->has_error && statement->error_text) {
        g_autofree char *valid = g_utf8_make_valid(statement->error_text, -1);

        g_string_append(text, valid);
    }
    g_string_erase(text, 0, 1);
    return g_string_free(text, FALSE);
}
