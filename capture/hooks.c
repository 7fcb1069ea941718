/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hooks.h"

#include "descriptor.h"
#include "hooked-set.h"
#include "library-path.h"
#include "log.h"
#include "mappings.h"
#include "plaintext-point.h"
#include "session.h"
#include "shell-program.h"
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

/* Processes remembered of either kind. */
#define PROCESSES_MAX 65536
/* EC_SECRET_COOKIE has 15 bits for the library. */
#define LIBRARIES_MAX 32767
/* Seconds from one look for libraries that nobody maps any more to the next. */
#define PRUNE_SECONDS 2
/* Of the time, a part that searches through /proc for lost events may take. */
#define RESCAN_PART 10

struct ec_hooks {
    ec_kernel *kernel;
    unsigned modules;
    bool plaintext;
    ec_target_list *targets;
    ec_mappings *mappings;   /* NULL: not followed */
    ec_hook_search *search;  /* NULL: the session itself looks for hook points */
    GArray *fds;             /* of int, ended by -1 */
    bool following;          /* the first ec_hooks_update() has come */
    GHashTable *libraries;   /* struct ec_library * → uint64_t: since when it is hooked, 0: it isn't */
    ec_hooked_set *hooked;   /* processes that map a hooked library */
    ec_hooked_set *unhooked; /* processes that were looked at and map none */
    unsigned count;
    GArray *exited;        /* of uint32_t: processes whose end was told in this round */
    GArray *exited_before; /* … in the last one */
    GStringChunk *reasons; /* that were told: they outlive their library */
    uint64_t n_lost;       /* mapping events, since the last look through /proc */
    gint64 next_rescan;    /* g_get_monotonic_time(), as next_prune */
    gint64 next_prune;
};

/* A hook point's places: the first one, and NSS's, LibreSSL's or Go's others. */
enum { PROBES_MAX = 2 + EC_LIBRESSL_ENTRIES };
_Static_assert(PROBES_MAX >= 1 + EC_HOOK_MORE_MAX, "room for NSS's");

static struct ec_probe make_nss_probe(const struct ec_hook_point *point, uint32_t id, const struct ec_hook_probe *place)
{
    const uint8_t *at = place->registers;
    enum ec_nss_role role = point->kind == EC_LIBRARY_NSS        ? EC_NSS_KEYLOG
                            : point->kind == EC_LIBRARY_NSS_KEYS ? EC_NSS_DERIVE
                                                                 : EC_NSS_VALUE;

    return (struct ec_probe){
        EC_UPROBE_NSS, false, place->offset,
        EC_NSS_COOKIE(id, EC_SECRET_REGISTERS(at[0], at[1], at[2], at[3]), role, point->random_offset)};
}

static size_t collect_nss_probes(const struct ec_hook_point *point, uint32_t id, struct ec_probe *ret_probes)
{
    struct ec_hook_probe first = {.offset = point->probe_offset};

    memcpy(first.registers, point->registers, sizeof(first.registers));
    ret_probes[0] = make_nss_probe(point, id, &first);
    for (unsigned i = 0; i < point->n_more; i++)
        ret_probes[1 + i] = make_nss_probe(point, id, &point->more[i]);
    return 1 + point->n_more;
}

static struct ec_probe make_libressl_probe(const struct ec_hook_point *point, uint32_t id, bool derives,
                                           uint64_t offset)
{
    return (struct ec_probe){EC_UPROBE_LIBRESSL, false, offset,
                             EC_LIBRESSL_COOKIE(id, derives, point->libressl.handshake, point->libressl.application,
                                                point->random_pointer_offset, point->random_offset)};
}

