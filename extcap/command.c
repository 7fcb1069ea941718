/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "command.h"

#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* As a shell's: not found, and found but not to be executed. */
#define STATUS_NOT_FOUND 127
#define STATUS_NOT_EXECUTABLE 126

/*
 * Capabilities reach the command by execve only from the ambient set, from the inheritable one
 * together with its file's, or by its user being root: an invoking root keeps what is root's, anyone
 * else gets nothing of what our own file was given (capabilities(7)).
 */
static bool drop_privileges(void)
{
    cap_t none = cap_init();
    bool dropped;

    if (setresgid(getgid(), getgid(), getgid()) || setresuid(getuid(), getuid(), getuid()))
        return false;
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    dropped = none && !cap_set_proc(none);
    cap_free(none);
    return dropped;
}

static void reset_signals(void)
{
    sigset_t none;

    signal(SIGPIPE, SIG_DFL);
    signal(SIGXFSZ, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool wait_at_gate(int gate)
{
    char token;
    ssize_t got;

    do
        got = read(gate, &token, 1);
    while (got < 0 && errno == EINTR);
    return got == 1;
}

G_NORETURN static void run_child(char *const *argv, int gate, bool stdout_is_data)
{
    int reason;

    reset_signals();
    if (!drop_privileges())
        _exit(STATUS_NOT_EXECUTABLE);
    if (stdout_is_data && dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        _exit(STATUS_NOT_EXECUTABLE);
    if (!wait_at_gate(gate))
        _exit(0);
    execvp(argv[0], argv);
    reason = errno;
    dprintf(STDERR_FILENO, "ecapture: can't run %s: %s; give the path of a program\n", argv[0], strerror(reason));
    _exit(reason == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE);
}

bool ec_command_start(struct ec_command *command, char *const *argv, bool stdout_is_data, GError **error)
{
    int gate[2];
    pid_t pid;

    if (pipe2(gate, O_CLOEXEC)) {
        g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno), "can't make a pipe: %s; see ulimit -n",
                    g_strerror(errno));
        return false;
    }
    pid = fork();
    if (pid == 0) {
        close(gate[1]);
        run_child(argv, gate[0], stdout_is_data);
    }
    close(gate[0]);
    if (pid < 0) {
        g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno), "can't start %s: %s; see ulimit -u",
                    argv[0], g_strerror(errno));
        close(gate[1]);
        return false;
    }
    *command = (struct ec_command){.pid = pid, .gate = gate[1]};
    return true;
}

/* Of a script: what stands behind "#!", looked for as env(1) does if that is named there. NULL for what is no script.
 */
static char *find_interpreter(const char *path)
{
    char head[256] = ""; /* BINPRM_BUF_SIZE, include/uapi/linux/binfmts.h */
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    if (fd < 0 || read(fd, head, sizeof(head) - 1) < 2 || strncmp(head, "#!", 2) != 0)
        return NULL;
    head[strcspn(head, "\n")] = '\0';
    g_auto(GStrv) words = g_strsplit_set(g_strstrip(head + 2), " \t", -1);
    char **word = words;
    if (*word == NULL || !g_str_has_suffix(*word, "/env"))
        return g_strdup(*word);
    do
        word++;
    while (*word != NULL && (**word == '\0' || **word == '-' || strchr(*word, '=') != NULL));
    return *word != NULL ? g_find_program_in_path(*word) : NULL;
}

char *ec_command_find_program(const char *name)
{
    g_autofree char *path = g_find_program_in_path(name);
    char *interpreter = path ? find_interpreter(path) : NULL;

    return interpreter ? interpreter : g_steal_pointer(&path);
}

void ec_command_release(struct ec_command *command)
{
    /* It can only fail if the child has gone, which its status will tell. */
    if (write(command->gate, "", 1) < 0 && errno != EPIPE)
        return;
    close(command->gate);
    command->gate = -1;
}

int ec_command_wait(struct ec_command *command)
{
    int status = 0;
    pid_t got;

    if (command->gate >= 0)
        close(command->gate);
    command->gate = -1;
    do
        got = waitpid(command->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    command->pid = 0;
    if (got < 0)
        return 1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void ec_command_clear(struct ec_command *command)
{
    if (command->pid)
        ec_command_wait(command);
}
