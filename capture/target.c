/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every mapping is opened before it is known whether its file is in the list already: the device in maps is the
 * superblock's, which btrfs subvolumes share while their inode numbers repeat; only fstat(2) tells files apart.
 */
#include "target.h"

#include "descriptor.h"
#include "go-hook-point.h"
#include "hook-cache.h"
#include "library-path.h"
#include "library-set.h"
#include "nss-hook-point.h"
#include "parallel.h"
#include "proc.h"
#include "program-kind.h"
#include "unsupported-tls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

G_DEFINE_QUARK(ec_target_error, ec_target_error)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

/* A file that nobody keeps from being deleted or changed: its inode number may come to mean another. */
struct program_id {
    struct ec_file_id file;
    uint64_t size;
    uint64_t seconds, nanoseconds; /* of st_ctim */
};

/* Programs that are remembered to hold no TLS library; full, all are forgotten. */
#define BARREN_MAX 65536

/* Bytes. The hook point of a smaller file takes less than a tenth of a second, and is not left to the search. */
#define BACKGROUND_MIN (16 << 20)

struct ec_target_list {
    bool find_points;
    ec_proc *proc;
    GPtrArray *processes; /* of struct ec_process *, by pid */
    ec_library_set *set;
    ec_hook_cache *cache;
    GHashTable *barren;     /* of struct program_id: programs that were looked into and hold no TLS library */
    ec_hook_search *search; /* borrowed; NULL: everything is looked for at once */
    GPtrArray *unread;      /* of struct unread *, while /proc is scanned; else NULL */
};

/* A library whose hook point is looked for when all of them are known: on all processors. */
struct unread {
    struct ec_library *library; /* borrowed */
    char *root;
    ec_fd crypto_fd; /* -1: none */
};

/* ---- memory ---- */

static void process_free(gpointer data)
{
    struct ec_process *process = data;

    for (guint i = 0; i < process->libraries->len; i++)
        ((struct ec_library *)g_ptr_array_index(process->libraries, i))->users--;
    g_ptr_array_unref(process->libraries);
    g_free(process);
}

static void unread_free(gpointer data)
{
    struct unread *unread = data;

    if (unread->crypto_fd >= 0)
        close(unread->crypto_fd);
    g_free(unread->root);
    g_free(unread);
}

static guint program_id_hash(gconstpointer key)
{
    const struct program_id *id = key;

    return ec_file_id_hash(&id->file) ^ (guint)id->nanoseconds;
}

static gboolean program_id_equal(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, sizeof(struct program_id)) == 0;
}

static struct program_id program_id_of(const struct stat *status)
{
    return (struct program_id){
        .file = {.dev = status->st_dev, .ino = status->st_ino},
        .size = (uint64_t)status->st_size,
        .seconds = (uint64_t)status->st_ctim.tv_sec,
        .nanoseconds = (uint64_t)status->st_ctim.tv_nsec,
    };
}

static void program_set_barren(ec_target_list *list, const struct stat *status)
{
    const struct program_id id = program_id_of(status);

    if (g_hash_table_size(list->barren) >= BARREN_MAX)
        g_hash_table_remove_all(list->barren);
    g_hash_table_add(list->barren, g_memdup2(&id, sizeof(id)));
}

ec_target_list *ec_target_list_new_empty(bool find_points)
{
    ec_target_list *list = g_new0(ec_target_list, 1);

    list->find_points = find_points;
    list->proc = ec_proc_new();
    list->processes = g_ptr_array_new_with_free_func(process_free);
    list->set = ec_library_set_new();
    list->cache = ec_hook_cache_new();
    list->barren = g_hash_table_new_full(program_id_hash, program_id_equal, g_free, NULL);
    return list;
}

void ec_target_list_free(ec_target_list *list)
{
    if (list == NULL)
        return;
    ec_proc_free(list->proc);
    g_ptr_array_unref(list->processes);
    g_hash_table_unref(list->barren);
    ec_library_set_free(list->set);
    ec_hook_cache_free(list->cache);
    g_free(list);
}

GPtrArray *ec_target_list_get_processes(ec_target_list *list)
{
    return list->processes;
}

GPtrArray *ec_target_list_get_libraries(ec_target_list *list)
{
    return ec_library_set_get(list->set);
}

