/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "embedded-tls.h"

#include "elf-image.h"

#include <string.h>

/* TLS libraries alone come to more than this (BoringSSL 1.5 MB, OpenSSL 5 MB); most programs to less. Debug data
 * doesn't count. */
#define LOADED_MIN (1u << 20)

/* A label of key logs: whoever reads them holds it too. */
static const char label[] = "SERVER_HANDSHAKE_TRAFFIC_SECRET";
/* "s hs traffic" is what TLS 1.3 derives that secret by (RFC 8446, section 7.1): who holds both is the library. */
static const char schedule[] = "s hs traffic";
/* Of those without key logs (prf-hook.h): what keys are made by, and who they are (OPENSSL_VERSION_TEXT). */
static const char expansion[] = "key expansion";
static const char *const versions[] = {"OpenSSL 1.0.", "OpenSSL 1.1.0", "LibreSSL "};
/* Stands in every program that this code is part of: it has the labels for proofs and searches. */
static const char own[] = "ecapture looks for TLS libraries";
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

static bool marks_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    struct marks *found = data;
    (void)at;
    found->label = found->label || memmem(piece, len, label, strlen(label));
    found->schedule = found->schedule || memmem(piece, len, schedule, strlen(schedule));
    found->expansion = found->expansion || memmem(piece, len, expansion, sizeof(expansion));
    found->version = found->version || piece_holds_version(piece, len);
    return !marks_suffice(found);
}

static bool own_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    bool *found = data;
    (void)at;
    *found = *found || memmem(piece, len, own, sizeof(own));
    return !*found;
}

/* Code is not searched, unless the linker put the constants into its segment, as those of before 2018 did. */
static void constants_scan(const struct ec_elf_image *image, ec_elf_visit scan, void *data)
{
    const struct ec_elf_segment *segment = ec_elf_image_get_segment(image, 0);
    const bool mixed = segment != NULL && segment->executable;
    for (size_t i = 0; (segment = ec_elf_image_get_segment(image, i)); i++)
        if (mixed || !segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, OVERLAP, scan, data);
}

static bool constants_hold_marks(const struct ec_elf_image *image)
{
    struct marks found = {};
    bool is_own = false;
    constants_scan(image, marks_scan, &found);
    if (!marks_suffice(&found))
        return false;
    constants_scan(image, own_scan, &is_own);
    return !is_own;
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
