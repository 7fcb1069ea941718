/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mappings.h"

#include "map-line.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

G_DEFINE_QUARK(ec_mappings_error, ec_mappings_error)

/* Pages of records for each CPU, a power of two: 128 KiB hold the forks, exits and mappings of a thousand short
 * processes. Below what kernel.perf_event_mlock_kb grants anybody (512 KiB and a page). */
enum { RING_PAGES = 32 };

struct cpu_ring {
    struct perf_event_mmap_page *page; /* the records follow at data_offset */
    size_t len;                        /* bytes mapped */
};

struct ec_mappings {
    GArray *fds;   /* of int, ended by -1 */
    GArray *rings; /* of struct cpu_ring, as the fds */
    uint8_t scratch[EC_PERF_RECORD_MAX];
};

static int event_open(int cpu)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_DUMMY,
        .mmap = 1,
        .mmap2 = 1,
        .comm = 1,
        .comm_exec = 1,
        .task = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
        .watermark = 1,
        .wakeup_watermark = 1, /* a handshake may follow within milliseconds */
    };

    return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool ring_add(ec_mappings *mappings, int fd)
{
    const size_t len = (RING_PAGES + 1) * (size_t)sysconf(_SC_PAGESIZE);
    const int end = -1;
    void *page = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (page == MAP_FAILED)
        return false;
    const struct cpu_ring ring = {.page = page, .len = len};
    g_array_append_val(mappings->rings, ring);
    g_array_index(mappings->fds, int, mappings->fds->len - 1) = fd;
    g_array_append_val(mappings->fds, end);
    return true;
}

static bool fail(int cause, GError **error)
{
    if (cause == EACCES || cause == EPERM)
        g_set_error(error, EC_MAPPINGS_ERROR, EC_MAPPINGS_ERROR_PRIVILEGE,
                    "new mappings can't be watched (%s): run with cap_perfmon and sysctl kernel.perf_event_paranoid=2, "
                    "in a container with a seccomp profile "
                    "that allows perf_event_open()",
                    g_strerror(cause));
    else
        g_set_error(error, EC_MAPPINGS_ERROR, EC_MAPPINGS_ERROR_SYSTEM,
                    "new mappings can't be watched (%s): the kernel needs CONFIG_PERF_EVENTS", g_strerror(cause));
    return false;
}

/* A CPU that is offline has no events, and comes up unwatched. */
static bool cpu_add(ec_mappings *mappings, int cpu, GError **error)
{
    int fd = event_open(cpu);

    if (fd < 0)
        return errno == ENODEV || fail(errno, error);
    if (ring_add(mappings, fd))
        return true;
    int cause = errno;
    close(fd);
    return fail(cause, error);
}

ec_mappings *ec_mappings_new(GError **error)
{
    g_autoptr(ec_mappings) mappings = g_new0(ec_mappings, 1);
    const int n_cpus = (int)sysconf(_SC_NPROCESSORS_CONF), end = -1;

    mappings->fds = g_array_new(FALSE, FALSE, sizeof(int));
    mappings->rings = g_array_new(FALSE, FALSE, sizeof(struct cpu_ring));
    g_array_append_val(mappings->fds, end);
    for (int cpu = 0; cpu < n_cpus; cpu++)
        if (!cpu_add(mappings, cpu, error))
            return NULL;
    return g_steal_pointer(&mappings);
}

void ec_mappings_free(ec_mappings *mappings)
{
    if (mappings == NULL)
        return;
    for (guint i = 0; i < mappings->rings->len; i++) {
        const struct cpu_ring *ring = &g_array_index(mappings->rings, struct cpu_ring, i);
        munmap(ring->page, ring->len);
        close(g_array_index(mappings->fds, int, i));
    }
    g_array_unref(mappings->rings);
    g_array_unref(mappings->fds);
    g_free(mappings);
}

const int *ec_mappings_get_fds(const ec_mappings *mappings)
{
    return (const int *)mappings->fds->data;
}

/* Stands between the parser and the caller: lets only libraries through. */
struct relay {
    const struct ec_mapping_handler *handler;
    void *data;
};

static void relay_mapped(const struct ec_mapping *mapping, void *data)
{
    const struct relay *relay = data;

    if (relay->handler->mapped != NULL && ec_library_name_match(mapping->path, strlen(mapping->path)))
        relay->handler->mapped(mapping, relay->data);
}

static void relay_forked(uint32_t pid, uint32_t parent, void *data)
{
    const struct relay *relay = data;

    if (relay->handler->forked != NULL)
        relay->handler->forked(pid, parent, relay->data);
}

static void relay_executed(uint32_t pid, void *data)
{
    const struct relay *relay = data;

    if (relay->handler->executed != NULL)
        relay->handler->executed(pid, relay->data);
}

static void relay_exited(uint32_t pid, void *data)
{
    const struct relay *relay = data;

    if (relay->handler->exited != NULL)
        relay->handler->exited(pid, relay->data);
}

static void relay_lost(uint64_t n_records, void *data)
{
    const struct relay *relay = data;

    if (relay->handler->lost != NULL)
        relay->handler->lost(n_records, relay->data);
}

static const struct ec_mapping_handler relay_handler = {
    .mapped = relay_mapped,
    .forked = relay_forked,
    .executed = relay_executed,
    .exited = relay_exited,
    .lost = relay_lost,
};

void ec_mappings_read(ec_mappings *mappings, const struct ec_mapping_handler *handler, void *data)
{
    struct relay relay = {.handler = handler, .data = data};

    for (guint i = 0; i < mappings->rings->len; i++) {
        struct perf_event_mmap_page *page = g_array_index(mappings->rings, struct cpu_ring, i).page;
        /* The pair of barriers that perf_event.h asks for at data_head and data_tail. */
        const uint64_t head = __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE);
        if (head == page->data_tail)
            continue;
        ec_perf_record_parse((const uint8_t *)page + page->data_offset, page->data_size, page->data_tail, head,
                             mappings->scratch, &relay_handler, &relay);
        __atomic_store_n(&page->data_tail, head, __ATOMIC_RELEASE);
    }
}
