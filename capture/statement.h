/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * SQL statements, put together from what the probes in database servers see (enum ec_statement_part): pieces of text,
 * then rows or an error, at which a statement is handed out; one of several commands when its last one ends. PostgreSQL
 * reports the same text at Bind and Execute: that is one statement, which begins with the Bind, and its parameters are
 * the Bind message's; of several portals of one text that are open at once they are left out.
 */
#include "message.h"

extern const struct ec_message_kind ec_statement_kind;
