/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

#include "cgroup.h"
#include "log.h"
#include "module.h"
#include "session.h"
#include "way.h"

#include "ecapture.skel.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h, Linux 6.6 (commit e420bed02507); older headers lack them. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, TCX_BEFORE = 1 << 3 };
/* Likewise, Linux 6.6 (commits 0b779b61f651, 89ae89f53d20). A uprobe by such a link asks for no more than its program's
 * load did; by perf_event_open it has needed CAP_SYS_ADMIN since 6.16 and the stable releases of July 2025 (commit
 * ba677dbe77af, "perf: Revert to requiring CAP_SYS_ADMIN for uprobes"). */
enum { TRACE_UPROBE_MULTI = 48, UPROBE_MULTI_RETURN = 1 };
/* union bpf_attr's part for BPF_LINK_CREATE of one. */
struct uprobe_multi_attr {
    uint32_t program, target, type, flags;
    uint64_t path;    /* const char * */
    uint64_t offsets; /* const uint64_t *, n of them */
    uint64_t reference_counters;
    uint64_t cookies; /* const uint64_t *, n of them */
    uint32_t n, multi_flags, pid, pad;
};
_Static_assert(sizeof(struct uprobe_multi_attr) == 64, "abi");
/* Our tc filters, where TCX is missing: never another's, so a start sweeps what a kill has left. */
enum { TC_HANDLE = 0xeca, TC_PRIORITY = 1 };

/* So many CPUs are named with what they lost. */
enum { DROPPING_CPUS_MAX = 32 };
/* Connections, and calls under way, that plaintext is taken of at once: the least recently used is forgotten. */
enum { PLAINTEXT_ENTRIES = 65536 };

enum direction { INGRESS, EGRESS, DIRECTIONS };

struct attached_interface {
    int ifindex;
    int links[DIRECTIONS]; /* descriptors of TCX links, -1: none */
    bool clsact[DIRECTIONS];
};

struct ec_kernel {
    struct ecapture_bpf *skeleton;
    GPtrArray *links;   /* struct bpf_link *: owners, processes, libraries */
    GArray *uprobes;    /* int: descriptors of uprobe links */
    uint32_t n_layouts; /* in the map mysqld_layouts */
    GArray *interfaces; /* struct attached_interface */
    enum ec_way ways[EC_JOB_MAX];
    bool shells; /* there are modules of SHELL_MODULES */
};

static void link_free(gpointer link)
{
    bpf_link__destroy(link);
}

static void detach_clsact(const struct attached_interface *interface, enum direction direction);

static void interface_clear(struct attached_interface *interface)
{
    for (int i = 0; i < DIRECTIONS; i++) {
        if (interface->links[i] >= 0)
            close(interface->links[i]);
        if (interface->clsact[i])
            detach_clsact(interface, (enum direction)i);
    }
}

void ec_kernel_free(ec_kernel *kernel)
{
    if (!kernel)
        return;
    for (guint i = 0; i < kernel->interfaces->len; i++)
        interface_clear(&g_array_index(kernel->interfaces, struct attached_interface, i));
    for (guint i = 0; i < kernel->uprobes->len; i++)
        close(g_array_index(kernel->uprobes, int, i));
    g_array_unref(kernel->uprobes);
    g_array_unref(kernel->interfaces);
    g_ptr_array_unref(kernel->links);
    ecapture_bpf__destroy(kernel->skeleton);
    g_free(kernel);
}

static bool fail(GError **error, int code, int err, const char *what, const char *remedy)
{
    g_set_error(error, EC_SESSION_ERROR, code, "%s: %s: %s", what, g_strerror(err), remedy);
    return false;
}

