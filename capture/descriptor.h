/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A file descriptor that closes itself: g_auto(ec_fd) fd = open(…); handed on by ec_fd_steal(). */
#include <glib.h>
#include <unistd.h>

typedef int ec_fd;
G_DEFINE_AUTO_CLEANUP_FREE_FUNC(ec_fd, close, -1)

static inline int ec_fd_steal(ec_fd *fd)
{
    int stolen = *fd;

    *fd = -1;
    return stolen;
}

/* As many descriptors as this process may ever have: each library's file and each of its probes takes one, and most
 * systems begin with 1024, for the sake of programs that use select(2). */
void ec_descriptor_limit_raise(void);
