/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring of perf records: one byte says where it begins, two how much of it is filled, the rest are its bytes. */
#include "perf-record.h"

#include <stdlib.h>
#include <string.h>

enum { RING_SIZE = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mapped(const struct ec_mapping *mapping, void *data)
{
    *(size_t *)data += strlen(mapping->path);
}

static void forked(uint32_t pid, uint32_t parent, void *data)
{
    if (pid == parent)
        abort();
    ++*(size_t *)data;
}

static void exited(uint32_t pid, void *data)
{
    *(size_t *)data += pid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ec_mapping_handler handler = {
        .mapped = mapped, .forked = forked, .executed = exited, .exited = exited};
    size_t sum = 0;

    if (size < 3)
        return 0;
    uint8_t *ring = calloc(1, RING_SIZE), *scratch = malloc(EC_PERF_RECORD_MAX);
    const uint64_t tail = UINT64_MAX - RING_SIZE + 4u * data[0];
    if (ring != NULL && scratch != NULL) {
        for (size_t i = 0; i < size - 3; i++)
            ring[(tail + i) % RING_SIZE] = data[3 + i];
        ec_perf_record_parse(ring, RING_SIZE, tail, tail + ((unsigned)data[1] << 8 | data[2]), scratch, &handler, &sum);
    }
    free(ring);
    free(scratch);
    return 0;
}
