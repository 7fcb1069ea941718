/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thread, one epoll. What wakes it: a ring (only when the programs were asked to, see sleep_until_data), a new
 * interface, a new mapping, a signal, the end of the command, the reader's going away.
 */
#include "session.h"

#include "diagnosis.h"
#include "filter.h"
#include "hooks.h"
#include "interface.h"
#include "kernel.h"
#include "log.h"
#include "privilege.h"
#include "stream.h"

#include <errno.h>
#include <pcap/dlt.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

G_DEFINE_QUARK(ec - session - error - quark, ec_session_error)

/*
 * How long the reader sleeps, ms. Idle: the next record wakes it. Batching: so many packets come that
 * one wake-up for all of this time is cheaper. Holding: a secret is due within about a millisecond. Crowded, held
 * packets or not: each wake-up takes a CPU from those who make the packets, and a longer write costs less a byte.
 */
enum { SLEEP_IDLE_MS = 250, SLEEP_BATCH_MS = 5, SLEEP_HOLD_MS = 2, SLEEP_CROWD_MS = 20 };
/* Packets and messages of a batch from which on the next one is crowded. */
enum { CROWD_PACKETS = 32 };
/* Batches without a packet before the reader goes back to sleeping idle. */
enum { BATCHES_EMPTY_MAX = 4 };
/* After the command has ended: its last packets are still under way. */
enum { DRAIN_MS = 100 };
enum { PROGRESS_MS = 1000, REPORT_MS = 10000 };

enum source {
    SOURCE_PACKETS,
    SOURCE_EVENTS,
    SOURCE_MESSAGES,
    SOURCE_SIGNAL,
    SOURCE_INTERFACES,
    SOURCE_HOOKS,
    SOURCE_SINK,
    SOURCE_CHILD
};

struct ec_session {
    struct ec_session_config config;
    ec_filter *filter_eth, *filter_ip;
    ec_kernel *kernel;
    ec_hooks *hooks;
    ec_interface_list *interfaces;
    ec_stream *stream;
    GHashTable *attached; /* set of ifindex */
    int epoll;
    int signals;
    int signal; /* ec_session_get_signal() */
    int child;  /* pidfd, -1: none */
    unsigned batches_empty;
    uint64_t next_progress, next_report; /* ms, CLOCK_MONOTONIC */
    uint64_t stop_at;                    /* likewise; 0: no end set */
    bool stopping;
    struct ec_statistics statistics;
    char *ring_drops; /* drop_ring of them by CPU, "" if there are none */
    void (*progress)(const struct ec_statistics *total, void *data);
    void *progress_data;
};

static uint64_t read_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void ec_session_free(ec_session *session)
{
    if (!session)
        return;
    close_fd(session->epoll);
    close_fd(session->signals);
    close_fd(session->child);
    ec_stream_free(session->stream);
    ec_interface_list_free(session->interfaces);
    ec_hooks_free(session->hooks);
    ec_kernel_free(session->kernel);
    ec_filter_free(session->filter_eth);
    ec_filter_free(session->filter_ip);
    g_hash_table_unref(session->attached);
    g_strfreev((char **)session->config.interfaces);
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        g_strfreev((char **)session->config.paths[i]);
    g_free(session->ring_drops);
    g_free((char *)session->config.filter);
    g_free((char *)session->config.program);
    g_free((char *)session->config.btf_file);
    g_free((uint32_t *)session->config.pids);
    g_free(session);
}

static void copy_config(ec_session *session, const struct ec_session_config *config)
{
    struct ec_session_config *copy = &session->config;

    *copy = *config;
    copy->interfaces = (const char *const *)g_strdupv((char **)config->interfaces);
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        copy->paths[i] = (const char *const *)g_strdupv((char **)config->paths[i]);
    copy->filter = config->filter && *config->filter ? g_strdup(config->filter) : NULL;
    copy->program = g_strdup(config->program);
    copy->btf_file = g_strdup(config->btf_file);
    copy->pids = g_memdup2(config->pids, config->n_pids * sizeof(*config->pids));
    copy->ring_size = (size_t)sysconf(_SC_PAGESIZE);
    while (copy->ring_size < config->ring_size)
        copy->ring_size *= 2;
}

