/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Command lines typed into bash and zsh, and into other programs that call libreadline's readline().
 *
 * A line is taken where the line editor returns it: by a probe on the return instruction, not a return probe, so that
 * a shell that already sits at its prompt when the capture starts is seen from its first line on. What the shell does
 * between two lines tells the rest:
 *
 *   bash: readline() returns a line; read_command(): a command has ended, $? is set; readline() is called: a prompt
 *   zsh:  zleentry(ZLE_CMD_READ) returns; preprompt(); zleentry(ZLE_CMD_READ, …, ZLCON_LINE_START) is called
 *
 * read_command() and preprompt() run once for each complete command at the top level, never in functions, loops or
 * sourced files; scripts run read_command() too, but have typed no line before it. A prompt ends what was typed: one
 * pasted line can hold several commands. If the shell ends, or becomes another program, the tracepoints tell.
 *
 * Variables lie at fixed distances from the probed instruction, which the attach cookie carries. All that is read has
 * just been written by the program: nothing has to be faulted in.
 */
#include "message.bpf.h"
#include "variable.bpf.h"

#include <bpf/bpf_core_read.h>

/* What of one line most commands fit in, bytes. */
#define SHORT_LEN 1024
/* zsh.h: of zleentry(int cmd, char **prompt, char **right_prompt, int flags, int context) */
enum { ZLE_CMD_GET_LINE = 0, ZLE_CMD_READ = 1 };
enum { ZLCON_LINE_START = 0, ZLCON_LINE_CONT = 1 };

struct shell {
    uint64_t other_sp; /* zsh: of a call of zleentry() that reads no command; 0: none */
    uint8_t pending;   /* a line has been sent, and no prompt or end since */
    uint8_t done;      /* … and a command has ended since */
    uint8_t pad[6];
};

/* By thread group; shells are single-threaded. One that is evicted loses its last command's end. */
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 4096);
    __type(key, uint32_t);
    __type(value, struct shell);
} shells SEC(".maps");

static __always_inline uint32_t get_pid(void)
{
    return bpf_get_current_pid_tgid() >> 32;
}

static __always_inline struct shell *get_shell(void)
{
    uint32_t pid = get_pid();

    return bpf_map_lookup_elem(&shells, &pid);
}

static __always_inline bool is_wanted(void)
{
    return filter_match(get_pid(), (uint32_t)bpf_get_current_uid_gid());
}

static __always_inline void send_event(uint8_t kind, int32_t status)
{
    struct ec_command_event *event = bpf_ringbuf_reserve(&messages, sizeof(*event), 0);

    if (!event) {
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
        return;
    }
    message_begin(&event->record, EC_RECORD_COMMAND, sizeof(*event));
    event->kind = kind;
    event->shell = EC_SHELL_MAX;
    event->pad = 0;
    event->status = status;
    message_end(event);
}

/* ---- lines ---- */

struct line_source {
    const char *text;
    uint64_t cwd; /* where it is, 0: not known */
    uint8_t shell;
};

static __always_inline void fill_line(struct ec_command_line *line, const struct line_source *source, uint32_t len)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();

    message_begin(&line->event.record, EC_RECORD_COMMAND, sizeof(*line) + len);
    line->event.kind = EC_COMMAND_LINE;
    line->event.shell = source->shell;
    line->event.pad = 0;
    line->event.status = 0;
    line->uid = (uint32_t)bpf_get_current_uid_gid();
    line->text_len = len;
    line->comm[0] = 0;
    line->tty[0] = 0;
    line->cwd[0] = 0;
    BPF_CORE_READ_STR_INTO(&line->comm, task, group_leader, comm);
    BPF_CORE_READ_STR_INTO(&line->tty, task, signal, tty, name);
    if (source->cwd)
        bpf_probe_read_user_str(line->cwd, sizeof(line->cwd), (const void *)source->cwd);
}

enum line_result { LINE_SENT, LINE_LOST, LINE_TOO_LONG };

/* `room`: constant; the record's text has so many bytes, its NUL included. */
static __always_inline enum line_result try_line(const struct line_source *source, uint32_t room, bool cut)
{
    struct ec_command_line *line = bpf_ringbuf_reserve(&messages, sizeof(*line) + room, 0);
    long len;

    if (!line) {
        counter_add(EC_DROP_MESSAGE_RING_FULL, 1);
        return LINE_LOST;
    }
    len = bpf_probe_read_user_str(line->text, room, source->text);
    if (len > 0 && (cut || len < room)) {
        fill_line(line, source, (uint32_t)len - 1);
        message_end(line);
        return LINE_SENT;
    }
    bpf_ringbuf_discard(line, BPF_RB_NO_WAKEUP);
    if (len > 0)
        return LINE_TOO_LONG;
    counter_add(EC_DROP_MESSAGE_FAULT, 1);
    return LINE_LOST;
}

static __always_inline bool send_line(const struct line_source *source)
{
    enum line_result result = try_line(source, SHORT_LEN, false);

    if (result == LINE_TOO_LONG)
        result = try_line(source, EC_COMMAND_LINE_LEN + 1, true);
    return result == LINE_SENT;
}

