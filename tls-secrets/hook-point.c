/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook-point.h"

#include "elf-image.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

G_DEFINE_QUARK(ec - hook - error - quark, ec_hook_error)

static const char *const method_names[] = {
    [EC_HOOK_SYMBOL] = "symbol",
    [EC_HOOK_DEBUG] = "debug data",
    [EC_HOOK_XREF] = "cross-reference",
};
_Static_assert(G_N_ELEMENTS(method_names) == EC_HOOK_METHOD_MAX, "a name for every method");

const char *ec_hook_method_get_name(enum ec_hook_method method)
{
    g_return_val_if_fail((unsigned)method < EC_HOOK_METHOD_MAX, "");
    return method_names[method];
}

static const char *const kind_names[] = {
    [EC_LIBRARY_OPENSSL] = "OpenSSL",
    [EC_LIBRARY_BORINGSSL] = "BoringSSL",
};
_Static_assert(G_N_ELEMENTS(kind_names) == EC_LIBRARY_KIND_MAX, "a name for every kind");

const char *ec_library_kind_get_name(enum ec_library_kind kind)
{
    g_return_val_if_fail((unsigned)kind < EC_LIBRARY_KIND_MAX, "");
    return kind_names[kind];
}

static const char *const wanted_labels[] = {"CLIENT_RANDOM", "EARLY_EXPORTER_SECRET", "EXPORTER_SECRET",
                                            "CLIENT_TRAFFIC_SECRET_N"};

struct search {
    const struct ec_elf_image *image;
    csh capstone;
    const char *label;
    uint64_t label_address;
    uint64_t callee;
    unsigned agreeing;
    bool contradicted;
};

static bool label_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct search *search = data;
    const uint8_t *hit = memmem(piece, len, search->label, strlen(search->label) + 1);
    if (hit)
        search->label_address = at + (hit - piece);
    return !hit;
}

/* From a `lea rsi, [rip + label]` on to the next direct call. */
static void reference_follow(struct search *search, const uint8_t *code, size_t len, uint64_t address)
{
    cs_insn *insn = cs_malloc(search->capstone);
    for (int i = 0; i < 12 && cs_disasm_iter(search->capstone, &code, &len, &address, insn); i++) {
        if (insn->id != X86_INS_CALL)
            continue;
        uint64_t callee = insn->detail->x86.operands[0].imm;
        if (search->callee && search->callee != callee)
            search->contradicted = true;
        search->callee = callee;
        search->agreeing++;
        break;
    }
    cs_free(insn, 1);
}

static bool code_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct search *search = data;
    for (size_t i = 0; i + 7 <= len; i++) {
        int32_t displacement;
        memcpy(&displacement, piece + i + 3, 4);
        if (memcmp(piece + i, "\x48\x8d\x35", 3) == 0 && at + i + 7 + displacement == search->label_address)
            reference_follow(search, piece + i, len - i, at + i);
    }
    return true;
}

/* The first `lea r, [rdi + disp]` of SSL_get_client_random */
static bool accessor_visit(const struct ec_elf_symbol *symbol, void *data)
{
    uint8_t code[64];
    uint64_t offset = 0;
    uint32_t *ret_random = data;
    if (strcmp(symbol->name, "SSL_get_client_random") != 0)
        return true;
    struct search *search = *(struct search **)(ret_random + 2);
    if (!ec_elf_image_get_offset(search->image, symbol->address, &offset))
        return true;
    size_t len = ec_elf_image_read(search->image, offset, code, sizeof(code));
    for (size_t i = 0; i + 7 <= len; i++)
        if (memcmp(code + i, "\x48\x8d\xb7", 3) == 0) {
            memcpy(ret_random, code + i + 3, 4);
            return false;
        }
    return true;
}

bool ec_hook_point_find(int fd, int debug_fd, struct ec_hook_point *ret_point, GError **error)
{
    (void)debug_fd;
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    if (!image)
        return false;
    struct search search = {.image = image};
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &search.capstone) != CS_ERR_OK)
        return false;
    cs_option(search.capstone, CS_OPT_DETAIL, CS_OPT_ON);
    const struct ec_elf_segment *segment = NULL;
    for (size_t l = 0; l < G_N_ELEMENTS(wanted_labels); l++) {
        search.label = wanted_labels[l];
        search.label_address = 0;
        for (size_t i = 0; !search.label_address && (segment = ec_elf_image_get_segment(image, i)); i++)
            ec_elf_image_scan(image, segment->offset, segment->size, 64, label_scan, &search);
        for (size_t i = 0; search.label_address && (segment = ec_elf_image_get_segment(image, i)); i++)
            if (segment->executable && segment->address == segment->offset)
                ec_elf_image_scan(image, segment->offset, segment->size, 64, code_scan, &search);
    }
    cs_close(&search.capstone);
    struct {
        uint32_t random[2];
        struct search *search;
    } accessor = {.search = &search};
    ec_elf_image_foreach_function(image, EC_ELF_DYNSYM, "SSL_get_client_random", accessor_visit, &accessor);
    if (search.agreeing < 2 || search.contradicted || accessor.random[0] == 0 || accessor.random[0] > UINT16_MAX) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "no function takes every secret");
        return false;
    }
    struct ec_hook_point point = {.kind = EC_LIBRARY_OPENSSL, .method = EC_HOOK_XREF};
    point.function_offset = point.probe_offset = search.callee;
    point.random_offset = accessor.random[0];
    g_strlcpy(point.build_id, ec_elf_image_get_build_id(image), sizeof(point.build_id));
    *ret_point = point;
    return true;
}

bool ec_library_version_find(int fd, char ret_version[static 48])
{
    (void)fd;
    (void)ret_version;
    return false;
}