static bool load(ec_kernel *kernel, GError **error)
{
    int err = -ecapture_bpf__load(kernel->skeleton);

    if (err == 0)
        return true;
    /* EACCES is the verifier's. */
    if (err == EPERM)
        return fail(error, EC_SESSION_ERROR_PRIVILEGE, err, "can't load the eBPF programs",
                    "run as root, or give the program its capabilities with extcap/quickstart");
    if (access("/sys/kernel/btf/vmlinux", R_OK))
        return fail(error, EC_SESSION_ERROR_KERNEL, err, "can't load the eBPF programs, the kernel shows no BTF",
                    "use a kernel built with CONFIG_DEBUG_INFO_BTF=y");
    if (err == ENOMEM)
        return fail(error, EC_SESSION_ERROR_KERNEL, err, "can't load the eBPF programs", "use a smaller --mapsize");
    return fail(error, EC_SESSION_ERROR_KERNEL, err, "the kernel refuses the eBPF programs",
                "see why with --log-level debug, and report it");
}

/* A descriptor of the link, or -1 with errno. */
static int create_uprobe_multi(int program, const char *path, const uint64_t *offsets, const uint64_t *cookies,
                               size_t n, bool at_return)
{
    const struct uprobe_multi_attr attr = {
        .program = (uint32_t)program,
        .type = TRACE_UPROBE_MULTI,
        .path = (uintptr_t)path,
        .offsets = (uintptr_t)offsets,
        .cookies = (uintptr_t)cookies,
        .n = (uint32_t)n,
        .multi_flags = at_return ? UPROBE_MULTI_RETURN : 0,
    };

    return (int)syscall(__NR_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
}

/* In the kernel if it fits there; else every packet is handed to user space to be filtered. */
static enum ec_filter_place patch_filters(const struct ec_kernel_config *config, void *image, size_t size)
{
    g_autoptr(GError) reason = NULL;

    if (!config->filter_eth)
        return EC_FILTER_NONE;
    if (ec_filter_patch(config->filter_eth, EC_FILTER_MAGIC_ETHERNET, image, size, &reason) &&
        ec_filter_patch(config->filter_ip, EC_FILTER_MAGIC_IP, image, size, &reason))
        return EC_FILTER_KERNEL;
    ec_log_warning("the capture filter runs in user space, at a cost: %s", reason->message);
    return EC_FILTER_USER;
}

/* What ecapture_bpf__open() does, but over a copy of the object that the capture filter is patched into. */
static struct ecapture_bpf *open_skeleton(const struct ec_kernel_config *config)
{
    struct ecapture_bpf *skeleton = calloc(1, sizeof(*skeleton)); /* ecapture_bpf__destroy() frees it */
    g_autofree void *image = NULL;
    const void *object;
    size_t size;
    enum ec_filter_place place;
    int err;

    if (!skeleton)
        return NULL;
    object = ecapture_bpf__elf_bytes(&size);
    image = g_memdup2(object, size);
    place = patch_filters(config, image, size);
    err = ecapture_bpf__create_skeleton(skeleton);
    if (!err) {
        skeleton->skeleton->data = image;
        err = bpf_object__open_skeleton(skeleton->skeleton, NULL);
    }
    if (err) {
        ecapture_bpf__destroy(skeleton);
        errno = -err;
        return NULL;
    }
    skeleton->rodata->config = config->bpf;
    skeleton->rodata->config.filter = (uint8_t)place;
    skeleton->rodata->config.filter_vlan = place != EC_FILTER_NONE && ec_filter_tests_vlan(config->filter_eth);
    return skeleton;
}

static bool wants_plaintext(const ec_kernel *kernel)
{
    return kernel->skeleton->rodata->config.plaintext != EC_PLAINTEXT_NONE;
}

/* It matters to these when a process ends, or becomes another program. */
#define SHELL_MODULES (1u << EC_MODULE_BASH | 1u << EC_MODULE_ZSH)

/* Each has a program that may sleep and one that doesn't; NULL: it never sleeps. Only what a session's modules need is
 * loaded. */
static const struct {
    const char *sleepable, *nosleep;
    unsigned modules;
} uprobes[] = {
    [EC_UPROBE_SECRET] = {"ec_secret", "ec_secret_nosleep", 1u << EC_MODULE_TLS | 1u << EC_MODULE_GNUTLS},
    [EC_UPROBE_GO] = {"ec_go_secret", "ec_go_secret_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_NSS] = {"ec_nss_secret", "ec_nss_secret_nosleep", 1u << EC_MODULE_NSS},
    [EC_UPROBE_MYSQLD_BEGIN] = {NULL, "ec_mysqld_begin", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_MYSQLD_OK] = {NULL, "ec_mysqld_ok", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_MYSQLD_END] = {NULL, "ec_mysqld_end", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_POSTGRES_ACTIVITY] = {NULL, "ec_postgres_activity", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_END_COMMAND] = {NULL, "ec_postgres_end_command", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_MESSAGE] = {NULL, "ec_postgres_message", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_LOGIN] = {NULL, "ec_postgres_login", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_PLAINTEXT_ENTER] = {NULL, "ec_plaintext_enter", 1u << EC_MODULE_TLS | 1u << EC_MODULE_GNUTLS},
    [EC_UPROBE_PLAINTEXT_LEAVE] = {"ec_plaintext_leave", "ec_plaintext_leave_nosleep",
                                   1u << EC_MODULE_TLS | 1u << EC_MODULE_GNUTLS},
    [EC_UPROBE_PLAINTEXT_GO_ENTER] = {"ec_plaintext_go_enter", "ec_plaintext_go_enter_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_PLAINTEXT_GO_LEAVE] = {"ec_plaintext_go_leave", "ec_plaintext_go_leave_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_SHELL_DONE] = {NULL, "ec_shell_done", SHELL_MODULES},
    [EC_UPROBE_BASH_PROMPT] = {NULL, "ec_bash_prompt", 1u << EC_MODULE_BASH},
    [EC_UPROBE_BASH_LINE] = {NULL, "ec_bash_line", 1u << EC_MODULE_BASH},
    [EC_UPROBE_ZSH_ENTRY] = {NULL, "ec_zsh_entry", 1u << EC_MODULE_ZSH},
    [EC_UPROBE_ZSH_LINE] = {NULL, "ec_zsh_line", 1u << EC_MODULE_ZSH},
    [EC_UPROBE_READLINE_LINE] = {NULL, "ec_readline_line", 1u << EC_MODULE_BASH},
};
_Static_assert(G_N_ELEMENTS(uprobes) == EC_UPROBE_MAX, "a row per uprobe");

static struct bpf_program *get_uprobe_program(const ec_kernel *kernel, enum ec_uprobe uprobe, bool sleepable)
{
    const char *name = sleepable ? uprobes[uprobe].sleepable : uprobes[uprobe].nosleep;

    return name ? bpf_object__find_program_by_name(kernel->skeleton->obj, name) : NULL;
}

/* The one that this kernel and module settings use. */
static struct bpf_program *choose_uprobe_program(const ec_kernel *kernel, enum ec_uprobe uprobe)
{
    return get_uprobe_program(kernel, uprobe,
                              kernel->ways[EC_JOB_FAULTS] == EC_WAY_FAULTS_SLEEP && uprobes[uprobe].sleepable);
}

static bool wants_uprobe(const ec_kernel *kernel, enum ec_uprobe uprobe, unsigned modules)
{
    const bool plaintext = uprobe >= EC_UPROBE_PLAINTEXT_ENTER && uprobe <= EC_UPROBE_PLAINTEXT_GO_LEAVE;

    return uprobes[uprobe].modules & modules && (!plaintext || wants_plaintext(kernel));
}

static void choose_uprobe_programs(ec_kernel *kernel, unsigned modules)
{
    for (enum ec_uprobe uprobe = 0; uprobe < EC_UPROBE_MAX; uprobe++) {
        struct bpf_program *used = choose_uprobe_program(kernel, uprobe);

        for (int sleepable = 0; sleepable < 2; sleepable++) {
            struct bpf_program *program = get_uprobe_program(kernel, uprobe, sleepable);

            if (program)
                bpf_program__set_autoload(program, program == used && wants_uprobe(kernel, uprobe, modules));
        }
        if (kernel->ways[EC_JOB_UPROBES] == EC_WAY_UPROBES_LINKS)
            bpf_program__set_expected_attach_type(used, (enum bpf_attach_type)TRACE_UPROBE_MULTI);
    }
}

/* The programs that follow who sends and receives: either those of the tracepoints, or those of the functions. */
static size_t get_use_programs(ec_kernel *kernel, bool tracepoints, struct bpf_program *ret_programs[static 6])
{
    struct ecapture_bpf *skeleton = kernel->skeleton;

    if (tracepoints) {
        ret_programs[0] = skeleton->progs.ec_owner_send;
        ret_programs[1] = skeleton->progs.ec_owner_recv;
        return 2;
    }
    ret_programs[0] = skeleton->progs.ec_owner_tcp_sendmsg;
    ret_programs[1] = skeleton->progs.ec_owner_tcp_recvmsg;
    ret_programs[2] = skeleton->progs.ec_owner_udp_sendmsg;
    ret_programs[3] = skeleton->progs.ec_owner_udp_recvmsg;
    ret_programs[4] = skeleton->progs.ec_owner_udpv6_sendmsg;
    ret_programs[5] = skeleton->progs.ec_owner_udpv6_recvmsg;
    return 6;
}

/* Before the load: programs for what this kernel lacks would fail it. */
static void choose_owner_programs(ec_kernel *kernel)
{
    struct bpf_program *unused[6];
    size_t n;

    n = get_use_programs(kernel, kernel->ways[EC_JOB_OWNERS] != EC_WAY_OWNERS_TRACEPOINTS, unused);
    for (size_t i = 0; i < n; i++)
        bpf_program__set_autoload(unused[i], false);
    bpf_program__set_autoload(kernel->skeleton->progs.ec_owner_create,
                              kernel->ways[EC_JOB_NEW_SOCKETS] == EC_WAY_NEW_SOCKETS_CGROUP);
}

/* The programs that follow processes. */
static size_t get_process_programs(const ec_kernel *kernel, struct bpf_program *ret_programs[static 4])
{
    struct ecapture_bpf *skeleton = kernel->skeleton;
    size_t n = 0;

    ret_programs[n++] = skeleton->progs.ec_process_exit;
    if (skeleton->rodata->config.follow_forks)
        ret_programs[n++] = skeleton->progs.ec_process_fork;
    if (kernel->shells) {
        ret_programs[n++] = skeleton->progs.ec_shell_exec;
        ret_programs[n++] = skeleton->progs.ec_shell_exit;
    }
    return n;
}

static void choose_process_programs(ec_kernel *kernel, unsigned modules)
{
    struct ecapture_bpf *skeleton = kernel->skeleton;

    kernel->shells = (modules & SHELL_MODULES) != 0;
    bpf_program__set_autoload(skeleton->progs.ec_process_fork, skeleton->rodata->config.follow_forks);
    bpf_program__set_autoload(skeleton->progs.ec_shell_exec, kernel->shells);
    bpf_program__set_autoload(skeleton->progs.ec_shell_exit, kernel->shells);
}

/* The programs that see which socket a connection runs over, and when its process ends. */
static size_t get_plaintext_programs(ec_kernel *kernel, bool tracepoints, struct bpf_program *ret_programs[static 3])
{
    struct ecapture_bpf *skeleton = kernel->skeleton;

    ret_programs[0] = tracepoints ? skeleton->progs.ec_plaintext_send : skeleton->progs.ec_plaintext_tcp_sendmsg;
    ret_programs[1] = tracepoints ? skeleton->progs.ec_plaintext_recv : skeleton->progs.ec_plaintext_tcp_recvmsg;
    ret_programs[2] = skeleton->progs.ec_plaintext_exit;
    return 3;
}

/* Before the load. */
static void choose_plaintext_programs(ec_kernel *kernel)
{
    struct ecapture_bpf *skeleton = kernel->skeleton;
    struct bpf_map *maps[] = {skeleton->maps.connections, skeleton->maps.go_handshakes, skeleton->maps.calls,
                              skeleton->maps.insides, skeleton->maps.plaintext_processes};
    const bool used = kernel->ways[EC_JOB_OWNERS] == EC_WAY_OWNERS_TRACEPOINTS;
    struct bpf_program *programs[3];

    for (int tracepoints = 0; tracepoints < 2; tracepoints++) {
        size_t n = get_plaintext_programs(kernel, tracepoints, programs);

        for (size_t i = 0; i + 1 < n; i++)
            bpf_program__set_autoload(programs[i], wants_plaintext(kernel) && tracepoints == used);
    }
    bpf_program__set_autoload(skeleton->progs.ec_plaintext_exit, wants_plaintext(kernel));
    for (size_t i = 0; wants_plaintext(kernel) && i < G_N_ELEMENTS(maps); i++)
        bpf_map__set_max_entries(maps[i], PLAINTEXT_ENTRIES);
}

static bool choose_ways(ec_kernel *kernel, ec_features *features, GError **error)
{
    for (enum ec_job job = 0; job < EC_JOB_MAX; job++) {
        kernel->ways[job] = ec_way_choose(features, job);
        if (kernel->ways[job] != EC_WAY_MAX)
            continue;
        g_autofree char *missing = ec_way_describe_missing(features, ec_job_get_best_way(job));

        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_KERNEL, "this kernel has no way for %s; missing %s",
                    ec_job_get_name(job), missing);
        return false;
    }
    return true;
}

ec_kernel *ec_kernel_new(const struct ec_kernel_config *config, GError **error)
{
    g_autoptr(ec_kernel) kernel = g_new0(ec_kernel, 1);

    kernel->links = g_ptr_array_new_with_free_func(link_free);
    kernel->uprobes = g_array_new(FALSE, FALSE, sizeof(int));
    kernel->interfaces = g_array_new(FALSE, TRUE, sizeof(struct attached_interface));
    kernel->skeleton = open_skeleton(config);
    if (!kernel->skeleton) {
        fail(error, EC_SESSION_ERROR_KERNEL, errno, "can't open the eBPF programs", "report it");
        return NULL;
    }
    bpf_map__set_max_entries(kernel->skeleton->maps.packets, (uint32_t)config->ring_size);
    bpf_map__set_max_entries(kernel->skeleton->maps.messages, (uint32_t)config->messages_size);
    if (!choose_ways(kernel, config->features, error))
        return NULL;
    choose_uprobe_programs(kernel, config->modules);
    choose_owner_programs(kernel);
    choose_plaintext_programs(kernel);
    choose_process_programs(kernel, config->modules);
    if (!load(kernel, error))
        return NULL;
    return g_steal_pointer(&kernel);
}

static bool keep_link(ec_kernel *kernel, struct bpf_link *link)
{
    if (!link)
        return false;
    g_ptr_array_add(kernel->links, link);
    return true;
}

static bool attach_tracing(ec_kernel *kernel, struct bpf_program *program, GError **error)
{
    g_autofree char *what = NULL;

    if (keep_link(kernel, bpf_program__attach(program)))
        return true;
    what = g_strdup_printf("can't attach %s", bpf_program__name(program));
    return fail(error, EC_SESSION_ERROR_KERNEL, errno, what, "this kernel lacks what names the process of a packet");
}

/* Optional: with it a socket has its owner before its first packet even if it only ever receives UDP. */
static void attach_cgroup(ec_kernel *kernel)
{
    int fd = ec_cgroup_open_root();
    bool attached =
        fd >= 0 && keep_link(kernel, bpf_program__attach_cgroup(kernel->skeleton->progs.ec_owner_create, fd));

    if (fd >= 0)
        close(fd);
    if (!attached)
        ec_log_info("no cgroup2 to attach to: the first packets of receive-only UDP sockets will lack their process");
}

/* One pass over every task's files. */
static bool seed_owners(ec_kernel *kernel, GError **error)
{
    struct bpf_link *link = bpf_program__attach_iter(kernel->skeleton->progs.ec_owner_seed, NULL);
    int fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1, err = errno;
    ssize_t got = -1;
    char buffer[64];

    if (fd >= 0) {
        do {
            got = read(fd, buffer, sizeof(buffer));
        } while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
        err = errno;
        close(fd);
    }
    bpf_link__destroy(link);
    if (got == 0)
        return true;
    return fail(error, EC_SESSION_ERROR_KERNEL, err, "can't look through the sockets that exist",
                "needs Linux 5.11 or newer");
}

static bool attach_programs(ec_kernel *kernel, struct bpf_program *const *programs, size_t n, GError **error)
{
    for (size_t i = 0; i < n; i++)
        if (!attach_tracing(kernel, programs[i], error))
            return false;
    return true;
}

bool ec_kernel_attach_plaintext(ec_kernel *kernel, GError **error)
{
    struct bpf_program *programs[3];
    size_t n = get_plaintext_programs(kernel, kernel->ways[EC_JOB_OWNERS] == EC_WAY_OWNERS_TRACEPOINTS, programs);

    return attach_programs(kernel, programs, n, error);
}

bool ec_kernel_attach_processes(ec_kernel *kernel, GError **error)
{
    struct bpf_program *programs[4];
    size_t n = get_process_programs(kernel, programs);

    return attach_programs(kernel, programs, n, error);
}

bool ec_kernel_attach_owners(ec_kernel *kernel, GError **error)
{
    struct ecapture_bpf *skeleton = kernel->skeleton;
    struct bpf_program *uses[6];
    size_t n = get_use_programs(kernel, kernel->ways[EC_JOB_OWNERS] == EC_WAY_OWNERS_TRACEPOINTS, uses);

    if (!attach_tracing(kernel, skeleton->progs.ec_owner_state, error) || !attach_programs(kernel, uses, n, error))
        return false;
    if (kernel->ways[EC_JOB_NEW_SOCKETS] == EC_WAY_NEW_SOCKETS_CGROUP)
        attach_cgroup(kernel);
    return seed_owners(kernel, error);
}

static void describe_tc(const struct attached_interface *interface, enum direction direction,
                        struct bpf_tc_hook *ret_hook, struct bpf_tc_opts *ret_options)
{
    *ret_hook = (struct bpf_tc_hook){.sz = sizeof(*ret_hook),
                                     .ifindex = interface->ifindex,
                                     .attach_point = direction == INGRESS ? BPF_TC_INGRESS : BPF_TC_EGRESS};
    *ret_options = (struct bpf_tc_opts){.sz = sizeof(*ret_options), .handle = TC_HANDLE, .priority = TC_PRIORITY};
}

/* Our filter alone: the qdisc may carry others'. */
static void detach_clsact(const struct attached_interface *interface, enum direction direction)
{
    struct bpf_tc_opts options;
    struct bpf_tc_hook hook;

    describe_tc(interface, direction, &hook, &options);
    bpf_tc_detach(&hook, &options);
}

/* Before TCX. BPF_TC_F_REPLACE takes the place of a filter that a killed capture has left. */
static int attach_clsact(struct attached_interface *interface, const struct bpf_program *program,
                         enum direction direction)
{
    struct bpf_tc_opts options;
    struct bpf_tc_hook hook;
    int err;

    describe_tc(interface, direction, &hook, &options);
    err = bpf_tc_hook_create(&hook);
    if (err && err != -EEXIST)
        return err;
    options.prog_fd = bpf_program__fd(program);
    options.flags = BPF_TC_F_REPLACE;
    err = bpf_tc_attach(&hook, &options);
    interface->clsact[direction] = err == 0;
    return err;
}

/* At the head: a program ahead of us could redirect packets away unseen. */
static int attach_tcx(struct attached_interface *interface, const struct bpf_program *program, enum direction direction)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = TCX_BEFORE);
    enum bpf_attach_type type = (enum bpf_attach_type)(direction == INGRESS ? TCX_INGRESS : TCX_EGRESS);
    int fd = bpf_link_create(bpf_program__fd(program), interface->ifindex, type, &options);

    interface->links[direction] = fd;
    return fd < 0 ? fd : 0;
}