/* A line that a shell will run; false if it is not wanted or lost. */
static __always_inline void take_line(const struct line_source *source)
{
    struct shell shell = {.pending = 1};
    uint32_t pid = get_pid();

    if (is_wanted() && send_line(source))
        bpf_map_update_elem(&shells, &pid, &shell, BPF_ANY);
}

/* ---- the end of commands ---- */

static __always_inline void take_done(int32_t status)
{
    struct shell *shell = get_shell();

    if (!shell || !shell->pending)
        return;
    shell->done = 1;
    send_event(EC_COMMAND_DONE, status);
}

/* The shell wants a line: a new command's, if one has ended since the last line; else a command goes on. */
static __always_inline void take_prompt(void)
{
    struct shell *shell = get_shell();

    if (!shell || !shell->pending || !shell->done)
        return;
    shell->pending = 0;
    send_event(EC_COMMAND_PROMPT, 0);
}

/* The first variable of the cookie is an int. */
SEC("uprobe")
int ec_shell_done(struct pt_regs *ctx)
{
    int32_t status = 0;

    if (variable_read(ctx, EC_VARIABLES_COOKIE_FIRST(attach_cookie(ctx)), &status, sizeof(status)))
        take_done(status);
    return 0;
}

/* ---- bash ---- */

/* Whether a command runs: it is not the shell that reads then, but its builtin `read -e`. */
static __always_inline bool is_executing(struct pt_regs *ctx, uint64_t cookie)
{
    int32_t executing = 0;

    return variable_read(ctx, EC_VARIABLES_COOKIE_FIRST(cookie), &executing, sizeof(executing)) && executing;
}

SEC("uprobe")
int ec_bash_prompt(struct pt_regs *ctx)
{
    if (!is_executing(ctx, attach_cookie(ctx)))
        take_prompt();
    return 0;
}

SEC("uprobe")
int ec_bash_line(struct pt_regs *ctx)
{
    uint64_t cookie = attach_cookie(ctx);
    struct line_source source = {.text = (const char *)PT_REGS_RC(ctx), .shell = EC_SHELL_BASH};

    if (!source.text || is_executing(ctx, cookie))
        return 0;
    variable_read(ctx, EC_VARIABLES_COOKIE_SECOND(cookie), &source.cwd, sizeof(source.cwd));
    take_line(&source);
    return 0;
}

/* ---- zsh ---- */

/* zleentry() returns something for two of its commands; a READ can be a `select` loop's, and while a line is edited,
 * a widget may ask for what is typed so far. These calls are told from the line's own by their stack pointer, which is
 * the same at the entry and at the return instruction. */
SEC("uprobe")
int ec_zsh_entry(struct pt_regs *ctx)
{
    int command = (int)PT_REGS_PARM1(ctx), context = (int)PT_REGS_PARM5(ctx);
    struct shell *shell = get_shell(), empty = {};
    uint32_t pid = get_pid();

    if (command == ZLE_CMD_READ && (context == ZLCON_LINE_START || context == ZLCON_LINE_CONT)) {
        if (context == ZLCON_LINE_START)
            take_prompt();
        return 0;
    }
    if (command != ZLE_CMD_READ && command != ZLE_CMD_GET_LINE)
        return 0;
    if (!shell) {
        bpf_map_update_elem(&shells, &pid, &empty, BPF_NOEXIST);
        shell = get_shell();
    }
    if (shell)
        shell->other_sp = PT_REGS_SP(ctx);
    return 0;
}

SEC("uprobe")
int ec_zsh_line(struct pt_regs *ctx)
{
    struct line_source source = {.text = (const char *)PT_REGS_RC(ctx), .shell = EC_SHELL_ZSH};
    struct shell *shell = get_shell();

    if (shell && shell->other_sp == PT_REGS_SP(ctx)) {
        shell->other_sp = 0;
        return 0;
    }
    if (!source.text)
        return 0;
    variable_read(ctx, EC_VARIABLES_COOKIE_FIRST(attach_cookie(ctx)), &source.cwd, sizeof(source.cwd));
    take_line(&source);
    return 0;
}

/* ---- libreadline ---- */

SEC("uprobe")
int ec_readline_line(struct pt_regs *ctx)
{
    struct line_source source = {.text = (const char *)PT_REGS_RC(ctx), .shell = EC_SHELL_READLINE};

    if (source.text && is_wanted())
        send_line(&source);
    return 0;
}

/* ---- what becomes of the process ---- */

static __always_inline void forget(uint8_t kind, int32_t status)
{
    struct shell *shell = get_shell();
    uint32_t pid = get_pid();

    if (!shell)
        return;
    if (shell->pending)
        send_event(kind, status);
    bpf_map_delete_elem(&shells, &pid);
}

SEC("tp_btf/sched_process_exec")
int ec_shell_exec(void *ctx)
{
    forget(EC_COMMAND_EXEC, 0);
    return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(ec_shell_exit, struct task_struct *task)
{
    int code = BPF_CORE_READ(task, exit_code);

    /* As a shell shows it: wait(2)'s status, 128 + signal. */
    if (task->pid == task->tgid)
        forget(EC_COMMAND_EXIT, code & 0x7f ? 128 + (code & 0x7f) : code >> 8 & 0xff);
    return 0;
}
