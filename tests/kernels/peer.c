/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traffic whose owners are known, for tests/kernels/run: each end is a process with a name of its own.
 *
 *   peer READY GO     opens connections, makes the file READY, waits for the file GO, uses them, makes all others, ends
 *   peer uid UID PORT one datagram, sent by that user
 *   peer confined COMMAND…  what Docker's default seccomp profile refuses without CAP_SYS_ADMIN is refused to COMMAND
 *
 *   7001  TCP   old-client, old-server     connected before READY; 6 bytes each way after GO
 *   7002  TCP   new-client, forked-worker  accepted by a child of forked-parent, which listens
 *   7003  UDP   udp-client, udp-server
 *   7004  UDP6  udp6-client, udp6-server
 *   7005  TCP6  tcp6-client, tcp6-server
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    exit(1);
}

static void set_name(const char *name)
{
    check(!prctl(PR_SET_NAME, name), "prctl");
}

static socklen_t set_address(struct sockaddr_storage *address, int family, int port)
{
    memset(address, 0, sizeof(*address));
    address->ss_family = (sa_family_t)family;
    if (family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)address;

        in->sin_port = htons((uint16_t)port);
        in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof(*in);
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

    in6->sin6_port = htons((uint16_t)port);
    in6->sin6_addr = in6addr_loopback;
    return sizeof(*in6);
}

static int open_bound(int family, int type, int port)
{
    struct sockaddr_storage address;
    socklen_t len = set_address(&address, family, port);
    int fd = socket(family, type, 0), one = 1;

    check(fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "socket");
    check(!bind(fd, (struct sockaddr *)&address, len), "bind");
    check(type == SOCK_DGRAM || !listen(fd, 8), "listen");
    return fd;
}

static int open_connected(int family, int type, int port)
{
    struct sockaddr_storage address;
    socklen_t len = set_address(&address, family, port);
    int fd = socket(family, type, 0);

    check(fd >= 0 && !connect(fd, (struct sockaddr *)&address, len), "connect");
    return fd;
}

static void wait_for(const char *path)
{
    struct stat status;

    for (int i = 0; stat(path, &status); i++) {
        check(i < 3000, path);
        usleep(50000);
    }
}

static void serve_stream(int fd)
{
    char text[6];

    check(recv(fd, text, sizeof(text), MSG_WAITALL) == sizeof(text), "recv");
    check(send(fd, "answer", 6, 0) == 6, "send");
    check(recv(fd, text, sizeof(text), 0) == 0, "recv the end");
}

static void use_stream(int fd)
{
    char text[6];

    check(send(fd, "asking", 6, 0) == 6, "send");
    check(recv(fd, text, sizeof(text), MSG_WAITALL) == sizeof(text), "recv");
    close(fd);
}

static void exchange_stream(int family, int port, const char *client, const char *server, const char *worker)
{
    int listener;
    pid_t pid;

    if (fork() > 0)
        return;
    set_name(server);
    listener = open_bound(family, SOCK_STREAM, port);
    pid = fork();
    if (pid == 0) {
        set_name(client);
        use_stream(open_connected(family, SOCK_STREAM, port));
        exit(0);
    }
    if (worker && fork() == 0) {
        set_name(worker);
        serve_stream(accept(listener, NULL, NULL));
        exit(0);
    }
    if (!worker)
        serve_stream(accept(listener, NULL, NULL));
    while (wait(NULL) > 0)
        continue;
    exit(0);
}

static void exchange_datagrams(int family, int port, const char *client, const char *server)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof(from);
    char text[6];
    int fd;

    if (fork() > 0)
        return;
    set_name(server);
    fd = open_bound(family, SOCK_DGRAM, port);
    if (fork() == 0) {
        close(fd);
        set_name(client);
        fd = open_connected(family, SOCK_DGRAM, port);
        check(send(fd, "asking", 6, 0) == 6 && recv(fd, text, sizeof(text), 0) == 6, "datagrams");
        exit(0);
    }
    check(recvfrom(fd, text, sizeof(text), 0, (struct sockaddr *)&from, &len) == 6, "recvfrom");
    check(sendto(fd, "answer", 6, 0, (struct sockaddr *)&from, len) == 6, "sendto");
    wait(NULL);
    exit(0);
}

