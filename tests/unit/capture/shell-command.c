/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shell-command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What was handed out, a line each: "text|status|cwd|tty|started-time". */
struct fixture {
    struct ec_message_output output;
    void *state;
    GString *given;
    enum ec_module_id module; /* of the last command */
    bool truncated;
    size_t len;
    uint64_t time; /* of the next record */
};

static void on_command(const struct ec_sink_command *command, void *data)
{
    struct fixture *fixture = data;
    g_autofree char *text = g_strndup(command->text, MIN(command->len, 100));

    g_string_append_printf(fixture->given, "%s|", text);
    if (command->has_status)
        g_string_append_printf(fixture->given, "%d", command->status);
    g_string_append_printf(fixture->given, "|%s|%s|%d-%d\n", command->cwd ? command->cwd : "",
                           command->tty ? command->tty : "", (int)command->started, (int)command->time);
    fixture->module = command->module;
    fixture->truncated = command->truncated;
    fixture->len = command->len;
    assert_int_equal(command->owner->uid, 1000);
    assert_string_equal(command->owner->comm, "sh");
}

static int set_up(void **state)
{
    struct fixture *fixture = g_new0(struct fixture, 1);

    fixture->output = (struct ec_message_output){.command = on_command, .data = fixture};
    fixture->given = g_string_new(NULL);
    fixture->state = ec_shell_command_kind.open(&fixture->output);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    ec_shell_command_kind.close(fixture->state);
    g_string_free(fixture->given, TRUE);
    g_free(fixture);
    return 0;
}

static void send_line_of(struct fixture *fixture, uint32_t pid, enum ec_shell shell, const char *text, size_t len)
{
    g_autofree struct ec_command_line *line = g_malloc0(sizeof(*line) + len);

    line->event.record = (struct ec_record){.type = EC_RECORD_COMMAND,
                                            .size = (uint32_t)(sizeof(*line) + len),
                                            .time = ++fixture->time,
                                            .pid = pid,
                                            .tid = pid};
    line->event.kind = EC_COMMAND_LINE;
    line->event.shell = (uint8_t)shell;
    line->uid = 1000;
    line->text_len = (uint32_t)len;
    strcpy(line->comm, "sh");
    strcpy(line->tty, "pts3");
    strcpy(line->cwd, "/home");
    memcpy(line->text, text, len);
    ec_shell_command_kind.take(fixture->state, &line->event.record);
}

static void send_line(struct fixture *fixture, const char *text)
{
    send_line_of(fixture, 7, EC_SHELL_BASH, text, strlen(text));
}

static void send_event_of(struct fixture *fixture, uint32_t pid, enum ec_command_kind kind, int status)
{
    const struct ec_command_event event = {
        .record = {.type = EC_RECORD_COMMAND, .size = sizeof(event), .time = ++fixture->time, .pid = pid, .tid = pid},
        .kind = (uint8_t)kind,
        .shell = EC_SHELL_MAX,
        .status = status};

    ec_shell_command_kind.take(fixture->state, &event.record);
}

static void send_event(struct fixture *fixture, enum ec_command_kind kind, int status)
{
    send_event_of(fixture, 7, kind, status);
}

static void expect(struct fixture *fixture, const char *given)
{
    assert_string_equal(fixture->given->str, given);
    g_string_truncate(fixture->given, 0);
}

static void take_line_and_end_gives_command(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "false");
    expect(fixture, "");
    send_event(fixture, EC_COMMAND_DONE, 1);
    expect(fixture, "false|1|/home|/dev/pts/3|1-2\n");
    assert_int_equal(fixture->module, EC_MODULE_BASH);
    assert_false(fixture->truncated);
    send_event(fixture, EC_COMMAND_PROMPT, 0);
    ec_shell_command_kind.end(fixture->state);
    expect(fixture, "");
}

static void take_several_lines_joins_them(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "cat <<X");
    send_line(fixture, "");
    send_line(fixture, "X");
    send_event(fixture, EC_COMMAND_DONE, 0);
    expect(fixture, "cat <<X\n\nX|0|/home|/dev/pts/3|3-4\n");
}

static void take_pasted_lines_waits_for_prompt(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "true\nfalse");
    send_event(fixture, EC_COMMAND_DONE, 0);
    send_event(fixture, EC_COMMAND_DONE, 1);
    expect(fixture, "");
    send_event(fixture, EC_COMMAND_PROMPT, 0);
    expect(fixture, "true\nfalse|1|/home|/dev/pts/3|1-4\n");
}

static void take_lost_prompt_gives_pasted_at_next_line(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "true\nfalse");
    send_event(fixture, EC_COMMAND_DONE, 1);
    send_line(fixture, "ls");
    expect(fixture, "true\nfalse|1|/home|/dev/pts/3|1-3\n");
    send_event(fixture, EC_COMMAND_DONE, 0);
    expect(fixture, "ls|0|/home|/dev/pts/3|3-4\n");
}

static void take_blank_line_gives_nothing(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, " \t");
    send_event(fixture, EC_COMMAND_DONE, 0);
    ec_shell_command_kind.end(fixture->state);
    expect(fixture, "");
}

