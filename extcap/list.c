/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "list.h"

#include "descriptor.h"
#include "json.h"
#include "printable.h"
#include "target.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What is asked once, however many processes it is of. */
typedef struct answers answers;
struct answers {
    GHashTable *users;   /* user id: its name */
    GHashTable *remarks; /* struct ec_library: why there is no plaintext, "" if that is no question */
};

static void answers_clear(struct answers *answers)
{
    g_hash_table_unref(answers->users);
    g_hash_table_unref(answers->remarks);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(answers, answers_clear)

/* The user's name, or the number of one who has none here. Borrowed. */
static const char *get_user(const struct answers *answers, uint32_t uid)
{
    char *name = g_hash_table_lookup(answers->users, GUINT_TO_POINTER(uid));

    if (!name) {
        const struct passwd *entry = getpwuid(uid);

        name = entry ? g_strdup(entry->pw_name) : g_strdup_printf("%u", uid);
        g_hash_table_insert(answers->users, GUINT_TO_POINTER(uid), name);
    }
    return name;
}

static char *get_name(const struct ec_process *process)
{
    return g_strndup(process->comm, sizeof(process->comm));
}

/* Why there is no plaintext of a hookable one, NULL if there is, or if that is no question. Borrowed. */
static const char *get_remark(const struct answers *answers, const struct ec_library *library)
{
    char *remark = g_hash_table_lookup(answers->remarks, library);

    if (!remark && library->hookable) {
        g_autoptr(GError) error = NULL;

        ec_library_has_plaintext(library, &error);
        remark = g_strdup(error ? error->message : "");
        g_hash_table_insert(answers->remarks, (gpointer)library, remark);
    }
    return remark && *remark ? remark : NULL;
}

static void add_library(struct ec_json *json, const struct answers *answers, const struct ec_library *library)
{
    const char *no_plaintext = get_remark(answers, library);
    const char *version, *build_id = library->point.build_id;

    ec_json_open(json, NULL, '{');
    ec_json_add_string(json, "path", library->path);
    ec_json_add_bool(json, "hookable", library->hookable);
    if (library->hookable) {
        version = ec_library_get_version(library);
        ec_json_add_string(json, "kind", ec_library_get_kind(library));
        ec_json_add_string(json, "version", *version ? version : NULL);
        ec_json_add_string(json, "build_id", *build_id ? build_id : NULL);
        ec_json_add_string(json, "method", ec_library_get_method(library));
        if (no_plaintext)
            ec_json_add_string(json, "remark", no_plaintext);
    } else {
        ec_json_add_string(json, "reason", library->reason);
    }
    ec_json_close(json, '}');
}

static void add_process(struct ec_json *json, const struct answers *answers, const struct ec_process *process)
{
    g_autofree char *name = get_name(process);

    ec_json_open(json, NULL, '{');
    ec_json_add_number(json, "pid", process->pid);
    ec_json_add_string(json, "name", name);
    ec_json_add_number(json, "uid", process->uid);
    ec_json_add_string(json, "user", get_user(answers, process->uid));
    ec_json_open(json, "libraries", '[');
    for (guint i = 0; i < process->libraries->len; i++)
        add_library(json, answers, g_ptr_array_index(process->libraries, i));
    ec_json_close(json, ']');
    ec_json_close(json, '}');
}

static void print_json(const struct answers *answers, GPtrArray *processes, unsigned unreadable)
{
    g_autoptr(GString) text = g_string_new(NULL);
    struct ec_json json = {.text = text};

    ec_json_open(&json, NULL, '{');
    ec_json_open(&json, "processes", '[');
    for (guint i = 0; i < processes->len; i++)
        add_process(&json, answers, g_ptr_array_index(processes, i));
    ec_json_close(&json, ']');
    ec_json_add_number(&json, "unreadable", unreadable);
    ec_json_close(&json, '}');
    puts(text->str);
}

static void print_library(const struct answers *answers, const struct ec_process *process,
                          const struct ec_library *library)
{
    g_autofree char *name = get_name(process);
    const char *user = get_user(answers, process->uid), *no_plaintext = get_remark(answers, library);
    const char *reason = library->reason ? library->reason : "unknown reason";
    g_autofree char *line = NULL, *clean = NULL;

    if (library->hookable)
        line = g_strdup_printf("%7u  %-15s  %-12s  %s  %s%s%s, by %s%s%s", process->pid, name, user, library->path,
                               ec_library_get_kind(library), *ec_library_get_version(library) ? " " : "",
                               ec_library_get_version(library), ec_library_get_method(library),
                               no_plaintext ? "; " : "", no_plaintext ? no_plaintext : "");
    else
        /* "not supported: …" says it by itself. */
        line = g_strdup_printf("%7u  %-15s  %-12s  %s  %s%s", process->pid, name, user, library->path,
                               g_str_has_prefix(reason, "not supported: ") ? "" : "can't be hooked: ", reason);
    clean = ec_printable_copy(line);
    puts(clean);
}

static void print_table(const struct answers *answers, GPtrArray *processes)
{
    if (!processes->len)
        return;
    printf("%7s  %-15s  %-12s  %s\n", "PID", "NAME", "USER", "LIBRARY");
    for (guint i = 0; i < processes->len; i++) {
        const struct ec_process *process = g_ptr_array_index(processes, i);

        for (guint j = 0; j < process->libraries->len; j++)
            print_library(answers, process, g_ptr_array_index(process->libraries, j));
    }
}

static void print_remarks(unsigned n_processes, unsigned unreadable)
{
    if (!n_processes)
        fprintf(stderr, "ecapture: no process that may be read has a TLS library loaded: start one, or use --libssl\n");
    if (unreadable)
        fprintf(stderr, "ecapture: processes that may not be read: %u; %s\n", unreadable,
                geteuid() ? "run as root, or with cap_sys_ptrace, to see them" : "not even root may read them here");
}

int ec_list_run(int n_args, char *const *args)
{
    g_autoptr(ec_target_list) list = NULL;
    g_auto(answers)
        answers = {g_hash_table_new_full(NULL, NULL, NULL, g_free), g_hash_table_new_full(NULL, NULL, NULL, g_free)};
    GPtrArray *processes;
    unsigned unreadable = 0;
    bool json = n_args == 1 && !strcmp(args[0], "--json");

    if (n_args > 0 && !json) {
        fprintf(stderr, "ecapture: list takes no arguments but --json: leave the others out\n");
        return 2;
    }
    ec_descriptor_limit_raise();
    list = ec_target_list_new(true, &unreadable);
    processes = ec_target_list_get_processes(list);
    if (json)
        print_json(&answers, processes, unreadable);
    else
        print_table(&answers, processes);
    if (fflush(stdout)) {
        fprintf(stderr, "ecapture: can't write the list: free the disk or look at the pipe's reader\n");
        return 1;
    }
    print_remarks(processes->len, unreadable);
    return 0;
}
