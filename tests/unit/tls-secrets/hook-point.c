/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The finder on miniature libraries built beside this test (fixture/), and on the machine's own libssl.so.3. What it
 * says of that one is proven: a connection object gets a client random where the finder says it lies, the function
 * that it found is called, and libssl's own key log must print that random.
 */
#include "hook-point.h"

#include "elf-image.h"
#include "fixture-file.h"
#include "keylog.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static bool fixture_find(const char *name, const char *suffix, const char *debug_name, struct ec_hook_point *ret_point,
                         GError **error)
{
    int fd = fixture_open(name, suffix), debug_fd = debug_name ? fixture_open(debug_name, ".debug") : -1;
    bool found = ec_hook_point_find(fd, debug_fd, ret_point, error);
    close(fd);
    if (debug_fd >= 0)
        close(debug_fd);
    return found;
}

static struct ec_hook_point fixture_expect(const char *name, const char *suffix, const char *debug_name)
{
    struct ec_hook_point point = {};
    g_autoptr(GError) error = NULL;
    if (!fixture_find(name, suffix, debug_name, &point, &error))
        print_error("%s%s: %s\n", name, suffix, error->message);
    assert_null(error);
    return point;
}

/* Where the unstripped file's symbol says that the function is, the cross-reference must find it. */
static void fixture_check(const char *name, bool indirect, size_t random_offset)
{
    struct ec_hook_point symbol = fixture_expect(name, "", NULL);
    struct ec_hook_point xref = fixture_expect(name, ".stripped", NULL);
    assert_int_equal(symbol.method, EC_HOOK_SYMBOL);
    assert_int_equal(xref.method, EC_HOOK_XREF);
    assert_int_equal(symbol.function_offset, xref.function_offset);
    assert_int_equal(symbol.probe_offset, xref.probe_offset);
    assert_in_range(xref.probe_offset, xref.function_offset, xref.function_offset + 64);
    assert_memory_equal(symbol.registers, xref.registers, sizeof(symbol.registers));
    assert_int_equal(symbol.kind, EC_LIBRARY_OPENSSL);
    assert_int_equal(strlen(symbol.build_id), 40);
    assert_string_equal(symbol.build_id, xref.build_id);
    assert_int_equal(xref.random_indirect, indirect);
    assert_int_equal(xref.random_pointer_offset, indirect ? 0x98 : 0);
    assert_int_equal(xref.random_offset, random_offset);
}

#ifdef __x86_64__
static bool symbol_take(const struct ec_elf_symbol *symbol, void *data)
{
    *(uint64_t *)data = symbol->address;
    return false;
}

/* Of the one function of the unstripped file whose name holds `name`. */
static uint64_t get_function_offset(const char *fixture, const char *name)
{
    int fd = fixture_open(fixture, "");
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    uint64_t address = 0, offset = 0;

    ec_elf_image_foreach_function(image, EC_ELF_SYMTAB, name, symbol_take, &address);
    assert_true(ec_elf_image_get_offset(image, address, &offset));
    close(fd);
    return offset;
}

static void find_prf_library_without_key_logs_gives_its_prf(void **state)
{
    static const struct {
        const char *name;
        enum ec_prf prf;
        enum ec_library_kind kind;
        const char *function;
    } rows[] = {{"prf-openssl", EC_PRF_OPENSSL, EC_LIBRARY_OPENSSL, "tls1_PRF"},
                {"prf-libressl", EC_PRF_LIBRESSL, EC_LIBRARY_LIBRESSL, "tls1_PRF"},
                {"prf-control", EC_PRF_CONTROL, EC_LIBRARY_OPENSSL, "EVP_PKEY_CTX_ctrl"}};
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct ec_hook_point point;
        g_autoptr(GError) error = NULL;

        if (!fixture_find(rows[i].name, ".stripped", NULL, &point, &error))
            fail_msg("%s: %s", rows[i].name, error->message);
        assert_int_equal(point.prf, rows[i].prf);
        assert_int_equal(point.kind, rows[i].kind);
        assert_int_equal(point.probe_offset, point.function_offset);
        assert_int_equal(point.function_offset, get_function_offset(rows[i].name, rows[i].function));
        assert_int_equal(point.libressl.derive_offset, 0);
    }
}

