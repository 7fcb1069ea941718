/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

#include "cgroup.h"
#include "log.h"
#include "module.h"
#include "seed.h"
#include "session.h"
#include "uprobe.h"
#include "way.h"

#include "ecapture.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h, Linux 6.6 (commit e420bed02507); older headers lack them. */
enum { TCX_INGRESS = 46, TCX_EGRESS = 47, TCX_BEFORE = 1 << 3 };
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
    int no_types; /* descriptor of an empty BTF, -1: not needed */
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
    if (kernel->no_types >= 0)
        close(kernel->no_types);
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
    if (err == ENOMEM)
        return fail(error, EC_SESSION_ERROR_KERNEL, err, "can't load the eBPF programs", "use a smaller --mapsize");
    return fail(error, EC_SESSION_ERROR_KERNEL, err, "the kernel refuses the eBPF programs",
                "see why with --log-level debug, and report it");
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
static struct ecapture_bpf *open_skeleton(const struct ec_kernel_config *config, const char *types)
{
    /* BPF_LOG_STATS (Linux 5.2): the verifier tells what each program cost it. */
    LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = types,
                .kernel_log_level = ec_log_shows(EC_LOG_DEBUG) ? 4 : 0);
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
        err = bpf_object__open_skeleton(skeleton->skeleton, &options);
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

static bool has_way(const ec_kernel *kernel, enum ec_way way)
{
    return kernel->ways[ec_way_infos[way].job] == way;
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
    [EC_UPROBE_PRF] = {"ec_prf", "ec_prf_nosleep", 1u << EC_MODULE_TLS},
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

/* Those of shells read the terminal's name. */
static bool needs_types(enum ec_uprobe uprobe)
{
    return (uprobes[uprobe].modules & SHELL_MODULES) != 0;
}

static bool wants_uprobe(const ec_kernel *kernel, enum ec_uprobe uprobe, unsigned modules)
{
    const bool plaintext = uprobe >= EC_UPROBE_PLAINTEXT_ENTER && uprobe <= EC_UPROBE_PLAINTEXT_GO_LEAVE;

    if (needs_types(uprobe) && has_way(kernel, EC_WAY_TYPES_NONE))
        return false;
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
            bpf_program__set_expected_attach_type(used, EC_TRACE_UPROBE_MULTI);
    }
}

/* Programs that need a way to be chosen; all others are loaded always. */
static const struct {
    enum ec_way way;
    const char *program;
    const char *function; /* that it is attached to, if not every kernel has it (IPv6 may be left out, or a module) */
} optional[] = {
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_state", NULL},
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_send", NULL},
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_recv", NULL},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_state", NULL},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_tcp_sendmsg", "tcp_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_tcp_recvmsg", "tcp_recvmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udp_sendmsg", "udp_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udp_recvmsg", "udp_recvmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udpv6_sendmsg", "udpv6_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udpv6_recvmsg", "udpv6_recvmsg"},
    {EC_WAY_OWNERS_KPROBES, "ec_touch", NULL},
    {EC_WAY_OWNERS_KPROBES, "ec_forget", NULL},
    {EC_WAY_NEW_SOCKETS_CGROUP, "ec_owner_create", NULL},
    {EC_WAY_OLD_SOCKETS_ITERATOR, "ec_owner_seed", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_process_exit", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_process_fork", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_shell_exec", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_shell_exit", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_send", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_recv", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_exit", NULL},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_tcp_sendmsg", "tcp_sendmsg"},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_tcp_recvmsg", "tcp_recvmsg"},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_exit", NULL},
};

/* Of the optional ones. */
static void drop_programs(struct bpf_object *object, const char *prefix)
{
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        if (g_str_has_prefix(optional[i].program, prefix))
            bpf_program__set_autoload(bpf_object__find_program_by_name(object, optional[i].program), false);
}

