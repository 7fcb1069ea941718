/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Commands typed into shells, put together out of the lines and ends that the probes tell: a row of message.c. A
 * command is handed out when it has ended, what is still running at the end of the capture then; the lines that one
 * command takes are joined by newlines.
 */
#include "message.h"

/* Of a command's text, all its lines together; what is longer is cut, and told. Bytes. */
#define EC_COMMAND_TEXT_MAX (128u << 10)

extern const struct ec_message_kind ec_shell_command_kind;