static bool check_pids(const ec_session *session, GError **error)
{
    for (size_t i = 0; i < session->config.n_pids; i++) {
        uint32_t pid = session->config.pids[i];

        if (pid > 0 && pid <= INT32_MAX && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
            continue;
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_PROCESS,
                    "there is no process %u: \"ecapture list\" shows those that use TLS", pid);
        return false;
    }
    return true;
}

static bool compile_filters(ec_session *session, GError **error)
{
    const struct ec_session_config *config = &session->config;
    g_autoptr(GError) refusal = NULL;

    if (!config->filter)
        return true;
    session->filter_eth = ec_filter_new(config->filter, DLT_EN10MB, config->snaplen, &refusal);
    session->filter_ip = ec_filter_new(config->filter, DLT_RAW, config->snaplen, session->filter_eth ? NULL : &refusal);
    if (!session->filter_eth && !session->filter_ip) {
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_FILTER, "capture filter \"%s\": %s: see pcap-filter(7)",
                    config->filter, refusal->message);
        return false;
    }
    /* Valid for one link type only ("ether host", "arp"): on the other it matches nothing. */
    if (!session->filter_eth)
        session->filter_eth = ec_filter_new_reject();
    if (!session->filter_ip)
        session->filter_ip = ec_filter_new_reject();
    return true;
}

static bool wants_packets(const ec_session *session)
{
    return ec_modules_have(session->config.modules, true) && !session->config.no_packets;
}

static bool wants_messages(const ec_session *session)
{
    return ec_modules_have(session->config.modules, false) || session->config.plaintext != EC_PLAINTEXT_NONE;
}

/* A ring that is not wanted still has a page. */
static size_t get_messages_size(const ec_session *session)
{
    return wants_messages(session) ? session->config.ring_size : (size_t)sysconf(_SC_PAGESIZE);
}

/* Those of files that are named: their programs have to be there too. */
static unsigned get_path_modules(const ec_session *session)
{
    unsigned modules = 0;

    for (enum ec_module_id module = 0; module < EC_MODULE_MAX; module++)
        if (session->config.paths[module] && *session->config.paths[module])
            modules |= 1u << module;
    return modules;
}

/* Of the ring that is to stay in the cache (packet-rings.h), bytes: small beside a last-level cache, and yet more than
 * arrives in SLEEP_CROWD_MS on most machines. */
enum { NEAR_MAX = 4 << 20 };

static size_t get_near_size(const ec_session *session)
{
    return CLAMP(session->config.ring_size / 16, (size_t)sysconf(_SC_PAGESIZE), NEAR_MAX);
}

static bool load_kernel(ec_session *session, GError **error)
{
    const struct ec_session_config *config = &session->config;
    g_autoptr(ec_features) features = ec_features_new(config->btf_file);
    struct ec_kernel_config kernel = {
        .bpf = {.snaplen = config->snaplen,
                .near_wake_bytes = (uint32_t)(get_near_size(session) / 2),
                .wake_bytes = (uint32_t)(config->ring_size / 8),
                .message_wake_bytes = (uint32_t)(get_messages_size(session) / 8),
                .uid = config->uid,
                .filter_pid = config->n_pids > 0,
                .filter_uid = config->filter_uid,
                .follow_forks = config->follow_forks,
                .plaintext = (uint8_t)config->plaintext},
        .modules = config->modules | get_path_modules(session),
        .ring_size = config->ring_size,
        .near_size = get_near_size(session),
        .messages_size = get_messages_size(session),
        .filter_eth = session->filter_eth,
        .filter_ip = session->filter_ip,
        .features = features,
        .btf_file = config->btf_file,
    };

    ec_diagnosis_log(features);
    session->kernel = ec_kernel_new(&kernel, error);
    if (!session->kernel)
        return false;
    for (size_t i = 0; i < config->n_pids; i++)
        if (!ec_kernel_add_pid(session->kernel, config->pids[i], error))
            return false;
    return true;
}

static bool add_paths(ec_session *session, enum ec_module_id module, GError **error)
{
    for (const char *const *path = session->config.paths[module]; path && *path; path++)
        if (!ec_hooks_add_path(session->hooks, *path, module, error))
            return false;
    return true;
}

