/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "perf-record.h"

#include <glib.h>
#include <linux/perf_event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { RING_SIZE = 4096 };

/* A ring as the kernel fills it: bytes that are put in go round. */
struct ring {
    uint8_t bytes[RING_SIZE];
    uint64_t tail, head;
};

static void ring_put(struct ring *ring, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ring->bytes[ring->head++ % RING_SIZE] = ((const uint8_t *)bytes)[i];
}

static void ring_put_header(struct ring *ring, uint32_t type, uint16_t misc, size_t body_len)
{
    const struct perf_event_header header = {.type = type, .misc = misc, .size = (uint16_t)(sizeof(header) + body_len)};

    ring_put(ring, &header, sizeof(header));
}

static void ring_put_mmap2(struct ring *ring, uint32_t pid, uint16_t misc, const char *path)
{
    const struct {
        uint32_t pid, tid;
        uint64_t addr, len, pgoff;
        uint32_t major, minor;
        uint64_t ino, ino_generation;
        uint32_t prot, flags;
    } fields = {pid, pid + 1, 0x1000, 0x2000, 3, 8, 1, 99, 5, 4, 2};
    char padded[128] = "";
    size_t path_len = (strlen(path) + 8) & ~(size_t)7;

    g_strlcpy(padded, path, sizeof(padded));
    ring_put_header(ring, PERF_RECORD_MMAP2, misc, sizeof(fields) + path_len);
    ring_put(ring, &fields, sizeof(fields));
    ring_put(ring, padded, path_len);
}

static void ring_put_task(struct ring *ring, uint32_t type, uint32_t pid, uint32_t ppid, uint32_t tid)
{
    const uint32_t fields[6] = {pid, ppid, tid, ppid, 0, 0};

    ring_put_header(ring, type, 0, sizeof(fields));
    ring_put(ring, fields, sizeof(fields));
}

static void ring_put_comm(struct ring *ring, uint32_t pid, uint16_t misc)
{
    const uint32_t fields[4] = {pid, pid};

    ring_put_header(ring, PERF_RECORD_COMM, misc, sizeof(fields));
    ring_put(ring, fields, sizeof(fields));
}

static void ring_put_lost(struct ring *ring, uint64_t n)
{
    const uint64_t fields[2] = {1, n};

    ring_put_header(ring, PERF_RECORD_LOST, 0, sizeof(fields));
    ring_put(ring, fields, sizeof(fields));
}

static void mapped(const struct ec_mapping *mapping, void *data)
{
    g_string_append_printf(data, "map:%u/%u:%u:%u:%u:%u:%s ", mapping->pid, mapping->tid, (unsigned)mapping->start,
                           mapping->major, mapping->minor, (unsigned)mapping->ino, mapping->path);
}

static void forked(uint32_t pid, uint32_t parent, void *data)
{
    g_string_append_printf(data, "fork:%u<%u ", pid, parent);
}

static void executed(uint32_t pid, void *data)
{
    g_string_append_printf(data, "exec:%u ", pid);
}

static void exited(uint32_t pid, void *data)
{
    g_string_append_printf(data, "exit:%u ", pid);
}

static void lost(uint64_t n_records, void *data)
{
    g_string_append_printf(data, "lost:%u ", (unsigned)n_records);
}

static const struct ec_mapping_handler handler = {mapped, forked, executed, exited, lost};

static void assert_told(const struct ring *ring, const char *expected)
{
    g_autoptr(GString) told = g_string_new(NULL);
    g_autofree uint8_t *scratch = g_malloc(EC_PERF_RECORD_MAX);

    ec_perf_record_parse(ring->bytes, RING_SIZE, ring->tail, ring->head, scratch, &handler, told);
    assert_string_equal(told->str, expected);
}

static void ec_perf_record_parse_each_type_is_told(void **state)
{
    struct ring ring = {0};

    (void)state;
    ring_put_mmap2(&ring, 7, 0, "/lib/libssl.so.3");
    ring_put_task(&ring, PERF_RECORD_FORK, 8, 7, 8);
    ring_put_comm(&ring, 8, PERF_RECORD_MISC_COMM_EXEC);
    ring_put_header(&ring, PERF_RECORD_AUX, 0, 0);
    ring_put_task(&ring, PERF_RECORD_EXIT, 8, 7, 8);
    ring_put_lost(&ring, 5);
    assert_told(&ring, "map:7/8:4096:8:1:99:/lib/libssl.so.3 fork:8<7 exec:8 exit:8 lost:5 ");
}

static void ec_perf_record_parse_threads_data_and_names_are_passed_over(void **state)
{
    struct ring ring = {0};

    (void)state;
    ring_put_mmap2(&ring, 7, PERF_RECORD_MISC_MMAP_DATA, "/lib/libssl.so.3");
    ring_put_comm(&ring, 7, 0);
    ring_put_task(&ring, PERF_RECORD_FORK, 7, 7, 9);
    ring_put_task(&ring, PERF_RECORD_EXIT, 7, 7, 9);
    assert_told(&ring, "");
}

static void ec_perf_record_parse_torn_at_any_byte_is_whole(void **state)
{
    (void)state;
    for (uint64_t before = 0; before < 200; before++) {
        struct ring ring = {.head = UINT64_C(3) * RING_SIZE - before};
        ring.tail = ring.head;
        ring_put_mmap2(&ring, 7, 0, "/lib/libssl.so.3");
        ring_put_task(&ring, PERF_RECORD_EXIT, 8, 7, 8);
        assert_told(&ring, "map:7/8:4096:8:1:99:/lib/libssl.so.3 exit:8 ");
    }
}

static void ec_perf_record_parse_what_is_no_record_ends_it(void **state)
{
    struct ring zeroes = {.head = 64};
    struct ring larger = {0};
    struct ring beyond = {.head = RING_SIZE + 8};
    struct ring stub = {.head = 4};

    (void)state;
    ring_put_header(&larger, PERF_RECORD_COMM, 0, 60000);
    assert_told(&zeroes, "lost:1 ");
    assert_told(&larger, "lost:1 ");
    assert_told(&beyond, "lost:1 ");
    assert_told(&stub, "lost:1 ");
}

static void ec_perf_record_parse_short_or_unended_bodies_are_passed_over(void **state)
{
    struct ring ring = {0};
    uint8_t ones[80];

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    ring_put_header(&ring, PERF_RECORD_MMAP2, 0, 64);
    ring_put(&ring, ones, 64);
    ring_put_header(&ring, PERF_RECORD_MMAP2, 0, 80);
    ring_put(&ring, ones, 80);
    ring_put_header(&ring, PERF_RECORD_COMM, PERF_RECORD_MISC_COMM_EXEC, 0);
    ring_put_header(&ring, PERF_RECORD_EXIT, 0, 8);
    ring_put(&ring, ones, 8);
    ring_put_header(&ring, PERF_RECORD_LOST, 0, 8);
    ring_put(&ring, ones, 8);
    ring_put_task(&ring, PERF_RECORD_EXIT, 8, 7, 8);
    assert_told(&ring, "exit:8 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ec_perf_record_parse_each_type_is_told),
        cmocka_unit_test(ec_perf_record_parse_threads_data_and_names_are_passed_over),
        cmocka_unit_test(ec_perf_record_parse_torn_at_any_byte_is_whole),
        cmocka_unit_test(ec_perf_record_parse_what_is_no_record_ends_it),
        cmocka_unit_test(ec_perf_record_parse_short_or_unended_bodies_are_passed_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
