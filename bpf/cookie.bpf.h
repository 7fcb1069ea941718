/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The number that user space attached a uprobe with. */
#include "maps.bpf.h"

/* To be spelt out in assembly. */
#define EC_COOKIE_STRING_(x) #x
#define EC_COOKIE_STRING(x) EC_COOKIE_STRING_(x)

/* Before Linux 5.15 the kernel keeps none: user space then loads a copy of the program for each probe, with the cookie
 * in the place of the magic number (capture/uprobe.c). */
static __always_inline uint64_t attach_cookie(void *ctx)
{
    uint64_t cookie;

    if (config.attach_cookie)
        return bpf_get_attach_cookie(ctx);
    asm volatile("%0 = " EC_COOKIE_STRING(EC_COOKIE_MAGIC) " ll" : "=r"(cookie));
    return cookie;
}
