/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OPENSSL_VERSION_TEXT, which every build of these libraries holds somewhere:
 *   "OpenSSL 3.0.22 13 Oct 2026", "OpenSSL 1.1.1w  11 Sep 2023", "LibreSSL 3.8.2",
 *   "OpenSSL 1.1.1 (compatible; BoringSSL)", "OpenSSL 1.1.1 (compatible; AWS-LC 1.30.0)"
 * or, in Debian's android-libboringssl, "BoringSSL" alone; in others "AWS-LC 5.5.0" alone;
 * GnuTLS's line for its log, "Enabled GnuTLS 3.7.9 logging...", and what every library of NSS holds for what(1),
 * "Version: NSS 3.87.1" (lib/ssl/sslver.c and its likes).
 */
#include "elf-image.h"
#include "hook-point.h"

#include <string.h>

enum { VERSION_LEN = 48, TEXT_LEN = 96 };

struct version_search {
    char version[VERSION_LEN];
};

static bool token_copy(const char *from, const char *end, const char *prefix, char *to)
{
    size_t len = 0;
    while (from + len < end && (g_ascii_isalnum(from[len]) || strchr(".-+_~", from[len])) && from[len])
        len++;
    if (len == 0 || len + strlen(prefix) >= VERSION_LEN)
        return false;
    g_snprintf(to, VERSION_LEN, "%s%.*s", prefix, (int)len, from);
    return true;
}

/* `text`: behind "OpenSSL " */
static bool openssl_parse(const char *text, const char *end, char *version)
{
    static const char compatible[] = " (compatible; ";
    char number[VERSION_LEN];
    if (!g_ascii_isdigit(*text) || !token_copy(text, end, "", number) || !strchr(number, '.'))
        return false;
    const char *behind = text + strlen(number);
    if ((size_t)(end - behind) > strlen(compatible) && memcmp(behind, compatible, strlen(compatible)) == 0) {
        const char *name = behind + strlen(compatible);
        if (g_str_has_prefix(name, "AWS-LC "))
            return token_copy(name + strlen("AWS-LC "), end, "AWS-LC ", version);
        return token_copy(name, end, "", version);
    }
    while (behind < end && *behind == ' ')
        behind++;
    /* the date: a text that merely speaks of a version has none */
    if (behind == text + strlen(number) || behind == end || !g_ascii_isdigit(*behind))
        return false;
    g_strlcpy(version, number, VERSION_LEN);
    return true;
}

static bool version_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct version_search *search = data;
    (void)at;
    const uint8_t *end = piece + len, *hit = NULL;
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, "SSL ", 4)); from = hit + 4) {
        char text[TEXT_LEN] = "";
        memcpy(text, hit + 4, MIN((size_t)(end - hit - 4), sizeof(text) - 1));
        const char *text_end = text + strlen(text);
        if (hit - piece >= 4 && memcmp(hit - 4, "Open", 4) == 0 && openssl_parse(text, text_end, search->version))
            return false;
        if (hit - piece >= 5 && memcmp(hit - 5, "Libre", 5) == 0 && g_ascii_isdigit(*text) &&
            token_copy(text, text_end, "LibreSSL ", search->version))
            return false;
    }
    return true;
}

/* The number behind a fixed text. */
static bool number_scan(const uint8_t *piece, size_t len, const char *before, struct version_search *search)
{
    const uint8_t *end = piece + len, *hit = NULL;
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, before, strlen(before))); from = hit + 1) {
        char text[TEXT_LEN] = "";
        hit += strlen(before);
        memcpy(text, hit, MIN((size_t)(end - hit), sizeof(text) - 1));
        if (g_ascii_isdigit(*text) && token_copy(text, text + strlen(text), "", search->version))
            return false;
    }
    return true;
}

static bool gnutls_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    (void)at;
    return number_scan(piece, len, "Enabled GnuTLS ", data);
}

static bool nss_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    (void)at;
    return number_scan(piece, len, "Version: NSS ", data);
}

