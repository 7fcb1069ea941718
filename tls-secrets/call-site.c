/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "call-site.h"

#include <elf.h>
#include <string.h>

/* Calls that are followed, and the instructions nearest behind each: beyond a call that never returns lies anything. */
enum { CALLS_MAX = 1024, STEPS_MAX = 4096 };
/* Bytes of the longer of `call rel32` (x86-64) and `bl` (aarch64). */
enum { CALL_LEN = 5 };

struct search {
    ec_code *code;
    const struct ec_elf_segment *segment;
    uint64_t first, second, last; /* functions */
    GArray *calls;                /* uint64_t: of the first; CALLS_MAX: there may be more */
    uint64_t site;                /* where the second is called */
    unsigned n_sites;             /* after the call that is followed */
};

static bool is_call(struct search *search, uint64_t address)
{
    struct ec_insn insn;

    return ec_code_read(search->code, address, &insn) && insn.op == EC_OP_CALL && insn.target == search->first;
}

/* Whether the bytes may be one; x86-64's opcode alone would be found too often. */
static bool looks_like_call(int machine, const uint8_t *bytes, uint64_t address, uint64_t target)
{
    int32_t distance;
    uint32_t word;

    if (machine == EM_AARCH64) {
        memcpy(&word, bytes, sizeof(word));
        return address % sizeof(word) == 0 && word >> 26 == 0x25;
    }
    memcpy(&distance, bytes + 1, sizeof(distance));
    return bytes[0] == 0xe8 && address + CALL_LEN + (uint64_t)(int64_t)distance == target;
}

static bool calls_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct search *search = data;
    const int machine = ec_code_get_machine(search->code)->elf_machine;
    const uint64_t address = search->segment->address + (at - search->segment->offset);

    for (size_t i = 0; i + CALL_LEN <= len && search->calls->len < CALLS_MAX; i++) {
        const uint64_t call = address + i;

        if (!looks_like_call(machine, piece + i, call, search->first) || !is_call(search, call))
            continue;
        /* The bytes at a piece's end are the next one's first. */
        if (search->calls->len == 0 || g_array_index(search->calls, uint64_t, search->calls->len - 1) != call)
            g_array_append_val(search->calls, call);
    }
    return search->calls->len < CALLS_MAX;
}

/* Instructions that control can come to. */
struct reach {
    GHashTable *seen; /* their addresses */
    GQueue next;      /* likewise, not looked at yet */
};

static void reach_add(struct reach *reach, uint64_t address)
{
    uint64_t *key;

    if (g_hash_table_contains(reach->seen, &address))
        return;
    key = g_memdup2(&address, sizeof(address));
    g_hash_table_add(reach->seen, key);
    g_queue_push_tail(&reach->next, key);
}

static void reach_step(struct search *search, struct reach *reach, const struct ec_insn *insn)
{
    if (insn->op == EC_OP_CALL && (insn->target == search->first || insn->target == search->last))
        return;
    if (insn->op == EC_OP_CALL && insn->target == search->second) {
        search->site = insn->address;
        search->n_sites++;
    }
    if ((insn->op == EC_OP_JUMP || insn->op == EC_OP_BRANCH) && insn->target)
        reach_add(reach, insn->target);
    if (insn->op != EC_OP_JUMP && insn->op != EC_OP_STOP)
        reach_add(reach, insn->address + insn->length);
}

static void call_follow(struct search *search, uint64_t call)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    struct reach reach = {.seen = seen, .next = G_QUEUE_INIT};
    struct ec_insn insn;
    const uint64_t *at;

    search->n_sites = 0;
    if (ec_code_read(search->code, call, &insn))
        reach_add(&reach, call + insn.length);
    for (int steps = 0; steps < STEPS_MAX && (at = g_queue_pop_head(&reach.next)); steps++)
        if (ec_code_read(search->code, *at, &insn))
            reach_step(search, &reach, &insn);
    g_queue_clear(&reach.next);
}

static bool pair_find(struct search *search, struct ec_call_pair *ret_pair)
{
    struct ec_call_pair pair = {0};

    for (guint i = 0; i < search->calls->len; i++) {
        const uint64_t call = g_array_index(search->calls, uint64_t, i);

        call_follow(search, call);
        if (search->n_sites > 1 || (search->n_sites && pair.first))
            return false;
        if (search->n_sites)
            pair = (struct ec_call_pair){call, search->site};
    }
    if (pair.first)
        *ret_pair = pair;
    return pair.first != 0;
}

bool ec_call_pair_find(const ec_elf_image *image, ec_code *code, uint64_t first, uint64_t second, uint64_t last,
                       struct ec_call_pair *ret_pair)
{
    g_autoptr(GArray) calls = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    struct search search = {.code = code, .first = first, .second = second, .last = last, .calls = calls};

    for (size_t i = 0; (search.segment = ec_elf_image_get_segment(image, i)); i++)
        if (search.segment->executable)
            ec_elf_image_scan(image, search.segment->offset, search.segment->size, CALL_LEN - 1, calls_scan, &search);
    return calls->len < CALLS_MAX && pair_find(&search, ret_pair);
}
