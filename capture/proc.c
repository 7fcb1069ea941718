/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scanning /proc must be quick: 10,000 processes within two seconds. Hence one buffer for all of maps, no FILE, and a
 * look at a line's last path component before anything else.
 */
#include "proc.h"

#include "descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

struct ec_proc {
    int fd;        /* of /proc */
    GString *text; /* the file of it that is being read */
};

ec_proc *ec_proc_new(void)
{
    ec_proc *proc = g_new(ec_proc, 1);

    proc->fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    proc->text = g_string_sized_new(1 << 16);
    return proc;
}

void ec_proc_free(ec_proc *proc)
{
    if (proc == NULL)
        return;
    if (proc->fd >= 0)
        close(proc->fd);
    g_string_free(proc->text, TRUE);
    g_free(proc);
}

static int file_open(const ec_proc *proc, const char *path)
{
    return openat(proc->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

/* Reads a file of /proc/PID to its end into proc->text. */
static enum ec_proc_result text_read(ec_proc *proc, uint32_t pid, const char *name)
{
    char path[32];

    snprintf(path, sizeof(path), "%u/%s", pid, name);
    g_auto(ec_fd) fd = openat(proc->fd, path, O_RDONLY | O_CLOEXEC);
    g_string_truncate(proc->text, 0);
    while (fd >= 0) {
        const gsize len = proc->text->len, room = 1 << 16;
        g_string_set_size(proc->text, len + room);
        ssize_t n = read(fd, proc->text->str + len, room);
        g_string_truncate(proc->text, len + (n > 0 ? (gsize)n : 0));
        if (n == 0)
            return EC_PROC_FOUND;
        if (n < 0 && errno != EINTR)
            break;
    }
    return errno == EACCES || errno == EPERM ? EC_PROC_UNREADABLE : EC_PROC_NOTHING;
}

/* The file's name out of a line of maps: a newline is written \012 there (seq_file_path in fs/proc/task_mmu.c). */
static char *path_unescape(const char *path, size_t len)
{
    g_autofree char *escaped = g_strndup(path, len);
    g_auto(GStrv) parts = g_strsplit(escaped, "\\012", -1);

    return g_strjoinv("\n", parts);
}

static void mapping_clear(gpointer data)
{
    g_free(((struct ec_proc_mapping *)data)->path);
}

static bool mapping_is_known(GArray *mappings, const struct ec_map_line *line)
{
    for (guint i = 0; i < mappings->len; i++) {
        const struct ec_map_line *known = &g_array_index(mappings, struct ec_proc_mapping, i).line;
        if (known->ino == line->ino && known->major == line->major && known->minor == line->minor)
            return true;
    }
    return false;
}

static void line_take(const char *text, size_t len, GArray *libraries, GArray *cryptos)
{
    struct ec_proc_mapping mapping = {0};
    const bool is_crypto = ec_library_name_match_crypto(text, len);
    GArray *mappings = is_crypto ? cryptos : libraries;

    if (!is_crypto && !ec_library_name_match(text, len))
        return;
    if (!ec_map_line_parse(text, len, &mapping.line) || !mapping.line.executable ||
        mapping_is_known(mappings, &mapping.line))
        return;
    mapping.path = path_unescape(mapping.line.path, mapping.line.path_len);
    g_array_append_val(mappings, mapping);
}

/* Splits proc->text, a process's maps. */
static void maps_take(const ec_proc *proc, GArray *libraries, GArray *cryptos)
{
    const char *at = proc->text->str, *end = at + proc->text->len;

    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = newline != NULL ? newline : end;
        line_take(at, (size_t)(line_end - at), libraries, cryptos);
        at = line_end + 1;
    }
}

static GArray *mappings_new(void)
{
    GArray *mappings = g_array_new(FALSE, FALSE, sizeof(struct ec_proc_mapping));

    g_array_set_clear_func(mappings, mapping_clear);
    return mappings;
}

enum ec_proc_result ec_proc_read_maps(ec_proc *proc, uint32_t pid, GArray **ret_libraries, GArray **ret_cryptos)
{
    enum ec_proc_result result = text_read(proc, pid, "maps");

    if (result != EC_PROC_FOUND)
        return result;
    *ret_libraries = mappings_new();
    *ret_cryptos = mappings_new();
    maps_take(proc, *ret_libraries, *ret_cryptos);
    return EC_PROC_FOUND;
}

bool ec_proc_read_identity(ec_proc *proc, uint32_t pid, char ret_comm[static 16], uint32_t *ret_uid)
{
    char comm[16];
    const char *uid;

    if (text_read(proc, pid, "comm") != EC_PROC_FOUND)
        return false;
    g_strlcpy(comm, g_strchomp(proc->text->str), sizeof(comm));
    if (text_read(proc, pid, "status") != EC_PROC_FOUND || (uid = strstr(proc->text->str, "\nUid:\t")) == NULL)
        return false;
    memcpy(ret_comm, comm, sizeof(comm));
    *ret_uid = (uint32_t)g_ascii_strtoull(uid + 6, NULL, 10);
    return true;
}

static bool file_is_overlay(int fd)
{
    struct statfs filesystem;

    return fstatfs(fd, &filesystem) == 0 && filesystem.f_type == OVERLAYFS_SUPER_MAGIC;
}

/* By its name in the process's mount namespace: may by now be another file's. An overlay shows the lower file's number
 * in maps and one of its own to stat. */
static int mapping_open_by_name(const ec_proc *proc, uint32_t pid, const struct ec_proc_mapping *mapping)
{
    g_autofree char *path = g_strdup_printf("%u/root%s", pid, mapping->path);
    g_auto(ec_fd) fd = openat(proc->fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0)
        return -1;
    if (status.st_ino != mapping->line.ino && !file_is_overlay(fd)) {
        errno = ESTALE;
        return -1;
    }
    return ec_fd_steal(&fd);
}

/* map_files is its owner's alone (0500): another user's takes CAP_DAC_READ_SEARCH as well. */
int ec_proc_open_mapping(const ec_proc *proc, uint32_t pid, const struct ec_proc_mapping *mapping,
                         struct stat *ret_status)
{
    char path[64];

    snprintf(path, sizeof(path), "%u/map_files/%" PRIx64 "-%" PRIx64, pid, mapping->line.start, mapping->line.end);
    g_auto(ec_fd) fd = file_open(proc, path);
    if (fd < 0) {
        int reason = errno;
        fd = mapping_open_by_name(proc, pid, mapping);
        if (fd < 0 && mapping->line.deleted)
            errno = reason;
    }
    if (fd < 0 || fstat(fd, ret_status) != 0)
        return -1;
    if (!S_ISREG(ret_status->st_mode)) {
        errno = ENODEV;
        return -1;
    }
    return ec_fd_steal(&fd);
}

bool ec_proc_has(const ec_proc *proc, uint32_t pid)
{
    char path[32];

    snprintf(path, sizeof(path), "%u/comm", pid);
    return faccessat(proc->fd, path, F_OK, 0) == 0;
}

bool ec_proc_stat_program(const ec_proc *proc, uint32_t pid, struct stat *ret_status)
{
    char path[32];

    snprintf(path, sizeof(path), "%u/exe", pid);
    return fstatat(proc->fd, path, ret_status, 0) == 0;
}

int ec_proc_open_program(const ec_proc *proc, uint32_t pid)
{
    char path[32];

    snprintf(path, sizeof(path), "%u/exe", pid);
    return file_open(proc, path);
}

char *ec_proc_get_program_path(const ec_proc *proc, uint32_t pid)
{
    static const char deleted[] = " (deleted)";
    char name[32], path[PATH_MAX] = "";

    snprintf(name, sizeof(name), "%u/exe", pid);
    if (readlinkat(proc->fd, name, path, sizeof(path) - 1) <= 0)
        return g_strdup("?");
    if (g_str_has_suffix(path, deleted))
        path[strlen(path) - strlen(deleted)] = '\0';
    return g_strdup(path);
}