/* The two ends of a connection that is older than the capture. */
static void use_old(const char *go, int port)
{
    int listener = open_bound(AF_INET, SOCK_STREAM, port), client, server;

    client = open_connected(AF_INET, SOCK_STREAM, port);
    server = accept(listener, NULL, NULL);
    check(server >= 0, "accept");
    if (fork() == 0) {
        set_name("old-server");
        close(client);
        wait_for(go);
        serve_stream(server);
        exit(0);
    }
    if (fork() == 0) {
        set_name("old-client");
        close(server);
        wait_for(go);
        use_stream(client);
        exit(0);
    }
    close(client);
    close(server);
    close(listener);
}

static int send_as(int uid, int port)
{
    int fd;

    check(!setuid((uid_t)uid), "setuid");
    fd = open_connected(AF_INET, SOCK_DGRAM, port);
    check(send(fd, "from a user", 11, 0) == 11, "send");
    return 0;
}

/* What an eBPF program's loader might ask for, and the CLONE_NEW flags of clone(): moby's
 * profiles/seccomp/default.json, which allows bpf() and perf_event_open() with capabilities of their own. The last one
 * is the system call of return probes (Linux 6.11) on x86-64, which the profile doesn't know. */
static const unsigned refused[] = {
    SYS_unshare,  SYS_setns,   SYS_mount,        SYS_umount2,       SYS_pivot_root,   SYS_open_tree,
    SYS_fsopen,   SYS_fsmount, SYS_move_mount,   SYS_init_module,   SYS_finit_module, SYS_delete_module,
    SYS_add_key,  SYS_keyctl,  SYS_request_key,  SYS_kexec_load,    SYS_userfaultfd,  SYS_syslog,
    SYS_quotactl, SYS_swapon,  SYS_settimeofday, SYS_clock_settime, SYS_sethostname,  SYS_reboot,
    SYS_kcmp,
#ifdef __x86_64__
    335,
#endif
};
enum { N_REFUSED = sizeof(refused) / sizeof(refused[0]), NEW_NAMESPACES = 0x7e020000 };

#define REFUSE(number, err)                                                                                            \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (err))

static int run_confined(char **command)
{
    const struct sock_filter first[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        REFUSE(SYS_clone3, ENOSYS),
    };
    const struct sock_filter last[] = {
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NEW_NAMESPACES, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_filter filter[sizeof(first) / sizeof(first[0]) + 2 * N_REFUSED + sizeof(last) / sizeof(last[0])];
    const struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    struct sock_filter *next = filter + sizeof(first) / sizeof(first[0]);

    memcpy(filter, first, sizeof(first));
    for (size_t i = 0; i < N_REFUSED; i++, next += 2)
        memcpy(next, (const struct sock_filter[]){REFUSE(refused[i], EPERM)}, 2 * sizeof(*next));
    memcpy(next, last, sizeof(last));
    check(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "prctl");
    execvp(command[0], command);
    perror(command[0]);
    return 127;
}

int main(int argc, char **argv)
{
    FILE *ready;
    int status;
    bool ok = true;

    if (argc == 4 && !strcmp(argv[1], "uid"))
        return send_as(atoi(argv[2]), atoi(argv[3]));
    if (argc > 2 && !strcmp(argv[1], "confined"))
        return run_confined(argv + 2);
    check(argc == 3, "usage");
    use_old(argv[2], 7001);
    ready = fopen(argv[1], "w");
    check(ready && !fclose(ready), argv[1]);
    wait_for(argv[2]);
    exchange_stream(AF_INET, 7002, "new-client", "forked-parent", "forked-worker");
    exchange_datagrams(AF_INET, 7003, "udp-client", "udp-server");
    exchange_datagrams(AF_INET6, 7004, "udp6-client", "udp6-server");
    exchange_stream(AF_INET6, 7005, "tcp6-client", "tcp6-server", NULL);
    while (wait(&status) > 0)
        ok = ok && status == 0;
    return ok ? 0 : 1;
}
