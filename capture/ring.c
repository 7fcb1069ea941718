/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring.h"

#include <errno.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

struct ec_ring {
    size_t page, size;
    uint64_t *consumer;       /* one page, writable */
    const uint64_t *producer; /* one page, then the data, mapped twice in a row by the kernel */
    const uint8_t *data;
    uint64_t read; /* position of the next record to read */
};

void ec_ring_close(ec_ring *ring)
{
    if (!ring)
        return;
    if (ring->consumer)
        munmap(ring->consumer, ring->page);
    if (ring->producer)
        munmap((void *)ring->producer, ring->page + 2 * ring->size);
    g_free(ring);
}

static void *map(int fd, size_t len, int protection, size_t offset, GError **error)
{
    void *memory = mmap(NULL, len, protection, MAP_SHARED, fd, (off_t)offset);

    if (memory != MAP_FAILED)
        return memory;
    g_set_error(error, G_FILE_ERROR, (gint)g_file_error_from_errno(errno),
                "can't map a ring buffer: %s: use a smaller --mapsize", g_strerror(errno));
    return NULL;
}

ec_ring *ec_ring_open(int map_fd, size_t size, GError **error)
{
    g_autoptr(ec_ring) ring = g_new0(ec_ring, 1);

    ring->page = (size_t)sysconf(_SC_PAGESIZE);
    ring->size = size;
    ring->consumer = map(map_fd, ring->page, PROT_READ | PROT_WRITE, 0, error);
    if (!ring->consumer)
        return NULL;
    ring->producer = map(map_fd, ring->page + 2 * size, PROT_READ, ring->page, error);
    if (!ring->producer)
        return NULL;
    ring->data = (const uint8_t *)ring->producer + ring->page;
    ring->read = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
    return g_steal_pointer(&ring);
}

uint64_t ec_ring_get_end(const ec_ring *ring)
{
    return __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
}

bool ec_ring_has_unread(const ec_ring *ring)
{
    return ring->read != ec_ring_get_end(ring);
}

uint64_t ec_ring_get_fill(const ec_ring *ring)
{
    return ec_ring_get_end(ring) - *ring->consumer;
}

enum ec_ring_result ec_ring_read(ec_ring *ring, uint64_t end, const void **ret_record, uint32_t *ret_len,
                                 uint64_t *ret_next)
{
    while (ring->read < end) {
        const uint8_t *header = ring->data + (ring->read & (ring->size - 1));
        uint32_t bits = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
        uint32_t len = bits & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

        if (bits & BPF_RINGBUF_BUSY_BIT)
            return EC_RING_STALLED;
        ring->read += (len + BPF_RINGBUF_HDR_SZ + 7) & ~7u;
        if (bits & BPF_RINGBUF_DISCARD_BIT)
            continue;
        *ret_record = header + BPF_RINGBUF_HDR_SZ;
        *ret_len = len;
        *ret_next = ring->read;
        return EC_RING_RECORD;
    }
    return EC_RING_END;
}

void ec_ring_release(ec_ring *ring, uint64_t position)
{
    __atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

void ec_ring_release_read(ec_ring *ring)
{
    ec_ring_release(ring, ring->read);
}
