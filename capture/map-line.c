/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "map-line.h"

#include <glib.h>
#include <string.h>

/* A file's name begins with `prefix` and has `infix` somewhere behind. "libssl-1a2b3c4d.so.1.1" is how Python's wheels
 * carry a copy of their own. A row for each new kind of library. */
struct name_pattern {
    const char *prefix;
    const char *infix;
    enum ec_module_id module;
};
static const struct name_pattern library_patterns[] = {
    {"libssl.so", "", EC_MODULE_TLS},
    {"libssl-", ".so", EC_MODULE_TLS},
    {"libgnutls.so", "", EC_MODULE_GNUTLS},
    {"libssl3.so", "", EC_MODULE_NSS},
    {"libnss3.so", "", EC_MODULE_NSS},
    {"libsoftokn3.so", "", EC_MODULE_NSS},
    /* BoringSSL under Java: netty, Conscrypt */
    {"libnetty_tcnative", ".so", EC_MODULE_TLS},
    {"libconscrypt", ".so", EC_MODULE_TLS},
    {"libjvm.so", "", EC_MODULE_TLS}, /* to say that Java's own TLS is not supported */
};
static const struct name_pattern crypto_patterns[] = {
    {"libcrypto.so", "", EC_MODULE_TLS},
    {"libcrypto-", ".so", EC_MODULE_TLS},
};

static enum ec_module_id name_match(const struct name_pattern *patterns, size_t n_patterns, const char *path,
                                    size_t len)
{
    const char *slash = memrchr(path, '/', len);
    const char *name = slash != NULL ? slash + 1 : path;
    size_t name_len = len - (size_t)(name - path);

    for (size_t i = 0; i < n_patterns; i++) {
        size_t prefix_len = strlen(patterns[i].prefix), infix_len = strlen(patterns[i].infix);
        if (name_len >= prefix_len && memcmp(name, patterns[i].prefix, prefix_len) == 0 &&
            memmem(name + prefix_len, name_len - prefix_len, patterns[i].infix, infix_len) != NULL)
            return patterns[i].module;
    }
    return EC_MODULE_MAX;
}

enum ec_module_id ec_library_name_get_module(const char *path, size_t len)
{
    return name_match(library_patterns, G_N_ELEMENTS(library_patterns), path, len);
}

bool ec_library_name_match(const char *path, size_t len)
{
    return ec_library_name_get_module(path, len) != EC_MODULE_MAX;
}

bool ec_library_name_match_crypto(const char *path, size_t len)
{
    return name_match(crypto_patterns, G_N_ELEMENTS(crypto_patterns), path, len) != EC_MODULE_MAX;
}

struct cursor {
    const char *at, *end;
};

/* A number of at least one digit, then `separator`. */
static bool take_number(struct cursor *cursor, unsigned base, char separator, uint64_t *ret_number)
{
    const char *begin = cursor->at;
    uint64_t number = 0;

    for (; cursor->at < cursor->end && *cursor->at != separator; cursor->at++) {
        int digit = g_ascii_xdigit_value(*cursor->at);
        if (digit < 0 || (unsigned)digit >= base || number > (UINT64_MAX - (unsigned)digit) / base)
            return false;
        number = number * base + (unsigned)digit;
    }
    if (cursor->at == cursor->end || cursor->at == begin)
        return false;
    cursor->at++;
    *ret_number = number;
    return true;
}

static bool take_permissions(struct cursor *cursor, bool *ret_executable)
{
    if (cursor->end - cursor->at < 5 || cursor->at[4] != ' ')
        return false;
    *ret_executable = cursor->at[2] == 'x';
    cursor->at += 5;
    return true;
}

static void take_path(struct cursor *cursor, struct ec_map_line *line)
{
    static const char deleted[] = " (deleted)";
    const size_t deleted_len = sizeof(deleted) - 1;

    while (cursor->at < cursor->end && *cursor->at == ' ')
        cursor->at++;
    line->path = cursor->at;
    line->path_len = (size_t)(cursor->end - cursor->at);
    line->deleted = line->path_len > deleted_len && memcmp(cursor->end - deleted_len, deleted, deleted_len) == 0;
    if (line->deleted)
        line->path_len -= deleted_len;
}

bool ec_map_line_parse(const char *text, size_t len, struct ec_map_line *ret_line)
{
    struct cursor cursor = {.at = text, .end = text + len};
    struct ec_map_line line = {0};
    uint64_t offset, major, minor;

    if (!take_number(&cursor, 16, '-', &line.start) || !take_number(&cursor, 16, ' ', &line.end) ||
        !take_permissions(&cursor, &line.executable) || !take_number(&cursor, 16, ' ', &offset) ||
        !take_number(&cursor, 16, ':', &major) || !take_number(&cursor, 16, ' ', &minor) ||
        !take_number(&cursor, 10, ' ', &line.ino))
        return false;
    take_path(&cursor, &line);
    if (line.ino == 0 || line.path_len == 0 || line.path[0] != '/' || major > UINT32_MAX || minor > UINT32_MAX)
        return false;
    line.major = (uint32_t)major;
    line.minor = (uint32_t)minor;
    *ret_line = line;
    return true;
}
