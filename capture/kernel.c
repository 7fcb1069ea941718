/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel.h"

#include "cgroup.h"
#include "log.h"
#include "programs.h"
#include "seed.h"
#include "session.h"
#include "tc.h"
#include "uprobe.h"
#include "way.h"

#include "ecapture.skel.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* So many CPUs are named with what they lost. */
enum { DROPPING_CPUS_MAX = 32 };
/* Connections, and calls under way, that plaintext is taken of at once: the least recently used is forgotten. */
enum { PLAINTEXT_ENTRIES = 65536 };
/* Threads that take probes away. */
enum { CLOSERS = 16 };

/* Attached to a file. */
struct uprobe {
    int file; /* the descriptor by which it was attached */
    int link; /* detaches it when it is closed */
};

struct ec_kernel {
    struct ecapture_bpf *skeleton;
    GPtrArray *links;     /* struct bpf_link *: owners, processes, libraries */
    GArray *uprobes;      /* struct uprobe */
    GThreadPool *closers; /* of descriptors; NULL: nothing was detached yet */
    uint32_t n_layouts;   /* in the map mysqld_layouts */
    GArray *interfaces;   /* struct ec_tc_interface */
    enum ec_way ways[EC_JOB_MAX];
    int no_types; /* descriptor of an empty BTF, -1: not needed */
};

static void link_free(gpointer link)
{
    bpf_link__destroy(link);
}

static void close_pushed(gpointer descriptor, gpointer data)
{
    (void)data;
    close(GPOINTER_TO_INT(descriptor) - 1);
}

/* For each the kernel waits until no program runs at it any more (RCU), up to 0.1 s: many wait at once. The threads
 * begin when the first is needed, which is after this one has given up its privileges. */
static void detach(ec_kernel *kernel, guint uprobe)
{
    int link = g_array_index(kernel->uprobes, struct uprobe, uprobe).link;

    if (!kernel->closers)
        kernel->closers = g_thread_pool_new(close_pushed, NULL, CLOSERS, FALSE, NULL);
    g_array_remove_index_fast(kernel->uprobes, uprobe);
    g_thread_pool_push(kernel->closers, GINT_TO_POINTER(link + 1), NULL); /* NULL can't be pushed */
}

void ec_kernel_detach_probes(ec_kernel *kernel, GHashTable *fds)
{
    for (guint i = kernel->uprobes->len; i-- > 0;)
        if (g_hash_table_contains(fds, GINT_TO_POINTER(g_array_index(kernel->uprobes, struct uprobe, i).file)))
            detach(kernel, i);
}

void ec_kernel_free(ec_kernel *kernel)
{
    if (!kernel)
        return;
    for (guint i = 0; i < kernel->interfaces->len; i++)
        ec_tc_detach(&g_array_index(kernel->interfaces, struct ec_tc_interface, i));
    while (kernel->uprobes->len > 0)
        detach(kernel, kernel->uprobes->len - 1);
    if (kernel->closers)
        g_thread_pool_free(kernel->closers, FALSE, TRUE);
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
                    "SELinux (ausearch -m avc), AppArmor (dmesg) or a seccomp profile forbids it; before Linux 5.11 "
                    "\"ulimit -l unlimited\" may be needed");
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
    return ec_ways_have(kernel->ways, way);
}

