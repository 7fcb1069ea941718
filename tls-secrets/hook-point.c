/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two questions: which function is handed every secret, and where does the client random lie from its first argument.
 *
 * The function: by its symbol, if exactly one function bears it; else every instruction that loads a label's address
 * is followed (label-reference.h) until the label is the second argument of a call. A callee that at least four
 * different labels reach, both handshake secrets among them, is the one, provided that there is just one such callee
 * and that no other label that matters goes elsewhere: a compiler that clones or inlines the function for one label
 * would otherwise make that secret vanish unnoticed.
 *
 * Seen to work, and proven by comparing with the library's own key log: Debian's libssl 1.1.1w, 3.0.22, 3.5.7, 3.6.5,
 * Node 22 (OpenSSL inside), bun 1.4 (BoringSSL inside). In Ubuntu 22.04's libssl 3.0.2 link-time optimisation put the
 * function into its callers, behind their check for a key log: prf-hook.h and expand-hook.h find two others there.
 *
 * The random: out of that function's own code and out of SSL_get_client_random, if it is exported. They must agree. If
 * it isn't, and the function doesn't tell either, as gcc's -O3 leaves OpenSSL 3.0's: by prf-hook.h.
 */
#include "hook-point.h"

#include "elf-image.h"
#include "expand-hook.h"
#include "label-reference.h"
#include "libressl-hook.h"
#include "prf-hook.h"
#include "probe-place.h"
#include "random-place.h"

#include <elf.h>
#include <string.h>

G_DEFINE_QUARK(ec - hook - error - quark, ec_hook_error)

enum {
    LABELS_MIN = 4, /* that must agree on the function */
};

#define BIT(label) (1u << (label))
static const uint32_t handshake_labels = BIT(EC_LABEL_CLIENT_HANDSHAKE) | BIT(EC_LABEL_SERVER_HANDSHAKE);
/* Without one of these some connection can't be decrypted. */
static const uint32_t needed_labels = BIT(EC_LABEL_CLIENT_RANDOM) | BIT(EC_LABEL_CLIENT_HANDSHAKE) |
                                      BIT(EC_LABEL_SERVER_HANDSHAKE) | BIT(EC_LABEL_CLIENT_TRAFFIC_0) |
                                      BIT(EC_LABEL_SERVER_TRAFFIC_0);

static const char *const method_names[] = {
    [EC_HOOK_SYMBOL] = "symbol",
    [EC_HOOK_DEBUG] = "debug data",
    [EC_HOOK_XREF] = "cross-reference",
    [EC_HOOK_GO_TABLE] = "Go function table",
};
_Static_assert(G_N_ELEMENTS(method_names) == EC_HOOK_METHOD_MAX, "a name for every method");

const char *ec_hook_method_get_name(enum ec_hook_method method)
{
    g_return_val_if_fail((unsigned)method < EC_HOOK_METHOD_MAX, "");
    return method_names[method];
}

static const char *const kind_names[] = {
    [EC_LIBRARY_OPENSSL] = "OpenSSL",     [EC_LIBRARY_BORINGSSL] = "BoringSSL",   [EC_LIBRARY_GNUTLS] = "GnuTLS",
    [EC_LIBRARY_LIBRESSL] = "LibreSSL",   [EC_LIBRARY_GO] = "Go crypto/tls",      [EC_LIBRARY_NSS] = "NSS",
    [EC_LIBRARY_NSS_KEYS] = "NSS's keys", [EC_LIBRARY_NSS_TOKEN] = "NSS's token", [EC_LIBRARY_AWS_LC] = "AWS-LC",
};
_Static_assert(G_N_ELEMENTS(kind_names) == EC_LIBRARY_KIND_MAX, "a name for every kind");

const char *ec_library_kind_get_name(enum ec_library_kind kind)
{
    g_return_val_if_fail((unsigned)kind < EC_LIBRARY_KIND_MAX, "");
    return kind_names[kind];
}

bool ec_library_kind_is_tls(enum ec_library_kind kind)
{
    return kind != EC_LIBRARY_NSS_KEYS && kind != EC_LIBRARY_NSS_TOKEN;
}

