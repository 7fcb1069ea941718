/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cgroup.h"

#include <fcntl.h>
#include <glib.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

int ec_cgroup_open_root(void)
{
    static const char *const roots[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    int context, fd;

    for (size_t i = 0; i < G_N_ELEMENTS(roots); i++) {
        struct statfs status;

        if (statfs(roots[i], &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC)
            return open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    }
    context = fsopen("cgroup2", FSOPEN_CLOEXEC);
    if (context < 0)
        return -1;
    fd = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -1 : fsmount(context, FSMOUNT_CLOEXEC, 0);
    close(context);
    return fd;
}
