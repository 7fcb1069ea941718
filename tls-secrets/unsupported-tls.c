/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rustls hands its secrets to a KeyLog object (rustls/src/key_log.rs, 0.20 to 0.23); the default one does nothing, and
 * the compiler leaves its call out. Its panics name its source files, "…/rustls-0.23.46/src/verify.rs", also in
 * stripped programs. A crate that merely uses it ("tokio-rustls-0.26.6") names its own.
 *
 * Java's JSSE is bytecode: HotSpot compiles it at another address in each process, into memory that no file backs.
 */
#include "unsupported-tls.h"

#include "elf-image.h"
#include "hook-point.h"

#include <glib.h>
#include <string.h>

enum { VERSION_LEN = 24, OVERLAP = 64 };

static const struct {
    const char *name;
    const char *reason;
} names[] = {
    {"libjvm.so",
     "not supported: Java's own TLS (JSSE) is compiled in memory, no function in a file can be hooked: give "
     "the program a key-log agent (-javaagent), or a native TLS library"},
};

const char *ec_unsupported_name_find(const char *path, size_t len)
{
    const char *slash = memrchr(path, '/', len);
    const char *name = slash ? slash + 1 : path;
    size_t name_len = len - (size_t)(name - path);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (name_len == strlen(names[i].name) && memcmp(name, names[i].name, name_len) == 0)
            return names[i].reason;
    return NULL;
}

/* At "rustls-": whether a version and "/src/" follow, and no other crate's name stands before it. */
static bool rustls_parse(const uint8_t *piece, const uint8_t *hit, const uint8_t *end, char version[VERSION_LEN])
{
    static const char behind[] = "/src/";
    const char *at = (const char *)hit + strlen("rustls-"), *stop = (const char *)end;
    size_t len = 0;

    if (hit > piece && (hit[-1] == '-' || g_ascii_isalnum(hit[-1])))
        return false;
    while (at + len < stop && len < VERSION_LEN - 1 && (g_ascii_isdigit(at[len]) || at[len] == '.'))
        len++;
    if (len == 0 || (size_t)(stop - at) < len + strlen(behind) || memcmp(at + len, behind, strlen(behind)) != 0)
        return false;
    memcpy(version, at, len);
    version[len] = '\0';
    return true;
}

static bool rustls_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    static const char needle[] = "rustls-";
    const uint8_t *end = piece + len, *hit = NULL;
    char *version = data;
    (void)at;

    for (const uint8_t *from = piece; (hit = memmem(from, (size_t)(end - from), needle, strlen(needle)));
         from = hit + 1)
        if (rustls_parse(piece, hit, end, version))
            return false;
    return true;
}

char *ec_unsupported_file_find(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    const struct ec_elf_segment *segment = NULL;
    char version[VERSION_LEN] = "", library[48] = "";

    for (size_t i = 0; image && !*version && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (!segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, OVERLAP, rustls_scan, version);
    if (!*version && ec_library_version_find(fd, library) && g_str_has_prefix(library, "1.1.0"))
        return g_strdup_printf("not supported: OpenSSL %s makes its keys where no string leads to", library);
    return *version
               ? g_strdup_printf("not supported: rustls %s hands its secrets to no function unless the program sets a "
                                 "key log: start the program with SSLKEYLOGFILE if it offers that",
                                 version)
               : NULL;
}
