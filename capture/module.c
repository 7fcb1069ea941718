/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "module.h"

#include <string.h>

const struct ec_module ec_modules[] = {
    [EC_MODULE_TLS] = {EC_MODULE_TLS, "tls", "OpenSSL and BoringSSL", true},
    [EC_MODULE_GOTLS] = {EC_MODULE_GOTLS, "gotls", "Go crypto/tls", true},
    [EC_MODULE_GNUTLS] = {EC_MODULE_GNUTLS, "gnutls", "GnuTLS", true},
    [EC_MODULE_NSS] = {EC_MODULE_NSS, "nss", "NSS (Firefox)", true},
    [EC_MODULE_MYSQLD] = {EC_MODULE_MYSQLD, "mysqld", "MySQL and MariaDB", false},
    [EC_MODULE_POSTGRES] = {EC_MODULE_POSTGRES, "postgres", "PostgreSQL", false},
    [EC_MODULE_BASH] = {EC_MODULE_BASH, "bash", "bash", false},
    [EC_MODULE_ZSH] = {EC_MODULE_ZSH, "zsh", "zsh", false},
};
_Static_assert(sizeof(ec_modules) / sizeof(ec_modules[0]) == EC_MODULE_MAX, "a row per module");

const struct ec_module *ec_module_get(const char *name)
{
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        if (!strcmp(ec_modules[i].name, name))
            return &ec_modules[i];
    return NULL;
}

bool ec_modules_have(unsigned modules, bool packets)
{
    for (size_t i = 0; i < EC_MODULE_MAX; i++)
        if (modules & 1u << i && ec_modules[i].packets == packets)
            return true;
    return false;
}

enum ec_module_id ec_module_of_kind(enum ec_library_kind kind)
{
    static const enum ec_module_id modules[] = {
        [EC_LIBRARY_OPENSSL] = EC_MODULE_TLS,   [EC_LIBRARY_BORINGSSL] = EC_MODULE_TLS,
        [EC_LIBRARY_GNUTLS] = EC_MODULE_GNUTLS, [EC_LIBRARY_GO] = EC_MODULE_GOTLS,
        [EC_LIBRARY_LIBRESSL] = EC_MODULE_TLS,  [EC_LIBRARY_NSS] = EC_MODULE_NSS,
        [EC_LIBRARY_NSS_KEYS] = EC_MODULE_NSS,  [EC_LIBRARY_NSS_TOKEN] = EC_MODULE_NSS,
        [EC_LIBRARY_AWS_LC] = EC_MODULE_TLS,
    };
    _Static_assert(G_N_ELEMENTS(modules) == EC_LIBRARY_KIND_MAX, "a module for every kind");

    return modules[kind];
}
