/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "feature.h"

#include "cgroup.h"
#include "libbpf-log.h"
#include "uprobe.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h: newer than the headers of some systems that we are built on. */
enum { TCX_INGRESS = 46 };
/* No interface has it: dev_new_index() counts up from 1. */
enum { NO_IFINDEX = INT_MAX };

struct ec_features {
    struct btf *btf; /* the kernel's; NULL: none, or not read yet */
    char *btf_file;
    uint32_t known; /* bits of enum ec_feature */
    uint32_t present;
};

#define INSN(operation, ...) ((struct bpf_insn){.code = (operation), __VA_ARGS__})
#define MOVE(to, value) INSN(BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value))
#define COPY(to, from) INSN(BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from))
#define CALL(function) INSN(BPF_JMP | BPF_CALL, .imm = (function))
#define EXIT() INSN(BPF_JMP | BPF_EXIT)

static const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
                                          {.code = BPF_JMP | BPF_EXIT}};

static bool close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static int load_nothing(enum bpf_prog_type type, enum bpf_attach_type attach_type, uint32_t flags)
{
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type, .prog_flags = flags);

    return bpf_prog_load(type, "ec_probe", "GPL", nothing, G_N_ELEMENTS(nothing), &options);
}

/* A tracing program is for one type of the kernel's BTF. */
static int load_tracing(enum bpf_attach_type attach_type, int btf_id, const struct bpf_insn *insns, size_t n_insns)
{
    LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = attach_type, .attach_btf_id = (uint32_t)btf_id);

    return btf_id > 0 ? bpf_prog_load(BPF_PROG_TYPE_TRACING, "ec_probe", "GPL", insns, n_insns, &options) : -1;
}

static int find_type(const ec_features *features, const char *name, uint32_t kind)
{
    return features->btf ? btf__find_by_name_kind(features->btf, name, kind) : -ENOENT;
}

/* Whether the enumeration of helpers (enum bpf_func_id) has this one. */
static bool knows_helper(const ec_features *features, const char *name)
{
    int id = find_type(features, "bpf_func_id", BTF_KIND_ENUM);
    const struct btf_type *type = id > 0 ? btf__type_by_id(features->btf, (uint32_t)id) : NULL;

    for (int i = 0; type && i < btf_vlen(type); i++)
        if (!strcmp(btf__name_by_offset(features->btf, btf_enum(type)[i].name_off), name))
            return true;
    return false;
}

static bool probe_bpf(ec_features *features)
{
    (void)features;
    return close_if_open(bpf_map_create(BPF_MAP_TYPE_ARRAY, "ec_probe", sizeof(uint32_t), 1, 1, NULL));
}

static bool probe_ring_buffer(ec_features *features)
{
    (void)features;
    return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
}

static bool probe_btf(ec_features *features)
{
    features->btf = btf__load_vmlinux_btf();
    return features->btf != NULL;
}

/* btf__parse() takes both a raw file and one in an ELF section. */
static bool probe_btf_file(ec_features *features)
{
    struct btf *types = features->btf_file ? btf__parse(features->btf_file, NULL) : NULL;
    bool present = types && btf__find_by_name_kind(types, "task_struct", BTF_KIND_STRUCT) > 0;

    btf__free(types);
    return present;
}

static bool probe_read_kernel(ec_features *features)
{
    (void)features;
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_probe_read_kernel, NULL) == 1;
}

/* A kernel that knows these links misses the interface; an older one refuses the type. */
static bool probe_tcx(ec_features *features)
{
    int program = load_nothing(BPF_PROG_TYPE_SCHED_CLS, (enum bpf_attach_type)TCX_INGRESS, 0);
    int err = program < 0 ? program : bpf_link_create(program, NO_IFINDEX, (enum bpf_attach_type)TCX_INGRESS, NULL);

    (void)features;
    close_if_open(program);
    return err == -ENODEV;
}

/* In a network namespace that ends with the process. */
static int try_clsact(int program)
{
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = 1, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program);
    bool user = unshare(CLONE_NEWNET) != 0;
    int err;

    if (user && unshare(CLONE_NEWUSER | CLONE_NEWNET))
        return 0; /* it can't be tried: the capture will tell */
    err = bpf_tc_hook_create(&hook);
    if (!err)
        err = bpf_tc_attach(&hook, &options);
    /* In a user namespace Linux 5.10 refuses more than the capture asks for; what isn't there it says all the same. */
    return err == 0 || (user && err != -ENOENT) ? 0 : 1;
}