static void take_exit_gives_shells_status(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "exit 3");
    send_event(fixture, EC_COMMAND_EXIT, 3);
    expect(fixture, "exit 3|3|/home|/dev/pts/3|1-2\n");
}

static void take_exec_gives_no_status(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "exec top");
    send_event(fixture, EC_COMMAND_EXEC, 0);
    expect(fixture, "exec top||/home|/dev/pts/3|1-2\n");
}

static void take_negative_status_is_a_byte(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "f");
    send_event(fixture, EC_COMMAND_DONE, -1);
    expect(fixture, "f|255|/home|/dev/pts/3|1-2\n");
}

static void take_two_shells_keeps_them_apart(void **state)
{
    struct fixture *fixture = *state;

    send_line_of(fixture, 7, EC_SHELL_BASH, "a", 1);
    send_line_of(fixture, 8, EC_SHELL_ZSH, "b\n", 2);
    send_event_of(fixture, 8, EC_COMMAND_DONE, 2);
    assert_int_equal(fixture->module, EC_MODULE_ZSH);
    send_event_of(fixture, 7, EC_COMMAND_DONE, 1);
    expect(fixture, "b|2|/home|/dev/pts/3|2-3\na|1|/home|/dev/pts/3|1-4\n");
}

static void take_metafied_text_decodes_zsh_alone(void **state)
{
    struct fixture *fixture = *state;

    send_line_of(fixture, 7, EC_SHELL_ZSH, "\xc3\x83\x89\n", 4); /* U+00E9 */
    send_event(fixture, EC_COMMAND_DONE, 0);
    expect(fixture, "\xc3\xa9|0|/home|/dev/pts/3|1-2\n");
    send_line_of(fixture, 7, EC_SHELL_BASH, "\xc3\x83", 2); /* U+00C3 */
    send_event(fixture, EC_COMMAND_DONE, 0);
    expect(fixture, "\xc3\x83|0|/home|/dev/pts/3|3-4\n");
}

static void take_readline_gives_line_at_once(void **state)
{
    struct fixture *fixture = *state;

    send_line_of(fixture, 7, EC_SHELL_READLINE, "select 1;", 9);
    expect(fixture, "select 1;||/home|/dev/pts/3|1-1\n");
    assert_int_equal(fixture->module, EC_MODULE_BASH);
}

static void take_other_status_is_filtered(void **state)
{
    struct fixture *fixture = *state;

    fixture->output.filter_status = true;
    fixture->output.status = 1;
    send_line(fixture, "true");
    send_event(fixture, EC_COMMAND_DONE, 0);
    send_line(fixture, "exec top");
    send_event(fixture, EC_COMMAND_EXEC, 0);
    send_line(fixture, "false");
    send_event(fixture, EC_COMMAND_DONE, 1);
    expect(fixture, "false|1|/home|/dev/pts/3|5-6\n");
}

static void take_long_text_is_cut(void **state)
{
    struct fixture *fixture = *state;
    g_autofree char *text = g_strnfill(EC_COMMAND_LINE_LEN, 'x');

    for (int i = 0; i < 4; i++)
        send_line(fixture, text);
    send_event(fixture, EC_COMMAND_DONE, 0);
    assert_int_equal(fixture->len, EC_COMMAND_TEXT_MAX);
    assert_true(fixture->truncated);
}

static void take_line_of_wrong_length_is_ignored(void **state)
{
    struct fixture *fixture = *state;
    g_autofree struct ec_command_line *line = g_malloc0(sizeof(*line) + 4);

    line->event.record = (struct ec_record){.type = EC_RECORD_COMMAND, .size = sizeof(*line) + 4, .pid = 7};
    line->text_len = 5;
    ec_shell_command_kind.take(fixture->state, &line->event.record);
    line->text_len = 4;
    line->event.record.size = sizeof(line->event);
    ec_shell_command_kind.take(fixture->state, &line->event.record);
    line->event.record.size = sizeof(*line) + 4;
    line->event.shell = EC_SHELL_MAX;
    ec_shell_command_kind.take(fixture->state, &line->event.record);
    ec_shell_command_kind.end(fixture->state);
    expect(fixture, "");
}

static void end_gives_what_still_runs(void **state)
{
    struct fixture *fixture = *state;

    send_line(fixture, "sleep 100");
    ec_shell_command_kind.end(fixture->state);
    expect(fixture, "sleep 100||/home|/dev/pts/3|1-1\n");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(take_line_and_end_gives_command),
        CASE(take_several_lines_joins_them),
        CASE(take_pasted_lines_waits_for_prompt),
        CASE(take_lost_prompt_gives_pasted_at_next_line),
        CASE(take_blank_line_gives_nothing),
        CASE(take_exit_gives_shells_status),
        CASE(take_exec_gives_no_status),
        CASE(take_negative_status_is_a_byte),
        CASE(take_two_shells_keeps_them_apart),
        CASE(take_metafied_text_decodes_zsh_alone),
        CASE(take_readline_gives_line_at_once),
        CASE(take_other_status_is_filtered),
        CASE(take_long_text_is_cut),
        CASE(take_line_of_wrong_length_is_ignored),
        CASE(end_gives_what_still_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
