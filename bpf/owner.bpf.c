/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who owns a socket: the process that used it last, kept in socket-local storage.
 *
 * Writers run in process context only: creation (cgroup sock_create, where a cgroup2 is mounted),
 * connect() and listen() (inet_sock_set_state; its other transitions can happen in softirq, where
 * `current` is a bystander), every send and receive (sock_send_length, sock_recv_length, Linux
 * 6.3: they fire after the call, and so correct the owner after fork, accept or fd passing; before that, at the entry
 * of the functions that send and receive), and one pass of a task_file iterator over the sockets that are older than
 * the capture.
 */
#include "owner.bpf.h"

#include <bpf/bpf_tracing.h>
#include <stdbool.h>

static __always_inline bool is_inet(unsigned short family)
{
    return family == EC_AF_INET || family == EC_AF_INET6;
}

/* The current task uses `entry`. Writes only what changed: this runs at every send and receive, and the programs of
 * other CPUs read it with every packet. */
static __always_inline bool owner_is_current(struct ec_socket *entry, uint64_t cookie)
{
    uint64_t pid_tgid = bpf_get_current_pid_tgid();

    if (entry->owner.pid != pid_tgid >> 32 || entry->cookie != cookie)
        return false;
    if (entry->owner.tid != (uint32_t)pid_tgid)
        entry->owner.tid = (uint32_t)pid_tgid;
    return true;
}

static __always_inline void owner_set_current(struct ec_socket *entry, uint64_t cookie)
{
    owner_fill_current(&entry->owner);
    entry->cookie = cookie;
    owner_send(entry);
}

static __always_inline void socket_touch(struct sock *sk)
{
    struct ec_socket *entry;

    if (!is_inet(sk->__sk_common.skc_family))
        return;
    entry = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    /* Read first, for the helper is a call: a socket has its cookie, once it was asked for, for good. */
    if (entry && !owner_is_current(entry, sk->__sk_common.skc_cookie.counter))
        owner_set_current(entry, bpf_get_socket_cookie(sk));
}

/* Which end of its connection it is; accepted sockets inherit it. */
static __always_inline void socket_set_role(struct sock *sk, uint32_t role)
{
    struct ec_socket *entry = bpf_sk_storage_get(&sockets, sk, 0, 0);

    if (entry)
        entry->role = role;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(ec_owner_state, struct sock *sk, int old_state, int new_state)
{
    if (new_state != EC_TCP_SYN_SENT && new_state != EC_TCP_LISTEN)
        return 0;
    socket_touch(sk);
    socket_set_role(sk, new_state == EC_TCP_SYN_SENT ? EC_PLAINTEXT_ROLE_CLIENT : EC_PLAINTEXT_ROLE_SERVER);
    return 0;
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(ec_owner_send, struct sock *sk)
{
    socket_touch(sk);
    return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(ec_owner_recv, struct sock *sk)
{
    socket_touch(sk);
    return 0;
}

/* In place of the two above before Linux 6.3: the functions that the calls go through. */
#define TOUCH_AT(function)                                                                                             \
    SEC("fentry/" #function)                                                                                           \
    int BPF_PROG(ec_owner_##function, struct sock *sk)                                                                 \
    {                                                                                                                  \
        socket_touch(sk);                                                                                              \
        return 0;                                                                                                      \
    }

TOUCH_AT(tcp_sendmsg)
TOUCH_AT(tcp_recvmsg)
TOUCH_AT(udp_sendmsg)
TOUCH_AT(udp_recvmsg)
TOUCH_AT(udpv6_sendmsg)
TOUCH_AT(udpv6_recvmsg)

SEC("cgroup/sock_create")
int ec_owner_create(struct bpf_sock *sk)
{
    struct ec_socket *entry = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);

    if (entry)
        owner_set_current(entry, bpf_get_socket_cookie(sk));
    return 1; /* allow */
}

static __always_inline void owner_set(struct ec_socket *entry, struct task_struct *task, uint32_t uid, uint64_t cookie)
{
    entry->owner.pid = BPF_CORE_READ(task, tgid);
    entry->owner.tid = BPF_CORE_READ(task, pid);
    entry->owner.uid = uid;
    BPF_CORE_READ_STR_INTO(&entry->owner.comm, task, group_leader, comm);
    entry->cookie = cookie;
    entry->owner.flags = EC_OWNER_KNOWN | filter_match(entry->owner.pid, uid);
    owner_send(entry);
}

SEC("iter/task_file")
int ec_owner_seed(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    struct ec_socket *entry;
    struct socket *socket;
    struct sock *sk;
    uint32_t uid;

    if (!task || !file)
        return 0;
    socket = bpf_sock_from_file(file);
    if (!socket)
        return 0;
    sk = socket->sk;
    if (!sk || !is_inet(sk->__sk_common.skc_family))
        return 0;
    entry = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
    if (!entry)
        return 0;
    if (sk->__sk_common.skc_state == EC_TCP_LISTEN)
        entry->role = EC_PLAINTEXT_ROLE_SERVER;
    uid = BPF_CORE_READ(task, cred, uid.val);
    /* Of a listener that workers share, the first task is the one that opened it; of any other
     * socket the last one is more likely the one that uses it. An accepted connection inherits the listener's
     * owner until its worker touches it: if the filter wants any of the workers, it must not lose that beginning. */
    if (entry->owner.flags && sk->__sk_common.skc_state == EC_TCP_LISTEN) {
        entry->owner.flags |= filter_match(task->tgid, uid);
        return 0;
    }
    owner_set(entry, task, uid, bpf_get_socket_cookie(sk));
    return 0;
}
