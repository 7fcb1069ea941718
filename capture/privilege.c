/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "privilege.h"

#include "session.h"

#include <errno.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct {
    cap_value_t value;
    const char *name;
    bool required;
} kept[] = {
    {CAP_BPF, "cap_bpf", true},                                /* load programs */
    {CAP_PERFMON, "cap_perfmon", true},                        /* tracing programs, uprobes, mapping events */
    {CAP_NET_ADMIN, "cap_net_admin", true},                    /* tc */
    {CAP_SYS_PTRACE, "cap_sys_ptrace", true},                  /* others' /proc/PID/maps and root */
    {CAP_CHECKPOINT_RESTORE, "cap_checkpoint_restore", false}, /* /proc/PID/map_files: deleted libraries */
    {CAP_DAC_READ_SEARCH, "cap_dac_read_search", false},       /* libraries in others' private folders */
};

typedef struct _cap_struct ec_cap;
static void cap_clear_free(ec_cap *cap)
{
    cap_free(cap);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ec_cap, cap_clear_free)

static bool has(cap_t caps, cap_value_t value, cap_flag_t flag)
{
    cap_flag_value_t set = CAP_CLEAR;

    return cap_get_flag(caps, value, flag, &set) == 0 && set == CAP_SET;
}

/* Before a kernel has a capability of its own for something, that takes cap_sys_admin (cap_bpf and cap_perfmon: Linux
 * 5.8; cap_checkpoint_restore: 5.9). */
static bool may(cap_t caps, cap_value_t value)
{
    return has(caps, CAP_IS_SUPPORTED(value) ? value : CAP_SYS_ADMIN, CAP_EFFECTIVE);
}

char *ec_privilege_get_missing(bool required)
{
    g_autoptr(ec_cap) caps = cap_get_proc();
    GString *missing = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        if (kept[i].required == required && !(caps && may(caps, kept[i].value)))
            g_string_append_printf(missing, "%s%s", missing->len ? "," : "", kept[i].name);
    return g_string_free(missing, FALSE);
}

const char *ec_privilege_get_remedy(void)
{
    if (geteuid() == 0)
        return "root has them outside a container; in one, start it with --privileged, or with --cap-add for each";
    return "run it as root, or run \"sudo extcap/quickstart\" once and join the group wireshark";
}

bool ec_privilege_check(GError **error)
{
    g_autofree char *missing = ec_privilege_get_missing(true);

    if (!*missing)
        return true;
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_PRIVILEGE, "no permission to capture (%s missing): %s",
                missing, ec_privilege_get_remedy());
    return false;
}

static bool fail(GError **error, const char *what)
{
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_PRIVILEGE, "%s: %s: report it, nothing was captured", what,
                g_strerror(errno));
    return false;
}

static void keep_value(cap_t have, cap_t want, cap_value_t value)
{
    if (!has(have, value, CAP_PERMITTED))
        return;
    cap_set_flag(want, CAP_PERMITTED, 1, &value, CAP_SET);
    cap_set_flag(want, CAP_EFFECTIVE, 1, &value, CAP_SET);
}

/* Sets what of `kept`, and of cap_sys_admin, if `keep_admin`, is permitted, and nothing else, and reads it back. */
static bool set_capabilities(bool keep_admin, GError **error)
{
    g_autoptr(ec_cap) have = cap_get_proc();
    g_autoptr(ec_cap) want = cap_init();
    g_autoptr(ec_cap) got = NULL;

    if (!have || !want)
        return fail(error, "can't read the capabilities");
    for (size_t i = 0; i < G_N_ELEMENTS(kept); i++)
        keep_value(have, want, kept[i].value);
    if (keep_admin)
        keep_value(have, want, CAP_SYS_ADMIN);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
        return fail(error, "can't clear the ambient capabilities");
    if (cap_set_proc(want))
        return fail(error, "can't drop capabilities");
    got = cap_get_proc();
    if (!got || cap_compare(got, want) != 0) {
        errno = EPERM;
        return fail(error, "capabilities are still there after they were dropped");
    }
    return true;
}

bool ec_privilege_drop(bool keep_admin, GError **error)
{
    if (!set_capabilities(keep_admin, error))
        return false;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return fail(error, "can't set no_new_privs");
    return true;
}
