/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is a library file. */
#include "nss-hook-point.h"

#include "plaintext-point.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    struct ec_hook_point point;
    char version[48];
    g_autoptr(GError) error = NULL;
    bool found = ec_nss_hook_point_find(fd, &point, &error);
    if (found != !error || (found && (point.function_offset >= size || point.probe_offset >= size)))
        abort();
    for (unsigned i = 0; found && i < point.n_more; i++)
        if (point.more[i].offset >= size)
            abort();
    ec_nss_version_find(fd, version);
    g_autoptr(GArray) plaintext = ec_plaintext_points_find(fd, NULL);
    for (guint i = 0; plaintext && i < plaintext->len; i++)
        if (g_array_index(plaintext, struct ec_plaintext_point, i).offset >= size)
            abort();
    close(fd);
    return 0;
}
