/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "keylog-sink.h"

#include <string.h>

struct keylog_sink {
    struct ec_sink sink;
    ec_output *output;
};

static struct keylog_sink *keylog_from_sink(struct ec_sink *sink)
{
    return (struct keylog_sink *)((char *)sink - G_STRUCT_OFFSET(struct keylog_sink, sink));
}

static size_t keylog_whole(const void *data, size_t len)
{
    const char *end = memrchr(data, '\n', len);

    return end ? (size_t)(end + 1 - (const char *)data) : 0;
}

static bool keylog_secret(struct ec_sink *sink, const struct ec_secret *secret, GError **error)
{
    struct keylog_sink *self = keylog_from_sink(sink);
    char line[EC_KEYLOG_LINE_LEN];
    size_t len = ec_keylog_line_format(secret, line);
    bool ok = ec_output_write(self->output, line, len, error);

    explicit_bzero(line, sizeof(line));
    return ok;
}

static bool keylog_close(struct ec_sink *sink, GError **error)
{
    return ec_output_close(keylog_from_sink(sink)->output, error);
}

static void keylog_free(struct ec_sink *sink)
{
    struct keylog_sink *self = keylog_from_sink(sink);

    ec_output_free(self->output);
    g_free(self);
}

static int keylog_get_fd(struct ec_sink *sink)
{
    return ec_output_get_fd(keylog_from_sink(sink)->output);
}

static const struct ec_sink_ops keylog_ops = {
    .name = "keylog",
    .secret = keylog_secret,
    .close = keylog_close,
    .free = keylog_free,
    .get_fd = keylog_get_fd,
};

struct ec_sink *ec_keylog_sink_new(int fd, GError **error)
{
    g_autoptr(ec_output) output = ec_output_new(fd, keylog_whole, error);
    struct keylog_sink *self;

    if (!output)
        return NULL;
    self = g_new0(struct keylog_sink, 1);
    self->sink.ops = &keylog_ops;
    self->output = g_steal_pointer(&output);
    return &self->sink;
}
