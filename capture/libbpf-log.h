/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* libbpf's own messages go to our log, one level lower than it gives them: the caller reports what matters. */

/* For the whole process; may be called again. Before the first use of libbpf, which else writes to stderr. */
void ec_libbpf_log_redirect(void);
