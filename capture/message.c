/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "message.h"

#include "plaintext.h"
#include "queue.h"
#include "ring.h"
#include "shell-command.h"
#include "statement.h"

/* The kinds, ended by an empty one. */
static const struct ec_message_kind *const kinds[] = {&ec_plaintext_kind, &ec_shell_command_kind, &ec_statement_kind,
                                                      NULL};

struct ec_messages {
    struct ec_message_output output;
    size_t size;
    ec_ring *ring;
    ec_queue *queue;
    unsigned batch;
    uint64_t watermark;
    uint64_t release; /* ring position to give back */
    void *states[G_N_ELEMENTS(kinds)];
};

ec_messages *ec_messages_new(int map_fd, size_t size, const struct ec_message_output *output, GError **error)
{
    g_autoptr(ec_messages) messages = g_new0(ec_messages, 1);

    messages->output = *output;
    messages->size = size;
    messages->queue = ec_queue_new(1);
    messages->ring = ec_ring_open(map_fd, size, error);
    if (!messages->ring)
        return NULL;
    for (size_t i = 0; kinds[i]; i++)
        messages->states[i] = kinds[i]->open(&messages->output);
    return g_steal_pointer(&messages);
}

void ec_messages_free(ec_messages *messages)
{
    if (!messages)
        return;
    for (size_t i = 0; kinds[i]; i++)
        if (messages->states[i])
            kinds[i]->close(messages->states[i]);
    ec_queue_free(messages->queue);
    ec_ring_close(messages->ring);
    g_free(messages);
}

uint64_t ec_messages_read(ec_messages *messages, uint64_t now)
{
    uint64_t end = ec_ring_get_end(messages->ring), next;
    enum ec_ring_result result;
    uint64_t n_invalid = 0;
    const void *memory;
    uint32_t len;

    messages->batch = 0;
    while ((result = ec_ring_read(messages->ring, end, &memory, &len, &next)) == EC_RING_RECORD) {
        const struct ec_record *record = memory;

        if (len >= sizeof(*record) && record->size >= sizeof(*record) && record->size <= len) {
            ec_queue_push(messages->queue, 0, record, next);
            messages->batch++;
        } else {
            n_invalid++;
        }
    }
    if (result == EC_RING_END)
        messages->watermark = now;
    return n_invalid;
}

unsigned ec_messages_get_batch(const ec_messages *messages)
{
    return messages->batch;
}

uint64_t ec_messages_get_watermark(const ec_messages *messages)
{
    return messages->watermark;
}

const struct ec_record *ec_messages_get(const ec_messages *messages)
{
    return ec_queue_get(messages->queue, 0);
}

bool ec_messages_take(ec_messages *messages)
{
    const struct ec_record *record = ec_messages_get(messages);
    bool taken = false;
    unsigned ring;

    for (size_t i = 0; !taken && kinds[i]; i++) {
        taken = kinds[i]->type == record->type && record->size >= kinds[i]->size;
        if (taken)
            kinds[i]->take(messages->states[i], record);
    }
    ec_queue_pop(messages->queue, &ring, &messages->release);
    return taken;
}

void ec_messages_release(ec_messages *messages)
{
    if (ec_queue_get_length(messages->queue) == 0)
        ec_ring_release_read(messages->ring);
    else if (messages->release)
        ec_ring_release(messages->ring, messages->release);
}

void ec_messages_end(ec_messages *messages)
{
    for (size_t i = 0; kinds[i]; i++)
        if (kinds[i]->end)
            kinds[i]->end(messages->states[i]);
}

bool ec_messages_has_unread(const ec_messages *messages)
{
    return ec_ring_has_unread(messages->ring);
}

bool ec_messages_is_crowded(const ec_messages *messages)
{
    return ec_ring_get_fill(messages->ring) > messages->size / 2;
}
