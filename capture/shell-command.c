/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A shell's records come as LINE … LINE, DONE, PROMPT (abi.h). The first DONE ends the command, but if a single line
 * holds newlines it was pasted as a whole, and can be several commands with a DONE each: the PROMPT ends those, and
 * the last one's status counts.
 */
#include "shell-command.h"

#include <string.h>

/* Shells with a command that has not ended. A lost record leaves one behind. */
#define SHELLS_MAX 4096
/* zsh's encoding: this byte, and the one that is meant with its bit 5 turned (Meta in zsh.h). */
#define ZSH_META 0x83
#define ZSH_META_BIT 0x20

struct shell {
    struct ec_owner owner;
    enum ec_module_id module;
    uint64_t started; /* ns, CLOCK_BOOTTIME: when the last line was typed */
    GString *text;
    bool truncated;
    bool pasted; /* a line holds newlines */
    bool done;
    int status; /* of the last DONE */
    char *cwd, *tty;
};

struct commands {
    const struct ec_message_output *output;
    GHashTable *shells; /* pid → struct shell */
};

static void shell_free(gpointer data)
{
    struct shell *shell = data;

    g_string_free(shell->text, TRUE);
    g_free(shell->cwd);
    g_free(shell->tty);
    g_free(shell);
}

static void *commands_open(const struct ec_message_output *output)
{
    struct commands *commands = g_new0(struct commands, 1);

    commands->output = output;
    commands->shells = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, shell_free);
    return commands;
}

static void commands_close(void *state)
{
    struct commands *commands = state;

    g_hash_table_unref(commands->shells);
    g_free(commands);
}

/* ---- what goes out ---- */

/* `status`: NULL if it has not ended. */
static void shell_give(const struct commands *commands, const struct shell *shell, uint64_t time, const int *status)
{
    const struct ec_message_output *output = commands->output;
    const struct ec_sink_command command = {
        .time = time,
        .started = shell->started,
        .owner = &shell->owner,
        .module = shell->module,
        .text = shell->text->str,
        .len = shell->text->len,
        .truncated = shell->truncated,
        .has_status = status != NULL,
        .status = status ? *status : 0,
        .cwd = shell->cwd,
        .tty = shell->tty,
    };

    if (!output->filter_status || (status && *status == output->status))
        output->command(&command, output->data);
}

static void end_shell(struct commands *commands, struct shell *shell, uint64_t time, const int *status)
{
    shell_give(commands, shell, time, status);
    g_hash_table_remove(commands->shells, GUINT_TO_POINTER(shell->owner.pid));
}

static void commands_end(void *state)
{
    struct commands *commands = state;
    GHashTableIter iterator;
    gpointer value;

    g_hash_table_iter_init(&iterator, commands->shells);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const struct shell *shell = value;

        shell_give(commands, shell, shell->started, shell->done ? &shell->status : NULL);
        g_hash_table_iter_remove(&iterator);
    }
}

/* ---- lines ---- */

/* Out of zsh's own encoding, in place; returns the length. */
static size_t unmetafy(char *text, size_t len)
{
    size_t to = 0;

    for (size_t from = 0; from < len; from++) {
        const bool meta = (uint8_t)text[from] == ZSH_META && from + 1 < len;

        from += meta;
        text[to++] = (char)(meta ? text[from] ^ ZSH_META_BIT : text[from]);
    }
    return to;
}

/* NULL if it is not known, or longer than its field. */
static char *get_cwd(const struct ec_command_line *line)
{
    size_t len = strnlen(line->cwd, sizeof(line->cwd));
    char *cwd = NULL;

    if (len == 0 || len >= sizeof(line->cwd) - 1)
        return NULL;
    cwd = g_strndup(line->cwd, len);
    if (line->event.shell == EC_SHELL_ZSH)
        cwd[unmetafy(cwd, len)] = '\0';
    return cwd;
}

/* The kernel's name of a terminal as its path: "pts3" is /dev/pts/3, "tty1" /dev/tty1. */
static char *get_tty(const struct ec_command_line *line)
{
    const size_t len = strnlen(line->tty, sizeof(line->tty));
    g_autofree char *name = g_strndup(line->tty, len);

    if (len == 0)
        return NULL;
    if (g_str_has_prefix(name, "pts") && g_ascii_isdigit(name[3]))
        return g_strdup_printf("/dev/pts/%s", name + 3);
    return g_strdup_printf("/dev/%s", name);
}

static struct shell *shell_new(const struct ec_command_line *line)
{
    struct shell *shell = g_new0(struct shell, 1);

