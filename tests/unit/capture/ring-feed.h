/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Real ring buffers for tests: a small eBPF program, run by BPF_PROG_TEST_RUN, puts records into them. Needs CAP_BPF.
 */
#include <bpf/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* bytes that one fed record takes in the ring, its 8-byte header included */
#define FEED_SLOT (FEED_LEN + 8)
#define FEED_LEN 512

struct ring_feed {
    int ring, value, program; /* descriptors */
    size_t size;
};

static inline void ring_feed_close(struct ring_feed *feed)
{
    close(feed->ring);
    close(feed->value);
    close(feed->program);
}

/* r0 = bpf_ringbuf_output(ring, bpf_map_lookup_elem(value, 0), FEED_LEN, BPF_RB_NO_WAKEUP) */
static inline bool ring_feed_open(struct ring_feed *feed, size_t size)
{
    const struct bpf_insn insns[] = {
        {.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
        {.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
        {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD},
        {0},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
        {.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 6, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_0},
        {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD},
        {0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = FEED_LEN},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4, .imm = BPF_RB_NO_WAKEUP},
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ringbuf_output},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
    };
    struct bpf_insn program[sizeof(insns) / sizeof(insns[0])];

    feed->size = size;
    feed->ring = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "feed_ring", 0, 0, (uint32_t)size, NULL);
    feed->value = bpf_map_create(BPF_MAP_TYPE_ARRAY, "feed_value", 4, FEED_LEN, 1, NULL);
    memcpy(program, insns, sizeof(program));
    program[3].imm = feed->value;
    program[8].imm = feed->ring;
    feed->program =
        bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "feed", "GPL", program, sizeof(program) / sizeof(program[0]), NULL);
    return feed->ring >= 0 && feed->value >= 0 && feed->program >= 0;
}

/* Puts FEED_LEN bytes, `len` of them given, into the ring. */
static inline bool ring_feed_put(const struct ring_feed *feed, const void *record, size_t len)
{
    uint8_t value[FEED_LEN] = {0}, packet[64] = {0};
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet, .data_size_in = sizeof(packet));
    const uint32_t key = 0;

    memcpy(value, record, len);
    return bpf_map_update_elem(feed->value, &key, value, BPF_ANY) == 0 &&
           bpf_prog_test_run_opts(feed->program, &options) == 0;
}
