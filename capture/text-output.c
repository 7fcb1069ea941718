/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text-output.h"
#include "sink.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* No event is accepted while more bytes than this wait for the reader. One event has at most some 25 MB (a body of 4
 * MiB as a hexdump), so this much and that is the most memory there can be. */
#define QUEUE_MAX (8u << 20)
/* Bytes that are written without waiting for the end of the batch. */
#define QUEUE_WRITE (64u << 10)

/* ms between looks at a slow reader at the end, and how long it may take nothing. */
#define CLOSE_STEP 20
#define CLOSE_PATIENCE 2000

struct ec_text_output {
    char *path;
    uint64_t rotate_size, rotate_seconds;
    ec_output *output;
    bool terminal;
    unsigned number; /* of the file */
    uint64_t size;   /* bytes of the file, queued ones included */
    time_t opened;   /* when the file was */
    GString *queue;  /* not yet written, from `done` on */
    size_t done;
    GArray *lengths; /* of gsize: those of the queue's events, from `first` on */
    guint first;
    gsize first_written; /* of the first one */
    uint64_t dropped;
};

static size_t whole_lines(const void *data, size_t len)
{
    const char *end = memrchr(data, '\n', len);

    return end ? (size_t)(end + 1 - (const char *)data) : 0;
}

static bool rotates(const ec_text_output *output)
{
    return output->rotate_size || output->rotate_seconds;
}

/* "dir/name.ext" → "dir/name_00001_20261121062056.ext" */
static char *make_path(const ec_text_output *output)
{
    const char *slash = strrchr(output->path, '/');
    const char *base = slash ? slash + 1 : output->path;
    const char *dot = strrchr(base, '.');
    int stem = dot && dot > base ? (int)(dot - output->path) : (int)strlen(output->path);
    struct tm local = {0};
    char when[32];

    if (!rotates(output))
        return g_strdup(output->path);
    localtime_r(&output->opened, &local);
    strftime(when, sizeof(when), "%Y%m%d%H%M%S", &local);
    return g_strdup_printf("%.*s_%05u_%s%s", stem, output->path, output->number, when, output->path + stem);
}

static bool open_file(ec_text_output *output, GError **error)
{
    g_autofree char *path = NULL;
    int fd;

    output->number++;
    output->size = 0;
    output->opened = time(NULL);
    path = make_path(output);
    fd = ec_output_open(path, error);
    if (fd < 0)
        return false;
    output->terminal = isatty(fd);
    output->output = ec_output_new(fd, whole_lines, error);
    return output->output != NULL;
}

ec_text_output *ec_text_output_new(const struct ec_text_output_config *config, GError **error)
{
    g_autoptr(ec_text_output) output = g_new0(ec_text_output, 1);

    output->path = g_strdup(config->path);
    output->rotate_size = config->rotate_size;
    output->rotate_seconds = config->rotate_seconds;
    output->queue = g_string_new(NULL);
    output->lengths = g_array_new(FALSE, FALSE, sizeof(gsize));
    if (!open_file(output, error))
        return NULL;
    return g_steal_pointer(&output);
}

void ec_text_output_free(ec_text_output *output)
{
    if (!output)
        return;
    ec_output_free(output->output);
    g_string_free(output->queue, TRUE);
    g_array_unref(output->lengths);
    g_free(output->path);
    g_free(output);
}

bool ec_text_output_has_room(ec_text_output *output)
{
    if (output->queue->len - output->done <= QUEUE_MAX)
        return true;
    output->dropped++;
    return false;
}

/* Forgets the events that are out, and moves the rest to the queue's begin: seldom, so that it costs little. */
static void advance(ec_text_output *output, size_t written)
{
    output->done += written;
    output->first_written += written;
    while (output->first < output->lengths->len &&
           g_array_index(output->lengths, gsize, output->first) <= output->first_written)
        output->first_written -= g_array_index(output->lengths, gsize, output->first++);
    if (output->done <= output->queue->len / 2)
        return;
    g_string_erase(output->queue, 0, (gssize)output->done);
    output->done = 0;
    if (output->first)
        g_array_remove_range(output->lengths, 0, output->first);
    output->first = 0;
}

bool ec_text_output_flush(ec_text_output *output, GError **error)
{
    size_t written = 0;
    bool ok = ec_output_try_write(output->output, output->queue->str + output->done, output->queue->len - output->done,
                                  &written, error);

    advance(output, written);
    return ok;
}

static bool is_due(const ec_text_output *output, size_t len)
{
    if (!output->size)
        return false;
    return (output->rotate_size && output->size + len > output->rotate_size) ||
           (output->rotate_seconds && (uint64_t)(time(NULL) - output->opened) >= output->rotate_seconds);
}

/* Only regular files are rotated, so flushing writes all there is. */
static bool rotate(ec_text_output *output, GError **error)
{
    if (!ec_text_output_flush(output, error) || !ec_output_close(output->output, error))
        return false;
    g_clear_pointer(&output->output, ec_output_free);
    return open_file(output, error);
}

bool ec_text_output_add(ec_text_output *output, const char *data, size_t len, GError **error)
{
    if (is_due(output, len) && !rotate(output, error))
        return false;
    g_string_append_len(output->queue, data, (gssize)len);
    g_array_append_val(output->lengths, len);
    output->size += len;
    return output->queue->len - output->done < QUEUE_WRITE || ec_text_output_flush(output, error);
}

bool ec_text_output_close(ec_text_output *output, GError **error)
{
    unsigned idle = 0;

    while (output->queue->len > output->done && idle < CLOSE_PATIENCE) {
        size_t left = output->queue->len - output->done;

        if (!ec_text_output_flush(output, error))
            return false;
        if (output->queue->len - output->done < left) {
            idle = 0;
        } else {
            g_usleep(CLOSE_STEP * 1000);
            idle += CLOSE_STEP;
        }
    }
    output->dropped += output->lengths->len - output->first;
    return ec_output_close(output->output, error);
}

uint64_t ec_text_output_get_dropped(const ec_text_output *output)
{
    return output->dropped;
}

bool ec_text_output_is_terminal(const ec_text_output *output)
{
    return output->terminal;
}

int ec_text_output_get_fd(const ec_text_output *output)
{
    return ec_output_get_fd(output->output);
}