static int attach_tc(const ec_kernel *kernel, struct attached_interface *interface, const struct bpf_program *program,
                     enum direction direction)
{
    if (kernel->ways[EC_JOB_PACKETS] == EC_WAY_PACKETS_TCX)
        return attach_tcx(interface, program, direction);
    return attach_clsact(interface, program, direction);
}

bool ec_kernel_attach_interface(ec_kernel *kernel, int ifindex, int linktype, bool loopback, GError **error)
{
    struct attached_interface interface = {.ifindex = ifindex, .links = {-1, -1}};
    bool ethernet = linktype == EC_LINKTYPE_ETHERNET;
    int err;

    if (loopback) {
        err = attach_tc(kernel, &interface, kernel->skeleton->progs.ec_packet_lo, EGRESS);
    } else {
        err = attach_tc(kernel, &interface,
                        ethernet ? kernel->skeleton->progs.ec_packet_eth_in : kernel->skeleton->progs.ec_packet_ip_in,
                        INGRESS);
        if (!err)
            err = attach_tc(kernel, &interface,
                            ethernet ? kernel->skeleton->progs.ec_packet_eth_out
                                     : kernel->skeleton->progs.ec_packet_ip_out,
                            EGRESS);
    }
    if (err) {
        interface_clear(&interface);
        return fail(error, EC_SESSION_ERROR_INTERFACE, -err, "can't attach to the network interface",
                    "it may just have gone; name others with -i");
    }
    g_array_append_val(kernel->interfaces, interface);
    return true;
}