static size_t collect_prf_probes(const struct ec_hook_point *point, uint32_t id, struct ec_probe *ret_probes)
{
    static const enum ec_prf_cookie kinds[] = {[EC_PRF_OPENSSL] = EC_PRF_COOKIE_OPENSSL,
                                               [EC_PRF_LIBRESSL] = EC_PRF_COOKIE_LIBRESSL,
                                               [EC_PRF_CONTROL] = EC_PRF_COOKIE_CONTROL};
    _Static_assert(G_N_ELEMENTS(kinds) == EC_PRF_MAX, "a cookie for every kind");
    const struct ec_libressl_point *libressl = &point->libressl;
    size_t n = 0;

    ret_probes[n++] =
        (struct ec_probe){EC_UPROBE_PRF, false, point->probe_offset, EC_PRF_COOKIE(id, kinds[point->prf])};
    if (point->expand_offset)
        ret_probes[n++] = (struct ec_probe){
            EC_UPROBE_EXPAND, false, point->expand_offset,
            EC_SECRET_COOKIE(id, 0, point->random_indirect, point->random_pointer_offset, point->random_offset)};
    if (libressl->derive_offset)
        ret_probes[n++] = make_libressl_probe(point, id, true, libressl->derive_offset);
    for (unsigned i = 0; i < libressl->n_entries; i++)
        ret_probes[n++] = make_libressl_probe(point, id, false, libressl->entries[i]);
    return n;
}

static size_t collect_secret_probes(const struct ec_hook_point *point, uint32_t id, struct ec_probe *ret_probes)
{
    const uint8_t *at = point->registers;
    const bool registers = point->go_abi == EC_GO_ABI_REGISTER;

    if (point->kind == EC_LIBRARY_NSS || point->kind == EC_LIBRARY_NSS_KEYS || point->kind == EC_LIBRARY_NSS_TOKEN)
        return collect_nss_probes(point, id, ret_probes);
    if (point->prf != EC_PRF_NONE)
        return collect_prf_probes(point, id, ret_probes);
    if (point->kind != EC_LIBRARY_GO) {
        ret_probes[0] = (struct ec_probe){EC_UPROBE_SECRET, false, point->probe_offset,
                                          EC_SECRET_COOKIE(id, EC_SECRET_REGISTERS(at[0], at[1], at[2], at[3]),
                                                           point->random_indirect, point->random_pointer_offset,
                                                           point->random_offset)};
        return 1;
    }
    ret_probes[0] = (struct ec_probe){EC_UPROBE_GO, false, point->probe_offset, EC_GO_COOKIE(id, registers, false)};
    ret_probes[1] = (struct ec_probe){EC_UPROBE_GO, false, point->go_resume_offset, EC_GO_COOKIE(id, registers, true)};
    return point->go_resume_offset ? 2 : 1;
}

static bool attach_plan(ec_hooks *hooks, const struct ec_library *library, GError **error)
{
    struct ec_probe_plan plan = library->plan;
    uint32_t number = 0;

    if (plan.has_layout && !ec_kernel_add_layout(hooks->kernel, &plan.layout, &number, error))
        return false;
    for (size_t i = 0; i < plan.n_probes; i++)
        if (plan.probes[i].uprobe == EC_UPROBE_MYSQLD_END)
            plan.probes[i].cookie = number;
    return ec_kernel_attach_probes(hooks->kernel, library->fd, plan.probes, plan.n_probes, error);
}

/* `id`: comes back in ec_secret_event.library. */
static bool attach(ec_hooks *hooks, const struct ec_library *library, uint32_t id, GError **error)
{
    struct ec_probe probes[PROBES_MAX];
    size_t n;

    if (!ec_modules[library->module].packets)
        return attach_plan(hooks, library, error);
    n = collect_secret_probes(&library->point, id, probes);
    return ec_kernel_attach_probes(hooks->kernel, library->fd, probes, n, error);
}

