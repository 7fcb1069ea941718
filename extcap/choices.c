/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "choices.h"
#include "interface.h"
#include "log.h"
#include "module.h"
#include "target.h"

#include <string.h>

/* Wireshark's parser takes {…} apart with a regular expression and knows no escape. */
static char *make_safe(const char *text)
{
    char *safe = g_utf8_make_valid(text, -1);

    for (char *c = safe; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f || *c == '{' || *c == '}')
            *c = '?';
    return safe;
}

static void describe_library(GString *text, const struct ec_library *library)
{
    g_autofree char *name = g_path_get_basename(library->path);

    g_string_append_printf(text, "%s%s", text->len ? ", " : "", name);
    if (!library->hookable)
        g_string_append(text, " (no hook point)");
    else
        g_string_append_printf(text, " %s%s%s", ec_library_get_kind(library),
                               *ec_library_get_version(library) ? " " : "", ec_library_get_version(library));
}

/* False: nothing in it is these modules'. */
static bool offer_process(const struct ec_process *process, unsigned modules, ec_choice_func func, void *data)
{
    g_autoptr(GString) libraries = g_string_new(NULL);
    g_autofree char *value = g_strdup_printf("%u", process->pid);
    g_autofree char *text = NULL;
    g_autofree char *display = NULL;

    for (guint i = 0; i < process->libraries->len; i++) {
        const struct ec_library *library = g_ptr_array_index(process->libraries, i);

        if (modules & 1u << library->module)
            describe_library(libraries, library);
    }
    if (!libraries->len)
        return false;
    text = g_strdup_printf("%u %.*s: %s", process->pid, (int)sizeof(process->comm), process->comm, libraries->str);
    display = make_safe(text);
    func(data, value, display, true);
    return true;
}

static void offer_processes(unsigned modules, ec_choice_func func, void *data)
{
    g_autoptr(ec_target_list) list = ec_target_list_new(true, NULL);
    GPtrArray *processes = ec_target_list_get_processes(list);
    bool any = false;

    for (guint i = 0; i < processes->len; i++)
        any |= offer_process(g_ptr_array_index(processes, i), modules, func, data);
    /* Wireshark 4.0 shows no widget at all for an empty list. */
    if (!any)
        func(data, "none", "No such process runs that may be read", false);
}

static void offer_interface(const struct ec_interface *interface, ec_choice_func func, void *data)
{
    const char *remark = interface->reason ? interface->reason : interface->up ? NULL : "down";
    g_autofree char *value = make_safe(interface->name);
    g_autofree char *text = remark ? g_strdup_printf("%s (%s)", interface->name, remark) : g_strdup(interface->name);
    g_autofree char *display = make_safe(text);

    func(data, value, display, !interface->reason);
}

static void offer_interfaces(ec_choice_func func, void *data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ec_interface_list) list = ec_interface_list_new(&error);
    GPtrArray *interfaces = list ? ec_interface_list_get(list) : NULL;

    /* A list that can't be had must not cost the rest of the dialog. */
    if (!interfaces) {
        ec_log_error("%s", error->message);
        return;
    }
    for (guint i = 0; i < interfaces->len; i++)
        offer_interface(g_ptr_array_index(interfaces, i), func, data);
}

static const char *describe_choice(const struct ec_option *option, const char *choice)
{
    const struct ec_module *module = option->id == EC_OPTION_MODULE ? ec_module_get(choice) : NULL;

    return module ? module->display : choice;
}

void ec_choices_foreach(const struct ec_option *option, unsigned modules, ec_choice_func func, void *data)
{
    if (option->id == EC_OPTION_PID)
        offer_processes(modules, func, data);
    else if (option->id == EC_OPTION_INTERFACE)
        offer_interfaces(func, data);
    for (const char *const *choice = option->choices; choice && *choice; choice++)
        func(data, *choice, describe_choice(option, *choice), true);
}