void ec_kernel_detach_interface(ec_kernel *kernel, int ifindex)
{
    for (guint i = 0; i < kernel->interfaces->len; i++) {
        struct attached_interface *interface = &g_array_index(kernel->interfaces, struct attached_interface, i);

        if (interface->ifindex != ifindex)
            continue;
        interface_clear(interface);
        g_array_remove_index_fast(kernel->interfaces, i);
        return;
    }
}

/* Those of one program, in one link. */
static bool attach_linked(ec_kernel *kernel, const char *path, enum ec_uprobe uprobe, bool at_return,
                          const struct ec_probe *probes, size_t n_probes)
{
    g_autofree uint64_t *offsets = g_new(uint64_t, n_probes), *cookies = g_new(uint64_t, n_probes);
    size_t n = 0;
    int fd;

    for (size_t i = 0; i < n_probes; i++) {
        if (probes[i].uprobe != uprobe || probes[i].at_return != at_return)
            continue;
        offsets[n] = probes[i].offset;
        cookies[n++] = probes[i].cookie;
    }
    if (n == 0)
        return true;
    fd = create_uprobe_multi(bpf_program__fd(choose_uprobe_program(kernel, uprobe)), path, offsets, cookies, n,
                             at_return);
    if (fd >= 0)
        g_array_append_val(kernel->uprobes, fd);
    return fd >= 0;
}