/* Room for as many sockets as one machine is likely to use within a short time; others make room. */
enum { TOUCHED_MAX = 65536 };
/* Tasks that have not yet been asked who they are. */
enum { HEIRS_MAX = 16384 };

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
    settings->heirs = has_way(kernel, EC_WAY_PROCESSES_TASKS) && config->bpf.follow_forks;
    settings->attach_cookie = !has_way(kernel, EC_WAY_UPROBES_COPIES);
    for (size_t i = 0; config->bpf.plaintext != EC_PLAINTEXT_NONE && i < G_N_ELEMENTS(plaintext); i++)
        bpf_map__set_max_entries(plaintext[i], PLAINTEXT_ENTRIES);
    if (settings->heirs)
        bpf_map__set_max_entries(kernel->skeleton->maps.heirs, HEIRS_MAX);
    if (settings->touched)
        bpf_map__set_max_entries(kernel->skeleton->maps.touched, TOUCHED_MAX);
    bpf_map__set_max_entries(kernel->skeleton->maps.near, (uint32_t)config->near_size);
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
        g_autofree char *missing = ec_job_describe_missing(config->features, job);

        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_KERNEL, "not supported on this kernel: %s; missing %s",
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
    kernel->uprobes = g_array_new(FALSE, FALSE, sizeof(struct uprobe));
    kernel->interfaces = g_array_new(FALSE, TRUE, sizeof(struct ec_tc_interface));
    if (!choose_ways(kernel, config, error))
        return NULL;
    types = open_types(kernel, config->btf_file);
    kernel->skeleton = open_skeleton(config, types);
    if (!kernel->skeleton) {
        fail(error, EC_SESSION_ERROR_KERNEL, errno, "can't open the eBPF programs", "report it");
        return NULL;
    }
    choose_settings(kernel, config);
    ec_programs_choose(kernel->skeleton->obj, kernel->ways, config);
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
        const enum bpf_prog_type type = bpf_program__type(program);

        if (bpf_program__autoload(program) && (type == BPF_PROG_TYPE_TRACING || type == BPF_PROG_TYPE_RAW_TRACEPOINT) &&
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

bool ec_kernel_attach_interface(ec_kernel *kernel, int ifindex, int linktype, bool loopback, GError **error)
{
    const struct ecapture_bpf *skeleton = kernel->skeleton;
    struct ec_tc_interface interface = EC_TC_INTERFACE(ifindex);
    bool ethernet = linktype == EC_LINKTYPE_ETHERNET, tcx = has_way(kernel, EC_WAY_PACKETS_TCX);
    const struct bpf_program *in = ethernet ? skeleton->progs.ec_packet_eth_in : skeleton->progs.ec_packet_ip_in;
    const struct bpf_program *out = loopback   ? skeleton->progs.ec_packet_lo
                                    : ethernet ? skeleton->progs.ec_packet_eth_out
                                               : skeleton->progs.ec_packet_ip_out;
    int err = loopback ? 0 : ec_tc_attach(&interface, in, EC_TC_INGRESS, tcx);

    if (!err)
        err = ec_tc_attach(&interface, out, EC_TC_EGRESS, tcx);
    if (err) {
        ec_tc_detach(&interface);
        return fail(error, EC_SESSION_ERROR_INTERFACE, -err, "can't attach to the network interface",
                    "it may just have gone; name others with -i");
    }
    g_array_append_val(kernel->interfaces, interface);
    return true;
}

void ec_kernel_detach_interface(ec_kernel *kernel, int ifindex)
{
    for (guint i = 0; i < kernel->interfaces->len; i++) {
        struct ec_tc_interface *interface = &g_array_index(kernel->interfaces, struct ec_tc_interface, i);

        if (interface->ifindex != ifindex)
            continue;
        ec_tc_detach(interface);
        g_array_remove_index_fast(kernel->interfaces, i);
        return;
    }
}

static bool keep_uprobe(ec_kernel *kernel, int file, int link)
{
    const struct uprobe uprobe = {file, link};

    if (link >= 0)
        g_array_append_val(kernel->uprobes, uprobe);
    return link >= 0;
}

/* The descriptor reaches the file in any mount namespace, and when it was deleted. */
static void format_path(int file, char path[static 32])
{
    g_snprintf(path, 32, "/proc/self/fd/%d", file);
}

/* Those of one program, in one link. */
static bool attach_linked(ec_kernel *kernel, int file, enum ec_uprobe uprobe, bool at_return,
                          const struct ec_probe *probes, size_t n_probes)
{
    g_autofree uint64_t *offsets = g_new(uint64_t, n_probes), *cookies = g_new(uint64_t, n_probes);
    char path[32];
    size_t n = 0;

    for (size_t i = 0; i < n_probes; i++) {
        if (probes[i].uprobe != uprobe || probes[i].at_return != at_return)
            continue;
        offsets[n] = probes[i].offset;
        cookies[n++] = probes[i].cookie;
    }
    if (n == 0)
        return true;
    format_path(file, path);
    return keep_uprobe(
        kernel, file,
        ec_uprobe_attach_link(bpf_program__fd(ec_programs_get_uprobe(kernel->skeleton->obj, kernel->ways, uprobe)),
                              path, offsets, cookies, n, at_return));
}

/* Likewise, one by one. */
static bool attach_singly(ec_kernel *kernel, int file, enum ec_uprobe uprobe, bool at_return,
                          const struct ec_probe *probes, size_t n_probes)
{
    const struct bpf_program *program = ec_programs_get_uprobe(kernel->skeleton->obj, kernel->ways, uprobe);

    char path[32];

    format_path(file, path);
    for (size_t i = 0; i < n_probes; i++) {
        int link;

        if (probes[i].uprobe != uprobe || probes[i].at_return != at_return)
            continue;
        link = has_way(kernel, EC_WAY_UPROBES_EVENTS)
                   ? ec_uprobe_attach_event(bpf_program__fd(program), path, &probes[i])
                   : ec_uprobe_attach_copy(program, path, &probes[i]);
        if (!keep_uprobe(kernel, file, link))
            return false;
    }
    return true;
}

bool ec_kernel_attach_probes(ec_kernel *kernel, int fd, const struct ec_probe *probes, size_t n_probes, GError **error)
{
    const bool links = has_way(kernel, EC_WAY_UPROBES_LINKS);

    if (n_probes > 0 && ec_programs_need_types(probes[0].uprobe) && has_way(kernel, EC_WAY_TYPES_NONE)) {
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY,
                    "shells can't be hooked on a kernel without BTF: give its types by --btf");
        return false;
    }
    /* The last first: what waits for a call's return must be there before what sees its beginning. */
    for (enum ec_uprobe uprobe = EC_UPROBE_MAX; uprobe-- > 0;)
        for (int at_return = 1; at_return >= 0; at_return--)
            if (!(links ? attach_linked : attach_singly)(kernel, fd, uprobe, at_return, probes, n_probes))
                return fail(error, EC_SESSION_ERROR_LIBRARY, errno, "can't attach to the file",
                            "it needs CONFIG_UPROBES=y and cap_perfmon; before Linux 6.6 run as root");
    return true;
}

bool ec_kernel_probes_as_admin(const ec_kernel *kernel)
{
    return !has_way(kernel, EC_WAY_UPROBES_LINKS);
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

int ec_kernel_get_near_fd(const ec_kernel *kernel)
{
    return bpf_map__fd(kernel->skeleton->maps.near);
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
