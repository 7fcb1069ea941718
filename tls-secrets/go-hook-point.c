/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "go-hook-point.h"

#include "go-program.h"
#include "go-table.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

/* ---- how Go's functions begin ---- */

/* "Is there room on the stack?" (cmd/internal/obj/x86/obj6.go and arm64/obj7.go, stacksplit). It needs the goroutine g,
 * which the register convention keeps in r14 and the other one in thread-local storage: so it tells them apart on
 * x86-64. On aarch64 g is in x28 either way, but only the stack convention may use x1 for the limit. */
enum { PROLOGUE_MAX = 14, ENTRY_LEN = 40 };
struct prologue {
    uint16_t machine;
    enum ec_go_abi abi;
    uint8_t len;
    uint8_t bytes[PROLOGUE_MAX];
    uint16_t any; /* bits: bytes that may differ */
};
#define ANY(first, count) (((1u << (count)) - 1) << (first))
static const struct prologue prologues[] = {
    /* cmp rsp, [r14 + 16] */
    {EM_X86_64, EC_GO_ABI_REGISTER, 4, {0x49, 0x3b, 0x66, 0x10}, 0},
    /* lea r12, [rsp - frame]; cmp r12, [r14 + 16] */
    {EM_X86_64, EC_GO_ABI_REGISTER, 9, {0x4c, 0x8d, 0x64, 0x24, 0, 0x4d, 0x3b, 0x66, 0x10}, ANY(4, 1)},
    {EM_X86_64, EC_GO_ABI_REGISTER, 12, {0x4c, 0x8d, 0xa4, 0x24, 0, 0, 0, 0, 0x4d, 0x3b, 0x66, 0x10}, ANY(4, 4)},
    /* mov rcx, fs:[-8], as executables have it; then a comparison of any size of frame */
    {EM_X86_64, EC_GO_ABI_STACK, 9, {0x64, 0x48, 0x8b, 0x0c, 0x25, 0xf8, 0xff, 0xff, 0xff}, 0},
    /* mov rcx, [rip + offset of g]; mov rcx, fs:[rcx] */
    {EM_X86_64, EC_GO_ABI_STACK, 11, {0x48, 0x8b, 0x0d, 0, 0, 0, 0, 0x64, 0x48, 0x8b, 0x09}, ANY(3, 4)},
    /* mov rcx, offset of g; mov rcx, fs:[rcx] */
    {EM_X86_64, EC_GO_ABI_STACK, 11, {0x48, 0xc7, 0xc1, 0, 0, 0, 0, 0x64, 0x48, 0x8b, 0x09}, ANY(3, 4)},
    /* ldr x16, [x28, #16] */
    {EM_AARCH64, EC_GO_ABI_REGISTER, 4, {0x90, 0x0b, 0x40, 0xf9}, 0},
    /* ldr x1, [x28, #16] */
    {EM_AARCH64, EC_GO_ABI_STACK, 4, {0x81, 0x0b, 0x40, 0xf9}, 0},
};

static bool prologue_matches(const struct prologue *prologue, const uint8_t *bytes)
{
    for (size_t i = 0; i < prologue->len; i++)
        if (bytes[i] != prologue->bytes[i] && !(prologue->any & 1u << i))
            return false;
    return true;
}

/* NULL if the bytes are no such beginning. */
static const struct prologue *prologue_find(int machine, const uint8_t bytes[ENTRY_LEN])
{
    for (size_t i = 0; i < G_N_ELEMENTS(prologues); i++)
        if (prologues[i].machine == machine && prologue_matches(&prologues[i], bytes))
            return &prologues[i];
    return NULL;
}

/* Where to probe, bytes behind the entry. Behind `cmp` follows `jbe` to the code that grows the stack and jumps back
 * to the entry: the kernel emulates jbe, and a push of rbp behind it, which every call passes once, for a twentieth of
 * what a comparison costs it. Neither changes a register that holds an argument. */
static unsigned probe_get(const struct prologue *prologue, const uint8_t bytes[ENTRY_LEN])
{
    unsigned jump = prologue->len, next;

    if (prologue->machine != EM_X86_64 || prologue->abi != EC_GO_ABI_REGISTER)
        return 0;
    if (bytes[jump] == 0x76)
        next = jump + 2;
    else if (bytes[jump] == 0x0f && bytes[jump + 1] == 0x86)
        next = jump + 6;
    else
        return 0;
    return bytes[next] == 0x55 ? next : jump;
}

/* ---- the Go version ---- */

/* 19 of "go1.19.8"; 0 if it isn't told ("devel +3b0c…") */
static unsigned version_get_minor(const char *version)
{
    unsigned minor = 0;

    return sscanf(version, "go1.%3u", &minor) == 1 ? minor : 0;
}

static enum ec_go_abi version_get_abi(const char *version, int machine)
{
    const unsigned since = machine == EM_X86_64 ? 17 : 18;

    /* GOEXPERIMENT=noregabi, up to 1.18 */
    return version_get_minor(version) >= since && !strstr(version, "noregabi") ? EC_GO_ABI_REGISTER : EC_GO_ABI_STACK;
}

/* ---- functions ---- */

