/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of database servers, one behind another: texts, parameters and errors are what anybody sends, and pieces of
 * them may be lost. The input is a series of {part, last, pid, length, value, bytes}.
 */
#include "statement.h"
#include "exported-pdu.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_statement(const struct ec_sink_statement *statement, void *data)
{
    g_autoptr(GByteArray) pdu = g_byte_array_new();
    g_autofree char *remark = ec_exported_pdu_format_remark(statement);
    volatile size_t *sum = data;

    ec_exported_pdu_append_statement(pdu, statement);
    if (pdu->len > EC_SNAPLEN_MAX || statement->n_parameters > statement->full_n_parameters)
        abort();
    for (guint i = 0; i < pdu->len; i++)
        *sum += pdu->data[i];
    *sum += strlen(remark);
}

/* A Bind message is as long as the high bit of `last` says: its data, or more. */
static void take(void *state, const uint8_t head[5], const uint8_t *bytes, size_t len)
{
    g_autofree struct ec_statement_event *event = g_malloc0(sizeof(*event) + len); /* of just this size */

    event->record = (struct ec_record){
        .type = EC_RECORD_STATEMENT, .size = (uint32_t)(sizeof(*event) + len), .time = 1, .pid = head[2]};
    event->part = head[0] % (EC_STATEMENT_DONE + 1);
    event->last = head[1] & 3;
    event->connection = head[2] >> 4;
    event->value = head[4];
    event->len = (uint32_t)len;
    event->total = (uint32_t)len + head[4] + (head[1] & 128);
    memcpy(event->data, bytes, len);
    ec_statement_kind.take(state, &event->record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    const struct ec_message_output output = {.statement = on_statement, .data = &sum};
    void *state = ec_statement_kind.open(&output);

    for (size_t at = 0; size - at >= 5;) {
        const uint8_t *head = data + at;
        size_t len = MIN((size_t)head[3], size - at - 5);

        take(state, head, head + 5, len);
        at += 5 + len;
    }
    ec_statement_kind.close(state);
    return 0;
}
