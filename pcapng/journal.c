/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "journal.h"

#include "block.h"

#include <string.h>

#define NSEC_PER_USEC 1000u
/* syslog's "info": what PRIORITY says of a command that is neither good nor bad. */
#define PRIORITY_INFO "6"

/* Values with a newline, or with bytes that end a text, are preceded by their length instead of "=". */
static void append_field(GByteArray *entry, const char *name, const void *value, size_t len)
{
    const bool is_text = !memchr(value, '\n', len) && !memchr(value, '\0', len);
    const uint64_t size = GUINT64_TO_LE((uint64_t)len);

    g_byte_array_append(entry, (const uint8_t *)name, (guint)strlen(name));
    g_byte_array_append(entry, (const uint8_t *)(is_text ? "=" : "\n"), 1);
    if (!is_text)
        g_byte_array_append(entry, (const uint8_t *)&size, sizeof(size));
    g_byte_array_append(entry, value, (guint)len);
    g_byte_array_append(entry, (const uint8_t *)"\n", 1);
}

/* NULL: left out. */
static void append_text(GByteArray *entry, const char *name, const char *text)
{
    if (text)
        append_field(entry, name, text, strlen(text));
}

static void append_number(GByteArray *entry, const char *name, uint64_t number)
{
    char text[24];

    append_field(entry, name, text, (size_t)g_snprintf(text, sizeof(text), "%" G_GUINT64_FORMAT, number));
}

/* Wireshark looks for the time only up to the first NUL: it has to come before the fields with lengths. */
static void append_entry(GByteArray *entry, const struct ec_sink_command *command)
{
    append_number(entry, "__REALTIME_TIMESTAMP", command->time / NSEC_PER_USEC);
    append_text(entry, "PRIORITY", PRIORITY_INFO);
    append_text(entry, "SYSLOG_IDENTIFIER", ec_modules[command->module].name);
    append_number(entry, "_PID", command->owner->pid);
    append_number(entry, "_UID", command->owner->uid);
    append_text(entry, "_COMM", command->owner->comm);
    if (command->has_status)
        append_number(entry, "ECAPTURE_EXIT_STATUS", (uint64_t)command->status);
    append_number(entry, "ECAPTURE_DURATION_USEC", (command->time - command->started) / NSEC_PER_USEC);
    append_text(entry, "ECAPTURE_TTY", command->tty);
    append_text(entry, "ECAPTURE_TRUNCATED", command->truncated ? "1" : NULL);
    append_text(entry, "ECAPTURE_CWD", command->cwd);
    append_field(entry, "MESSAGE", command->text, command->len);
}

void ec_journal_append_command(GByteArray *blocks, const struct ec_sink_command *command)
{
    g_autoptr(GByteArray) entry = g_byte_array_new();

    append_entry(entry, command);
    ec_block_append_journal(blocks, entry->data, entry->len);
}
