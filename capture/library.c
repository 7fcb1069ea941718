/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "library.h"

#include "plaintext-point.h"

#include <unistd.h>

struct ec_library *ec_library_new(dev_t dev, ino_t ino, enum ec_module_id module, char *path_to_take)
{
    struct ec_library *library = g_new0(struct ec_library, 1);

    library->dev = dev;
    library->ino = ino;
    library->module = module;
    library->path = path_to_take;
    library->fd = -1;
    return library;
}

void ec_library_free(struct ec_library *library)
{
    if (library->fd >= 0)
        close(library->fd);
    g_free(library->path);
    g_free(library->reason);
    g_free(library);
}

const char *ec_library_get_kind(const struct ec_library *library)
{
    const struct ec_module *module = &ec_modules[library->module];

    if (module->packets)
        return ec_library_kind_get_name(library->point.kind);
    return library->plan.product != NULL ? library->plan.product : module->display;
}

const char *ec_library_get_version(const struct ec_library *library)
{
    return ec_modules[library->module].packets ? library->point.version : library->plan.version;
}

const char *ec_library_get_method(const struct ec_library *library)
{
    return ec_hook_method_get_name(ec_modules[library->module].packets ? library->point.method : EC_HOOK_SYMBOL);
}

static bool library_may_have_plaintext(const struct ec_library *library)
{
    if (library->fd < 0 || !ec_modules[library->module].packets)
        return false;
    /* NSS's other two serve its libssl3. */
    return library->module != EC_MODULE_NSS || !library->hookable || library->point.kind == EC_LIBRARY_NSS;
}

GArray *ec_library_find_plaintext(const struct ec_library *library, GError **error)
{
    return library_may_have_plaintext(library) ? ec_plaintext_points_find(library->fd, error) : NULL;
}

bool ec_library_has_plaintext(const struct ec_library *library, GError **error)
{
    return library_may_have_plaintext(library) && ec_plaintext_points_exist(library->fd, error);
}