/* By its name; libssl's where that says nothing. */
static enum ec_module_id module_of_path(const char *path)
{
    enum ec_module_id module = ec_library_name_get_module(path, strlen(path));

    return module == EC_MODULE_MAX ? EC_MODULE_TLS : module;
}

/* How the hook point of a module's library is found. */
static bool point_find(const struct ec_library *library, const char *root, struct ec_hook_point *ret_point,
                       GError **error)
{
    if (library->module == EC_MODULE_GOTLS)
        return ec_go_hook_point_find(library->fd, ret_point, error);
    if (library->module == EC_MODULE_NSS)
        return ec_nss_hook_point_find(library->fd, ret_point, error);
    g_auto(ec_fd) debug_fd = ec_library_debug_open(library->fd, root);
    return ec_hook_point_find(library->fd, debug_fd, ret_point, error);
}

/* A Go program's function is found in less time than an entry is read; NSS's have too many places for one. */
static bool library_is_cached(const struct ec_library *library)
{
    return library->module != EC_MODULE_GOTLS && library->module != EC_MODULE_NSS;
}

static bool search_start(const ec_target_list *list, struct ec_library *library, const char *root)
{
    if (list->search == NULL || !library_is_cached(library) || library->size < BACKGROUND_MIN ||
        !ec_hook_search_start(list->search, library->fd, ec_library_debug_open(library->fd, root), library))
        return false;
    library->pending = true;
    library->reason = g_strdup("its hook point is still being looked for");
    return true;
}

/* Known, and known to give nothing. */
static bool library_is_unsupported(const struct ec_library *library)
{
    return library->reason != NULL && g_str_has_prefix(library->reason, "not supported: ");
}

/* `error`: why there is no hook point; NULL if one is found. */
static void library_settle(struct ec_library *library, bool found, const GError *error)
{
    library->pending = false;
    library->hookable = found;
    g_clear_pointer(&library->reason, g_free);
    if (found)
        library->module = ec_module_of_kind(library->point.kind);
    else if ((library->reason = ec_unsupported_file_find(library->fd)) == NULL)
        library->reason = g_strdup(error->message);
}

/* Finds a library's hook point. `root`: of the mount namespace that its path is of, e.g. "/proc/1234/root".
 * `crypto_fd`: the libcrypto that goes with it, or -1. False if it turns out to hold no TLS library. */
static bool library_read(const ec_target_list *list, struct ec_library *library, const char *root, int crypto_fd)
{
    g_autoptr(GError) error = NULL;

    /* In a Go program the function is found in less time than its megabytes are compared. */
    const struct ec_library *twin =
        library->module == EC_MODULE_GOTLS ? NULL : ec_library_set_find_twin(list->set, library);
    if (twin != NULL) {
        library->hookable = true;
        library->point = twin->point;
        library->module = twin->module;
        return true;
    }
    const bool known = library_is_cached(library) && ec_hook_cache_get(list->cache, library->fd, &library->point);
    if (!known && search_start(list, library, root))
        return true;
    const bool found = known || point_find(library, root, &library->point, &error);
    library_settle(library, found, error);
    if (found && !known && library_is_cached(library))
        ec_hook_cache_put(list->cache, library->fd, &library->point);
    const bool has_crypto = library->point.kind == EC_LIBRARY_OPENSSL || library->point.kind == EC_LIBRARY_LIBRESSL;
    if (found && has_crypto && library->point.version[0] == '\0' && crypto_fd >= 0)
        ec_hook_point_ask_crypto(&library->point, crypto_fd);
    return !g_error_matches(error, EC_HOOK_ERROR, EC_HOOK_ERROR_NOT_TLS) || library_is_unsupported(library);
}

/* Gives a library its file. True if its hook point is to be found yet. */
static bool library_take(const ec_target_list *list, struct ec_library *library, int fd_to_take, off_t size)
{
    g_autoptr(GError) error = NULL;

    library->fd = fd_to_take;
    library->size = size;
    if (!list->find_points)
        return false;
    library->reason = g_strdup(ec_unsupported_name_find(library->path, strlen(library->path)));
    if (library->reason != NULL)
        return false;
    if (ec_modules[library->module].packets)
        return true;
    library->hookable = ec_program_kind_find(library->module, library->fd, &library->plan, &error);
    library->reason = error != NULL ? g_strdup(error->message) : NULL;
    return false;
}

