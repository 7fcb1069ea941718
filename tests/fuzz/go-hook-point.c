/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input is a program file. */
#include "go-hook-point.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ec_hook_point point;
    g_autoptr(GError) error = NULL;
    int fd = memfd_create("input", MFD_CLOEXEC);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    bool found = ec_go_hook_point_find(fd, &point, &error);
    if (found != !error || (found && (point.probe_offset >= size || point.go_resume_offset >= size)))
        abort();
    if (found && !ec_go_file_is_go(fd))
        abort();
    close(fd);
    return 0;
}