static bool probe_clsact(ec_features *features)
{
    int program = load_nothing(BPF_PROG_TYPE_SCHED_CLS, 0, 0), status = 1;
    pid_t child = program < 0 ? -1 : fork();

    (void)features;
    if (child == 0)
        _exit(try_clsact(program));
    close_if_open(program);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return child > 0 && status == 0;
}

/* Socket storage has to have types (bpf_sk_storage_map_alloc_check): int → int. */
static int create_socket_storage(void)
{
    struct btf *types = btf__new_empty();
    int type = types ? btf__add_int(types, "int", sizeof(int), BTF_INT_SIGNED) : -1;
    int fd = -1;

    if (type > 0 && btf__load_into_kernel(types) == 0) {
        LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC | BPF_F_CLONE,
                    .btf_fd = (uint32_t)btf__fd(types), .btf_key_type_id = (uint32_t)type,
                    .btf_value_type_id = (uint32_t)type);
        fd = bpf_map_create(BPF_MAP_TYPE_SK_STORAGE, "ec_probe", sizeof(int), sizeof(int), 0, &options);
    }
    btf__free(types);
    return fd;
}

/* By a tp_btf program that writes a socket's storage and reads its cookie. */
static bool probe_socket_storage(ec_features *features)
{
    int map = ec_features_has(features, EC_FEATURE_BTF) ? create_socket_storage() : -1;
    const struct bpf_insn body[] = {
        INSN(BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1), /* sk */
        INSN(BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map),
        INSN(0),
        COPY(BPF_REG_2, BPF_REG_6),
        MOVE(BPF_REG_3, 0),
        MOVE(BPF_REG_4, BPF_SK_STORAGE_GET_F_CREATE),
        CALL(BPF_FUNC_sk_storage_get),
        COPY(BPF_REG_1, BPF_REG_6),
        CALL(BPF_FUNC_get_socket_cookie),
        MOVE(BPF_REG_0, 0),
        EXIT(),
    };
    int type = find_type(features, "btf_trace_inet_sock_set_state", BTF_KIND_TYPEDEF);
    bool present = map >= 0 && close_if_open(load_tracing(BPF_TRACE_RAW_TP, type, body, G_N_ELEMENTS(body)));

    close_if_open(map);
    return present;
}

static bool probe_socket_iterator(ec_features *features)
{
    return ec_features_has(features, EC_FEATURE_BTF) && find_type(features, "bpf_iter_task_file", BTF_KIND_FUNC) > 0 &&
           knows_helper(features, "BPF_FUNC_sock_from_file");
}

/* A tracepoint is known to tp_btf programs by the type of its probe function. */
static bool probe_socket_length(ec_features *features)
{
    return ec_features_has(features, EC_FEATURE_BTF) &&
           find_type(features, "btf_trace_sock_send_length", BTF_KIND_TYPEDEF) > 0 &&
           find_type(features, "btf_trace_sock_recv_length", BTF_KIND_TYPEDEF) > 0;
}

/* Attached for a moment, to a function that is rarely called: some kernels load what they can't attach. */
static bool probe_fentry(ec_features *features)
{
    int program = -1, link = -1;

    if (ec_features_has(features, EC_FEATURE_BTF))
        program = load_tracing(BPF_TRACE_FENTRY, find_type(features, "inet_listen", BTF_KIND_FUNC), nothing,
                               G_N_ELEMENTS(nothing));
    if (program >= 0)
        link = bpf_raw_tracepoint_open(NULL, program);
    close_if_open(program);
    return close_if_open(link);
}

static bool probe_kprobe(ec_features *features)
{
    (void)features;
    return close_if_open(ec_uprobe_open_event("kprobe", "tcp_connect", 0, false));
}

static bool probe_socket_create(ec_features *features)
{
    (void)features;
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_get_current_pid_tgid, NULL) == 1 &&
           libbpf_probe_bpf_helper(BPF_PROG_TYPE_CGROUP_SOCK, BPF_FUNC_sk_storage_get, NULL) == 1;
}

static bool probe_cgroup2(ec_features *features)
{
    (void)features;
    return close_if_open(ec_cgroup_open_root());
}

/* A kernel that knows these links refuses a directory as no regular file; an older one, the type. */
static bool probe_uprobe_multi(ec_features *features)
{
    const uint64_t zero = 0;
    int program = load_nothing(BPF_PROG_TYPE_KPROBE, EC_TRACE_UPROBE_MULTI, 0);
    bool present = program >= 0 && ec_uprobe_attach_link(program, "/", &zero, &zero, 1, false) < 0 && errno == EBADF;

    (void)features;
    close_if_open(program);
    return present;
}

