/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "program-kind.h"

#include "embedded-tls.h"
#include "go-hook-point.h"
#include "hook-point.h"
#include "mysqld.h"
#include "postgres.h"
#include "shell-program.h"

static const struct {
    enum ec_module_id module;
    bool (*matches)(int fd);
    bool (*find)(int fd, struct ec_probe_plan *ret_plan, GError **error); /* NULL: ec_hook_point_find() and its like */
} kinds[] = {
    {EC_MODULE_GOTLS, ec_go_file_is_go, NULL},
    {EC_MODULE_MYSQLD, ec_mysqld_matches, ec_mysqld_find},
    {EC_MODULE_POSTGRES, ec_postgres_matches, ec_postgres_find},
    {EC_MODULE_BASH, ec_bash_matches, ec_bash_find_probes},
    {EC_MODULE_ZSH, ec_zsh_matches, ec_zsh_find_probes},
    {EC_MODULE_TLS, ec_program_holds_tls, NULL}, /* or GnuTLS: its hook point tells */
};

enum ec_module_id ec_program_kind_get_module(int fd)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].matches(fd))
            return kinds[i].module;
    return EC_MODULE_MAX;
}

bool ec_program_kind_find(enum ec_module_id module, int fd, struct ec_probe_plan *ret_plan, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (kinds[i].module == module && kinds[i].find)
            return kinds[i].find(fd, ret_plan, error);
    g_set_error(error, EC_HOOK_ERROR, EC_HOOK_ERROR_UNPROVEN, "nothing in it is known to module %s",
                ec_modules[module].name);
    return false;
}
