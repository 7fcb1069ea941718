/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which characters may reach a terminal: none that could move its cursor, change its state, or the order in which
 * others are read. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* False for C0 and C1 controls, format characters (among them the bidirectional ones), line and paragraph separators,
 * and what isn't assigned. */
bool ec_char_is_printable(gunichar c);
/* How many bytes from `data` on are printable ASCII. */
size_t ec_char_count_ascii(const char *data, size_t len);
/* The character that `data` begins with and its length in bytes; (gunichar)-1 and 1 if that is no valid UTF-8.
 * `len` > 0. */
gunichar ec_char_decode(const char *data, size_t len, size_t *ret_len);
/* `text` on one line, with a '?' in place of each character that isn't printable, and of each byte that is no valid
 * UTF-8. Never NULL; the caller frees it. */
char *ec_printable_copy(const char *text);
