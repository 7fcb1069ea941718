/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unsupported-tls.h"

#include <elf.h>
#include <glib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

/* A file of one segment that holds this text. */
static char *find(const char *text, size_t len, uint32_t flags)
{
    const struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
    } file = {
        .header = {.e_ident = "\177ELF\2\1\1",
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD, .p_filesz = 0x2000, .p_flags = flags},
    };
    int fd = memfd_create("program", MFD_CLOEXEC);
    char *reason;

    assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
    assert_int_equal(ftruncate(fd, 0x2000), 0);
    assert_int_equal(pwrite(fd, text, len, 0x1000), len);
    reason = ec_unsupported_file_find(fd);
    close(fd);
    return reason;
}
#define FIND(text) find(text, sizeof(text), PF_R)

static void file_find_rustls_source_path_is_named_with_its_version(void **state)
{
    g_autofree char *cargo = FIND("\0/registry/src/index.crates.io-1/rustls-0.23.46/src/verify.rs");
    g_autofree char *bazel = FIND("\0tokio-rustls-0.26.6/src/a.rs crates_vendor__rustls-0.21.1/src/b.rs");
    (void)state;

    assert_true(g_str_has_prefix(cargo, "not supported: rustls 0.23.46 "));
    assert_true(g_str_has_prefix(bazel, "not supported: rustls 0.21.1 "));
}

static void file_find_what_only_speaks_of_it_is_null(void **state)
{
    (void)state;
    assert_null(FIND("\0tokio-rustls-0.26.6/src/client.rs"));
    assert_null(FIND("\0rustls-0.23.46"));
    assert_null(FIND("\0/rustls-/src/"));
    assert_null(FIND("\0/myrustls-1.0/src/"));
    assert_null(find("/rustls-0.23.46/src/", 21, PF_R | PF_X));
}

static void name_find_libjvm_alone_is_named(void **state)
{
    static const char path[] = "/usr/lib/jvm/java-17/lib/server/libjvm.so";
    (void)state;

    assert_non_null(ec_unsupported_name_find(path, strlen(path)));
    assert_null(ec_unsupported_name_find(path, strlen(path) - 1));
    assert_null(ec_unsupported_name_find("/usr/lib/libssl.so", 18));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(file_find_rustls_source_path_is_named_with_its_version),
        cmocka_unit_test(file_find_what_only_speaks_of_it_is_null),
        cmocka_unit_test(name_find_libjvm_alone_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
