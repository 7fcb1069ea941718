/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The modules: what can be hooked. A new one is a row in module.c. */
#include "hook-point.h"

#include <stdbool.h>
#include <stddef.h>

enum ec_module_id {
    EC_MODULE_TLS,
    EC_MODULE_GOTLS,
    EC_MODULE_GNUTLS,
    EC_MODULE_NSS,
    EC_MODULE_BASH,
    EC_MODULE_ZSH,
    EC_MODULE_MYSQLD,
    EC_MODULE_POSTGRES,
    EC_MODULE_MAX
};

struct ec_module {
    enum ec_module_id id;
    const char *name;    /* "tls": the CLI's word; the extcap interface is "ecapture-" name */
    const char *display; /* "OpenSSL and BoringSSL" */
    bool packets;        /* hooks TLS libraries, for the packets' secrets; else all it gives are messages */
};

extern const struct ec_module ec_modules[EC_MODULE_MAX];
/* By name; NULL if there is none. */
const struct ec_module *ec_module_get(const char *name);
/* Whether modules with packets, or such without, are among them. `modules`: bits of 1 << enum ec_module_id. */
bool ec_modules_have(unsigned modules, bool packets);
/* Whose a library of this kind is: what the file is decides, not what it is called. */
enum ec_module_id ec_module_of_kind(enum ec_library_kind kind);