/* Before the load: programs for what this kernel lacks would fail it. */
static void choose_programs(ec_kernel *kernel, const struct ec_kernel_config *config)
{
    struct bpf_object *object = kernel->skeleton->obj;

    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        bpf_program__set_autoload(bpf_object__find_program_by_name(object, optional[i].program), false);
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        if (has_way(kernel, optional[i].way) &&
            (!optional[i].function || ec_features_has_function(config->features, optional[i].function)))
            bpf_program__set_autoload(bpf_object__find_program_by_name(object, optional[i].program), true);
    if (!config->bpf.follow_forks)
        bpf_program__set_autoload(kernel->skeleton->progs.ec_process_fork, false);
    if (!wants_plaintext(kernel))
        drop_programs(object, "ec_plaintext_");
    if (!(config->modules & SHELL_MODULES))
        drop_programs(object, "ec_shell_e");
}

/* Room for as many sockets as one machine is likely to use within a short time; others make room. */
enum { TOUCHED_MAX = 65536 };

static void choose_settings(ec_kernel *kernel, const struct ec_kernel_config *config)
{
    struct ec_bpf_config *settings = (struct ec_bpf_config *)&kernel->skeleton->rodata->config;
    struct bpf_map *plaintext[] = {kernel->skeleton->maps.connections, kernel->skeleton->maps.go_handshakes,
                                   kernel->skeleton->maps.calls, kernel->skeleton->maps.insides,
                                   kernel->skeleton->maps.plaintext_processes};

    settings->types = has_way(kernel, EC_WAY_TYPES_KERNEL) ? EC_TYPES_KERNEL
                      : has_way(kernel, EC_WAY_TYPES_FILE) ? EC_TYPES_FILE
                                                           : EC_TYPES_NONE;
    settings->touched = has_way(kernel, EC_WAY_OWNERS_KPROBES);
    settings->attach_cookie = !has_way(kernel, EC_WAY_UPROBES_COPIES);
    for (size_t i = 0; wants_plaintext(kernel) && i < G_N_ELEMENTS(plaintext); i++)
        bpf_map__set_max_entries(plaintext[i], PLAINTEXT_ENTRIES);
    if (settings->touched)
        bpf_map__set_max_entries(kernel->skeleton->maps.touched, TOUCHED_MAX);
    bpf_map__set_max_entries(kernel->skeleton->maps.packets, (uint32_t)config->ring_size);
    bpf_map__set_max_entries(kernel->skeleton->maps.messages, (uint32_t)config->messages_size);
}

/* libbpf wants types of the kernel where any program reads a structure of it. Without any, it gets an empty set: what
 * can't be resolved then stands in code that config.types leaves out. NULL: the kernel's own; free with g_free(). */
static char *open_types(ec_kernel *kernel, const char *btf_file)
{
    struct btf *empty;
    const void *data;
    uint32_t size;

    if (has_way(kernel, EC_WAY_TYPES_KERNEL))
        return NULL;
    if (has_way(kernel, EC_WAY_TYPES_FILE))
        return g_strdup(btf_file);
    empty = btf__new_empty();
    data = empty ? btf__raw_data(empty, &size) : NULL;
    kernel->no_types = memfd_create("ecapture-no-types", MFD_CLOEXEC);
    if (data && kernel->no_types >= 0 && write(kernel->no_types, data, size) != (ssize_t)size)
        ec_log_debug("the empty set of types could not be written: %s", g_strerror(errno));
    btf__free(empty);
    return g_strdup_printf("/proc/self/fd/%d", kernel->no_types);
}