/* Likewise, one by one. */
static bool attach_singly(ec_kernel *kernel, const char *path, enum ec_uprobe uprobe, bool at_return,
                          const struct ec_probe *probes, size_t n_probes)
{
    struct bpf_program *program = choose_uprobe_program(kernel, uprobe);

    for (size_t i = 0; i < n_probes; i++) {
        LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = probes[i].cookie, .retprobe = at_return);

        if (probes[i].uprobe == uprobe && probes[i].at_return == at_return &&
            !keep_link(kernel, bpf_program__attach_uprobe_opts(program, -1, path, probes[i].offset, &options)))
            return false;
    }
    return true;
}

bool ec_kernel_attach_probes(ec_kernel *kernel, int fd, const struct ec_probe *probes, size_t n_probes, GError **error)
{
    const bool links = kernel->ways[EC_JOB_UPROBES] == EC_WAY_UPROBES_LINKS;
    char path[32];

    /* The descriptor reaches the file in any mount namespace, and when it was deleted. */
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    /* The last first: what waits for a call's return must be there before what sees its beginning. */
    for (enum ec_uprobe uprobe = EC_UPROBE_MAX; uprobe-- > 0;)
        for (int at_return = 1; at_return >= 0; at_return--)
            if (!(links ? attach_linked : attach_singly)(kernel, path, uprobe, at_return, probes, n_probes))
                return fail(error, EC_SESSION_ERROR_LIBRARY, errno, "can't attach to the file",
                            "it needs CONFIG_UPROBES=y and cap_perfmon; before Linux 6.6 run as root");
    return true;
}

