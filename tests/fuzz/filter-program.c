/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any eight bytes are a classic BPF instruction: what is translated must stay within its room, and jump within itself.
 */
#include "filter-classic.h"
#include "filter.h"

#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_jump(const struct bpf_insn *insn)
{
    const uint8_t class = insn->code & 7;

    return (class == BPF_JMP || class == BPF_JMP32) && (insn->code & 0xf0) != BPF_EXIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ec_filter filter = {.count = size / sizeof(struct ec_classic_insn)};
    size_t count = 0;

    if (filter.count == 0)
        return 0;
    filter.insns = malloc(filter.count * sizeof(*filter.insns));
    struct bpf_insn *insns = malloc(CAPACITY * sizeof(*insns));
    if (filter.insns != NULL && insns != NULL) {
        memcpy(filter.insns, data, filter.count * sizeof(*filter.insns));
        if (ec_filter_generate(&filter, insns, CAPACITY, &count)) {
            if (count > CAPACITY)
                abort();
            for (size_t i = 0; i < count; i++)
                if (is_jump(&insns[i]) && (insns[i].off < 0 || i + 1 + (size_t)insns[i].off >= count))
                    abort();
        }
    }
    free(filter.insns);
    free(insns);
    return 0;
}