enum { INLINED_RANDOM = 8 + 8 + 32 }; /* in struct ssl of fixture/inlined.h */

static void inlined_logger_check(const char *name)
{
    struct ec_hook_point point = fixture_expect(name, ".stripped", NULL);
    uint64_t function = get_function_offset(name, "tls13_hkdf_expand");

    assert_int_equal(point.kind, EC_LIBRARY_OPENSSL);
    assert_int_equal(point.prf, EC_PRF_OPENSSL);
    assert_int_equal(point.function_offset, get_function_offset(name, "tls1_PRF"));
    assert_in_range(point.expand_offset, function, function + 64);
    assert_false(point.random_indirect);
    assert_int_equal(point.random_offset, INLINED_RANDOM);
}

static void find_inlined_logger_gives_prf_and_expansion(void **state)
{
    (void)state;
    inlined_logger_check("prf-inlined");
    inlined_logger_check("prf-inlined-quic");
    inlined_logger_check("inlined-forwards");
}

static void find_random_without_accessor_is_where_keys_are_made_of_it(void **state)
{
    (void)state;
    fixture_check("hidden-forwards", false, INLINED_RANDOM);
}

static void find_libressl_gives_its_tls13(void **state)
{
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    uint64_t function;
    (void)state;

    if (!fixture_find("prf-tls13", ".stripped", NULL, &point, &error))
        fail_msg("%s", error->message);
    assert_int_equal(point.prf, EC_PRF_LIBRESSL);
    assert_int_equal(point.function_offset, get_function_offset("prf-tls13", "tls1_PRF"));
    /* struct tls13_secrets, struct ssl and struct state of fixture/tls13*: */
    assert_int_equal(point.libressl.handshake, 8 + 16 + 3 * 16);
    assert_int_equal(point.libressl.application, 8 + 16 + 6 * 16);
    assert_int_equal(point.libressl.n_entries, 3);
    assert_true(point.random_indirect);
    assert_int_equal(point.random_pointer_offset, 8);
    assert_int_equal(point.random_offset, 8 + 32);
    function = get_function_offset("prf-tls13", "derive_secret");
    assert_in_range(point.libressl.derive_offset, function, function + 64);
}

static void find_libressl_with_other_tls13_gives_its_prf_alone(void **state)
{
    static const char *const names[] = {"prf-tls13-swapped", "prf-tls13-no-random"};
    (void)state;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        struct ec_hook_point point;

        assert_true(fixture_find(names[i], ".stripped", NULL, &point, NULL));
        assert_int_equal(point.prf, EC_PRF_LIBRESSL);
        assert_int_equal(point.libressl.derive_offset, 0);
        assert_int_equal(point.libressl.n_entries, 0);
    }
}
#endif

/* struct ssl of fixture/library.h: 24 bytes, `before`, then struct connection with its 0x30 bytes */
enum { DIRECT_RANDOM = 24 + 0x100 + 0x30, INDIRECT_RANDOM = 0x30 };

static void find_every_optimisation_agrees_with_symbol(void **state)
{
    (void)state;
    fixture_check("o0", false, DIRECT_RANDOM);
    fixture_check("o2", false, DIRECT_RANDOM);
    fixture_check("o3", false, DIRECT_RANDOM);
    fixture_check("os", false, DIRECT_RANDOM);
    fixture_check("fixed", false, DIRECT_RANDOM);
#ifdef __x86_64__
    fixture_check("cet", false, DIRECT_RANDOM);
#endif
}