static void segments_scan(const struct ec_elf_image *image, bool executable, ec_elf_visit scan,
                          struct version_search *search)
{
    const struct ec_elf_segment *segment = NULL;
    for (size_t i = 0; !search->version[0] && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (segment->executable == executable)
            ec_elf_image_scan(image, segment->offset, segment->size, TEXT_LEN, scan, search);
}

static bool is_constant(const struct ec_elf_segment *segment)
{
    return !segment->executable && !segment->writable;
}

/* The text stands among the constants. Linkers of before 2018 put those and code into one segment. */
static bool version_find(int fd, ec_elf_visit scan, char ret_version[static VERSION_LEN])
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    struct version_search search = {};
    const struct ec_elf_segment *segment = NULL;
    bool has_constants = false;
    if (!image)
        return false;
    segments_scan(image, false, scan, &search);
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++)
        has_constants |= is_constant(segment);
    if (!has_constants)
        segments_scan(image, true, scan, &search);
    if (!search.version[0])
        return false;
    memcpy(ret_version, search.version, sizeof(search.version));
    return true;
}

static bool boringssl_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char whole[] = "\0BoringSSL";
    struct version_search *search = data;
    (void)at;
    if (!memmem(piece, len, whole, sizeof(whole)))
        return true;
    g_strlcpy(search->version, whole + 1, sizeof(search->version));
    return false;
}

/* A whole string, since texts speak of "AWS-LC 5.5.0" too. */
static bool aws_lc_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char before[] = "\0AWS-LC ";
    struct version_search *search = data;
    const uint8_t *end = piece + len, *hit = NULL;
    (void)at;
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, before, sizeof(before) - 1)); from = hit) {
        char version[VERSION_LEN];
        hit += sizeof(before) - 1;
        if (hit == end || !g_ascii_isdigit(*hit) ||
            !token_copy((const char *)hit, (const char *)end, "AWS-LC ", version))
            continue;
        const uint8_t *behind = hit + strlen(version) - strlen("AWS-LC ");
        if (behind == end || *behind != '\0' || !memchr(hit, '.', behind - hit))
            continue;
        memcpy(search->version, version, sizeof(search->version));
        return false;
    }
    return true;
}

bool ec_library_version_find(int fd, char ret_version[static VERSION_LEN])
{
    return version_find(fd, version_scan, ret_version) || version_find(fd, aws_lc_scan, ret_version);
}

bool ec_library_is_boringssl(int fd)
{
    char version[VERSION_LEN];
    if (ec_library_version_find(fd, version))
        return g_str_has_prefix(version, "BoringSSL") || g_str_has_prefix(version, "AWS-LC");
    return version_find(fd, boringssl_scan, version);
}

bool ec_gnutls_version_find(int fd, char ret_version[static VERSION_LEN])
{
    return version_find(fd, gnutls_scan, ret_version);
}

bool ec_nss_version_find(int fd, char ret_version[static VERSION_LEN])
{
    return version_find(fd, nss_scan, ret_version);
}

bool ec_library_version_split(char version[static VERSION_LEN], enum ec_library_kind *ret_kind)
{
    static const struct {
        const char *name;
        enum ec_library_kind kind;
    } names[] = {
        {"BoringSSL", EC_LIBRARY_BORINGSSL}, {"AWS-LC ", EC_LIBRARY_AWS_LC}, {"LibreSSL ", EC_LIBRARY_LIBRESSL}};
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *number = version + strlen(names[i].name);
        if (!g_str_has_prefix(version, names[i].name))
            continue;
        memmove(version, number, strlen(number) + 1);
        *ret_kind = names[i].kind;
        return true;
    }
    return false;
}

void ec_hook_point_ask_crypto(struct ec_hook_point *point, int crypto_fd)
{
    ec_library_version_find(crypto_fd, point->version);
    if (!ec_library_version_split(point->version, &point->kind) && ec_library_is_boringssl(crypto_fd))
        point->kind = EC_LIBRARY_BORINGSSL;
}
