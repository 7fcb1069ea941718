/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small ELF file of one segment that holds the text. */
#include "hook-point.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static int file_make(const char *text, size_t len)
{
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segment;
        char text[256];
    } file = {
        .header = {.e_ident = "\177ELF\2\1\1",
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 1},
        .segment = {.p_type = PT_LOAD, .p_filesz = sizeof(file), .p_memsz = sizeof(file), .p_flags = PF_R},
    };
    assert_true(len <= sizeof(file.text));
    memcpy(file.text, text, len);
    int fd = memfd_create("version", MFD_CLOEXEC);
    assert_int_equal(write(fd, &file, sizeof(file)), sizeof(file));
    return fd;
}

static bool text_find(bool (*find)(int, char[static 48]), const char *text, char ret_version[static 48])
{
    int fd = file_make(text, strlen(text) + 1);
    bool found = find(fd, ret_version);
    close(fd);
    return found;
}

static bool version_find(const char *text, char ret_version[static 48])
{
    return text_find(ec_library_version_find, text, ret_version);
}

static void gnutls_version_find_text_of_log_gives_version(void **state)
{
    (void)state;
    char version[48] = "untouched";
    assert_false(text_find(ec_gnutls_version_find, "GnuTLS 3.7.9", version));
    assert_false(text_find(ec_gnutls_version_find, "Enabled GnuTLS ", version));
    assert_string_equal(version, "untouched");
    assert_true(text_find(ec_gnutls_version_find, "Enabled GnuTLS 3.8.13 logging...", version));
    assert_string_equal(version, "3.8.13");
}

static void version_find_known_texts_gives_version(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"OpenSSL 3.0.22 13 Oct 2026", "3.0.22"},
        {"OpenSSL 1.1.1w  11 Sep 2023", "1.1.1w"},
        {"OpenSSL 3.5.0-beta1 11 Sep 2023", "3.5.0-beta1"},
        {"OpenSSL 3.0.13+quic 30 Jan 2024", "3.0.13+quic"},
        {"LibreSSL 3.8.2", "LibreSSL 3.8.2"},
        {"OpenSSL 1.1.1 (compatible; BoringSSL)", "BoringSSL"},
        {"OpenSSL 1.1.1 (compatible; AWS-LC 1.30.0)", "AWS-LC 1.30.0"},
        {"see OpenSSL 3 and OpenSSL 1.0.2; OpenSSL 3.0.22 13 Oct 2026", "3.0.22"},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char version[48] = "";
        assert_true(version_find(cases[i][0], version));
        assert_string_equal(version, cases[i][1]);
    }
}

static void version_find_other_texts_finds_none(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "OpenSSL ",
        "OpenSSL 3.0.22",
        "OpenSSL 3.0.22 or later",
        "OpenSSL version 3.0.22 13 Oct",
        "LibreSSL ",
        "OpenSSL 1.1.1 (compatible; ",
        "OpenSSL 1.11111111111111111111111111111111111111111111111111111111111111 1",
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char version[48] = "untouched";
        assert_false(version_find(cases[i], version));
        assert_string_equal(version, "untouched");
    }
}

static void nss_version_find_text_of_what_gives_version(void **state)
{
    (void)state;
    char version[48];
    assert_false(text_find(ec_nss_version_find, "NSS_3.11.4", version));
    assert_true(text_find(ec_nss_version_find, "Version: NSS 3.87.1 Basic ECC", version));
    assert_string_equal(version, "3.87.1");
}

static void version_find_aws_lc_needs_a_whole_string(void **state)
{
    (void)state;
    static const struct {
        char text[40];
        const char *version;
    } cases[] = {
        {"x\0AWS-LC 5.5.0", "AWS-LC 5.5.0"},
        {"x\0AWS-LC PQ DSA\0AWS-LC 5\0AWS-LC 1.61.4", "AWS-LC 1.61.4"},
        {"x\0AWS-LC 5.5.0 or later", NULL},
        {"for AWS-LC 5.5.0", NULL},
        {"x\0AWS-LC 5", NULL},
        {"x\0AWS-LC ", NULL},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char version[48] = "untouched";
        int fd = file_make(cases[i].text, sizeof(cases[i].text));
        assert_int_equal(ec_library_version_find(fd, version), cases[i].version != NULL);
        assert_string_equal(version, cases[i].version != NULL ? cases[i].version : "untouched");
        assert_int_equal(ec_library_is_boringssl(fd), cases[i].version != NULL);
        close(fd);
    }
}

static void version_split_takes_the_name_off(void **state)
{
    (void)state;
    static const struct {
        const char *version, *number;
        enum ec_library_kind kind;
    } cases[] = {{"AWS-LC 5.5.0", "5.5.0", EC_LIBRARY_AWS_LC},
                 {"BoringSSL", "", EC_LIBRARY_BORINGSSL},
                 {"LibreSSL 4.3.2", "4.3.2", EC_LIBRARY_LIBRESSL},
                 {"3.0.22", "3.0.22", EC_LIBRARY_KIND_MAX},
                 {"", "", EC_LIBRARY_KIND_MAX}};
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        char version[48];
        enum ec_library_kind kind = EC_LIBRARY_KIND_MAX;
        g_strlcpy(version, cases[i].version, sizeof(version));
        assert_int_equal(ec_library_version_split(version, &kind), cases[i].kind != EC_LIBRARY_KIND_MAX);
        assert_string_equal(version, cases[i].number);
        assert_int_equal(kind, cases[i].kind);
    }
}

static bool text_is_boringssl(const char *text, size_t len)
{
    int fd = file_make(text, len);
    bool is_boringssl = ec_library_is_boringssl(fd);
    close(fd);
    return is_boringssl;
}

static void is_boringssl_needs_the_whole_string_or_the_version(void **state)
{
    (void)state;
    static const char whole[] = "x\0BoringSSL", part[] = "x\0BoringSSL's friend",
                      both[] = "OpenSSL 3.0.22 13 Oct 2026\0BoringSSL";
    assert_true(text_is_boringssl(whole, sizeof(whole)));
    assert_false(text_is_boringssl(part, sizeof(part)));
    assert_false(text_is_boringssl(both, sizeof(both)));
    assert_true(text_is_boringssl("OpenSSL 1.1.1 (compatible; BoringSSL)", 38));
    assert_true(text_is_boringssl("OpenSSL 1.1.1 (compatible; AWS-LC 1.30.0)", 42));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gnutls_version_find_text_of_log_gives_version),
        cmocka_unit_test(nss_version_find_text_of_what_gives_version),
        cmocka_unit_test(is_boringssl_needs_the_whole_string_or_the_version),
        cmocka_unit_test(version_find_known_texts_gives_version),
        cmocka_unit_test(version_find_other_texts_finds_none),
        cmocka_unit_test(version_find_aws_lc_needs_a_whole_string),
        cmocka_unit_test(version_split_takes_the_name_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
