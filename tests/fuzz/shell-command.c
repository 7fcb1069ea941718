/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of shells, one behind another: their texts are what anybody types, and pieces of them may be lost. The input
 * is a series of {kind, shell, pid, length, bytes}.
 */
#include "shell-command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_command(const struct ec_sink_command *command, void *data)
{
    volatile size_t *sum = data;

    if (command->len > EC_COMMAND_TEXT_MAX || command->status < 0 || command->status > 255)
        abort();
    for (size_t i = 0; i < command->len; i++)
        *sum += (size_t)command->text[i];
    *sum += (command->cwd ? strlen(command->cwd) : 0) + (command->tty ? strlen(command->tty) : 0);
}

/* `bytes` fill the record from its status on: what is a line's is hostile too. */
static void take(void *state, const uint8_t head[4], const uint8_t *bytes, size_t len)
{
    const size_t size = MAX(offsetof(struct ec_command_event, status) + len, sizeof(struct ec_command_event));
    g_autofree struct ec_command_event *event = g_malloc0(size); /* of just this size */

    event->record = (struct ec_record){.type = EC_RECORD_COMMAND, .size = (uint32_t)size, .time = 1, .pid = head[2]};
    event->kind = head[0];
    event->shell = head[1];
    memcpy(&event->status, bytes, len);
    ec_shell_command_kind.take(state, &event->record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    const struct ec_message_output output = {.command = on_command, .data = &sum};
    void *state = ec_shell_command_kind.open(&output);

    for (size_t at = 0; size - at >= 4;) {
        const uint8_t *head = data + at;
        size_t len = MIN((size_t)head[3] * 32, size - at - 4);

        take(state, head, head + 4, len);
        at += 4 + len;
    }
    ec_shell_command_kind.end(state);
    ec_shell_command_kind.close(state);
    return 0;
}