static bool attach_hooks(ec_session *session, GError **error)
{
    session->hooks =
        ec_hooks_new(session->kernel, session->config.modules, session->config.plaintext != EC_PLAINTEXT_NONE);
    for (enum ec_module_id module = 0; module < EC_MODULE_MAX; module++)
        if (!add_paths(session, module, error))
            return false;
    if (session->config.program)
        ec_hooks_add_program(session->hooks, session->config.program);
    if (wants_packets(session) && ec_hooks_get_count(session->hooks) == 0)
        ec_log_warning("no TLS library to hook was found: packets will not be decrypted until one is mapped");
    return true;
}

static bool is_hooked(uint32_t pid, void *data)
{
    ec_session *session = data;

    return ec_hooks_is_hooked(session->hooks, pid);
}

static unsigned explain(uint32_t pid, uint64_t time, const char **ret_reason, void *data)
{
    ec_session *session = data;

    return ec_hooks_explain(session->hooks, pid, time, ret_reason);
}

static bool open_stream(ec_session *session, GError **error)
{
    const struct ec_session_config *config = &session->config;
    struct ec_stream_config stream = {
        .near = {ec_kernel_get_near_fd(session->kernel), get_near_size(session)},
        .packets = {ec_kernel_get_packets_fd(session->kernel), config->ring_size},
        .events = {ec_kernel_get_events_fd(session->kernel), ec_kernel_get_events_size(session->kernel)},
        .messages = {ec_kernel_get_messages_fd(session->kernel),
                     wants_messages(session) ? get_messages_size(session) : 0},
        .filter_status = session->config.filter_status,
        .status = session->config.status,
        .filter_eth = session->filter_eth,
        .filter_ip = session->filter_ip,
        .filter_process = config->n_pids > 0 || config->filter_uid,
        .hold_ns = config->hold_ms * 1000000ull,
        .max_packets = config->max_packets,
        .verify = config->verify,
        .is_hooked = is_hooked,
        .explain = explain,
        .data = session,
    };

    session->stream = ec_stream_new(&stream, error);
    return session->stream != NULL;
}

static bool is_wanted(const ec_session *session, const char *name)
{
    const char *const *names = session->config.interfaces;

    return !names || !*names || g_strv_contains(names, "any") || g_strv_contains(names, name);
}

/* `required`: the user named it, so that it can't be captured is an error. */
static bool attach_interface(ec_session *session, const struct ec_interface *interface, bool required, GError **error)
{
    struct ec_sink_interface view = {.name = interface->name,
                                     .linktype = interface->linktype,
                                     .snaplen = session->config.snaplen,
                                     .filter = session->config.filter};
    gpointer key = GINT_TO_POINTER(interface->ifindex);
    g_autoptr(GError) reason = NULL;

    if (g_hash_table_contains(session->attached, key))
        return true;
    if (interface->reason) {
        if (required)
            g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_INTERFACE, "%s can't be captured: %s",
                        interface->name, interface->reason);
        return !required;
    }
    if (!ec_kernel_attach_interface(session->kernel, interface->ifindex, interface->linktype, interface->loopback,
                                    &reason)) {
        if (required)
            g_propagate_prefixed_error(error, g_steal_pointer(&reason), "%s: ", interface->name);
        else
            ec_log_warning("%s: %s", interface->name, reason->message);
        return !required;
    }
    g_hash_table_add(session->attached, key);
    ec_stream_add_interface(session->stream, interface->ifindex, &view);
    ec_log_info("capturing on %s", interface->name);
    return true;
}

static void on_interface(enum ec_interface_event event, const struct ec_interface *interface, const char *old_name,
                         void *data)
{
    ec_session *session = data;
    (void)old_name;

    if (event == EC_INTERFACE_UP && is_wanted(session, interface->name)) {
        attach_interface(session, interface, false, NULL);
    } else if (event == EC_INTERFACE_GONE &&
               g_hash_table_remove(session->attached, GINT_TO_POINTER(interface->ifindex))) {
        ec_kernel_detach_interface(session->kernel, interface->ifindex);
        ec_log_info("%s has gone", interface->name);
    }
}

