/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A shell command as a systemd journal entry, which pcapng carries as it is (systemd journal export block) and
 * Wireshark dissects field by field. Fields of the journal's own where there are any (systemd.journal-fields(7)), else
 * with the prefix ECAPTURE_. Format of an entry: systemd's "Journal Export Formats".
 */
#include "sink.h"

#include <glib.h>

/*
 * MESSAGE=the command's text, SYSLOG_IDENTIFIER=the module, _PID, _UID, _COMM=the shell's; __REALTIME_TIMESTAMP=when it
 * ended; ECAPTURE_EXIT_STATUS (unless it has not ended), ECAPTURE_DURATION_USEC, ECAPTURE_CWD, ECAPTURE_TTY (if they
 * are known), ECAPTURE_TRUNCATED=1 (if it is).
 */
void ec_journal_append_command(GByteArray *blocks, const struct ec_sink_command *command);