static bool probe_uprobe_perf(ec_features *features)
{
    (void)features;
    return close_if_open(ec_uprobe_open_event("uprobe", "/proc/self/exe", 0, false));
}

static bool probe_attach_cookie(ec_features *features)
{
    (void)features;
    return libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_attach_cookie, NULL) == 1;
}

static bool probe_sleepable_uprobe(ec_features *features)
{
    (void)features;
    return close_if_open(load_nothing(BPF_PROG_TYPE_KPROBE, 0, BPF_F_SLEEPABLE));
}

/* Of ourselves: a descriptor that is never there. */
static bool probe_pidfd_getfd(ec_features *features)
{
    int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    bool present = pidfd >= 0 && syscall(SYS_pidfd_getfd, pidfd, -1, 0) < 0 && errno == EBADF;

    (void)features;
    close_if_open(pidfd);
    return present;
}

static bool probe_mapping_events(ec_features *features)
{
    struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE,
                                   .size = sizeof(attr),
                                   .config = PERF_COUNT_SW_DUMMY,
                                   .mmap = 1,
                                   .mmap2 = 1,
                                   .comm_exec = 1,
                                   .task = 1,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};

    (void)features;
    return close_if_open((int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC));
}

static bool probe_raw_tracepoint(ec_features *features)
{
    int program = load_nothing(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, 0);
    int link = program < 0 ? -1 : bpf_raw_tracepoint_open("sched_process_fork", program);

    (void)features;
    close_if_open(program);
    return close_if_open(link);
}

/* The commits: those that brought each to Linux. */
const struct ec_feature_info ec_feature_infos[] = {
    [EC_FEATURE_BPF] = {"eBPF, allowed", NULL, /* needs CONFIG_BPF_SYSCALL */
                        "CONFIG_BPF_SYSCALL=y; if root is refused, a seccomp profile (Docker: --security-opt "
                        "seccomp=unconfined), SELinux (ausearch -m avc) or AppArmor (dmesg) forbids bpf()"},
    [EC_FEATURE_RING_BUFFER] = {"BPF ring buffer", "5.8" /* 457f44363a88 */,
                                "Linux 5.8 or later; the perf buffer of older ones is not used, as none of them was "
                                "there to try it on"},
    [EC_FEATURE_BTF] = {"the kernel's BTF", "5.4" /* 341dfcf8d78e */,
                        "CONFIG_DEBUG_INFO_BTF=y, or some of it by --btf FILE (BTFHub has such)"},
    [EC_FEATURE_BTF_FILE] = {"BTF given by --btf", NULL, "--btf FILE (BTFHub has such)"},
    [EC_FEATURE_READ_KERNEL] = {"reading kernel memory", "5.5" /* 6ae08ae3dea2 */,
                                "a kernel locked down for integrity at most (lockdown=integrity)"},
    [EC_FEATURE_TCX] = {"TCX links", "6.6" /* e420bed02507 */, "Linux 6.6 or later"},
    [EC_FEATURE_CLSACT] = {"tc filters (clsact)", "4.5" /* 1f211a1b929c */,
                           "CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF, or modprobe sch_ingress cls_bpf"},
    [EC_FEATURE_SOCKET_STORAGE] = {"socket storage and cookies for tracing programs",
                                   "5.12" /* 8e4597c627fb, c5dbb89fc2ac */, "Linux 5.12 or later"},
    [EC_FEATURE_SOCKET_ITERATOR] = {"iterator over sockets", "5.11" /* eaaacd23910f, 4f19cab76136 */,
                                    "Linux 5.11 or later"},
    [EC_FEATURE_SOCKET_LENGTH] = {"tracepoints sock_send_length, sock_recv_length", "6.3" /* 6e6eda44b939 */,
                                  "Linux 6.3 or later"},
    [EC_FEATURE_FENTRY] = {"fentry programs", "5.5" /* fec56f5890d9 */,
                           "CONFIG_FUNCTION_TRACER=y, on arm64 Linux 6.4 or later"},
    [EC_FEATURE_KPROBE] = {"kprobes", "4.17" /* e12f03d7031a */, "CONFIG_KPROBE_EVENTS=y"},
    [EC_FEATURE_SOCKET_CREATE] = {"who creates a socket, for cgroup programs", "5.9" /* f7c6cb1d9728 */,
                                  "Linux 5.9 or later"},
    [EC_FEATURE_CGROUP2] = {"a cgroup2 hierarchy", "4.5" /* 67e9c74b8a87 */,
                            "CONFIG_CGROUPS=y and mount -t cgroup2 none /sys/fs/cgroup/unified"},
    [EC_FEATURE_UPROBE_MULTI] = {"uprobe links", "6.6" /* 89ae89f53d20 */, "Linux 6.6 or later"},
    [EC_FEATURE_UPROBE_PERF] = {"uprobe events", "4.17" /* 33ea4b24277b */,
                                "CONFIG_UPROBE_EVENTS=y; unless root, sysctl kernel.perf_event_paranoid=2 (Debian's is "
                                "3), and cap_sys_admin for kernels of July 2025 and later"},
    [EC_FEATURE_ATTACH_COOKIE] = {"cookies of uprobes", "5.15" /* 7adfc6c9b315 */, "Linux 5.15 or later"},
    [EC_FEATURE_SLEEPABLE_UPROBE] = {"uprobes that may sleep", "6.0" /* 8c7dcb84e3b7 */, "Linux 6.0 or later"},
    [EC_FEATURE_PIDFD_GETFD] = {"borrowing others' descriptors", "5.6" /* 8649c322f75c */,
                                "Linux 5.6 or later; a seccomp profile may forbid pidfd_getfd()"},
    [EC_FEATURE_MAPPING_EVENTS] = {"perf events of new mappings", "3.16" /* 13d7a2410fa6 */,
                                   "CONFIG_PERF_EVENTS=y; unless root, sysctl kernel.perf_event_paranoid=2 (Debian's "
                                   "is 3); if root is refused, a seccomp profile forbids "
                                   "perf_event_open()"},
    [EC_FEATURE_RAW_TRACEPOINT] = {"raw tracepoints", "4.17" /* c4f6699dfcb8 */, "CONFIG_BPF_EVENTS=y"},
};