static bool choose_ways(ec_kernel *kernel, const struct ec_kernel_config *config, GError **error)
{
    for (enum ec_job job = 0; job < EC_JOB_MAX; job++) {
        kernel->ways[job] = ec_way_choose(config->features, job);
        if (kernel->ways[job] != EC_WAY_MAX)
            continue;
        g_autofree char *missing = ec_way_describe_missing(config->features, ec_job_get_best_way(job));

        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_KERNEL, "this kernel has no way for %s; missing %s",
                    ec_job_get_name(job), missing);
        return false;
    }
    if (has_way(kernel, EC_WAY_PLAINTEXT_NONE) && config->bpf.plaintext != EC_PLAINTEXT_NONE) {
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_KERNEL,
                    "not supported on this kernel: plaintext, leave out --plaintext; \"ecapture doctor\" says what is "
                    "missing");
        return false;
    }
    if (!has_way(kernel, EC_WAY_OWNERS_NONE) || !(config->bpf.filter_pid || config->bpf.filter_uid))
        return true;
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_KERNEL,
                "this kernel doesn't tell whose a packet is: leave out --pid, --uid and a command, and see "
                "\"ecapture doctor\"");
    return false;
}

ec_kernel *ec_kernel_new(const struct ec_kernel_config *config, GError **error)
{
    g_autoptr(ec_kernel) kernel = g_new0(ec_kernel, 1);
    g_autofree char *types = NULL;

    kernel->no_types = -1;
    kernel->links = g_ptr_array_new_with_free_func(link_free);
    kernel->uprobes = g_array_new(FALSE, FALSE, sizeof(int));
    kernel->interfaces = g_array_new(FALSE, TRUE, sizeof(struct attached_interface));
    if (!choose_ways(kernel, config, error))
        return NULL;
    types = open_types(kernel, config->btf_file);
    kernel->skeleton = open_skeleton(config, types);
    if (!kernel->skeleton) {
        fail(error, EC_SESSION_ERROR_KERNEL, errno, "can't open the eBPF programs", "report it");
        return NULL;
    }
    choose_settings(kernel, config);
    choose_uprobe_programs(kernel, config->modules);
    choose_programs(kernel, config);
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

/* Functions that a process calls on a socket that it uses, their first argument. IPv6 may be missing. */
static const char *const touching[] = {"tcp_connect", "inet_csk_listen_start", "tcp_sendmsg",   "tcp_recvmsg",
                                       "udp_sendmsg", "udp_recvmsg",           "udpv6_sendmsg", "udpv6_recvmsg"};

static bool attach_kprobes(ec_kernel *kernel, GError **error)
{
    struct ecapture_bpf *skeleton = kernel->skeleton;
    size_t attached = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(touching); i++)
        attached += keep_link(kernel, bpf_program__attach_kprobe(skeleton->progs.ec_touch, false, touching[i]));
    if (attached > 0 &&
        keep_link(kernel, bpf_program__attach_kprobe(skeleton->progs.ec_forget, false, "inet_sock_destruct")))
        return true;
    return fail(error, EC_SESSION_ERROR_KERNEL, errno, "can't attach kprobes",
                "this kernel lacks what names the process of a packet; see \"ecapture doctor\"");
}

static bool accepts_process(uint32_t pid, uint32_t uid, void *data)
{
    const ec_kernel *kernel = data;
    const struct ec_bpf_config *config = (const struct ec_bpf_config *)&kernel->skeleton->rodata->config;
    uint8_t value;

    if (config->filter_pid &&
        bpf_map__lookup_elem(kernel->skeleton->maps.pids, &pid, sizeof(pid), &value, sizeof(value), 0))
        return false;
    return !config->filter_uid || uid == config->uid;
}

/* Of the tracing programs that are loaded those of this name, each where it says itself. */
static bool attach_tracing_programs(ec_kernel *kernel, const char *prefix, GError **error)
{
    struct bpf_program *program;

    bpf_object__for_each_program(program, kernel->skeleton->obj)
    {
        if (bpf_program__autoload(program) && bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
            bpf_program__expected_attach_type(program) != BPF_TRACE_ITER &&
            g_str_has_prefix(bpf_program__name(program), prefix) && !attach_tracing(kernel, program, error))
            return false;
    }
    return true;
}