/* Now, or with the others of the scan. */
static void library_read_mapped(const ec_target_list *list, struct ec_library *library, uint32_t pid,
                                int crypto_fd_to_take)
{
    struct unread *unread = g_new(struct unread, 1);

    *unread = (struct unread){library, g_strdup_printf("/proc/%u/root", pid), crypto_fd_to_take};
    if (list->unread != NULL) {
        g_ptr_array_add(list->unread, unread);
        return;
    }
    library_read(list, library, unread->root, unread->crypto_fd);
    unread_free(unread);
}

struct reading {
    const ec_target_list *list;
    GPtrArray *unread; /* of struct unread */
};

static void unread_read(guint item, void *data)
{
    const struct reading *reading = data;
    const struct unread *unread = g_ptr_array_index(reading->unread, item);

    library_read(reading->list, unread->library, unread->root, unread->crypto_fd);
}

/* On all processors. */
static void unread_read_each(const ec_target_list *list, GPtrArray *unread)
{
    struct reading reading = {list, unread};

    ec_parallel_for(unread->len, g_get_num_processors(), unread_read, &reading);
}

/* Those that begin alike are probably twins: one of them first, which the others are then compared with. */
static void unread_read_all(ec_target_list *list)
{
    g_autoptr(GHashTable) heads = g_hash_table_new_full(ec_file_head_hash, ec_file_head_equal, g_free, NULL);
    g_autoptr(GPtrArray) all = g_steal_pointer(&list->unread), first = g_ptr_array_new(), others = g_ptr_array_new();

    for (guint i = 0; i < all->len; i++) {
        struct unread *unread = g_ptr_array_index(all, i);
        g_ptr_array_add(g_hash_table_add(heads, ec_file_head_read(unread->library)) ? first : others, unread);
    }
    unread_read_each(list, first);
    for (guint i = 0; i < first->len; i++)
        ec_library_set_offer_twin(list->set, ((const struct unread *)g_ptr_array_index(first, i))->library);
    unread_read_each(list, others);
}

void ec_target_list_set_search(ec_target_list *list, ec_hook_search *search)
{
    list->search = search;
}

const struct ec_library *ec_target_list_settle(ec_target_list *list)
{
    struct ec_hook_result result;

    if (list->search == NULL || !ec_hook_search_take(list->search, &result))
        return NULL;
    g_autoptr(GError) error = result.error;
    struct ec_library *library = result.key;
    library->point = result.point;
    library_settle(library, result.found, error);
    if (library->hookable)
        ec_hook_cache_put(list->cache, library->fd, &library->point);
    ec_library_set_offer_twin(list->set, library);
    return library;
}

/* ---- mappings ---- */

/* The libcrypto that a process maps beside this libssl: what follows the name's first part is alike ("libssl.so.3",
 * "libcrypto.so.3"); else whichever there is. */
static int crypto_open(const ec_target_list *list, uint32_t pid, const char *library_path, GArray *cryptos)
{
    const char *suffix = strstr(strrchr(library_path, '/'), ".so");
    const struct ec_proc_mapping *best = NULL;
    struct stat status;

    for (guint i = 0; i < cryptos->len; i++) {
        const struct ec_proc_mapping *mapping = &g_array_index(cryptos, struct ec_proc_mapping, i);
        if (best == NULL || (suffix != NULL && g_str_has_suffix(mapping->path, suffix)))
            best = mapping;
    }
    return best != NULL ? ec_proc_open_mapping(list->proc, pid, best, &status) : -1;
}

static struct ec_library *library_add_unopened(ec_target_list *list, const struct ec_proc_mapping *mapping, int reason)
{
    const dev_t dev = makedev(mapping->line.major, mapping->line.minor);
    struct ec_library *library = ec_library_set_find(list->set, dev, mapping->line.ino);

