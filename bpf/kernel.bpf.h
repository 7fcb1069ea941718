/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The few kernel structures that the programs read, cut to the fields they use. CO-RE relocates
 * every access by name against the running kernel's BTF, so neither a vmlinux.h nor a kernel's
 * headers are needed to build.
 */
#include <linux/bpf.h>

#include "abi.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
    long long counter;
} ec_atomic64;

struct in6_addr___ec {
    unsigned char bytes[16];
};

struct sock_common {
    unsigned int skc_daddr; /* network byte order, as skc_dport */
    unsigned int skc_rcv_saddr;
    unsigned short skc_dport;
    unsigned short skc_num;
    unsigned short skc_family;
    volatile unsigned char skc_state;
    struct in6_addr___ec skc_v6_daddr;
    struct in6_addr___ec skc_v6_rcv_saddr;
    ec_atomic64 skc_cookie;
};

struct sock {
    struct sock_common __sk_common;
    unsigned short sk_protocol;
};

struct tcp_timewait_sock___ec {
    struct {
        struct sock_common __tw_common;
    } tw_sk;
};

struct socket {
    struct sock *sk;
};

struct file;

typedef struct {
    unsigned int val;
} ec_kuid;

struct cred {
    ec_kuid uid;
};

struct ec_atomic {
    int counter;
};

struct tty_struct {
    char name[EC_TTY_LEN];
};

struct signal_struct {
    struct ec_atomic live;  /* threads that have not exited */
    struct tty_struct *tty; /* NULL: none */
};

struct task_struct {
    int pid;
    int tgid;
    int exit_code; /* as wait(2) returns it */
    char comm[EC_COMM_LEN];
    struct task_struct *group_leader;
    const struct cred *cred;
    struct signal_struct *signal;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs___ec {
    unsigned long r14;
    unsigned long sp;
};
#define EC_GOROUTINE_REGISTER r14
#else
struct pt_regs___ec {
    unsigned long long regs[31];
    unsigned long long sp;
};
#define EC_GOROUTINE_REGISTER regs[28]
#endif

struct bpf_iter_meta;

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    unsigned int fd;
    struct file *file;
};

#pragma clang attribute pop

/* include/net/tcp_states.h; stable: shown by /proc/net/tcp */
enum { EC_TCP_SYN_SENT = 2, EC_TCP_LISTEN = 10 };
/* include/linux/socket.h */
enum { EC_AF_INET = 2, EC_AF_INET6 = 10 };