static bool attach_plaintext(ec_hooks *hooks, const struct ec_library *library, GError **error)
{
    static const struct {
        enum ec_uprobe uprobe;
        bool at_return;
    } places[] = {
        [EC_PLACE_ENTRY] = {EC_UPROBE_PLAINTEXT_ENTER, false},
        [EC_PLACE_RETURN] = {EC_UPROBE_PLAINTEXT_LEAVE, true},
        [EC_PLACE_GO_ENTRY] = {EC_UPROBE_PLAINTEXT_GO_ENTER, false},
        [EC_PLACE_GO_RETURN] = {EC_UPROBE_PLAINTEXT_GO_LEAVE, false},
    };
    g_autoptr(GArray) points = ec_library_find_plaintext(library, error);
    g_autofree struct ec_probe *probes = points ? g_new(struct ec_probe, points->len) : NULL;

    for (guint i = 0; points && i < points->len; i++) {
        const struct ec_plaintext_point *point = &g_array_index(points, struct ec_plaintext_point, i);

        probes[i] = (struct ec_probe){places[point->place].uprobe, places[point->place].at_return, point->offset,
                                      point->cookie};
    }
    return points && ec_kernel_attach_probes(hooks->kernel, library->fd, probes, points->len, error);
}

/* Whatever becomes of the secrets: their hook point may not be provable. */
static void hook_plaintext(ec_hooks *hooks, const struct ec_library *library)
{
    g_autoptr(GError) reason = NULL;

    if (!hooks->plaintext)
        return;
    if (attach_plaintext(hooks, library, &reason))
        ec_log_info("hooked the plaintext calls of %s", library->path);
    else if (reason && library->hookable)
        ec_log_warning("%s: %s", library->path, reason->message);
}

/* That of the packets; ns. */
static uint64_t read_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* 0: it is not hooked, or not met yet. */
static uint64_t get_since(const ec_hooks *hooks, const struct ec_library *library)
{
    const uint64_t *since = g_hash_table_lookup(hooks->libraries, library);

    return since ? *since : 0;
}

static bool hook_library(ec_hooks *hooks, const struct ec_library *library, GError **error)
{
    unsigned id = 1 + hooks->count % LIBRARIES_MAX;
    uint64_t since = 0;
    bool ok = false;

    if (!library->hookable)
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY, "%s can't be hooked: %s", library->path,
                    library->reason);
    else if (g_hash_table_size(hooks->libraries) >= LIBRARIES_MAX)
        g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY,
                    "%s can't be hooked: there are more than %d libraries: restart the capture", library->path,
                    LIBRARIES_MAX);
    else
        ok = attach(hooks, library, id, error);
    if (ok)
        since = read_clock();
    if (ok)
        ec_log_info("hooked %s: %s%s%s, by %s", library->path, ec_library_get_kind(library),
                    *ec_library_get_version(library) ? " " : "", ec_library_get_version(library),
                    ec_library_get_method(library));
    else if (library->hookable)
        g_prefix_error(error, "%s: ", library->path);
    hook_plaintext(hooks, library);
    g_hash_table_insert(hooks->libraries, (gpointer)library, g_memdup2(&since, sizeof(since)));
    hooks->count += ok;
    return ok;
}

/* Whether the library is hooked; the first time it is met, hooks it. */
static bool ensure_library(ec_hooks *hooks, const struct ec_library *library)
{
    g_autoptr(GError) reason = NULL;

    if (g_hash_table_contains(hooks->libraries, library))
        return get_since(hooks, library) != 0;
    if (library->pending || !(hooks->modules & 1u << library->module))
        return false;
    if (!hook_library(hooks, library, &reason)) {
        ec_log_warning("%s", reason->message);
        return false;
    }
    return true;
}

/* Once per process. */
static void log_unhooked(const ec_hooks *hooks, const struct ec_process *process)
{
    if (ec_hooked_set_contains(hooks->unhooked, process->pid))
        return;
    for (guint i = 0; i < process->libraries->len; i++) {
        const struct ec_library *library = g_ptr_array_index(process->libraries, i);

        if (library->reason && !library->pending && hooks->modules & 1u << library->module)
            ec_log_info("%s (pid %u) has %s: %s", process->comm, process->pid, library->path, library->reason);
    }
}

