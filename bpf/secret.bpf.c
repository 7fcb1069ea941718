/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The probe at or near the entry of ssl_log_secret(ssl, label, secret, secret_len), OpenSSL >= 1.1.1 and kin; the
 * cookie tells which registers hold the arguments there.
 */
#include "secret.bpf.h"
#include "cookie.bpf.h"
#include "plaintext.bpf.h"

static __always_inline int secret(struct pt_regs *ctx, bool sleepable)
{
    uint64_t cookie = attach_cookie(ctx), len = read_argument(ctx, cookie, 3);
    struct ec_secret_event *event;
    bool is_whole;

    if (!secret_is_wanted())
        return 0;
    event = secret_begin(EC_SECRET_COOKIE_LIBRARY(cookie), len);
    if (!event)
        return 0;
    is_whole =
        !read_label(event->label, (const void *)read_argument(ctx, cookie, 1), sleepable) &&
        !read_user_bounded(event->secret, EC_SECRET_LEN, len, (const void *)read_argument(ctx, cookie, 2), sleepable) &&
        !read_client_random(event->client_random, (const uint8_t *)read_argument(ctx, cookie, 0), cookie, sleepable);
    event->label_len = label_len(event->label);
    event->object = read_argument(ctx, cookie, 0);
    if (is_whole)
        connection_has_secret(event->object);
    secret_end(event, is_whole);
    return 0;
}

SLEEPABLE_PAIR(ec_secret, secret)