static void find_random_behind_pointer_is_indirect(void **state)
{
    (void)state;
    fixture_check("indirect", true, INDIRECT_RANDOM);
    fixture_check("inlined-indirect", true, INDIRECT_RANDOM);
}

static void find_random_read_in_loop_is_seen(void **state)
{
    (void)state;
    fixture_check("inlined", false, DIRECT_RANDOM);
}

static void find_probe_avoids_endbr64(void **state)
{
    (void)state;
#ifdef __x86_64__
    struct ec_hook_point point = fixture_expect("cet", ".stripped", NULL);
    uint8_t entry[4], probe[2];
    int fd = fixture_open("cet", ".stripped");
    assert_int_equal(pread(fd, entry, sizeof(entry), point.function_offset), sizeof(entry));
    assert_int_equal(pread(fd, probe, sizeof(probe), point.probe_offset), sizeof(probe));
    close(fd);
    assert_memory_equal(entry, "\xf3\x0f\x1e\xfa", 4);
    assert_true(point.probe_offset > point.function_offset);
    /* push, or the jump to line_write */
    assert_true((probe[0] & 0xf8) == 0x50 || (probe[0] == 0x41 && (probe[1] & 0xf8) == 0x50) || probe[0] == 0xe9);
#else
    skip();
#endif
}

static void find_debug_file_gives_symbol(void **state)
{
    (void)state;
    struct ec_hook_point symbol = fixture_expect("o2", "", NULL);
    struct ec_hook_point debug = fixture_expect("o2", ".stripped", "o2");
    assert_int_equal(debug.method, EC_HOOK_DEBUG);
    assert_int_equal(debug.function_offset, symbol.function_offset);
    assert_int_equal(debug.random_offset, symbol.random_offset);
}

static void find_debug_file_of_another_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(fixture_expect("o2", ".stripped", "o0").method, EC_HOOK_XREF);
}

static void unproven_check(const char *name, const char *suffix, const char *reason)
{
    struct ec_hook_point point, before;
    memset(&point, 0x5a, sizeof(point));
    memcpy(&before, &point, sizeof(before));
    g_autoptr(GError) error = NULL;
    assert_false(fixture_find(name, suffix, NULL, &point, &error));
    assert_int_equal(error->code, EC_HOOK_ERROR_UNPROVEN);
    if (!strstr(error->message, reason))
        print_error("%s: %s\n", name, error->message);
    assert_non_null(strstr(error->message, reason));
    assert_memory_equal(&point, &before, sizeof(before));
}

static void find_unproven_says_why(void **state)
{
    (void)state;
    unproven_check("astray", ".stripped", "CLIENT_RANDOM does not reach");
    unproven_check("two", ".stripped", "two functions");
    unproven_check("no-random", ".stripped", "not seen");
    unproven_check("disagreeing", ".stripped", "by its accessor");
#ifdef __x86_64__
    unproven_check("prf-inlined-no-random", ".stripped", "neither SSL_get_client_random nor the making of");
    unproven_check("inlined-backwards", ".stripped", "neither SSL_get_client_random nor the making of");
    unproven_check("hidden-backwards", ".stripped", "not seen");
#endif
    /* The symbol is there, but so is a copy that takes some secrets. */
    unproven_check("cloned", "", "CLIENT_RANDOM does not reach");
}