static void set_hooked(ec_hooks *hooks, uint32_t pid, bool hooked)
{
    ec_hooked_set_remove(hooked ? hooks->unhooked : hooks->hooked, pid);
    ec_hooked_set_add(hooked ? hooks->hooked : hooks->unhooked, pid);
}

/* `process` NULL: it maps no TLS library. */
static void take_process(ec_hooks *hooks, uint32_t pid, const struct ec_process *process)
{
    bool hooked = false;

    for (guint i = 0; process && i < process->libraries->len; i++) {
        const struct ec_library *library = g_ptr_array_index(process->libraries, i);

        hooked |= ensure_library(hooks, library) && ec_modules[library->module].packets &&
                  ec_library_kind_is_tls(library->point.kind);
    }
    if (process && !hooked)
        log_unhooked(hooks, process);
    set_hooked(hooks, pid, hooked);
}

static void look_at_process(ec_hooks *hooks, uint32_t pid)
{
    take_process(hooks, pid, ec_target_list_add_process(hooks->targets, pid));
}

static void take_all(ec_hooks *hooks)
{
    GPtrArray *processes = ec_target_list_get_processes(hooks->targets);
    GPtrArray *libraries = ec_target_list_get_libraries(hooks->targets);

    for (guint i = 0; i < processes->len; i++) {
        const struct ec_process *process = g_ptr_array_index(processes, i);

        take_process(hooks, process->pid, process);
    }
    for (guint i = 0; i < libraries->len; i++)
        ensure_library(hooks, g_ptr_array_index(libraries, i));
}

static GArray *collect_fds(const ec_hooks *hooks)
{
    GArray *fds = g_array_new(TRUE, FALSE, sizeof(int));
    const int *fd = hooks->mappings ? ec_mappings_get_fds(hooks->mappings) : NULL;
    const int end = -1;

    for (; fd && *fd != -1; fd++)
        g_array_append_val(fds, *fd);
    if (hooks->search) {
        int event = ec_hook_search_get_fd(hooks->search);

        g_array_append_val(fds, event);
    }
    g_array_append_val(fds, end);
    return fds;
}

ec_hooks *ec_hooks_new(ec_kernel *kernel, unsigned modules, bool plaintext)
{
    ec_hooks *hooks = g_new0(ec_hooks, 1);
    g_autoptr(GError) reason = NULL;
    unsigned unreadable = 0;

    ec_descriptor_limit_raise();
    hooks->kernel = kernel;
    hooks->modules = modules;
    hooks->plaintext = plaintext;
    hooks->libraries = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    hooks->hooked = ec_hooked_set_new(PROCESSES_MAX);
    hooks->unhooked = ec_hooked_set_new(PROCESSES_MAX);
    hooks->exited = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    hooks->exited_before = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    hooks->reasons = g_string_chunk_new(256);
    /* Before the scan, so that nothing falls between the two. */
    hooks->mappings = ec_mappings_new(&reason);
    if (!hooks->mappings)
        ec_log_warning("libraries mapped from now on will not be hooked: %s", reason->message);
    hooks->targets = ec_target_list_new(true, &unreadable);
    ec_target_list_add_defaults(hooks->targets, modules);
    if (unreadable > 0)
        ec_log_info("%u processes could not be looked into", unreadable);
    take_all(hooks);
    hooks->search = ec_hook_search_new();
    hooks->fds = collect_fds(hooks);
    return hooks;
}

void ec_hooks_free(ec_hooks *hooks)
{
    if (!hooks)
        return;
    ec_mappings_free(hooks->mappings);
    ec_target_list_free(hooks->targets);
    ec_hook_search_free(hooks->search);
    g_array_unref(hooks->fds);
    g_hash_table_unref(hooks->libraries);
    ec_hooked_set_free(hooks->hooked);
    ec_hooked_set_free(hooks->unhooked);
    g_array_unref(hooks->exited);
    g_array_unref(hooks->exited_before);
    g_string_chunk_free(hooks->reasons);
    g_free(hooks);
}

