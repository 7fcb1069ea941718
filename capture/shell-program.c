/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "shell-program.h"

#include "abi.h"
#include "elf-image.h"
#include "hook-point.h"
#include "insn.h"
#include "symbol-plan.h"

#include <elf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A line editor's entry has some hundred bytes. */
#define FUNCTION_LEN_MAX 16384
/* Longer than a version and what stands before it. */
enum { VERSION_OVERLAP = 64, VERSION_LEN = 48 };

/* ---- versions ---- */

/* What a program says of itself: `before` and then digits and dots. */
struct version_search {
    const char *before;
    bool found;
    char version[VERSION_LEN];
};

static bool version_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct version_search *search = data;
    const uint8_t *end = piece + len, *hit;
    (void)at;

    for (const uint8_t *from = piece;
         (hit = memmem(from, (size_t)(end - from), search->before, strlen(search->before))); from = hit + 1) {
        const char *version = (const char *)hit + strlen(search->before);
        const size_t room = MIN((size_t)((const char *)end - version), VERSION_LEN - 1);
        size_t digits = 0;

        while (digits < room && (g_ascii_isdigit(version[digits]) || version[digits] == '.'))
            digits++;
        if (digits == 0 || !g_ascii_isdigit(version[0]))
            continue;
        memcpy(search->version, version, digits);
        search->version[digits] = '\0';
        search->found = true;
        return false;
    }
    return true;
}

/* False, and "", if the file doesn't say. */
static bool version_find(const ec_elf_image *image, const char *before, char ret_version[static VERSION_LEN])
{
    struct version_search search = {.before = before};
    const struct ec_elf_segment *segment;

    for (size_t i = 0; !search.found && (segment = ec_elf_image_get_segment(image, i)); i++)
        ec_elf_image_scan(image, segment->offset, segment->size, VERSION_OVERLAP, version_scan, &search);
    g_strlcpy(ret_version, search.version, VERSION_LEN);
    return search.found;
}

/* In the constants of every bash (version.c: sccsversion), and zsh's directory of modules. */
static const char bash_before_version[] = "@(#)Bash version ";
static const char zsh_before_version[] = "/zsh/";

/* ---- symbols ---- */

static bool symbol_find(const ec_elf_image *image, const char *name, struct ec_elf_symbol *ret_symbol)
{
    return ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, name, ret_symbol) ||
           ec_elf_image_find_symbol(image, EC_ELF_SYMTAB, name, ret_symbol);
}

static bool symbol_need(const ec_elf_image *image, const char *name, struct ec_elf_symbol *ret_symbol, GError **error)
{
    if (symbol_find(image, name, ret_symbol))
        return true;
    g_set_error(
        error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
        "it has no symbol %s: use a build that is not static, or one that is not stripped; of bash, --readlineso "
        "PATH@ADDRESS shows the lines",
        name);
    return false;
}

/* ---- probes ---- */

/* The variables whose places a probe's cookie carries; 0: none. */
struct variables {
    uint64_t addresses[2];
};

static bool probe_add(const ec_elf_image *image, enum ec_uprobe uprobe, uint64_t address,
                      const struct variables *variables, struct ec_probe_plan *plan, GError **error)
{
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(image, address);
    uint64_t cookie;

    if (segment == NULL || !segment->executable || plan->n_probes == EC_PROBES_MAX ||
        !ec_variables_cookie_make(variables->addresses, address, &cookie)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "its symbols point nowhere: use another build");
        return false;
    }
    plan->probes[plan->n_probes++] =
        (struct ec_probe){.uprobe = uprobe, .offset = segment->offset + (address - segment->address), .cookie = cookie};
    return true;
}

static bool is_return(int machine, const uint8_t *code, size_t len)
{
    uint32_t word = 0;

    if (machine == EM_AARCH64) {
        memcpy(&word, code, sizeof(word));
        return word == 0xd65f03c0 || word == 0xd65f0bff; /* ret, retaa */
    }
    return code[len - 1] == 0xc3 && (len == 1 || (len == 2 && (code[0] == 0xf3 || code[0] == 0xf2)));
}

