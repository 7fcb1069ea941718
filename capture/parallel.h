/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Work that is the same for many things and in no order, on all processors. */
#include <glib.h>

typedef void (*ec_parallel_work)(void *item, void *data);
/* Calls `work` once for each item, in this thread and as many more as there are further processors; returns when all is
 * done and those threads have ended. */
void ec_parallel_foreach(GPtrArray *items, ec_parallel_work work, void *data);