bool ec_kernel_add_layout(ec_kernel *kernel, const struct ec_mysqld_layout *layout, uint32_t *ret_number,
                          GError **error)
{
    uint32_t number = kernel->n_layouts;

    if (number == EC_LAYOUTS_MAX || bpf_map__update_elem(kernel->skeleton->maps.mysqld_layouts, &number, sizeof(number),
                                                         layout, sizeof(*layout), BPF_ANY))
        return fail(error, EC_SESSION_ERROR_LIBRARY, number == EC_LAYOUTS_MAX ? ENOSPC : errno,
                    "can't keep where the server has its data", "restart the capture");
    *ret_number = number;
    kernel->n_layouts++;
    return true;
}

bool ec_kernel_add_pid(ec_kernel *kernel, uint32_t pid, GError **error)
{
    const uint8_t one = 1;

    if (bpf_map__update_elem(kernel->skeleton->maps.pids, &pid, sizeof(pid), &one, sizeof(one), BPF_ANY) == 0)
        return true;
    return fail(error, EC_SESSION_ERROR_PROCESS, errno, "can't add a process to the filter", "name fewer with -p");
}

int ec_kernel_get_packets_fd(const ec_kernel *kernel)
{
    return bpf_map__fd(kernel->skeleton->maps.packets);
}

