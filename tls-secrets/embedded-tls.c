/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "embedded-tls.h"

#include "elf-image.h"

#include <string.h>

/* TLS libraries alone come to more than this (BoringSSL 1.5 MB, OpenSSL 5 MB); most programs to less. Debug data
 * doesn't count. */
#define LOADED_MIN (1u << 20)

/* A label of key logs: whoever reads them holds it too. */
static const char label[] = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
/* "s hs traffic" is what TLS 1.3 derives that secret by (RFC 8446, section 7.1): who holds both is the library. It does
 * not stand here as a whole, or this program would seem to be one. */
static const char schedule[] = "hs traffic";
/* Of those without key logs (prf-hook.h): what keys are made by, and who they are (OPENSSL_VERSION_TEXT). */
static const char expansion[] = "key expansion";
static const char *const versions[] = {"OpenSSL 1.0.", "OpenSSL 1.1.0", "LibreSSL "};
enum { OVERLAP = 64 };

struct marks {
    bool label, schedule, expansion, version;
};

static bool marks_suffice(const struct marks *marks)
{
    return (marks->label && marks->schedule) || (marks->expansion && marks->version);
}

/* A name with a digit of its number behind. */
static bool piece_holds_version(const uint8_t *piece, size_t len)
{
    const uint8_t *end = piece + len, *hit = NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(versions); i++)
        for (const uint8_t *from = piece; (hit = memmem(from, end - from, versions[i], strlen(versions[i])));
             from = hit + 1)
            if (hit + strlen(versions[i]) < end && g_ascii_isalnum(hit[strlen(versions[i])]))
                return true;
    return false;
}

static bool piece_holds_schedule(const uint8_t *piece, size_t len)
{
    const uint8_t *end = piece + len, *hit = NULL;
    for (const uint8_t *from = piece; (hit = memmem(from, end - from, schedule, strlen(schedule))); from = hit + 1)
        if (hit - piece >= 2 && hit[-2] == 's' && hit[-1] == ' ')
            return true;
    return false;
}

static bool marks_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct marks *found = data;
    (void)at;
    found->label = found->label || memmem(piece, len, label, strlen(label));
    found->schedule = found->schedule || piece_holds_schedule(piece, len);
    found->expansion = found->expansion || memmem(piece, len, expansion, sizeof(expansion));
    found->version = found->version || piece_holds_version(piece, len);
    return !marks_suffice(found);
}

/* Code is not searched, unless the linker put the constants into its segment, as those of before 2018 did. */
static bool constants_hold_marks(const struct ec_elf_image *image)
{
    const struct ec_elf_segment *segment = ec_elf_image_get_segment(image, 0);
    const bool mixed = segment != NULL && segment->executable;
    struct marks found = {};
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++)
        if (mixed || !segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, OVERLAP, marks_scan, &found);
    return marks_suffice(&found);
}

bool ec_program_holds_tls(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    const struct ec_elf_segment *segment = NULL;
    uint64_t loaded = 0;
    for (size_t i = 0; image && (segment = ec_elf_image_get_segment(image, i)); i++)
        loaded += segment->size;
    return loaded >= LOADED_MIN && constants_hold_marks(image);
}