static bool unproven(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool unproven(GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *message = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error_literal(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, message);
    return false;
}

/* What is known of the file while it is worked on. */
typedef struct finder finder;
struct finder {
    const struct ec_elf_image *image;
    const struct ec_elf_image *debug; /* NULL: none that belongs to the file */
    struct ec_code *code;
    struct ec_label_strings strings;
    enum ec_hook_method method;
    uint64_t function; /* address */
    bool is_cplusplus; /* the symbol found is mangled */
    bool is_nss;
    struct ec_random_place random;
};

/* A function's symbols of several spellings; `count` counts different addresses. */
struct symbol_match {
    bool (*is_wanted)(const char *name);
    uint64_t address;
    unsigned count;
    bool is_cplusplus;
    bool has_clones;
};

/* Suffixes with which a function keeps its arguments: GCC's and LLVM's names for a local one made unique by LTO. */
static bool suffix_is_harmless(const char *suffix)
{
    return *suffix == '\0' || g_str_has_prefix(suffix, ".lto_priv.") || g_str_has_prefix(suffix, ".llvm.") ||
           strcmp(suffix, ".localalias") == 0;
}

/* GCC's names for a copy with other arguments: some secret may go there and not to the original. */
static bool is_clone(const char *name)
{
    return strstr(name, ".constprop.") || strstr(name, ".isra.") || strstr(name, ".part.");
}

/* C, with or without a prefix (BORINGSSL_PREFIX, AWS-LC's Rust crates: "aws_lc_0_30_0_ssl_log_secret"), or the
 * Itanium ABI's mangling of bssl::ssl_log_secret(SSL const *, char const *, …), in whatever namespace. */
static bool is_ssl_log_secret(const char *name)
{
    static const char plain[] = "ssl_log_secret", mangled[] = "14ssl_log_secretE", arguments[] = "PK6ssl_stPKc";
    if (g_str_has_prefix(name, "_ZN")) {
        const char *part = strstr(name, mangled);
        return part && g_str_has_prefix(part + strlen(mangled), arguments) && !strchr(part, '.');
    }
    const char *part = g_strrstr(name, plain);
    return part && (part == name || part[-1] == '_') && suffix_is_harmless(part + strlen(plain));
}

static bool is_gnutls_keylog_write(const char *name)
{
    static const char plain[] = "_gnutls_nss_keylog_write";
    return g_str_has_prefix(name, plain) && suffix_is_harmless(name + strlen(plain));
}

static bool is_accessor(const char *name)
{
    static const char plain[] = "SSL_get_client_random";
    return g_str_has_suffix(name, plain) &&
           (strlen(name) == strlen(plain) || name[strlen(name) - strlen(plain) - 1] == '_');
}

static bool is_gnutls_accessor(const char *name)
{
    return strcmp(name, "gnutls_session_get_random") == 0;
}

static bool is_nss_accessor(const char *name)
{
    return strcmp(name, "SSL_ExportKeyingMaterial") == 0;
}

static bool symbol_match_visit(const struct ec_elf_symbol *symbol, void *data)
{
    struct symbol_match *match = data;
    match->has_clones |= is_clone(symbol->name);
    if (!match->is_wanted(symbol->name) || (match->count > 0 && match->address == symbol->address))
        return true;
    match->address = symbol->address;
    match->is_cplusplus = g_str_has_prefix(symbol->name, "_Z");
    match->count++;
    return true;
}

/* The one function of that name in the file's own tables, else in its debug file. */
static bool symbol_find(const struct finder *finder, const char *part, bool (*is_wanted)(const char *),
                        struct symbol_match *ret_match, enum ec_hook_method *ret_method)
{
    struct symbol_match match = {.is_wanted = is_wanted};
    enum ec_hook_method method = EC_HOOK_SYMBOL;
    ec_elf_image_foreach_function(finder->image, EC_ELF_DYNSYM, part, symbol_match_visit, &match);
    ec_elf_image_foreach_function(finder->image, EC_ELF_SYMTAB, part, symbol_match_visit, &match);
    if (match.count == 0 && finder->debug) {
        method = EC_HOOK_DEBUG;
        ec_elf_image_foreach_function(finder->debug, EC_ELF_SYMTAB, part, symbol_match_visit, &match);
    }
    const struct ec_elf_segment *segment = ec_elf_image_find_segment(finder->image, match.address);
    if (match.count != 1 || match.has_clones || !segment || !segment->executable)
        return false;
    *ret_match = match;
    *ret_method = method;
    return true;
}

static bool function_find_by_symbol(struct finder *finder)
{
    struct symbol_match match;
    if (!symbol_find(finder, "ssl_log_secret", is_ssl_log_secret, &match, &finder->method) &&
        !symbol_find(finder, "_gnutls_nss_keylog_write", is_gnutls_keylog_write, &match, &finder->method))
        return false;
    finder->function = match.address;
    finder->is_cplusplus = match.is_cplusplus;
    return true;
}

static bool taker_qualifies(const struct ec_label_taker *taker)
{
    return (taker->labels & handshake_labels) == handshake_labels && __builtin_popcount(taker->labels) >= LABELS_MIN;
}

static const char *first_label(uint32_t labels)
{
    return ec_secret_label_get_name(__builtin_ctz(labels));
}

static bool takers_judge(const struct ec_label_use *use, uint64_t *ret_function, GError **error)
{
    const struct ec_label_taker *takers = (const struct ec_label_taker *)use->takers->data;
    size_t count = use->takers->len;
    if (use->exhausted)
        return unproven(error, "the code around the label strings is too tangled to follow");
    if ((use->referenced & handshake_labels) != handshake_labels)
        return unproven(error, "the label strings are in the file, but no code loads the address of %s",
                        first_label(handshake_labels & ~use->referenced));
    if (count == 0)
        return unproven(error, "the label strings are used, but reach no call as its second argument: "
                               "link-time optimisation has put the function that logs secrets into its callers");
    size_t best = 0;
    while (best < count && !taker_qualifies(&takers[best]))
        best++;
    if (best == count)
        return unproven(error, "no function takes all labels: the best, at 0x%" G_GINT64_MODIFIER "x, takes %d",
                        takers[0].address, __builtin_popcount(takers[0].labels));
    for (size_t other = best + 1; other < count; other++)
        if (taker_qualifies(&takers[other]))
            return unproven(error,
                            "two functions take the labels, at 0x%" G_GINT64_MODIFIER "x and 0x%" G_GINT64_MODIFIER
                            "x: two TLS libraries in one file",
                            takers[best].address, takers[other].address);
    uint32_t astray = use->referenced & needed_labels & ~takers[best].labels;
    if (astray)
        return unproven(error, "%s does not reach the function at 0x%" G_GINT64_MODIFIER "x that takes the others",
                        first_label(astray), takers[best].address);
    *ret_function = takers[best].address;
    return true;
}

static bool function_find_by_reference(struct finder *finder, GError **error)
{
    struct ec_label_use use;
    ec_label_use_find(finder->code, finder->image, &finder->strings, &use);
    if (finder->is_nss)
        ec_label_use_deepen(finder->code, &use);
    bool found = takers_judge(&use, &finder->function, error);
    ec_label_use_clear(&use);
    if (found && !ec_elf_image_find_segment(finder->image, finder->function))
        return unproven(error, "the labels are passed to a function outside the file");
    finder->method = EC_HOOK_XREF;
    return found;
}

static bool random_find(struct finder *finder, GError **error)
{
    enum ec_random_accessor kind = EC_ACCESSOR_NONE;
    struct symbol_match match = {};
    enum ec_hook_method method;
    if (symbol_find(finder, "gnutls_session_get_random", is_gnutls_accessor, &match, &method))
        kind = EC_ACCESSOR_POINTS;
    else if (symbol_find(finder, "SSL_get_client_random", is_accessor, &match, &method))
        kind = EC_ACCESSOR_COPIES;
    else if (symbol_find(finder, "SSL_ExportKeyingMaterial", is_nss_accessor, &match, &method))
        kind = EC_ACCESSOR_EXPORTS;
    g_autoptr(GError) reason = NULL;
    if (ec_random_place_find(finder->code, finder->function, kind, match.address, &finder->random, &reason))
        return true;
    g_autoptr(ec_code) code = kind == EC_ACCESSOR_NONE ? ec_code_new(finder->image) : NULL; /* with steps of its own */
    if (code && ec_prf_random_find(code, finder->image, &finder->random))
        return true;
    g_propagate_error(error, g_steal_pointer(&reason));
    return false;
}

/* `version`: as found; without the library's name behind. */
static enum ec_library_kind kind_get(const struct finder *finder, char version[static 48])
{
    struct symbol_match match;
    enum ec_hook_method method;
    enum ec_library_kind kind;
    if (finder->is_nss)
        return EC_LIBRARY_NSS;
    if (ec_library_version_split(version, &kind))
        return kind;
    if (version[0])
        return EC_LIBRARY_OPENSSL;
    if (symbol_find(finder, "gnutls_session_get_random", is_gnutls_accessor, &match, &method))
        return EC_LIBRARY_GNUTLS;
    return finder->is_cplusplus || finder->strings.names_boringssl ? EC_LIBRARY_BORINGSSL : EC_LIBRARY_OPENSSL;
}

static bool function_find(struct finder *finder, GError **error)
{
    struct symbol_match match;
    finder->is_nss =
        symbol_find(finder, "SSL_ExportKeyingMaterial", is_nss_accessor, &match, &(enum ec_hook_method){0});
    return function_find_by_symbol(finder) || function_find_by_reference(finder, error);
}

static void finder_clear(struct finder *finder)
{
    if (finder->strings.places)
        ec_label_strings_clear(&finder->strings);
    ec_code_free(finder->code);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(finder, finder_clear)

/* NULL if there is none, or it is another file's. */
static struct ec_elf_image *debug_open(const struct ec_elf_image *image, int debug_fd)
{
    if (debug_fd < 0)
        return NULL;
    g_autoptr(ec_elf_image) debug = ec_elf_image_open(debug_fd, NULL);
    if (!debug || strcmp(ec_elf_image_get_build_id(debug), ec_elf_image_get_build_id(image)) != 0 ||
        ec_elf_image_get_machine(debug) != ec_elf_image_get_machine(image))
        return NULL;
    return g_steal_pointer(&debug);
}

/* All that the code of the function itself tells. */
static bool point_fill(const struct finder *finder, struct ec_hook_point *point)
{
    struct ec_probe_place probe;
    ec_probe_place_find(finder->image, finder->code, finder->function, EC_HOOK_ARGUMENTS, EC_ARGUMENTS_MAY_MOVE,
                        &probe);
    memcpy(point->registers, probe.registers, sizeof(point->registers));
    point->random_indirect = finder->random.indirect;
    point->random_pointer_offset = finder->random.pointer;
    point->random_offset = finder->random.offset;
    return ec_elf_image_get_offset(finder->image, finder->function, &point->function_offset) &&
           ec_elf_image_get_offset(finder->image, probe.address, &point->probe_offset);
}

/* Of a library without labels of key logs. `point`: what is known so far. */
static bool prf_point_find(const struct finder *finder, const struct ec_hook_point *point,
                           struct ec_hook_point *ret_point, GError **error)
{
    struct ec_hook_point found = *point;
    uint64_t function = 0;
    if (!ec_prf_find(finder->code, finder->image, &found.prf, &function, error))
        return false;
    if (!ec_elf_image_get_offset(finder->image, function, &found.function_offset))
        return unproven(error, "the function lies outside the file");
    if (found.prf == EC_PRF_LIBRESSL)
        ec_libressl_find(finder->code, finder->image, &found);
    found.method = EC_HOOK_XREF;
    found.kind = found.prf == EC_PRF_LIBRESSL ? EC_LIBRARY_LIBRESSL : EC_LIBRARY_OPENSSL;
    ec_library_version_split(found.version, &found.kind);
    found.probe_offset = found.function_offset;
    *ret_point = found;
    return true;
}

/* Of an OpenSSL whose function that logs secrets is inlined. `error`: why that one isn't found, to which is added why
 * no other is. */
static bool inlined_point_find(struct finder *finder, const struct ec_hook_point *point,
                               struct ec_hook_point *ret_point, GError **error)
{
    g_autoptr(ec_code) code = ec_code_new(finder->image); /* with steps of its own to spend */
    g_autoptr(GError) reason = NULL;
    struct ec_hook_point found = *point;
    struct symbol_match match = {.address = 0};
    enum ec_hook_method method;
    uint64_t function = 0;

    if (finder->is_nss || kind_get(finder, found.version) != EC_LIBRARY_OPENSSL)
        return false;
    symbol_find(finder, "SSL_get_client_random", is_accessor, &match, &method);
    if (!ec_expand_find(code, finder->image, match.address, &found, &reason) ||
        !ec_prf_find(code, finder->image, &found.prf, &function, &reason) || found.prf == EC_PRF_LIBRESSL ||
        !ec_elf_image_get_offset(finder->image, function, &found.function_offset)) {
        g_autofree char *why = (*error)->message;
        (*error)->message =
            g_strdup_printf("%s; and %s", why, reason ? reason->message : "TLS 1.2's keys are another's");
        return false;
    }
    found.kind = EC_LIBRARY_OPENSSL;
    found.method = EC_HOOK_XREF;
    found.probe_offset = found.function_offset;
    g_clear_error(error);
    *ret_point = found;
    return true;
}

bool ec_hook_point_find(int fd, int debug_fd, struct ec_hook_point *ret_point, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    if (!image)
        return false;
    g_autoptr(ec_elf_image) debug = debug_open(image, debug_fd);
    g_auto(finder) finder = {.image = image, .debug = debug, .code = ec_code_new(image)};
    if (!finder.code)
        return unproven(error, "the disassembler does not start");
    struct ec_hook_point point = {.prf = EC_PRF_NONE};
    g_strlcpy(point.build_id, ec_elf_image_get_build_id(image), sizeof(point.build_id));
    ec_library_version_find(fd, point.version);
    ec_label_strings_find(image, &finder.strings);
    if ((finder.strings.labels & handshake_labels) != handshake_labels)
        return prf_point_find(&finder, &point, ret_point, error);
    g_autoptr(GError) reason = NULL;
    if (!function_find(&finder, &reason)) {
        if (inlined_point_find(&finder, &point, ret_point, &reason))
            return true;
        g_propagate_error(error, g_steal_pointer(&reason));
        return false;
    }
    if (!random_find(&finder, error))
        return false;
    point.method = finder.method;
    point.kind = kind_get(&finder, point.version);
    if (point.kind == EC_LIBRARY_GNUTLS)
        ec_gnutls_version_find(fd, point.version);
    if (point.kind == EC_LIBRARY_NSS)
        ec_nss_version_find(fd, point.version);
    if (!point_fill(&finder, &point))
        return unproven(error, "the function lies outside the file");
    *ret_point = point;
    return true;
}

static bool function_find_by_offset(struct finder *finder, uint64_t offset)
{
    const struct ec_elf_segment *segment = NULL;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(finder->image, i)); i++) {
        if (!segment->executable || offset < segment->offset || offset - segment->offset >= segment->size)
            continue;
        finder->function = segment->address + (offset - segment->offset);
        return true;
    }
    return false;
}

