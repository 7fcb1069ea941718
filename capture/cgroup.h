/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The root of the cgroup2 hierarchy, for programs that run for every process. */

/* A descriptor of it, to be closed by the caller: where it is mounted, else (CAP_SYS_ADMIN) a mount that nobody else
 * sees. -1: there is none, as where only cgroup v1 is mounted and we may not mount. */
int ec_cgroup_open_root(void);
