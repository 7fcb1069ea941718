/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "embedded-tls.h"

#include "elf-image.h"

#include <string.h>

/* TLS libraries alone come to more than this (BoringSSL 1.5 MB, OpenSSL 5 MB); most programs to less. Debug data
 * doesn't count. */
#define LOADED_MIN (1u << 20)

static const char label[] = "SERVER_HANDSHAKE_TRAFFIC_SECRET";

static bool label_scan(const uint8_t *piece, size_t len, uint64_t at, void *data)
{
    bool *found = data;
    (void)at;
    *found = memmem(piece, len, label, sizeof(label)) != NULL;
    return !*found;
}

/* Code is not searched, unless the linker put the constants into its segment, as those of before 2018 did. */
static bool constants_hold_label(const struct ec_elf_image *image)
{
    const struct ec_elf_segment *segment = ec_elf_image_get_segment(image, 0);
    const bool mixed = segment != NULL && segment->executable;
    bool found = false;
    for (size_t i = 0; !found && (segment = ec_elf_image_get_segment(image, i)); i++)
        if (mixed || !segment->executable)
            ec_elf_image_scan(image, segment->offset, segment->size, sizeof(label), label_scan, &found);
    return found;
}

bool ec_program_holds_tls(int fd)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    const struct ec_elf_segment *segment = NULL;
    uint64_t loaded = 0;
    for (size_t i = 0; image && (segment = ec_elf_image_get_segment(image, i)); i++)
        loaded += segment->size;
    return loaded >= LOADED_MIN && constants_hold_label(image);
}
