/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "seed.h"

#include "proc.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* asm-generic/unistd.h, the same on all machines; older headers lack pidfd_getfd. */
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif
/* include/uapi/asm-generic/socket.h */
#ifndef SO_COOKIE
#define SO_COOKIE 57
#endif

struct seeding {
    int sockets;
    ec_proc *proc;
    ec_seed_match match;
    void *data;
    unsigned count;
};

static bool get_option(int fd, int option, void *ret_value, socklen_t size)
{
    return getsockopt(fd, SOL_SOCKET, option, ret_value, &size) == 0;
}

/* Of a listener that workers share, the first process stays; of any other socket the last. As ec_owner_seed() does. */
static void seed_socket(struct seeding *seeding, int fd, const struct ec_owner *owner)
{
    struct ec_socket stored = {.owner = *owner}, before;
    int domain = 0, listens = 0;

    if (!get_option(fd, SO_DOMAIN, &domain, sizeof(domain)) || (domain != AF_INET && domain != AF_INET6))
        return;
    get_option(fd, SO_ACCEPTCONN, &listens, sizeof(listens));
    if (!get_option(fd, SO_COOKIE, &stored.cookie, sizeof(stored.cookie)))
        return;
    if (listens && bpf_map_lookup_elem(seeding->sockets, &fd, &before) == 0) {
        before.owner.flags |= owner->flags;
        stored = before;
    }
    seeding->count += bpf_map_update_elem(seeding->sockets, &fd, &stored, BPF_ANY) == 0;
}

static void read_owner(struct seeding *seeding, uint32_t pid, struct ec_owner *ret_owner)
{
    *ret_owner = (struct ec_owner){.pid = pid, .tid = pid, .uid = UINT32_MAX};
    ec_proc_read_identity(seeding->proc, pid, ret_owner->comm, &ret_owner->uid);
    ret_owner->flags = EC_OWNER_KNOWN | (seeding->match(pid, ret_owner->uid, seeding->data) ? EC_OWNER_MATCH : 0);
}

static bool is_socket(int directory, const char *name)
{
    char target[16];
    ssize_t len = readlinkat(directory, name, target, sizeof(target));

    return len > 7 && !memcmp(target, "socket:", 7);
}

static void seed_files(struct seeding *seeding, DIR *files, int pidfd, uint32_t pid)
{
    struct ec_owner owner = {0};

    for (const struct dirent *file = readdir(files); file; file = readdir(files)) {
        int fd;

        if (!is_socket(dirfd(files), file->d_name))
            continue;
        fd = (int)syscall(SYS_pidfd_getfd, pidfd, atoi(file->d_name), 0);
        if (fd < 0)
            continue;
        if (!owner.pid)
            read_owner(seeding, pid, &owner);
        seed_socket(seeding, fd, &owner);
        close(fd);
    }
}

static void seed_process(struct seeding *seeding, const char *pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/fd", pid);
    DIR *files = opendir(path);
    int pidfd = files ? (int)syscall(SYS_pidfd_open, atoi(pid), 0) : -1;

    if (pidfd >= 0) {
        seed_files(seeding, files, pidfd, (uint32_t)atoi(pid));
        close(pidfd);
    }
    if (files)
        closedir(files);
}

unsigned ec_seed_sockets(int sockets, ec_seed_match match, void *data)
{
    g_autoptr(ec_proc) proc = ec_proc_new();
    struct seeding seeding = {.sockets = sockets, .proc = proc, .match = match, .data = data};
    DIR *processes = opendir("/proc");

    for (const struct dirent *entry = processes ? readdir(processes) : NULL; entry; entry = readdir(processes))
        if (g_ascii_isdigit(entry->d_name[0]))
            seed_process(&seeding, entry->d_name);
    if (processes)
        closedir(processes);
    return seeding.count;
}