/* OpenSSL's option stands for every library. `path`: as the user gave it; processes may map it by another. */
static bool check_module(const struct ec_library *library, const char *path, enum ec_module_id module, GError **error)
{
    if (module == EC_MODULE_TLS || library->module == module || !ec_modules[module].packets || !library->hookable)
        return true;
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY, "%s holds %s, not %s", path,
                ec_library_get_kind(library), ec_modules[module].display);
    return false;
}

static bool add_path(ec_hooks *hooks, const char *path, enum ec_module_id module, GError **error)
{
    const struct ec_library *library = ec_target_list_add_path(hooks->targets, path, module, error);

    if (!library || !check_module(library, path, module, error))
        return false;
    if (get_since(hooks, library))
        return true;
    return hook_library(hooks, library, error);
}

static void add_nss(const char *path, void *data)
{
    g_autoptr(GError) reason = NULL;

    if (!add_path(data, path, EC_MODULE_NSS, &reason))
        ec_log_warning("%s", reason->message);
}

static void add_remedy(GError *error)
{
    g_autofree char *cause = error->message;

    error->message = g_strdup_printf("%s; name another file, or none: what runs is found by itself", cause);
}

/* At an address that the user knows, in a file that may be in the list as one that can't be hooked. */
static bool add_readline(ec_hooks *hooks, const char *path, uint64_t address, GError **error)
{
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    g_autoptr(GError) reason = NULL;
    struct ec_probe_plan plan;

    if (fd >= 0 && ec_readline_find_probes(fd, address, &plan, &reason) &&
        ec_kernel_attach_probes(hooks->kernel, fd, plan.probes, plan.n_probes, &reason)) {
        hooks->count++;
        return true;
    }
    g_set_error(error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY, "%s can't be hooked: %s", path,
                reason ? reason->message : g_strerror(errno));
    return false;
}

static bool add_named(ec_hooks *hooks, const char *name, enum ec_module_id module, GError **error)
{
    g_autofree char *path = NULL;
    uint64_t address;

    if (module == EC_MODULE_BASH && ec_shell_path_split(name, &path, &address))
        return add_readline(hooks, path, address, error);
    return add_path(hooks, name, module, error);
}

bool ec_hooks_add_path(ec_hooks *hooks, const char *path, enum ec_module_id module, GError **error)
{
    if (!add_named(hooks, path, module, error)) {
        if (error && g_error_matches(*error, EC_SESSION_ERROR, EC_SESSION_ERROR_LIBRARY))
            add_remedy(*error);
        return false;
    }
    if (module == EC_MODULE_NSS)
        ec_library_path_foreach_nss(path, add_nss, hooks);
    return true;
}

void ec_hooks_add_program(ec_hooks *hooks, const char *path)
{
    const struct ec_library *library = ec_target_list_add_program(hooks->targets, path);

    if (library)
        ensure_library(hooks, library);
}

const int *ec_hooks_get_fds(const ec_hooks *hooks)
{
    return (const int *)hooks->fds->data;
}

/* The next process to map it may be as short-lived: it is known by then. */
static void take_file(ec_hooks *hooks, const struct ec_mapping *mapping)
{
    const struct ec_library *library = ec_target_list_add_mapped(hooks->targets, mapping->path, mapping->ino);

    if (library)
        ensure_library(hooks, library);
}

static void on_mapped(const struct ec_mapping *mapping, void *data)
{
    look_at_process(data, mapping->pid);
    if (!ec_target_list_get_process(((ec_hooks *)data)->targets, mapping->pid))
        take_file(data, mapping);
}

static void forget(ec_hooks *hooks, uint32_t pid)
{
    ec_hooked_set_remove(hooks->hooked, pid);
    ec_hooked_set_remove(hooks->unhooked, pid);
    ec_target_list_remove_process(hooks->targets, pid);
}

