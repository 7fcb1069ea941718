/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * SQL statements, put together from what the probes in database servers see (enum ec_statement_part): pieces of text,
 * then rows or an error. A statement is handed out once its outcome is known and the server waits for the next, or
 * begins with it. PostgreSQL reports the same text at Parse, Bind and Execute: that is one statement,
 * and its parameters are the Bind message's; of several portals of one text that are open at once they are left out.
 */
#include "message.h"

extern const struct ec_message_kind ec_statement_kind;
