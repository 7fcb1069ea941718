/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where values go inside a function: abstract interpretation from one address on, along jumps and branches, over
 * registers and stack slots, until nothing changes. Calls are stepped over. Every run is bounded, and all runs of one
 * ec_code share a budget of steps, so that a hostile file costs about a second at most.
 */
#include "elf-image.h"
#include "insn.h"

struct ec_code;
typedef struct ec_code ec_code;
/* Reads instructions out of the executable segments. `image` is borrowed. NULL if there is no decoder. */
struct ec_code *ec_code_new(const struct ec_elf_image *image);
void ec_code_free(struct ec_code *code);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_code, ec_code_free)
const struct ec_machine *ec_code_get_machine(const struct ec_code *code);
/* False if no instruction of the file is there. */
bool ec_code_read(struct ec_code *code, uint64_t address, struct ec_insn *ret_insn);
/* True once the budget of steps is spent: what a run found since then is incomplete. */
bool ec_code_is_exhausted(const struct ec_code *code);

/* True if some run has seen a direct call of that address: a jump to it is a call in tail position, which the runs
 * after that one do not follow. */
bool ec_code_is_function(const struct ec_code *code, uint64_t address);
/* True if some run has followed a jump to what was not yet known to be a function, and now is. */
bool ec_code_has_followed_function(const struct ec_code *code);

enum ec_value_kind {
    EC_VALUE_NONE,    /* unknown */
    EC_VALUE_CONST,   /* offset */
    EC_VALUE_ARG,     /* the function's argument number `pointer`, from 0, + offset */
    EC_VALUE_DEREF,   /* *(first argument + pointer) + offset */
    EC_VALUE_TRACKED, /* the one value that a run follows */
    EC_VALUE_MIXED,   /* one thing here, another there */
};

struct ec_value {
    uint32_t kind; /* enum ec_value_kind */
    int32_t pointer;
    int64_t offset;
};

#define EC_STATE_SLOTS 8
struct ec_state {
    struct ec_value registers[EC_REG_MAX];
    struct ec_state_slot {
        struct ec_value value;
        int64_t at;  /* bytes from the base's value at the run's start */
        int8_t base; /* stack or frame register; EC_REG_NONE: free */
    } slots[EC_STATE_SLOTS];
    int64_t stack; /* bytes that the stack register has moved since the run's start */
};
/* At a function's entry: the arguments are in their registers, nothing else is known. */
void ec_state_init_entry(struct ec_state *state, const struct ec_machine *machine);
/* Nothing is known. */
void ec_state_init(struct ec_state *state);

enum ec_flow_join {
    EC_JOIN_MUST, /* where paths meet, only what all of them agree on is known */
    EC_JOIN_MAY,  /* where paths meet, what one of them knows is known */
    EC_JOIN_OWN,  /* likewise, and of the first argument and what is loaded from it, the argument wins */
};
/* What one instruction makes of the state. */
void ec_state_step(struct ec_state *state, const struct ec_machine *machine, const struct ec_insn *insn,
                   enum ec_flow_join join);
/* `state`: before the instruction. Instructions come in no particular order. */
typedef void (*ec_flow_visit)(const struct ec_insn *insn, const struct ec_state *state, void *data);
/* From `address` with `state`. In a run that follows a tracked value, paths end where it is lost. False if the run
 * was cut short: what `visit` saw is true then of EC_JOIN_MAY runs only, and incomplete. */
bool ec_flow_run(struct ec_code *code, uint64_t address, const struct ec_state *state, enum ec_flow_join join,
                 ec_flow_visit visit, void *data);