static bool attach_named(ec_session *session, GError **error)
{
    const char *const *name = session->config.interfaces;

    for (; name && *name; name++) {
        const struct ec_interface *interface = ec_interface_list_find(session->interfaces, *name);

        if (!strcmp(*name, "any"))
            continue;
        if (!interface) {
            g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_INTERFACE,
                        "there is no interface %s: \"ip link\" lists them", *name);
            return false;
        }
        if (!attach_interface(session, interface, true, error))
            return false;
    }
    return true;
}

/* Each interface that was named must be there now; "any" takes those that are up, and what comes. */
static bool attach_interfaces(ec_session *session, GError **error)
{
    GPtrArray *all;

    if (!wants_packets(session))
        return true;
    session->interfaces = ec_interface_list_new(error);
    if (!session->interfaces || !attach_named(session, error))
        return false;
    all = ec_interface_list_get(session->interfaces);
    for (guint i = 0; i < all->len; i++) {
        const struct ec_interface *interface = g_ptr_array_index(all, i);

        if (interface->up && is_wanted(session, interface->name) && !attach_interface(session, interface, false, error))
            return false;
    }
    return true;
}

static void read_interfaces(ec_session *session)
{
    g_autoptr(GError) reason = NULL;

    if (!ec_interface_list_read(session->interfaces, on_interface, session, &reason))
        ec_log_warning("interfaces that come up now may be missed: %s", reason->message);
}

static bool watch(ec_session *session, int fd, uint32_t events, enum source source, GError **error)
{
    struct epoll_event event = {.events = events, .data.u32 = source};

    /* A regular file can't be waited on and never goes away. */
    if (epoll_ctl(session->epoll, EPOLL_CTL_ADD, fd, &event) == 0 || errno == EPERM || errno == EEXIST)
        return true;
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_FAILED, "can't wait for events: %s: report it",
                g_strerror(errno));
    return false;
}

/* Rings edge-triggered: what waits in them must not wake us, only the programs' wake-ups. */
static bool watch_all(ec_session *session, GError **error)
{
    const int *hook_fd = ec_hooks_get_fds(session->hooks);
    g_autofree int *sink_fds = ec_stream_get_sink_fds(session->stream);
    bool ok = watch(session, ec_kernel_get_near_fd(session->kernel), EPOLLIN | EPOLLET, SOURCE_PACKETS, error) &&
              watch(session, ec_kernel_get_packets_fd(session->kernel), EPOLLIN | EPOLLET, SOURCE_PACKETS, error) &&
              watch(session, ec_kernel_get_events_fd(session->kernel), EPOLLIN | EPOLLET, SOURCE_EVENTS, error) &&
              watch(session, ec_kernel_get_messages_fd(session->kernel), EPOLLIN | EPOLLET, SOURCE_MESSAGES, error) &&
              watch(session, session->signals, EPOLLIN, SOURCE_SIGNAL, error);

    if (ok && session->interfaces)
        ok = watch(session, ec_interface_list_get_fd(session->interfaces), EPOLLIN, SOURCE_INTERFACES, error);
    for (; ok && *hook_fd >= 0; hook_fd++)
        ok = watch(session, *hook_fd, EPOLLIN, SOURCE_HOOKS, error);
    for (const int *fd = sink_fds; ok && *fd >= 0; fd++)
        ok = watch(session, *fd, 0, SOURCE_SINK, error);
    if (ok && session->child >= 0)
        ok = watch(session, session->child, EPOLLIN, SOURCE_CHILD, error);
    return ok;
}

