/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The functions of BoringSSL and AWS-LC that move plaintext, in a program whose symbols are stripped. What is proven of
 * them stands in boringssl-calls.c. x86-64 only.
 */
#include "code-flow.h"
#include "elf-image.h"

/* Addresses. The first argument of each is the SSL *. */
struct ec_boringssl_calls {
    uint64_t read;  /* SSL_read(ssl, buffer, length) */
    uint64_t peek;  /* SSL_peek(), likewise */
    uint64_t write; /* SSL_write(), likewise */
    uint64_t free;  /* tls_free(ssl), which SSL_free() and SSL_clear() call */
};

/* Whether the file refers to BoringSSL's sources. */
bool ec_boringssl_is_inside(const struct ec_elf_image *image);
/* NULL if they are found in *ret_calls, else why they are not proven; static. */
const char *ec_boringssl_calls_find(const struct ec_elf_image *image, struct ec_code *code,
                                    struct ec_boringssl_calls *ret_calls);