static void bytes_check(const void *bytes, size_t len, enum ec_hook_error code)
{
    int fd = memfd_create("bytes", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    assert_false(ec_hook_point_find(fd, -1, &point, &error));
    assert_int_equal(error->domain, EC_HOOK_ERROR);
    assert_int_equal(error->code, code);
    close(fd);
}

static void find_no_elf_fails(void **state)
{
    (void)state;
    static const char script[] = "#!/bin/sh\nexec true # CLIENT_HANDSHAKE_TRAFFIC_SECRET\n";
    uint8_t elf32[64] = "\177ELF\1\1\1";
    elf32[18] = 3;
    bytes_check("", 0, EC_HOOK_ERROR_NOT_ELF);
    bytes_check(script, sizeof(script), EC_HOOK_ERROR_NOT_ELF);
    bytes_check("\177ELF", 4, EC_HOOK_ERROR_NOT_ELF);
    bytes_check(elf32, sizeof(elf32), EC_HOOK_ERROR_MACHINE);
    elf32[4] = 2;
    elf32[18] = 62;
    bytes_check(elf32, sizeof(elf32), EC_HOOK_ERROR_NOT_ELF);
}

static void find_unreadable_fails(void **state)
{
    (void)state;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    assert_false(ec_hook_point_find(fd, -1, &point, &error));
    assert_int_equal(error->code, EC_HOOK_ERROR_IO);
    close(fd);
}

static void find_program_without_tls_fails(void **state)
{
    (void)state;
    int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    assert_false(ec_hook_point_find(fd, -1, &point, &error));
    assert_int_equal(error->code, EC_HOOK_ERROR_NOT_TLS);
    close(fd);
}

/* A library that is being replaced or was cut by a full disk: any prefix is refused or found, nothing crashes. */
static void find_truncated_anywhere_ends_quietly(void **state)
{
    (void)state;
    int fd = fixture_open("o2", "");
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    g_autofree uint8_t *bytes = g_malloc(status.st_size);
    assert_int_equal(read(fd, bytes, status.st_size), status.st_size);
    close(fd);
    for (off_t len = 0; len < status.st_size; len += 61) {
        int cut = memfd_create("cut", MFD_CLOEXEC);
        assert_int_equal(write(cut, bytes, len), len);
        struct ec_hook_point point;
        g_autoptr(GError) error = NULL;
        bool found = ec_hook_point_find(cut, cut, &point, &error);
        assert_int_equal(found, !error);
        close(cut);
    }
}

/* Position-independent aarch64 code, cross-compiled once: see tests/fuzz/corpus/hook-point. */
static void find_aarch64_library_is_followed(void **state)
{
    (void)state;
    int fd = open(EC_TEST_CORPUS "/arm64.so", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    assert_true(ec_hook_point_find(fd, -1, &point, &error));
    close(fd);
    assert_int_equal(point.method, EC_HOOK_XREF);
    assert_int_equal(point.function_offset, 0x57c);
    assert_int_equal(point.probe_offset, 0x57c);
    assert_memory_equal(point.registers, "\0\1\2\3", 4);
    assert_int_equal(point.random_offset, DIRECT_RANDOM);
}

/* The parts of libssl's interface that the proof below calls; the library is loaded, not linked. */
struct libssl {
    void *handle;
    const void *(*method)(void);
    void *(*context_new)(const void *method);
    void (*context_free)(void *context);
    void (*set_keylog)(void *context, void (*callback)(const void *ssl, const char *line));
    void *(*ssl_new)(void *context);
    void (*ssl_free)(void *ssl);
};

static bool libssl_load(struct libssl *libssl)
{
    *libssl = (struct libssl){.handle = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL)};
    if (!libssl->handle)
        return false;
    *(void **)&libssl->method = dlsym(libssl->handle, "TLS_method");
    *(void **)&libssl->context_new = dlsym(libssl->handle, "SSL_CTX_new");
    *(void **)&libssl->context_free = dlsym(libssl->handle, "SSL_CTX_free");
    *(void **)&libssl->set_keylog = dlsym(libssl->handle, "SSL_CTX_set_keylog_callback");
    *(void **)&libssl->ssl_new = dlsym(libssl->handle, "SSL_new");
    *(void **)&libssl->ssl_free = dlsym(libssl->handle, "SSL_free");
    return true;
}

struct loaded_file {
    const char *path;
    uint64_t offset;
    void *address; /* of the byte at that offset */
};

static int loaded_visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct loaded_file *file = data;
    (void)size;
    if (strcmp(info->dlpi_name, file->path) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD && file->offset >= header->p_offset &&
            file->offset - header->p_offset < header->p_filesz)
            file->address = (char *)info->dlpi_addr + header->p_vaddr + (file->offset - header->p_offset);
    }
    return 1;
}

