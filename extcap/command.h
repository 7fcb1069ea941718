/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The process of `ecapture MODULE -- COMMAND`. It exists before the capture, so that its id can be
 * filtered for, and waits at a pipe until the capture is attached, so that nothing of it is missed.
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct ec_command {
    pid_t pid; /* 0: there is none */
    int gate;  /* our end of the pipe, -1 once it has been let go */
} ec_command;
#define EC_COMMAND_INIT                                                                                                \
    {                                                                                                                  \
        0, -1                                                                                                          \
    }

/* Forks. The child has the invoking user's ids and no capability that isn't that user's anyway;
 * with `stdout_is_data` its standard output goes to stderr. `argv` is borrowed for the call. */
bool ec_command_start(struct ec_command *command, char *const *argv, bool stdout_is_data, GError **error);
/* The program that will be executed for a command of this name: a script's interpreter. NULL if there is none; g_free.
 */
char *ec_command_find_program(const char *name);
/* Lets it run. */
void ec_command_release(struct ec_command *command);
/* Waits for its end and returns its exit status, 128 + signal if one killed it. A command that was
 * never released doesn't run. */
int ec_command_wait(struct ec_command *command);
/* Ends a command that was never released; nothing happens if there is none. */
void ec_command_clear(struct ec_command *command);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ec_command, ec_command_clear)
