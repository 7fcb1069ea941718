/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* For keys of hash tables that are compared as bytes. */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/* FNV-1a */
static inline guint ec_bytes_hash(const void *bytes, size_t len)
{
    const uint8_t *byte = bytes;
    guint hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * 16777619u;
    return hash;
}