static void on_forked(uint32_t pid, uint32_t parent, void *data)
{
    ec_hooks *hooks = data;

    ec_hooked_set_inherit(hooks->hooked, pid, parent);
    ec_target_list_fork_process(hooks->targets, pid, parent);
}

/* What it mapped before is gone. Its libraries come by on_mapped; a program with one inside is known at once. */
static void on_executed(uint32_t pid, void *data)
{
    ec_hooks *hooks = data;
    const struct ec_library *program;

    forget(hooks, pid);
    program = ec_target_list_get_program(hooks->targets, pid);
    /* Hooked before more is read: it may end, or shake hands, within milliseconds. */
    if (program && ensure_library(hooks, program))
        look_at_process(hooks, pid);
}

static void on_exited(uint32_t pid, void *data)
{
    ec_hooks *hooks = data;

    g_array_append_val(hooks->exited, pid);
}

/* A fork and the parent's end may be told by different processors, and so in any order; but what came before the end is
 * told, at the latest, in the round after it. */
static void forget_exited(ec_hooks *hooks)
{
    GArray *now = hooks->exited_before;

    for (guint i = 0; i < now->len; i++) {
        uint32_t pid = g_array_index(now, uint32_t, i);

        /* At an execve() an exit is told of, too, now and then (seen on 6.18). */
        if (!ec_target_list_is_running(hooks->targets, pid))
            forget(hooks, pid);
    }
    g_array_set_size(now, 0);
    hooks->exited_before = hooks->exited;
    hooks->exited = now;
}

static void on_lost(uint64_t n_records, void *data)
{
    ec_hooks *hooks = data;

    hooks->n_lost += n_records;
}

/* Which processes there are, and what they map, is not known any more. */
static void rescan(ec_hooks *hooks)
{
    const gint64 begin = g_get_monotonic_time();

    ec_log_info("%" G_GUINT64_FORMAT " mapping events were lost: looking through /proc again", hooks->n_lost);
    hooks->n_lost = 0;
    ec_hooked_set_clear(hooks->hooked);
    ec_hooked_set_clear(hooks->unhooked);
    ec_target_list_rescan(hooks->targets);
    take_all(hooks);
    hooks->next_rescan = g_get_monotonic_time() + RESCAN_PART * (g_get_monotonic_time() - begin);
}

/* Their probes and descriptors go. */
static void prune(ec_hooks *hooks)
{
    g_autoptr(GPtrArray) dropped = ec_target_list_prune(hooks->targets);
    g_autoptr(GHashTable) files = g_hash_table_new(NULL, NULL);

    for (guint i = 0; i < dropped->len; i++) {
        const struct ec_library *library = g_ptr_array_index(dropped, i);

        g_hash_table_remove(hooks->libraries, library);
        g_hash_table_add(files, GINT_TO_POINTER(library->fd));
        ec_log_debug("nobody maps %s any more", library->path);
    }
    if (dropped->len > 0)
        ec_kernel_detach_probes(hooks->kernel, files);
    hooks->next_prune = g_get_monotonic_time() + PRUNE_SECONDS * G_USEC_PER_SEC;
}

/* Its hook point was looked for in the background: processes map it by now. */
static void take_settled(ec_hooks *hooks, const struct ec_library *library)
{
    GPtrArray *processes = ec_target_list_get_processes(hooks->targets);

    ensure_library(hooks, library);
    for (guint i = 0; i < processes->len; i++) {
        const struct ec_process *process = g_ptr_array_index(processes, i);

        if (g_ptr_array_find(process->libraries, library, NULL))
            take_process(hooks, process->pid, process);
    }
}