static bool (*const probes[])(ec_features *features) = {
    [EC_FEATURE_BPF] = probe_bpf,
    [EC_FEATURE_RING_BUFFER] = probe_ring_buffer,
    [EC_FEATURE_BTF] = probe_btf,
    [EC_FEATURE_BTF_FILE] = probe_btf_file,
    [EC_FEATURE_READ_KERNEL] = probe_read_kernel,
    [EC_FEATURE_TCX] = probe_tcx,
    [EC_FEATURE_CLSACT] = probe_clsact,
    [EC_FEATURE_SOCKET_STORAGE] = probe_socket_storage,
    [EC_FEATURE_SOCKET_ITERATOR] = probe_socket_iterator,
    [EC_FEATURE_SOCKET_LENGTH] = probe_socket_length,
    [EC_FEATURE_FENTRY] = probe_fentry,
    [EC_FEATURE_KPROBE] = probe_kprobe,
    [EC_FEATURE_SOCKET_CREATE] = probe_socket_create,
    [EC_FEATURE_CGROUP2] = probe_cgroup2,
    [EC_FEATURE_UPROBE_MULTI] = probe_uprobe_multi,
    [EC_FEATURE_UPROBE_PERF] = probe_uprobe_perf,
    [EC_FEATURE_ATTACH_COOKIE] = probe_attach_cookie,
    [EC_FEATURE_SLEEPABLE_UPROBE] = probe_sleepable_uprobe,
    [EC_FEATURE_PIDFD_GETFD] = probe_pidfd_getfd,
    [EC_FEATURE_MAPPING_EVENTS] = probe_mapping_events,
    [EC_FEATURE_RAW_TRACEPOINT] = probe_raw_tracepoint,
};
_Static_assert(G_N_ELEMENTS(ec_feature_infos) == EC_FEATURE_MAX && G_N_ELEMENTS(probes) == EC_FEATURE_MAX,
               "a row per feature");
_Static_assert(EC_FEATURE_MAX <= 32, "bits of ec_features.known");

ec_features *ec_features_new(const char *btf_file)
{
    ec_features *features = g_new0(ec_features, 1);

    ec_libbpf_log_redirect();
    features->btf_file = g_strdup(btf_file);
    return features;
}

ec_features *ec_features_new_fixed(uint32_t present)
{
    ec_features *features = ec_features_new(NULL);

    features->known = UINT32_MAX;
    features->present = present;
    return features;
}

void ec_features_free(ec_features *features)
{
    if (!features)
        return;
    btf__free(features->btf);
    g_free(features->btf_file);
    g_free(features);
}

bool ec_features_has(ec_features *features, enum ec_feature feature)
{
    uint32_t bit = 1u << feature;

    if (!(features->known & bit)) {
        features->known |= bit;
        if (probes[feature](features))
            features->present |= bit;
    }
    return features->present & bit;
}

bool ec_features_has_function(ec_features *features, const char *name)
{
    return ec_features_has(features, EC_FEATURE_BTF) && find_type(features, name, BTF_KIND_FUNC) > 0;
}