ec_session *ec_session_new(const struct ec_session_config *config, GError **error)
{
    g_autoptr(ec_session) session = g_new0(ec_session, 1);

    session->epoll = session->signals = session->child = -1;
    session->attached = g_hash_table_new(g_direct_hash, g_direct_equal);
    session->ring_drops = g_strdup("");
    copy_config(session, config);
    if (!compile_filters(session, error) || !ec_privilege_check(error) || !check_pids(session, error) ||
        !load_kernel(session, error) || !ec_kernel_attach_processes(session->kernel, error) ||
        !attach_hooks(session, error) || (wants_packets(session) && !ec_kernel_attach_owners(session->kernel, error)) ||
        (config->plaintext != EC_PLAINTEXT_NONE && !ec_kernel_attach_plaintext(session->kernel, error)) ||
        !open_stream(session, error) || !attach_interfaces(session, error) ||
        !ec_privilege_drop(ec_kernel_probes_as_admin(session->kernel), error))
        return NULL;
    return g_steal_pointer(&session);
}

void ec_session_add_sink(ec_session *session, struct ec_sink *sink)
{
    ec_stream_add_sink(session->stream, sink);
}

void ec_session_set_child(ec_session *session, pid_t child)
{
    close_fd(session->child);
    session->child = (int)syscall(SYS_pidfd_open, child, 0);
    /* It has ended already. */
    if (session->child < 0)
        session->stop_at = read_clock_ms() + DRAIN_MS;
}

void ec_session_set_progress(ec_session *session, void (*progress)(const struct ec_statistics *total, void *data),
                             void *data)
{
    session->progress = progress;
    session->progress_data = data;
}

static void update_statistics(ec_session *session)
{
    struct ec_statistics *total = &session->statistics;
    uint64_t counters[EC_COUNT_MAX];

    ec_stream_get_statistics(session->stream, total);
    if (!ec_kernel_get_counters(session->kernel, counters))
        return;
    total->drop_ring = counters[EC_DROP_PACKET_RING_FULL];
    total->drop_read += counters[EC_DROP_PACKET_READ];
    total->drop_secret_ring = counters[EC_DROP_SECRET_RING_FULL];
    total->drop_secret_fault = counters[EC_DROP_SECRET_FAULT];
    total->drop_secret_invalid += counters[EC_DROP_SECRET_INVALID];
    total->drop_secret_unproven += counters[EC_DROP_SECRET_UNPROVEN];
    total->drop_owner_ring = counters[EC_DROP_OWNER_RING_FULL];
    total->drop_message_fault = counters[EC_DROP_MESSAGE_FAULT];
    total->drop_message_ring = counters[EC_DROP_MESSAGE_RING_FULL];
    total->truncated = counters[EC_COUNT_TRUNCATED];
    g_free(session->ring_drops);
    session->ring_drops = ec_kernel_format_ring_drops(session->kernel);
}

void ec_session_get_statistics(const ec_session *session, struct ec_statistics *ret_total)
{
    *ret_total = session->statistics;
}

char *ec_session_format_misses(const ec_session *session)
{
    return ec_stream_format_misses(session->stream);
}

const char *ec_session_get_ring_drops(const ec_session *session)
{
    return session->ring_drops;
}

static uint64_t count_losses(const struct ec_statistics *total)
{
    return total->drop_ring + total->drop_read + total->drop_secret_ring + total->drop_secret_fault +
           total->drop_secret_invalid + total->drop_secret_unproven + total->drop_owner_ring +
           total->drop_message_ring + total->drop_message_fault + total->drop_message_invalid + total->late_secrets;
}

/* The sinks hear every REPORT_MS, and within a second of a loss. */
static bool report(ec_session *session, uint64_t now, GError **error)
{
    uint64_t losses = count_losses(&session->statistics);

    if (now < session->next_progress)
        return true;
    session->next_progress = now + PROGRESS_MS;
    update_statistics(session);
    if (session->progress)
        session->progress(&session->statistics, session->progress_data);
    if (now < session->next_report && losses == count_losses(&session->statistics))
        return true;
    session->next_report = now + REPORT_MS;
    return ec_stream_report(session->stream, &session->statistics, session->ring_drops, error);
}

/* Asks the programs for the wake-up that this kind of sleep wants; false if something came in meanwhile. */
static bool prepare_sleep(ec_session *session, bool idle)
{
    struct ec_wake *wake = ec_kernel_get_wake(session->kernel);

    __atomic_store_n(&wake->on_any, idle, __ATOMIC_SEQ_CST);
    __atomic_store_n(&wake->on_fill, !idle, __ATOMIC_SEQ_CST);
    return !idle || !ec_stream_has_unread(session->stream);
}