    if (library != NULL)
        return library;
    library = ec_library_set_add(
        list->set, ec_library_new(dev, mapping->line.ino, module_of_path(mapping->path), g_strdup(mapping->path)));
    if (!list->find_points)
        return library;
    const bool replaced = mapping->line.deleted || reason == ESTALE;
    library->reason = g_strdup_printf(
        "%sits file can't be opened (%s): run with cap_sys_ptrace, cap_checkpoint_restore and cap_dac_read_search%s",
        replaced ? "replaced or deleted since it was mapped, " : "", g_strerror(reason),
        replaced ? ", or restart the process" : "");
    return library;
}

/* The library of this mapping, new or known; NULL if the process has gone. */
static struct ec_library *mapping_get_library(ec_target_list *list, uint32_t pid, const struct ec_proc_mapping *mapping,
                                              GArray *cryptos)
{
    struct stat status;
    g_auto(ec_fd) fd = ec_proc_open_mapping(list->proc, pid, mapping, &status);

    if (fd < 0) {
        int reason = errno;
        return ec_proc_has(list->proc, pid) ? library_add_unopened(list, mapping, reason) : NULL;
    }
    struct ec_library *library = ec_library_set_find(list->set, status.st_dev, status.st_ino);
    if (library != NULL)
        return library;
    library = ec_library_new(status.st_dev, status.st_ino, module_of_path(mapping->path), g_strdup(mapping->path));
    if (library_take(list, library, ec_fd_steal(&fd), status.st_size))
        library_read_mapped(list, library, pid, crypto_open(list, pid, mapping->path, cryptos));
    return ec_library_set_add(list->set, library);
}

/* ---- programs ---- */

/* NULL if it has none. `path`: borrowed. */
static struct ec_library *program_open(ec_target_list *list, const char *path, int fd_to_take,
                                       const struct stat *status)
{
    enum ec_module_id module = ec_program_kind_get_module(fd_to_take);
    struct ec_library *library;

    if (module == EC_MODULE_MAX) {
        close(fd_to_take);
        return NULL;
    }
    library = ec_library_new(status->st_dev, status->st_ino, module, g_strdup(path));
    if (!library_take(list, library, fd_to_take, status->st_size) || library_read(list, library, "", -1))
        return ec_library_set_add(list->set, library);
    ec_library_free(library);
    return NULL;
}

/* The process's program if it has a TLS library inside, else NULL. Mostly one stat(2) and a look into a table. */
static struct ec_library *program_get_library(ec_target_list *list, uint32_t pid)
{
    struct stat status;

    if (!ec_proc_stat_program(list->proc, pid, &status))
        return NULL;
    struct program_id id = program_id_of(&status);
    if (g_hash_table_contains(list->barren, &id))
        return NULL;
    struct ec_library *library = ec_library_set_find(list->set, status.st_dev, status.st_ino);
    if (library != NULL)
        return library;
    g_auto(ec_fd) fd = ec_proc_open_program(list->proc, pid);
    if (fd < 0 || fstat(fd, &status) != 0)
        return NULL;
    g_autofree char *path = ec_proc_get_program_path(list->proc, pid);
    library = program_open(list, path, ec_fd_steal(&fd), &status);
    if (library == NULL)
        program_set_barren(list, &status);
    return library;
}

const struct ec_library *ec_target_list_get_program(ec_target_list *list, uint32_t pid)
{
    return program_get_library(list, pid);
}

bool ec_target_list_is_running(const ec_target_list *list, uint32_t pid)
{
    struct stat status;

    return ec_proc_stat_program(list->proc, pid, &status);
}

/* ---- processes ---- */

static void process_use(struct ec_process *process, struct ec_library *library)
{
    g_ptr_array_add(process->libraries, library);
    library->users++;
}

static struct ec_process *process_new(ec_target_list *list, uint32_t pid, struct ec_library *program, GArray *mappings,
                                      GArray *cryptos)
{
    struct ec_process *process = g_new0(struct ec_process, 1);

    process->pid = pid;
    process->libraries = g_ptr_array_new();
    if (program != NULL)
        process_use(process, program);
    for (guint i = 0; i < mappings->len; i++) {
        struct ec_library *library =
            mapping_get_library(list, pid, &g_array_index(mappings, struct ec_proc_mapping, i), cryptos);
        if (library != NULL && !g_ptr_array_find(process->libraries, library, NULL))
            process_use(process, library);
    }
    if (process->libraries->len > 0 && ec_proc_read_identity(list->proc, pid, process->comm, &process->uid))
        return process;
    process_free(process);
    return NULL;
}

