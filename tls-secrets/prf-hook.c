/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "prf-hook.h"

#include "label-reference.h"

#include <elf.h>
#include <string.h>

static const char label[] = "key expansion";
enum { BEFORE_CALL = 128 };

/* What tells the function's calls from others that get the label, such as memcmp's: a length that is the fifth
 * argument. */
static const struct shape {
    int label_argument; /* from 0 */
    uint8_t length[6];  /* mov r8d, imm32 */
} shapes[] = {
    [EC_PRF_OPENSSL] = {1, {0x41, 0xb8, 32, 0, 0, 0}},  /* of the server random */
    [EC_PRF_LIBRESSL] = {3, {0x41, 0xb8, 13, 0, 0, 0}}, /* of the label */
    [EC_PRF_CONTROL] = {5, {0x41, 0xb8, 13, 0, 0, 0}},  /* likewise */
};
_Static_assert(G_N_ELEMENTS(shapes) == EC_PRF_MAX, "a shape for every kind");

/* Whether what was loaded at `at` is still there at the call: no other one lies between, which would clobber it. */
static bool reaches_call(struct ec_code *code, uint64_t at, uint64_t call)
{
    struct ec_insn insn;

    for (; at < call && ec_code_read(code, at, &insn); at += insn.length)
        if (insn.op == EC_OP_CALL || insn.op == EC_OP_STOP)
            return false;
    return at == call;
}

static bool call_has_shape(struct ec_code *code, const struct ec_elf_image *image, uint64_t call,
                           const struct shape *shape)
{
    uint8_t bytes[BEFORE_CALL];
    const uint8_t *end = bytes + sizeof(bytes), *hit = NULL;
    uint64_t offset = 0;

    if (call < BEFORE_CALL || !ec_elf_image_get_offset(image, call - BEFORE_CALL, &offset) ||
        ec_elf_image_read(image, offset, bytes, sizeof(bytes)) != sizeof(bytes))
        return false;
    for (const uint8_t *from = bytes; (hit = memmem(from, end - from, shape->length, sizeof(shape->length)));
         from = hit + 1)
        if (reaches_call(code, call - (uint64_t)(end - hit), call))
            return true;
    return false;
}

/* The only function of this shape that gets the label; 0 if there is none, or more than one. */
static uint64_t function_choose(struct ec_code *code, const struct ec_elf_image *image, const struct ec_label_use *use,
                                const struct shape *shape)
{
    uint64_t found = 0;

    for (size_t i = 0; i < use->takers->len + use->passages->len; i++) {
        const bool takes = i < use->takers->len;
        const struct ec_label_taker *taker = takes ? &g_array_index(use->takers, struct ec_label_taker, i) : NULL;
        const struct ec_label_passage *passage =
            takes ? NULL : &g_array_index(use->passages, struct ec_label_passage, i - use->takers->len);
        const uint64_t address = takes ? taker->address : passage->address;

        if ((takes ? 1 : passage->argument) != shape->label_argument || address == found ||
            !call_has_shape(code, image, takes ? taker->call : passage->call, shape))
            continue;
        if (found)
            return 0;
        found = address;
    }
    return found;
}

bool ec_prf_find(struct ec_code *code, const struct ec_elf_image *image, enum ec_prf *ret_prf, uint64_t *ret_function,
                 GError **error)
{
    struct ec_label_strings strings;
    const bool x86 = ec_elf_image_get_machine(image) == EM_X86_64;
    enum ec_prf found = EC_PRF_NONE;
    uint64_t function = 0;

    ec_label_strings_find_text(image, label, &strings);
    if (x86 && strings.places->len > 0) {
        struct ec_label_use use;

        ec_label_use_find(code, image, &strings, &use);
        for (enum ec_prf prf = EC_PRF_NONE + 1; !use.exhausted && !found && prf < EC_PRF_MAX; prf++)
            if ((function = function_choose(code, image, &use, &shapes[prf])))
                found = prf;
        ec_label_use_clear(&use);
    }
    ec_label_strings_clear(&strings);
    if (!found) {
        g_set_error(
            error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS,
            "no TLS library that hands its secrets to a key log (OpenSSL >= 1.1.1, BoringSSL, AWS-LC, GnuTLS), and "
            "no function that makes keys as OpenSSL <= 1.1.0 and LibreSSL do on x86-64");
        return false;
    }
    *ret_prf = found;
    *ret_function = function;
    return true;
}