void ec_hooks_update(ec_hooks *hooks)
{
    static const struct ec_mapping_handler handler = {on_mapped, on_forked, on_executed, on_exited, on_lost};
    const struct ec_library *library;

    /* What is hooked before the session runs is hooked by its start; packets wait for nothing from then on. */
    if (!hooks->following)
        ec_target_list_set_search(hooks->targets, hooks->search);
    hooks->following = true;
    while ((library = ec_target_list_settle(hooks->targets)) != NULL)
        take_settled(hooks, library);
    if (hooks->mappings)
        ec_mappings_read(hooks->mappings, &handler, hooks);
    forget_exited(hooks);
    if (hooks->n_lost > 0 && g_get_monotonic_time() >= hooks->next_rescan)
        rescan(hooks);
    if (g_get_monotonic_time() >= hooks->next_prune)
        prune(hooks);
}

bool ec_hooks_is_hooked(ec_hooks *hooks, uint32_t pid)
{
    if (ec_hooked_set_contains(hooks->hooked, pid))
        return true;
    /* Without mapping events, what was found once may have changed. */
    if (hooks->mappings && ec_hooked_set_contains(hooks->unhooked, pid))
        return false;
    look_at_process(hooks, pid);
    return ec_hooked_set_contains(hooks->hooked, pid);
}

static enum ec_hook_state explain_library(ec_hooks *hooks, const struct ec_library *library, const char **ret_reason)
{
    *ret_reason = "its library is left to another module";
    if (library->pending) {
        *ret_reason = "its hook point was still being looked for";
        return EC_HOOK_STATE_PENDING;
    }
    if (!(hooks->modules & 1u << library->module))
        return EC_HOOK_STATE_LEFT;
    *ret_reason = library->reason ? g_string_chunk_insert_const(hooks->reasons, library->reason)
                                  : "its library could not be hooked";
    return EC_HOOK_STATE_REFUSED;
}

static bool process_lives(uint32_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%u", pid);

    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static bool lacks_tls13(const struct ec_process *process)
{
    for (guint i = 0; process && i < process->libraries->len; i++) {
        const struct ec_library *library = g_ptr_array_index(process->libraries, i);

        if (library->hookable && library->point.prf == EC_PRF_LIBRESSL && !library->point.libressl.derive_offset)
            return true;
    }
    return false;
}

/* Whether one of the process's libraries was hooked only after that time. */
static bool was_hooked_later(const ec_hooks *hooks, const struct ec_process *process, uint64_t time)
{
    for (guint i = 0; process && i < process->libraries->len; i++)
        if (get_since(hooks, g_ptr_array_index(process->libraries, i)) > time)
            return true;
    return false;
}

static const char *explain_hooked(const ec_hooks *hooks, const struct ec_process *process, uint64_t time)
{
    if (lacks_tls13(process))
        return "not supported: TLS 1.3 in this build of LibreSSL, whose code doesn't show where its secrets are; TLS "
               "1.2 is";
    return was_hooked_later(hooks, process, time) ? "its library was new to the capture, and hooked too late"
                                                  : "a hooked library gave none";
}

enum ec_hook_state ec_hooks_explain(ec_hooks *hooks, uint32_t pid, uint64_t time, const char **ret_reason)
{
    bool hooked = ec_hooks_is_hooked(hooks, pid);
    const struct ec_process *process = ec_target_list_get_process(hooks->targets, pid);
    enum ec_hook_state best;

    if (hooked) {
        *ret_reason = explain_hooked(hooks, process, time);
        return EC_HOOK_STATE_HOOKED;
    }
    best = process_lives(pid) ? EC_HOOK_STATE_NONE : EC_HOOK_STATE_UNKNOWN;
    *ret_reason =
        best == EC_HOOK_STATE_NONE ? "no TLS library that is known here" : "it had ended too soon to be looked into";
    for (guint i = 0; process && i < process->libraries->len; i++) {
        const char *reason = NULL;
        enum ec_hook_state state = explain_library(hooks, g_ptr_array_index(process->libraries, i), &reason);

        if (state <= best)
            continue;
        best = state;
        *ret_reason = reason;
    }
    return best;
}

unsigned ec_hooks_get_count(const ec_hooks *hooks)
{
    return hooks->count;
}