bool ec_kernel_attach_plaintext(ec_kernel *kernel, GError **error)
{
    return attach_tracing_programs(kernel, "ec_plaintext_", error);
}

bool ec_kernel_attach_processes(ec_kernel *kernel, GError **error)
{
    return attach_tracing_programs(kernel, "ec_process_", error) && attach_tracing_programs(kernel, "ec_shell_", error);
}

bool ec_kernel_attach_owners(ec_kernel *kernel, GError **error)
{
    if (!attach_tracing_programs(kernel, "ec_owner_", error))
        return false;
    if (has_way(kernel, EC_WAY_OWNERS_KPROBES) && !attach_kprobes(kernel, error))
        return false;
    if (has_way(kernel, EC_WAY_NEW_SOCKETS_CGROUP))
        attach_cgroup(kernel);
    if (has_way(kernel, EC_WAY_OLD_SOCKETS_ITERATOR))
        return seed_owners(kernel, error);
    if (has_way(kernel, EC_WAY_OLD_SOCKETS_BORROW))
        ec_log_debug("%u sockets from before",
                     ec_seed_sockets(bpf_map__fd(kernel->skeleton->maps.sockets), accepts_process, kernel));
    return true;
}

void ec_kernel_take_fork(ec_kernel *kernel, uint32_t pid, uint32_t parent)
{
    struct bpf_map *pids = kernel->skeleton->maps.pids;
    uint8_t one;

    if (!has_way(kernel, EC_WAY_PROCESSES_EVENTS) || pid == parent || !kernel->skeleton->rodata->config.follow_forks)
        return;
    if (bpf_map__lookup_elem(pids, &parent, sizeof(parent), &one, sizeof(one), 0) == 0)
        bpf_map__update_elem(pids, &pid, sizeof(pid), &one, sizeof(one), BPF_ANY);
}

void ec_kernel_take_exit(ec_kernel *kernel, uint32_t pid)
{
    if (has_way(kernel, EC_WAY_PROCESSES_EVENTS))
        bpf_map__delete_elem(kernel->skeleton->maps.pids, &pid, sizeof(pid), 0);
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
    if (has_way(kernel, EC_WAY_PACKETS_TCX))
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
    fd = ec_uprobe_attach_link(bpf_program__fd(choose_uprobe_program(kernel, uprobe)), path, offsets, cookies, n,
                               at_return);
    if (fd >= 0)
        g_array_append_val(kernel->uprobes, fd);
    return fd >= 0;
}

/* Likewise, one by one. */
static bool attach_singly(ec_kernel *kernel, const char *path, enum ec_uprobe uprobe, bool at_return,
                          const struct ec_probe *probes, size_t n_probes)
{
    const struct bpf_program *program = choose_uprobe_program(kernel, uprobe);

    for (size_t i = 0; i < n_probes; i++) {
        int fd;

        if (probes[i].uprobe != uprobe || probes[i].at_return != at_return)
            continue;
        fd = has_way(kernel, EC_WAY_UPROBES_EVENTS) ? ec_uprobe_attach_event(bpf_program__fd(program), path, &probes[i])
                                                    : ec_uprobe_attach_copy(program, path, &probes[i]);
        if (fd < 0)
            return false;
        g_array_append_val(kernel->uprobes, fd);
    }
    return true;
}

bool ec_kernel_attach_probes(ec_kernel *kernel, int fd, const struct ec_probe *probes, size_t n_probes, GError **error)
{
    const bool links = has_way(kernel, EC_WAY_UPROBES_LINKS);
    char path[32];

    /* The descriptor reaches the file in any mount namespace, and when it was deleted. */
    g_snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    /* The last first: what waits for a call's return must be there before what sees its beginning. */
    if (n_probes > 0 && needs_types(probes[0].uprobe) && has_way(kernel, EC_WAY_TYPES_NONE)) {
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY,
                    "shells can't be hooked on a kernel without BTF: give its types by --btf");
        return false;
    }
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
