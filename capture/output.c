/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptors are written without blocking: a reader that has stopped reading must not keep the
 * process from ending. The flag O_NONBLOCK belongs to the open file, which an inherited pipe shares
 * with others, so such a pipe or terminal is opened anew through /proc.
 */
#include "output.h"
#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes; the most that fs.pipe-max-size grants an unprivileged process by default (pipe(7)). */
#define PIPE_SIZE (1 << 20)
/* ms between looks at the pending signals while a reader is slow. */
#define WAIT_STEP 100
/* ms that a reader may take nothing once the capture is to end. */
#define HURRY_PATIENCE 2000

struct ec_output {
    int fd;
    ec_output_whole whole;
    mode_t type; /* S_IFMT bits */
    bool hurry;
    unsigned idle;   /* ms without progress since the capture is to end */
    GError *failure; /* the first one */
};

static int output_open_stdout(GError **error)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDOUT_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || isatty(STDOUT_FILENO)))
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN,
                    "standard output can't be written: %s: redirect it or name a file", g_strerror(errno));
    return fd;
}

/* O_CREAT only where there is nothing: on what exists, fs.protected_fifos and
 * fs.protected_regular (proc(5)) make it fail in a shared directory like /tmp. */
static int output_open_path(const char *path)
{
    int fd = -1;

    for (unsigned attempt = 0; fd < 0 && attempt < 3; attempt++) {
        fd = open(path, O_WRONLY | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0 || errno != ENOENT)
            break;
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    return fd;
}

static const char *output_open_remedy(int code)
{
    switch (code) {
    case ELOOP:
        return "it is a symbolic link, name the file itself";
    case EACCES:
    case EPERM:
        return "choose a directory and file that you may write";
    case ENOENT:
        return "create its directory first";
    case EISDIR:
        return "name a file in it";
    case ENOSPC:
        return "free some space or write elsewhere";
    default:
        return "write elsewhere";
    }
}

static bool output_open_fail(const char *path, int code, GError **error)
{
    g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN, "%s can't be written: %s: %s", path, g_strerror(code),
                output_open_remedy(code));
    return false;
}

/* Whoever owns a file can read it whatever its mode: in a shared directory it may be a trap. */
static bool output_prepare(int fd, const char *path, GError **error)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return output_open_fail(path, errno, error);
    if (!S_ISREG(status.st_mode))
        return true;
    if (status.st_uid != geteuid()) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN,
                    "%s belongs to another user, who could read secrets in it: remove it or name another file", path);
        return false;
    }
    if (fchmod(fd, 0600) < 0 || ftruncate(fd, 0) < 0)
        return output_open_fail(path, errno, error);
    return true;
}