    shell->owner = (struct ec_owner){.pid = line->event.record.pid,
                                     .tid = line->event.record.tid,
                                     .uid = line->uid,
                                     .flags = EC_OWNER_KNOWN | EC_OWNER_MATCH};
    memcpy(shell->owner.comm, line->comm, sizeof(line->comm) - 1);
    shell->module = line->event.shell == EC_SHELL_ZSH ? EC_MODULE_ZSH : EC_MODULE_BASH;
    shell->text = g_string_new(NULL);
    shell->cwd = get_cwd(line);
    shell->tty = get_tty(line);
    return shell;
}

/* The text as typed, without the newline that zsh leaves at its end. */
static GString *get_text(const struct ec_command_line *line)
{
    GString *text = g_string_new_len(line->text, line->text_len);

    if (line->event.shell != EC_SHELL_ZSH)
        return text;
    g_string_truncate(text, unmetafy(text->str, text->len));
    if (text->len > 0 && text->str[text->len - 1] == '\n')
        g_string_truncate(text, text->len - 1);
    return text;
}

static bool is_blank(const GString *text)
{
    return strspn(text->str, " \t\n") == text->len;
}

static void shell_add_text(struct shell *shell, const GString *text, bool is_cut)
{
    const size_t joint = shell->text->len > 0, room = EC_COMMAND_TEXT_MAX - shell->text->len;

    shell->pasted |= memchr(text->str, '\n', text->len) != NULL;
    shell->truncated |= is_cut || joint + text->len > room;
    if (joint && room > 0)
        g_string_append_c(shell->text, '\n');
    g_string_append_len(shell->text, text->str, (gssize)MIN(text->len, EC_COMMAND_TEXT_MAX - shell->text->len));
}

static void take_line(struct commands *commands, const struct ec_command_line *line)
{
    const struct ec_record *record = &line->event.record;
    struct shell *shell = g_hash_table_lookup(commands->shells, GUINT_TO_POINTER(record->pid));
    GString *text = get_text(line);

    /* A PROMPT was lost. */
    if (shell && shell->done) {
        end_shell(commands, shell, record->time, &shell->status);
        shell = NULL;
    }
    if (!shell && !is_blank(text)) {
        if (g_hash_table_size(commands->shells) >= SHELLS_MAX)
            commands_end(commands);
        shell = shell_new(line);
        g_hash_table_insert(commands->shells, GUINT_TO_POINTER(record->pid), shell);
    }
    if (shell) {
        shell->started = record->time;
        shell_add_text(shell, text, line->text_len >= EC_COMMAND_LINE_LEN);
        if (line->event.shell == EC_SHELL_READLINE)
            end_shell(commands, shell, record->time, NULL);
    }
    g_string_free(text, TRUE);
}

/* ---- records ---- */

static void take_event(struct commands *commands, const struct ec_command_event *event)
{
    struct shell *shell = g_hash_table_lookup(commands->shells, GUINT_TO_POINTER(event->record.pid));
    const uint64_t time = event->record.time;

    if (!shell)
        return;
    if (event->kind == EC_COMMAND_DONE) {
        shell->done = true;
        shell->status = event->status & 0xff;
        if (!shell->pasted)
            end_shell(commands, shell, time, &shell->status);
    } else if (event->kind == EC_COMMAND_PROMPT) {
        if (shell->done)
            end_shell(commands, shell, time, &shell->status);
    } else if (event->kind == EC_COMMAND_EXIT) {
        const int status = event->status & 0xff;

        end_shell(commands, shell, time, &status);
    } else if (event->kind == EC_COMMAND_EXEC) {
        end_shell(commands, shell, time, NULL);
    }
}

static bool line_is_valid(const struct ec_command_line *line)
{
    return line->event.record.size >= sizeof(*line) && line->text_len == line->event.record.size - sizeof(*line) &&
           line->event.shell < EC_SHELL_MAX;
}

static void commands_take(void *state, const struct ec_record *record)
{
    const struct ec_command_event *event = (const struct ec_command_event *)record;

    if (event->kind != EC_COMMAND_LINE)
        take_event(state, event);
    else if (line_is_valid((const struct ec_command_line *)record))
        take_line(state, (const struct ec_command_line *)record);
}

const struct ec_message_kind ec_shell_command_kind = {
    .type = EC_RECORD_COMMAND,
    .size = sizeof(struct ec_command_event),
    .open = commands_open,
    .take = commands_take,
    .end = commands_end,
    .close = commands_close,
};
