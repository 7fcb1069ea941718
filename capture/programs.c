/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "programs.h"

#include "module.h"
#include "uprobe.h"

/* It matters to these when a process ends, or becomes another program. */
#define SHELL_MODULES (1u << EC_MODULE_BASH | 1u << EC_MODULE_ZSH)
/* Whose plaintext goes through functions of C. */
#define C_MODULES (1u << EC_MODULE_TLS | 1u << EC_MODULE_GNUTLS | 1u << EC_MODULE_NSS)

/* Each has a program that may sleep and one that doesn't; NULL: it never sleeps. Only what a session's modules need is
 * loaded. */
static const struct {
    const char *sleepable, *nosleep;
    unsigned modules;
} uprobes[] = {
    [EC_UPROBE_SECRET] = {"ec_secret", "ec_secret_nosleep", 1u << EC_MODULE_TLS | 1u << EC_MODULE_GNUTLS},
    [EC_UPROBE_PRF] = {"ec_prf", "ec_prf_nosleep", 1u << EC_MODULE_TLS},
    [EC_UPROBE_EXPAND] = {"ec_expand", "ec_expand_nosleep", 1u << EC_MODULE_TLS},
    [EC_UPROBE_LIBRESSL] = {"ec_libressl", "ec_libressl_nosleep", 1u << EC_MODULE_TLS},
    [EC_UPROBE_GO] = {"ec_go_secret", "ec_go_secret_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_NSS] = {"ec_nss_secret", "ec_nss_secret_nosleep", 1u << EC_MODULE_NSS},
    [EC_UPROBE_MYSQLD_BEGIN] = {NULL, "ec_mysqld_begin", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_MYSQLD_OK] = {NULL, "ec_mysqld_ok", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_MYSQLD_END] = {NULL, "ec_mysqld_end", 1u << EC_MODULE_MYSQLD},
    [EC_UPROBE_POSTGRES_END_COMMAND] = {NULL, "ec_postgres_end_command", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_SERIES] = {NULL, "ec_postgres_series", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_SERIES_END] = {NULL, "ec_postgres_series_end", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_BIND] = {NULL, "ec_postgres_bind", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_ERROR] = {NULL, "ec_postgres_error", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_POSTGRES_LOGIN] = {NULL, "ec_postgres_login", 1u << EC_MODULE_POSTGRES},
    [EC_UPROBE_PLAINTEXT_ENTER] = {NULL, "ec_plaintext_enter", C_MODULES},
    [EC_UPROBE_PLAINTEXT_LEAVE] = {"ec_plaintext_leave", "ec_plaintext_leave_nosleep", C_MODULES},
    [EC_UPROBE_PLAINTEXT_GO_ENTER] = {"ec_plaintext_go_enter", "ec_plaintext_go_enter_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_PLAINTEXT_GO_LEAVE] = {"ec_plaintext_go_leave", "ec_plaintext_go_leave_nosleep", 1u << EC_MODULE_GOTLS},
    [EC_UPROBE_SHELL_DONE] = {NULL, "ec_shell_done", SHELL_MODULES},
    [EC_UPROBE_BASH_PROMPT] = {NULL, "ec_bash_prompt", 1u << EC_MODULE_BASH},
    [EC_UPROBE_BASH_LINE] = {NULL, "ec_bash_line", 1u << EC_MODULE_BASH},
    [EC_UPROBE_ZSH_ENTRY] = {NULL, "ec_zsh_entry", 1u << EC_MODULE_ZSH},
    [EC_UPROBE_ZSH_LINE] = {NULL, "ec_zsh_line", 1u << EC_MODULE_ZSH},
    [EC_UPROBE_READLINE_LINE] = {NULL, "ec_readline_line", 1u << EC_MODULE_BASH},
};
_Static_assert(G_N_ELEMENTS(uprobes) == EC_UPROBE_MAX, "a row per uprobe");

static struct bpf_program *get_uprobe_program(const struct bpf_object *object, enum ec_uprobe uprobe, bool sleepable)
{
    const char *name = sleepable ? uprobes[uprobe].sleepable : uprobes[uprobe].nosleep;

    return name ? bpf_object__find_program_by_name(object, name) : NULL;
}

struct bpf_program *ec_programs_get_uprobe(const struct bpf_object *object, const enum ec_way *ways,
                                           enum ec_uprobe uprobe)
{
    return get_uprobe_program(object, uprobe, ec_ways_have(ways, EC_WAY_FAULTS_SLEEP) && uprobes[uprobe].sleepable);
}

/* Those of shells read the terminal's name. */
bool ec_programs_need_types(enum ec_uprobe uprobe)
{
    return (uprobes[uprobe].modules & SHELL_MODULES) != 0;
}

static bool wants_uprobe(const enum ec_way *ways, const struct ec_kernel_config *config, enum ec_uprobe uprobe)
{
    const bool plaintext = uprobe >= EC_UPROBE_PLAINTEXT_ENTER && uprobe <= EC_UPROBE_PLAINTEXT_GO_LEAVE;

    if (ec_programs_need_types(uprobe) && ec_ways_have(ways, EC_WAY_TYPES_NONE))
        return false;
    return uprobes[uprobe].modules & config->modules && (!plaintext || config->bpf.plaintext != EC_PLAINTEXT_NONE);
}

static void choose_uprobe_programs(struct bpf_object *object, const enum ec_way *ways,
                                   const struct ec_kernel_config *config)
{
    for (enum ec_uprobe uprobe = 0; uprobe < EC_UPROBE_MAX; uprobe++) {
        struct bpf_program *used = ec_programs_get_uprobe(object, ways, uprobe);

        for (int sleepable = 0; sleepable < 2; sleepable++) {
            struct bpf_program *program = get_uprobe_program(object, uprobe, sleepable);

            if (program)
                bpf_program__set_autoload(program, program == used && wants_uprobe(ways, config, uprobe));
        }
        if (ec_ways_have(ways, EC_WAY_UPROBES_LINKS))
            bpf_program__set_expected_attach_type(used, EC_TRACE_UPROBE_MULTI);
    }
}

/* Programs that need a way to be chosen; all others are loaded always. */
static const struct {
    enum ec_way way;
    const char *program;
    const char *function; /* that it is attached to, if not every kernel has it (IPv6 may be left out, or a module) */
} optional[] = {
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_state", NULL},
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_send", NULL},
    {EC_WAY_OWNERS_TRACEPOINTS, "ec_owner_recv", NULL},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_state", NULL},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_tcp_sendmsg", "tcp_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_tcp_recvmsg", "tcp_recvmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udp_sendmsg", "udp_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udp_recvmsg", "udp_recvmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udpv6_sendmsg", "udpv6_sendmsg"},
    {EC_WAY_OWNERS_FENTRY, "ec_owner_udpv6_recvmsg", "udpv6_recvmsg"},
    {EC_WAY_OWNERS_KPROBES, "ec_touch", NULL},
    {EC_WAY_OWNERS_KPROBES, "ec_forget", NULL},
    {EC_WAY_NEW_SOCKETS_CGROUP, "ec_owner_create", NULL},
    {EC_WAY_OLD_SOCKETS_ITERATOR, "ec_owner_seed", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_process_exit", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_process_fork", NULL},
    {EC_WAY_PROCESSES_TASKS, "ec_process_task_fork", NULL},
    {EC_WAY_PROCESSES_TASKS, "ec_process_task_exit", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_shell_exec", NULL},
    {EC_WAY_PROCESSES_TRACEPOINTS, "ec_shell_exit", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_send", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_recv", NULL},
    {EC_WAY_PLAINTEXT_TRACEPOINTS, "ec_plaintext_exit", NULL},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_tcp_sendmsg", "tcp_sendmsg"},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_tcp_recvmsg", "tcp_recvmsg"},
    {EC_WAY_PLAINTEXT_FENTRY, "ec_plaintext_exit", NULL},
};

static void set_optional(struct bpf_object *object, const char *name, bool load)
{
    bpf_program__set_autoload(bpf_object__find_program_by_name(object, name), load);
}

static void drop_optional(struct bpf_object *object, const char *prefix)
{
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        if (g_str_has_prefix(optional[i].program, prefix))
            set_optional(object, optional[i].program, false);
}

static void choose_optional(struct bpf_object *object, const enum ec_way *ways, const struct ec_kernel_config *config)
{
    drop_optional(object, "");
    for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
        if (ec_ways_have(ways, optional[i].way) &&
            (!optional[i].function || ec_features_has_function(config->features, optional[i].function)))
            set_optional(object, optional[i].program, true);
    if (!config->bpf.follow_forks) {
        set_optional(object, "ec_process_fork", false);
        set_optional(object, "ec_process_task_fork", false);
    }
    if (config->bpf.plaintext == EC_PLAINTEXT_NONE)
        drop_optional(object, "ec_plaintext_");
    if (!(config->modules & SHELL_MODULES))
        drop_optional(object, "ec_shell_e");
}

void ec_programs_choose(struct bpf_object *object, const enum ec_way *ways, const struct ec_kernel_config *config)
{
    choose_uprobe_programs(object, ways, config);
    choose_optional(object, ways, config);
}