enum { KEY_LOG, RESUME, FUNCTION_MAX };
static const char *const function_names[] = {
    [KEY_LOG] = "crypto/tls.(*Config).writeKeyLog",
    [RESUME] = "crypto/tls.keysFromMasterSecret",
};
_Static_assert(G_N_ELEMENTS(function_names) == FUNCTION_MAX, "a name for each function");

static bool symbol_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct ec_go_function *function = data;

    if (strcmp(symbol->name, function->name) != 0)
        return true;
    function->found = function->address == 0 || function->address == symbol->address ? EC_GO_FOUND : EC_GO_AMBIGUOUS;
    function->address = symbol->address;
    return true;
}

/* *ret_method is set if the first was found. */
static void functions_find(const ec_go_program *program, struct ec_go_function functions[static FUNCTION_MAX],
                           enum ec_hook_method *ret_method)
{
    const struct ec_elf_image *image = ec_go_program_get_image(program);

    for (size_t i = 0; i < FUNCTION_MAX; i++) {
        functions[i] = (struct ec_go_function){function_names[i], EC_GO_NO_NAME, 0};
        ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, functions[i].name, symbol_visit, &functions[i]);
    }
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, functions[KEY_LOG].address);
    *ret_method = EC_HOOK_SYMBOL;
    if (functions[KEY_LOG].found == EC_GO_FOUND && segment && segment->executable)
        return;
    *ret_method = EC_HOOK_GO_TABLE;
    ec_go_table_find(program, functions, FUNCTION_MAX);
}

static void refuse(GError **error, enum ec_go_find found, const char *version)
{
    const char *go = version[0] ? version : "an unknown Go version";

    switch (found) {
    case EC_GO_NO_NAME:
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS, "a Go program without crypto/tls (%s)", go);
        return;
    case EC_GO_NO_TABLE:
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "a Go program (%s), but its table of functions is not of a known format", go);
        return;
    case EC_GO_NO_TEXT:
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "a Go program (%s), but it doesn't tell where its code begins", go);
        return;
    default:
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "a Go program (%s), but its table of functions contradicts itself about %s", go,
                    function_names[KEY_LOG]);
        return;
    }
}

bool ec_go_place_find(const struct ec_elf_image *image, uint64_t address, enum ec_go_abi *ret_abi, uint64_t *ret_probe)
{
    uint8_t bytes[ENTRY_LEN] = {0};
    uint64_t offset = 0;

    if (!ec_elf_image_get_offset(image, address, &offset) ||
        ec_elf_image_read(image, offset, bytes, sizeof(bytes)) != sizeof(bytes))
        return false;
    const struct prologue *prologue = prologue_find(ec_elf_image_get_machine(image), bytes);
    if (!prologue)
        return false;
    *ret_abi = prologue->abi;
    *ret_probe = offset + probe_get(prologue, bytes);
    return true;
}

static bool point_prove(const ec_go_program *program, uint64_t address, struct ec_hook_point *point, GError **error)
{
    const struct ec_elf_image *image = ec_go_program_get_image(program);
    const char *version = ec_go_program_get_version(program);

    if (!ec_elf_image_get_offset(image, address, &point->function_offset) ||
        !ec_go_place_find(image, address, &point->go_abi, &point->probe_offset)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "%s is not at 0x%" G_GINT64_MODIFIER "x, where it should be: no Go function begins so",
                    function_names[KEY_LOG], address);
        return false;
    }
    if (version_get_minor(version) != 0 && version_get_abi(version, ec_elf_image_get_machine(image)) != point->go_abi) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "%s passes arguments in another way than its code does that was found", version);
        return false;
    }
    return true;
}

/* Optional: without it resumed TLS 1.2 connections have no secrets. */
static void resume_prove(const struct ec_elf_image *image, const struct ec_go_function *function,
                         struct ec_hook_point *point)
{
    enum ec_go_abi abi;
    uint64_t probe;

    if (function->found == EC_GO_FOUND && ec_go_place_find(image, function->address, &abi, &probe) &&
        abi == point->go_abi)
        point->go_resume_offset = probe;
}

bool ec_go_hook_point_find(int fd, struct ec_hook_point *ret_point, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    if (!image)
        return false;
    g_autoptr(ec_go_program) program = ec_go_program_new(image);
    if (!program) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS, "not a Go program");
        return false;
    }
    struct ec_hook_point point = {.kind = EC_LIBRARY_GO};
    struct ec_go_function functions[FUNCTION_MAX];
    functions_find(program, functions, &point.method);
    if (functions[KEY_LOG].found != EC_GO_FOUND) {
        refuse(error, functions[KEY_LOG].found, ec_go_program_get_version(program));
        return false;
    }
    if (!point_prove(program, functions[KEY_LOG].address, &point, error))
        return false;
    resume_prove(image, &functions[RESUME], &point);
    g_strlcpy(point.version, ec_go_program_get_version(program), sizeof(point.version));
    g_strlcpy(point.build_id, ec_elf_image_get_build_id(image), sizeof(point.build_id));
    *ret_point = point;
    return true;
}

bool ec_go_file_is_go(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(ec_go_program) program = image ? ec_go_program_new(image) : NULL;

    return program != NULL;
}
