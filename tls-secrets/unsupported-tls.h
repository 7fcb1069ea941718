/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TLS libraries that give nothing to hook, told from their files, so that a process without secrets can be explained.
 * What isn't recognised is not guessed. Pure but for reading the file.
 */
#include <stddef.h>

/* By its name (any path, `len` bytes): "not supported: …", static; NULL: it is none of these. */
const char *ec_unsupported_name_find(const char *path, size_t len);
/* By what an open ELF file holds, `fd` borrowed: likewise, g_free. For files that seem to hold TLS and can't be hooked:
 * all of their constants are searched. */
char *ec_unsupported_file_find(int fd);