int ec_kernel_get_events_fd(const ec_kernel *kernel)
{
    return bpf_map__fd(kernel->skeleton->maps.events);
}

size_t ec_kernel_get_events_size(const ec_kernel *kernel)
{
    return bpf_map__max_entries(kernel->skeleton->maps.events);
}

int ec_kernel_get_messages_fd(const ec_kernel *kernel)
{
    return bpf_map__fd(kernel->skeleton->maps.messages);
}

struct ec_wake *ec_kernel_get_wake(ec_kernel *kernel)
{
    return &kernel->skeleton->bss->wake;
}

/* The counter's value on each possible CPU, g_free; NULL: it can't be read. */
static uint64_t *read_counter(const ec_kernel *kernel, uint32_t counter, int *ret_cpus)
{
    int cpus = libbpf_num_possible_cpus();
    g_autofree uint64_t *values = cpus > 0 ? g_new(uint64_t, (gsize)cpus) : NULL;

    if (!values || bpf_map_lookup_elem(bpf_map__fd(kernel->skeleton->maps.counters), &counter, values))
        return NULL;
    *ret_cpus = cpus;
    return g_steal_pointer(&values);
}

bool ec_kernel_get_counters(const ec_kernel *kernel, uint64_t ret_counters[static EC_COUNT_MAX])
{
    uint64_t sums[EC_COUNT_MAX] = {0};

    for (uint32_t counter = 0; counter < EC_COUNT_MAX; counter++) {
        int cpus;
        g_autofree uint64_t *values = read_counter(kernel, counter, &cpus);

        if (!values)
            return false;
        for (int cpu = 0; cpu < cpus; cpu++)
            sums[counter] += values[cpu];
    }
    memcpy(ret_counters, sums, sizeof(sums));
    return true;
}

char *ec_kernel_format_ring_drops(const ec_kernel *kernel)
{
    GString *text = g_string_new(NULL);
    unsigned named = 0;
    int cpus = 0;
    g_autofree uint64_t *values = read_counter(kernel, EC_DROP_PACKET_RING_FULL, &cpus);

    for (int cpu = 0; values && cpu < cpus && named <= DROPPING_CPUS_MAX; cpu++) {
        if (!values[cpu])
            continue;
        if (named++ < DROPPING_CPUS_MAX)
            g_string_append_printf(text, "%s%d=%" G_GUINT64_FORMAT, text->len ? " " : "", cpu, values[cpu]);
        else
            g_string_append(text, " …");
    }
    return g_string_free(text, FALSE);
}
