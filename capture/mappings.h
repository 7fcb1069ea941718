/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Tells when any process maps a TLS library (by name, ec_library_name_match()), as it happens: perf events of each CPU,
 * PERF_RECORD_MMAP2. Also of forks, exits and execs, to know which processes have one, or are such a program.
 * Needs CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8), or kernel.perf_event_paranoid at 0 or below, while it is made;
 * nothing later.
 */
#include "perf-record.h"

#include <glib.h>
#include <stdbool.h>

enum ec_mappings_error { EC_MAPPINGS_ERROR_PRIVILEGE, EC_MAPPINGS_ERROR_SYSTEM };
#define EC_MAPPINGS_ERROR (ec_mappings_error_quark())
GQuark ec_mappings_error_quark(void);

typedef struct ec_mappings ec_mappings;
ec_mappings *ec_mappings_new(GError **error);
void ec_mappings_free(ec_mappings *mappings);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_mappings, ec_mappings_free)

/* Readable when there is something to read; one for each CPU, -1 behind the last. Borrowed. */
const int *ec_mappings_get_fds(const ec_mappings *mappings);
/* Tells all that has come, without blocking. `handler`'s functions must not call `mappings`. */
void ec_mappings_read(ec_mappings *mappings, const struct ec_mapping_handler *handler, void *data);
