/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Messages go to stderr or a log file, never to stdout (that belongs to the data). The one mutable
 * global of the program lives in log.c. */
#include <glib.h>
#include <stdbool.h>

enum ec_log_level { EC_LOG_ERROR, EC_LOG_WARNING, EC_LOG_INFO, EC_LOG_DEBUG, EC_LOG_LEVEL_MAX };

/* "error", "warning", "info", "debug"; EC_LOG_LEVEL_MAX for anything else. */
enum ec_log_level ec_log_level_parse(const char *name);
/* `path` NULL: stderr. The file is created 0600 and appended to. */
bool ec_log_open(enum ec_log_level level, const char *path, GError **error);
void ec_log_close(void);
/* Whether messages go to a file and not to stderr. */
bool ec_log_has_file(void);
/* Whether messages of this level go out. */
bool ec_log_shows(enum ec_log_level level);
/* One line; control characters in it are replaced. */
void ec_log(enum ec_log_level level, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define ec_log_error(...) ec_log(EC_LOG_ERROR, __VA_ARGS__)
#define ec_log_warning(...) ec_log(EC_LOG_WARNING, __VA_ARGS__)
#define ec_log_info(...) ec_log(EC_LOG_INFO, __VA_ARGS__)
#define ec_log_debug(...) ec_log(EC_LOG_DEBUG, __VA_ARGS__)