/* *ret_process: NULL unless EC_PROC_FOUND. */
static enum ec_proc_result process_scan(ec_target_list *list, uint32_t pid, struct ec_process **ret_process)
{
    g_autoptr(GArray) mappings = NULL, cryptos = NULL;
    enum ec_proc_result result = ec_proc_read_maps(list->proc, pid, &mappings, &cryptos);

    *ret_process = NULL;
    if (result != EC_PROC_FOUND)
        return result;
    struct ec_library *program = program_get_library(list, pid);
    if (mappings->len > 0 || program != NULL)
        *ret_process = process_new(list, pid, program, mappings, cryptos);
    return *ret_process != NULL ? EC_PROC_FOUND : EC_PROC_NOTHING;
}

/* Where the process stands or, if it is not in the list, belongs. */
static guint process_position(const ec_target_list *list, uint32_t pid)
{
    guint low = 0, high = list->processes->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct ec_process *process = g_ptr_array_index(list->processes, middle);
        if (process->pid < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct ec_process *ec_target_list_get_process(const ec_target_list *list, uint32_t pid)
{
    guint position = process_position(list, pid);
    const struct ec_process *process =
        position < list->processes->len ? g_ptr_array_index(list->processes, position) : NULL;

    return process != NULL && process->pid == pid ? process : NULL;
}

void ec_target_list_remove_process(ec_target_list *list, uint32_t pid)
{
    if (ec_target_list_get_process(list, pid) != NULL)
        g_ptr_array_remove_index(list->processes, process_position(list, pid));
}

static void process_insert(ec_target_list *list, struct ec_process *process_to_take)
{
    g_ptr_array_insert(list->processes, (gint)process_position(list, process_to_take->pid), process_to_take);
}

static enum ec_proc_result process_add(ec_target_list *list, uint32_t pid, const struct ec_process **ret_process)
{
    struct ec_process *process = NULL;
    enum ec_proc_result result = process_scan(list, pid, &process);

    ec_target_list_remove_process(list, pid);
    if (process != NULL)
        process_insert(list, process);
    *ret_process = process;
    return result;
}

const struct ec_process *ec_target_list_add_process(ec_target_list *list, uint32_t pid)
{
    const struct ec_process *process = NULL;

    process_add(list, pid, &process);
    return process;
}

void ec_target_list_fork_process(ec_target_list *list, uint32_t pid, uint32_t parent)
{
    const struct ec_process *model = ec_target_list_get_process(list, parent);
    struct stat status;

    /* A process that has given its memory back has no program; before that, its end is yet to be told. */
    if (model == NULL || ec_target_list_get_process(list, pid) != NULL ||
        !ec_proc_stat_program(list->proc, pid, &status))
        return;
    struct ec_process *process = g_memdup2(model, sizeof(*model));
    process->pid = pid;
    process->libraries = g_ptr_array_new();
    for (guint i = 0; i < model->libraries->len; i++)
        process_use(process, g_ptr_array_index(model->libraries, i));
    process_insert(list, process);
}

/* The number of those that may not be read. */
static unsigned processes_scan(ec_target_list *list)
{
    g_autoptr(DIR) proc = opendir("/proc");
    const struct ec_process *process = NULL;
    unsigned unreadable = 0;
    struct dirent *entry;

    list->unread = g_ptr_array_new_with_free_func(unread_free);
    while (proc != NULL && (entry = readdir(proc)) != NULL) {
        guint64 pid = 0;
        if (g_ascii_string_to_unsigned(entry->d_name, 10, 1, UINT32_MAX, &pid, NULL) &&
            process_add(list, (uint32_t)pid, &process) == EC_PROC_UNREADABLE)
            unreadable++;
    }
    unread_read_all(list);
    return unreadable;
}

ec_target_list *ec_target_list_new(bool find_points, unsigned *ret_unreadable)
{
    ec_target_list *list = ec_target_list_new_empty(find_points);
    unsigned unreadable = processes_scan(list);

    if (ret_unreadable != NULL)
        *ret_unreadable = unreadable;
    return list;
}

void ec_target_list_rescan(ec_target_list *list)
{
    GPtrArray *before = list->processes;

    list->processes = g_ptr_array_new_with_free_func(process_free);
    processes_scan(list);
    g_ptr_array_unref(before);
}

GPtrArray *ec_target_list_prune(ec_target_list *list)
{
    return ec_library_set_prune(list->set);
}

/* ---- files by name ---- */

/* By what it is, else by its name, if the module that the user names leaves that open. */
static enum ec_module_id module_of_file(int fd, const char *path, enum ec_module_id named)
{
    enum ec_module_id module =
        named != EC_MODULE_MAX && !ec_modules[named].packets ? named : ec_program_kind_get_module(fd);

    if (module != EC_MODULE_MAX)
        return module;
    return ec_nss_file_is_nss(fd) ? EC_MODULE_NSS : module_of_path(path);
}

/* One that is known, or a new one. */
static struct ec_library *file_add(ec_target_list *list, const char *path, int fd_to_take, const struct stat *status,
                                   enum ec_module_id module)
{
    g_auto(ec_fd) fd = fd_to_take;
    struct ec_library *library = ec_library_set_find(list->set, status->st_dev, status->st_ino);

    if (library != NULL)
        return library;
    library = ec_library_new(status->st_dev, status->st_ino, module_of_file(fd, path, module), g_strdup(path));
    if (library_take(list, library, ec_fd_steal(&fd), status->st_size)) {
        g_auto(ec_fd) crypto_fd = ec_library_path_open_crypto(path);
        library_read(list, library, "", crypto_fd);
    }
    return ec_library_set_add(list->set, library);
}

/* -1 if it is no regular file, or can't be opened. */
static int file_open(const char *path, struct stat *ret_status)
{
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd >= 0 && fstat(fd, ret_status) == 0 && S_ISREG(ret_status->st_mode) ? ec_fd_steal(&fd) : -1;
}

const struct ec_library *ec_target_list_add_path(ec_target_list *list, const char *path, enum ec_module_id module,
                                                 GError **error)
{
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0 || fstat(fd, &status) != 0) {
        g_set_error(error, EC_TARGET_ERROR, EC_TARGET_ERROR_OPEN,
                    "%s can't be opened: %s; give the path of a library or program", path, g_strerror(errno));
        return NULL;
    }
    if (!S_ISREG(status.st_mode)) {
        g_set_error(error, EC_TARGET_ERROR, EC_TARGET_ERROR_OPEN,
                    "%s is no file: give the path of a library or program", path);
        return NULL;
    }
    struct ec_library *library = file_add(list, path, ec_fd_steal(&fd), &status, module);
    library->named = true;
    return library;
}

const struct ec_library *ec_target_list_add_mapped(ec_target_list *list, const char *path, uint64_t ino)
{
    struct stat status;
    g_auto(ec_fd) fd = file_open(path, &status);

    return fd >= 0 && status.st_ino == ino ? file_add(list, path, ec_fd_steal(&fd), &status, EC_MODULE_MAX) : NULL;
}

const struct ec_library *ec_target_list_add_program(ec_target_list *list, const char *path)
{
    struct stat status;
    g_auto(ec_fd) fd = file_open(path, &status);

    if (fd < 0)
        return NULL;
    struct ec_library *library = ec_library_set_find(list->set, status.st_dev, status.st_ino);
    return library != NULL ? library : program_open(list, path, ec_fd_steal(&fd), &status);
}

static void default_add(const char *path, void *data)
{
    ec_target_list_add_path(data, path, EC_MODULE_MAX, NULL);
}

void ec_target_list_add_defaults(ec_target_list *list, unsigned modules)
{
    static const struct {
        enum ec_module_id module;
        const char *path;
    } shells[] = {{EC_MODULE_BASH, "/bin/bash"}, {EC_MODULE_ZSH, "/bin/zsh"}};

    if (ec_modules_have(modules, true))
        ec_library_path_foreach(default_add, list);
    for (size_t i = 0; i < G_N_ELEMENTS(shells); i++)
        if (modules & 1u << shells[i].module)
            default_add(shells[i].path, list);
}
