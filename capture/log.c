/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "log.h"

#include "printable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct {
    enum ec_log_level level;
    int fd;
} logger = {EC_LOG_WARNING, STDERR_FILENO};

static const char *const level_names[] = {"error", "warning", "info", "debug"};
_Static_assert(sizeof(level_names) / sizeof(level_names[0]) == EC_LOG_LEVEL_MAX, "a name per level");

enum ec_log_level ec_log_level_parse(const char *name)
{
    enum ec_log_level level = EC_LOG_ERROR;

    while (level < EC_LOG_LEVEL_MAX && strcmp(level_names[level], name))
        level++;
    return level;
}

bool ec_log_open(enum ec_log_level level, const char *path, GError **error)
{
    int fd = STDERR_FILENO;

    if (path && *path) {
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0) {
            g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno),
                        "can't open the log file %s: %s; name a file in a directory that you may write to", path,
                        g_strerror(errno));
            return false;
        }
    }
    ec_log_close();
    logger.level = level;
    logger.fd = fd;
    return true;
}

void ec_log_close(void)
{
    if (logger.fd != STDERR_FILENO)
        close(logger.fd);
    logger.fd = STDERR_FILENO;
}

bool ec_log_has_file(void)
{
    return logger.fd != STDERR_FILENO;
}

bool ec_log_shows(enum ec_log_level level)
{
    return level <= logger.level;
}

void ec_log(enum ec_log_level level, const char *format, ...)
{
    g_autofree char *text = NULL, *clean = NULL, *line = NULL;
    va_list args;

    if (!ec_log_shows(level))
        return;
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    /* Names of files and processes are anybody's. */
    clean = ec_printable_copy(text);
    line = g_strdup_printf("ecapture: %s%s%s\n", level == EC_LOG_ERROR ? "" : level_names[level],
                           level == EC_LOG_ERROR ? "" : ": ", clean);
    /* A log that can't be written must not stop the capture. */
    if (write(logger.fd, line, strlen(line)) < 0)
        return;
}
