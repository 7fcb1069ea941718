/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "expand-hook.h"

#include "label-reference.h"
#include "prf-hook.h"
#include "probe-place.h"

#include <elf.h>

enum {
    LABEL_ARGUMENT = 3, /* from 0 */
    N_ARGUMENTS = 5,    /* that bpf/expand.bpf.c reads in registers: label_len is the last */
    WITNESSES_MIN = 2,
};

/* Of RFC 8446 7.1 and 7.3. */
static const char first_label[] = "exp master";
static const char *const witnesses[] = {"res master", "derived", "finished", "traffic upd", "res binder"};

static bool unproven(GError **error, const char *reason)
{
    g_set_error_literal(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, reason);
    return false;
}

struct label_calls {
    uint64_t function; /* the last that was seen */
    unsigned count;    /* of functions */
    bool has_wanted;
};

/* Which functions get the label as their fourth argument. */
static bool calls_find(struct ec_code *code, const struct ec_elf_image *image, const char *label, uint64_t wanted,
                       struct label_calls *ret_calls)
{
    struct label_calls calls = {.count = 0};
    struct ec_label_strings strings;
    struct ec_label_use use;

    ec_label_strings_find_text(image, label, &strings);
    ec_label_use_find(code, image, &strings, &use);
    for (size_t i = 0; i < use.passages->len; i++) {
        const struct ec_label_passage *passage = &g_array_index(use.passages, struct ec_label_passage, i);

        if (passage->argument != LABEL_ARGUMENT)
            continue;
        calls.function = passage->address;
        calls.has_wanted |= passage->address == wanted;
        calls.count++;
    }
    const bool whole = !use.exhausted;
    ec_label_use_clear(&use);
    ec_label_strings_clear(&strings);
    *ret_calls = calls;
    return whole;
}

static bool function_find(struct ec_code *code, const struct ec_elf_image *image, uint64_t *ret_function)
{
    struct label_calls calls;
    unsigned agree = 0;

    if (!calls_find(code, image, first_label, 0, &calls) || calls.count != 1)
        return false;
    const uint64_t function = calls.function;
    for (size_t i = 0; i < G_N_ELEMENTS(witnesses); i++)
        agree += calls_find(code, image, witnesses[i], function, &calls) && calls.has_wanted;
    *ret_function = function;
    return agree >= WITNESSES_MIN;
}

bool ec_expand_find(struct ec_code *code, const struct ec_elf_image *image, uint64_t accessor,
                    struct ec_hook_point *point, GError **error)
{
    struct ec_random_place random;
    struct ec_probe_place place;
    uint64_t function = 0, offset = 0;

    if (ec_elf_image_get_machine(image) != EM_X86_64)
        return unproven(error, "another way is known on x86-64 only");
    if (!function_find(code, image, &function))
        return unproven(error, "no function is seen to get all labels of TLS 1.3");
    if ((!accessor || !ec_random_accessor_find(code, EC_ACCESSOR_COPIES, accessor, &random)) &&
        !ec_prf_random_find(code, image, &random))
        return unproven(error, "neither SSL_get_client_random nor the making of TLS 1.2's keys shows where the client "
                               "random is");
    ec_probe_place_find(image, code, function, N_ARGUMENTS, EC_ARGUMENTS_AND_STACK_STAY, &place);
    if (!ec_elf_image_get_offset(image, place.address, &offset))
        return unproven(error, "the function that gets TLS 1.3's labels lies outside the file");
    point->expand_offset = offset;
    point->random_indirect = random.indirect;
    point->random_pointer_offset = random.pointer;
    point->random_offset = random.offset;
    return true;
}