static bool goes_elsewhere(const struct ec_insn *insn, const struct ec_elf_symbol *function)
{
    return (insn->op == EC_OP_JUMP || insn->op == EC_OP_BRANCH) && insn->target - function->address >= function->size;
}

/* A probe on each instruction by which the function returns. There must be one, and no other way out: what goes
 * elsewhere may return from there. */
static bool returns_walk(const ec_elf_image *image, enum ec_uprobe uprobe, const struct ec_elf_symbol *function,
                         const uint8_t *code, ec_decoder *decoder, const struct variables *variables,
                         struct ec_probe_plan *plan, GError **error)
{
    const size_t probes = plan->n_probes;
    struct ec_insn insn;

    for (uint64_t at = 0; at < function->size; at += insn.length) {
        if (!ec_decoder_read(decoder, code + at, function->size - at, function->address + at, &insn) ||
            goes_elsewhere(&insn, function)) {
            g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "where its %s returns can't be told",
                        function->name);
            return false;
        }
        if (is_return(ec_elf_image_get_machine(image), code + at, insn.length) &&
            !probe_add(image, uprobe, insn.address, variables, plan, error))
            return false;
    }
    if (plan->n_probes > probes)
        return true;
    g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "its %s never returns", function->name);
    return false;
}

static bool returns_add(const ec_elf_image *image, enum ec_uprobe uprobe, const struct ec_elf_symbol *function,
                        const struct variables *variables, struct ec_probe_plan *plan, GError **error)
{
    const size_t size = MIN(function->size, FUNCTION_LEN_MAX);
    g_autofree uint8_t *code = g_malloc0(size + 1);
    g_autoptr(ec_decoder) decoder = ec_decoder_new(ec_machine_get(ec_elf_image_get_machine(image)));
    uint64_t offset;

    if (decoder == NULL || size == 0 || size < function->size ||
        !ec_elf_image_get_offset(image, function->address, &offset) ||
        ec_elf_image_read(image, offset, code, size) < size) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "its %s can't be read: use another build",
                    function->name);
        return false;
    }
    return returns_walk(image, uprobe, function, code, decoder, variables, plan, error);
}

/* ---- programs ---- */

static bool file_is_called(int fd, const char *name)
{
    char link[32], path[PATH_MAX];
    ssize_t len;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof(path) - 1);
    if (len <= 0)
        return false;
    path[len] = '\0';
    const char *slash = strrchr(path, '/');
    return slash != NULL && g_str_has_prefix(slash + 1, name);
}

/* By a dynamic symbol that no other program has, else by name and version. */
static bool shell_matches(int fd, const char *symbol_name, const char *name, const char *before_version)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    struct ec_elf_symbol symbol;
    char version[VERSION_LEN];

    if (image == NULL)
        return false;
    return ec_elf_image_find_symbol(image, EC_ELF_DYNSYM, symbol_name, &symbol) ||
           (file_is_called(fd, name) && version_find(image, before_version, version));
}

bool ec_bash_matches(int fd)
{
    return shell_matches(fd, "last_command_exit_value", "bash", bash_before_version);
}

bool ec_zsh_matches(int fd)
{
    return shell_matches(fd, "zleentry", "zsh", zsh_before_version);
}

/* libreadline, or a program that has it inside. */
static bool readline_find(const ec_elf_image *image, struct ec_probe_plan *plan, GError **error)
{
    const struct variables none = {{0}};
    struct ec_elf_symbol readline;

    if (!symbol_find(image, "readline", &readline)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "it is no bash, and does not define readline(): give bash or libreadline");
        return false;
    }
    return returns_add(image, EC_UPROBE_READLINE_LINE, &readline, &none, plan, error);
}