static char keylog_line[512];

static void keylog_callback(const void *ssl, const char *line)
{
    (void)ssl;
    g_strlcpy(keylog_line, line, sizeof(keylog_line));
}

static void *function_locate(const struct libssl *libssl, struct ec_hook_point *ret_point)
{
    struct link_map *map = NULL;
    g_autoptr(GError) error = NULL;
    assert_int_equal(dlinfo(libssl->handle, RTLD_DI_LINKMAP, &map), 0);
    int fd = open(map->l_name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    if (!ec_hook_point_find(fd, -1, ret_point, &error))
        print_error("%s: %s\n", map->l_name, error->message);
    assert_null(error);
    close(fd);
    struct loaded_file file = {map->l_name, ret_point->function_offset, NULL};
    dl_iterate_phdr(loaded_visit, &file);
    assert_non_null(file.address);
    return file.address;
}

static void find_libssl_of_this_machine_is_right(void **state)
{
    (void)state;
    struct libssl libssl;
    if (!libssl_load(&libssl))
        skip();
    struct ec_hook_point point;
    int (*log_secret)(void *ssl, const char *label, const uint8_t *secret, size_t len) = NULL;
    *(void **)&log_secret = function_locate(&libssl, &point);
    void *context = libssl.context_new(libssl.method());
    libssl.set_keylog(context, keylog_callback);
    uint8_t *ssl = libssl.ssl_new(context);
    assert_non_null(ssl);

    struct ec_secret expected = {.label = "EXPORTER_SECRET", .secret_len = 48}, logged;
    for (int i = 0; i < EC_RANDOM_LEN; i++)
        expected.client_random[i] = 0xc0 + i;
    for (size_t i = 0; i < expected.secret_len; i++)
        expected.secret[i] = i;
    uint8_t *base = point.random_indirect ? *(uint8_t **)(ssl + point.random_pointer_offset) : ssl;
    memcpy(base + point.random_offset, expected.client_random, EC_RANDOM_LEN);
    keylog_line[0] = '\0';
    assert_int_equal(log_secret(ssl, expected.label, expected.secret, expected.secret_len), 1);
    assert_true(ec_keylog_line_parse(keylog_line, strlen(keylog_line), &logged));
    assert_memory_equal(&logged, &expected, sizeof(expected));

    libssl.ssl_free(ssl);
    libssl.context_free(context);
    dlclose(libssl.handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef __x86_64__
        cmocka_unit_test(find_prf_library_without_key_logs_gives_its_prf),
        cmocka_unit_test(find_inlined_logger_gives_prf_and_expansion),
        cmocka_unit_test(find_random_without_accessor_is_where_keys_are_made_of_it),
        cmocka_unit_test(find_libressl_gives_its_tls13),
        cmocka_unit_test(find_libressl_with_other_tls13_gives_its_prf_alone),
#endif
        cmocka_unit_test(find_every_optimisation_agrees_with_symbol),
        cmocka_unit_test(find_random_behind_pointer_is_indirect),
        cmocka_unit_test(find_random_read_in_loop_is_seen),
        cmocka_unit_test(find_probe_avoids_endbr64),
        cmocka_unit_test(find_debug_file_gives_symbol),
        cmocka_unit_test(find_debug_file_of_another_is_ignored),
        cmocka_unit_test(find_unproven_says_why),
        cmocka_unit_test(find_no_elf_fails),
        cmocka_unit_test(find_unreadable_fails),
        cmocka_unit_test(find_program_without_tls_fails),
        cmocka_unit_test(find_truncated_anywhere_ends_quietly),
        cmocka_unit_test(find_aarch64_library_is_followed),
        cmocka_unit_test(find_libssl_of_this_machine_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
