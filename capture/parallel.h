/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Work that is the same for many things and in no order, in several threads. */
#include <glib.h>

typedef void (*ec_parallel_work)(guint item, void *data);
/* Calls `work` once for each item, 0 … n_items - 1, in up to n_threads threads, this one among them; returns when all
 * is done and the others have ended. */
void ec_parallel_for(guint n_items, guint n_threads, ec_parallel_work work, void *data);