int ec_output_open(const char *path, GError **error)
{
    int fd;

    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
        return output_open_stdout(error);
    fd = output_open_path(path);
    if (fd < 0) {
        output_open_fail(path, errno, error);
    } else if (!output_prepare(fd, path, error)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

ec_output *ec_output_new(int fd, ec_output_whole whole, GError **error)
{
    int flags = fcntl(fd, F_GETFL);
    struct stat status;
    ec_output *output;

    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY || fstat(fd, &status) < 0) {
        g_set_error(error, EC_SINK_ERROR, EC_SINK_ERROR_OPEN, "descriptor %d isn't open for writing: name an output",
                    fd);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    output = g_new0(ec_output, 1);
    output->fd = fd;
    output->whole = whole;
    output->type = status.st_mode & S_IFMT;
    if (S_ISFIFO(output->type)) {
        /* Best effort, both: a small or blocking pipe works too. */
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    }
    return output;
}

void ec_output_free(ec_output *output)
{
    if (!output)
        return;
    if (output->fd >= 0)
        close(output->fd);
    g_clear_error(&output->failure);
    g_free(output);
}

static bool output_fail(ec_output *output, GError **error)
{
    g_propagate_error(error, g_error_copy(output->failure));
    return false;
}

static void output_set_failure(ec_output *output, int code)
{
    if (code == EPIPE || code == ECONNRESET)
        output->failure = g_error_new(EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE, "the reader has closed the pipe");
    else if (code == ETIMEDOUT)
        output->failure = g_error_new(EC_SINK_ERROR, EC_SINK_ERROR_WRITE,
                                      "the reader of the pipe has stopped reading: end it or let it go on");
    else
        output->failure =
            g_error_new(EC_SINK_ERROR, EC_SINK_ERROR_WRITE,
                        "the output can't be written: %s: free some space or write elsewhere", g_strerror(code));
}

static bool output_is_ending(ec_output *output)
{
    sigset_t pending;

    if (!output->hurry && sigpending(&pending) == 0)
        output->hurry = sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1;
    return output->hurry;
}

/* 0, or the errno to fail with. */
static int output_wait(ec_output *output)
{
    struct pollfd fd = {.fd = output->fd, .events = POLLOUT};

    if (poll(&fd, 1, WAIT_STEP) != 0)
        return 0;
    if (output_is_ending(output))
        output->idle += WAIT_STEP;
    return output->idle > HURRY_PATIENCE ? ETIMEDOUT : 0;
}

/* Returns 0 or an errno; `*ret_written` counts what went out in either case. */
static int output_write_all(ec_output *output, const char *data, size_t len, size_t *ret_written)
{
    size_t done = 0;
    int code = 0;

    while (done < len && code == 0) {
        ssize_t written = write(output->fd, data + done, len - done);

        if (written >= 0) {
            done += (size_t)written;
            output->idle = 0;
        } else if (errno == EAGAIN) {
            code = output_wait(output);
        } else if (errno != EINTR) {
            code = errno;
        }
    }
    *ret_written = done;
    return code;
}

/* Takes the last `excess` bytes off a regular file. If this fails too, the first error is still the one
 * to report. */
static void output_cut(ec_output *output, size_t excess)
{
    off_t end = lseek(output->fd, 0, SEEK_CUR) - (off_t)excess;

    if (end >= 0 && ftruncate(output->fd, end) == 0)
        (void)lseek(output->fd, end, SEEK_SET);
}

bool ec_output_write(ec_output *output, const void *data, size_t len, GError **error)
{
    size_t written;
    int code;

    if (output->failure)
        return output_fail(output, error);
    code = output_write_all(output, data, len, &written);
    if (code == 0)
        return true;
    if (S_ISREG(output->type))
        output_cut(output, written - output->whole(data, written));
    output_set_failure(output, code);
    return output_fail(output, error);
}

static ssize_t output_write_some(const ec_output *output, const void *data, size_t len)
{
    return S_ISSOCK(output->type) ? send(output->fd, data, len, MSG_DONTWAIT) : write(output->fd, data, len);
}

bool ec_output_try_write(ec_output *output, const void *data, size_t len, size_t *ret_written, GError **error)
{
    size_t done = 0;
    int code = 0;

    while (done < len && code == 0 && !output->failure) {
        ssize_t written = output_write_some(output, (const char *)data + done, len - done);

        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR)
            code = errno;
    }
    *ret_written = done;
    if (output->failure)
        return output_fail(output, error);
    if (code == 0 || code == EAGAIN)
        return true;
    if (S_ISREG(output->type))
        output_cut(output, done - output->whole(data, done));
    output_set_failure(output, code);
    return output_fail(output, error);
}

void ec_output_set_hurry(ec_output *output)
{
    output->hurry = true;
}

bool ec_output_has_failed(const ec_output *output)
{
    return output->failure != NULL;
}

bool ec_output_close(ec_output *output, GError **error)
{
    int fd = output->fd;

    output->fd = -1;
    if (fd < 0 || close(fd) == 0 || errno == EINTR || output->failure)
        return true;
    output_set_failure(output, errno);
    return output_fail(output, error);
}

int ec_output_get_fd(const ec_output *output)
{
    return S_ISFIFO(output->type) || S_ISSOCK(output->type) ? output->fd : -1;
}

bool ec_output_is_file(const ec_output *output)
{
    return S_ISREG(output->type);
}