static bool bash_find(const ec_elf_image *image, struct ec_probe_plan *plan, GError **error)
{
    struct ec_elf_symbol readline, read_command, executing, status, cwd;

    if (!symbol_need(image, "read_command", &read_command, error) ||
        !symbol_need(image, "executing", &executing, error) ||
        !symbol_need(image, "last_command_exit_value", &status, error) ||
        !symbol_need(image, "the_current_working_directory", &cwd, error))
        return false;
    if (!symbol_find(image, "readline", &readline)) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "it has no line editor inside: name its libreadline by --readlineso");
        return false;
    }
    const struct variables done = {{status.address, 0}}, line = {{executing.address, cwd.address}};
    return probe_add(image, EC_UPROBE_SHELL_DONE, read_command.address, &done, plan, error) &&
           probe_add(image, EC_UPROBE_BASH_PROMPT, readline.address, &line, plan, error) &&
           returns_add(image, EC_UPROBE_BASH_LINE, &readline, &line, plan, error);
}

static bool zsh_find(const ec_elf_image *image, struct ec_probe_plan *plan, GError **error)
{
    struct ec_elf_symbol entry, preprompt, status, cwd;

    if (!symbol_need(image, "zleentry", &entry, error) || !symbol_need(image, "preprompt", &preprompt, error) ||
        !symbol_need(image, "lastval", &status, error) || !symbol_need(image, "pwd", &cwd, error))
        return false;
    const struct variables none = {{0}}, done = {{status.address, 0}}, line = {{cwd.address, 0}};
    return probe_add(image, EC_UPROBE_SHELL_DONE, preprompt.address, &done, plan, error) &&
           probe_add(image, EC_UPROBE_ZSH_ENTRY, entry.address, &none, plan, error) &&
           returns_add(image, EC_UPROBE_ZSH_LINE, &entry, &line, plan, error);
}

bool ec_bash_find_probes(int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    struct ec_probe_plan plan = {0};
    bool is_bash;

    if (image == NULL)
        return false;
    is_bash = version_find(image, bash_before_version, plan.version);
    if (!(is_bash ? bash_find(image, &plan, error) : readline_find(image, &plan, error)))
        return false;
    *ret_plan = plan;
    return true;
}

bool ec_zsh_find_probes(int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    struct ec_probe_plan plan = {0};

    if (image == NULL)
        return false;
    version_find(image, zsh_before_version, plan.version);
    if (!zsh_find(image, &plan, error))
        return false;
    *ret_plan = plan;
    return true;
}

bool ec_readline_find_probes(int fd, uint64_t address, struct ec_probe_plan *ret_plan, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    const struct ec_elf_segment *segment = image != NULL ? ec_elf_image_find_segment(image, address) : NULL;

    if (image == NULL)
        return false;
    if (segment == NULL || !segment->executable) {
        g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN,
                    "it has no code at 0x%" G_GINT64_MODIFIER "x: give readline()'s address as nm shows it", address);
        return false;
    }
    /* Where its code ends isn't known, so its return is probed where it begins. */
    *ret_plan = (struct ec_probe_plan){.n_probes = 1,
                                       .probes = {{.uprobe = EC_UPROBE_READLINE_LINE,
                                                   .at_return = true,
                                                   .offset = segment->offset + (address - segment->address)}}};
    return true;
}

bool ec_shell_path_split(const char *text, char **ret_path, uint64_t *ret_address)
{
    const char *at = strrchr(text, '@');
    guint64 address;

    if (at == NULL || !g_str_has_prefix(at, "@0x") || g_file_test(text, G_FILE_TEST_EXISTS) ||
        !g_ascii_string_to_unsigned(at + 3, 16, 1, G_MAXUINT64, &address, NULL))
        return false;
    *ret_path = g_strndup(text, (gsize)(at - text));
    *ret_address = address;
    return true;
}