static int choose_sleep(ec_session *session, enum ec_stream_state state)
{
    bool idle = state == EC_STREAM_IDLE && ++session->batches_empty > BATCHES_EMPTY_MAX;

    if (state != EC_STREAM_IDLE)
        session->batches_empty = 0;
    if (!prepare_sleep(session, idle))
        return 0;
    if (ec_stream_get_batch(session->stream) >= CROWD_PACKETS)
        return SLEEP_CROWD_MS;
    if (state == EC_STREAM_HOLDING)
        return SLEEP_HOLD_MS;
    return idle ? SLEEP_IDLE_MS : SLEEP_BATCH_MS;
}

static void on_signal(ec_session *session)
{
    struct signalfd_siginfo info;

    if (read(session->signals, &info, sizeof(info)) != sizeof(info))
        return;
    session->stopping = true;
    session->signal = info.ssi_code == SI_USER ? (int)info.ssi_signo : 0;
}

int ec_session_get_signal(const ec_session *session)
{
    return session->signal;
}

static void on_child(ec_session *session)
{
    session->stop_at = read_clock_ms() + DRAIN_MS;
    close_fd(session->child);
    session->child = -1;
}

static void dispatch(ec_session *session, const struct epoll_event *event)
{
    switch ((enum source)event->data.u32) {
    case SOURCE_SIGNAL:
        on_signal(session);
        break;
    case SOURCE_INTERFACES:
        read_interfaces(session);
        break;
    case SOURCE_SINK:
        session->stopping = true;
        break;
    case SOURCE_CHILD:
        on_child(session);
        break;
    case SOURCE_PACKETS:
    case SOURCE_EVENTS:
    case SOURCE_MESSAGES:
    case SOURCE_HOOKS:
        break; /* each round reads them */
    }
}

static void wait_for_events(ec_session *session, int timeout)
{
    struct epoll_event events[16];
    int n = epoll_wait(session->epoll, events, G_N_ELEMENTS(events), timeout);

    for (int i = 0; i < n; i++)
        dispatch(session, &events[i]);
    /* Every round: a library must be hooked before its first handshake ends. */
    ec_hooks_update(session->hooks);
}

static bool run(ec_session *session, GError **error)
{
    while (!session->stopping) {
        enum ec_stream_state state = ec_stream_pump(session->stream, false, error);
        uint64_t now = read_clock_ms();

        if (state == EC_STREAM_FAILED)
            return false;
        if (state == EC_STREAM_FULL || (session->stop_at && now >= session->stop_at))
            return true;
        if (!report(session, now, error))
            return false;
        wait_for_events(session, choose_sleep(session, state));
    }
    return true;
}

/* What is there goes out, then the end's statistics. */
static bool finish(ec_session *session, GError **error)
{
    if (ec_stream_pump(session->stream, true, error) == EC_STREAM_FAILED)
        return false;
    update_statistics(session);
    return ec_stream_report(session->stream, &session->statistics, session->ring_drops, error);
}

static bool open_signals(ec_session *session, sigset_t *ret_before, GError **error)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, ret_before);
    session->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    session->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (session->signals >= 0 && session->epoll >= 0)
        return true;
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_FAILED, "can't wait for events: %s: report it",
                g_strerror(errno));
    return false;
}

static void start_clocks(ec_session *session)
{
    uint64_t now = read_clock_ms();

    session->next_progress = now + PROGRESS_MS;
    session->next_report = now + REPORT_MS;
    if (session->config.max_seconds)
        session->stop_at = now + session->config.max_seconds * 1000;
}

bool ec_session_run(ec_session *session, GError **error)
{
    g_autoptr(GError) failure = NULL;
    sigset_t before;
    bool ok;

    start_clocks(session);
    ok = open_signals(session, &before, &failure) && watch_all(session, &failure) && run(session, &failure) &&
         finish(session, &failure);
    update_statistics(session);
    if (!ec_stream_close(session->stream, ok ? &failure : NULL))
        ok = false;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok || g_error_matches(failure, EC_SINK_ERROR, EC_SINK_ERROR_READER_GONE))
        return true;
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}
