/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The records that perf_event_open(2) writes into a ring, as far as a watch on mappings needs them. Pure: the ring's
 * bytes are not trusted. Source: enum perf_event_type in include/uapi/linux/perf_event.h. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file has been mapped executable. Borrowed for the call. */
struct ec_mapping {
    uint32_t pid, tid;     /* as the pid namespace of the watch's maker sees them */
    uint64_t start, len;   /* bytes */
    uint32_t major, minor; /* of the superblock's device, as in /proc/PID/maps */
    uint64_t ino;
    const char *path; /* in the process's mount namespace; NUL-terminated */
};

/* What is told; a member may be NULL. The order holds for one CPU, not among several. */
struct ec_mapping_handler {
    void (*mapped)(const struct ec_mapping *mapping, void *data);
    void (*forked)(uint32_t pid, uint32_t parent, void *data); /* a process, no thread: maps what its parent maps */
    void (*executed)(uint32_t pid, void *data);                /* it is another program now: nothing is mapped yet */
    void (*exited)(uint32_t pid, void *data);                  /* a process's leader */
    void (*lost)(uint64_t n_records, void *data);              /* the kernel found the ring full: look at /proc again */
};

/* A record's size is 16 bits. */
#define EC_PERF_RECORD_MAX 65536

/* Goes through the records of [tail, head) in a ring of `size` bytes, a power of two; both count up for ever.
 * `scratch`: for a record that the ring's end tears. What can't be a record ends it: `lost` is told of one. */
void ec_perf_record_parse(const uint8_t *ring, size_t size, uint64_t tail, uint64_t head,
                          uint8_t scratch[static EC_PERF_RECORD_MAX], const struct ec_mapping_handler *handler,
                          void *data);