/* What the kind decides is which module the library belongs to. */
static bool kind_fits(const struct finder *finder, enum ec_library_kind kind)
{
    struct symbol_match match;
    enum ec_hook_method method;
    bool is_gnutls = symbol_find(finder, "gnutls_session_get_random", is_gnutls_accessor, &match, &method);
    return is_gnutls ? kind == EC_LIBRARY_GNUTLS : kind == EC_LIBRARY_OPENSSL || kind == EC_LIBRARY_BORINGSSL;
}

bool ec_hook_point_prove(int fd, const struct ec_hook_point *known, struct ec_hook_point *ret_point, GError **error)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, error);
    if (!image)
        return false;
    g_auto(finder) finder = {.image = image, .code = ec_code_new(image)};
    if (!finder.code)
        return unproven(error, "the disassembler does not start");
    const char *build_id = ec_elf_image_get_build_id(image);
    if (!build_id[0] || strcmp(build_id, known->build_id) != 0 || !kind_fits(&finder, known->kind) ||
        !function_find_by_offset(&finder, known->function_offset))
        return unproven(error, "what is known is another file's");
    if (!random_find(&finder, error))
        return false;
    struct ec_hook_point point = {.kind = known->kind, .method = known->method};
    g_strlcpy(point.build_id, build_id, sizeof(point.build_id));
    g_strlcpy(point.version, known->version, sizeof(point.version));
    if (!point_fill(&finder, &point))
        return unproven(error, "the function lies outside the file");
    *ret_point = point;
    return true;
}
