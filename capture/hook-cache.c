/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook-cache.h"

#include "descriptor.h"
#include "elf-image.h"
#include "log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

enum {
    ENTRY_LEN_MAX = 512,
    ENTRIES_MAX = 4096, /* then all are thrown away: builds come and go */
    NAME_LEN = 64,
};

/* One line: "ecapture-hook-1", build ID, kind, method, function, signature, version ("-" if there is none). */
static const char format_name[] = "ecapture-hook-1";

static void hex_format(const uint8_t *bytes, size_t len, char *text)
{
    for (size_t i = 0; i < len; i++)
        g_snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

char *ec_hook_entry_format(const struct ec_hook_entry *entry)
{
    const struct ec_hook_point *point = &entry->point;
    char signature[2 * EC_HOOK_SIGNATURE_LEN + 1];

    hex_format(entry->signature, sizeof(entry->signature), signature);
    return g_strdup_printf("%s %s %d %d %" PRIu64 " %s %s\n", format_name, point->build_id, (int)point->kind,
                           (int)point->method, point->function_offset, signature,
                           point->version[0] != '\0' ? point->version : "-");
}

static bool hex_parse(const char *text, uint8_t *bytes, size_t len)
{
    if (strlen(text) != 2 * len)
        return false;
    for (size_t i = 0; i < len; i++) {
        int high = g_ascii_xdigit_value(text[2 * i]), low = g_ascii_xdigit_value(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Text of which a log line or a terminal takes no harm. */
static bool version_parse(const char *text, char *version, size_t size)
{
    if (strlen(text) >= size || *text == '\0')
        return false;
    for (const char *at = text; *at != '\0'; at++)
        if (!g_ascii_isalnum(*at) && strchr(" .-+_~", *at) == NULL)
            return false;
    g_strlcpy(version, strcmp(text, "-") == 0 ? "" : text, size);
    return true;
}

static bool build_id_parse(const char *text, char *build_id, size_t size)
{
    const size_t len = strlen(text);

    if (len == 0 || len >= size || strspn(text, "0123456789abcdef") != len)
        return false;
    g_strlcpy(build_id, text, size);
    return true;
}

bool ec_hook_entry_parse(const char *text, size_t len, struct ec_hook_entry *ret_entry)
{
    enum { NAME, BUILD_ID, KIND, METHOD, FUNCTION, SIGNATURE, VERSION, FIELDS };
    struct ec_hook_entry entry = {0};
    guint64 kind = 0, method = 0, function = 0;

    if (len == 0 || len > ENTRY_LEN_MAX || text[len - 1] != '\n' || memchr(text, '\0', len) != NULL)
        return false;
    g_autofree char *line = g_strndup(text, len - 1);
    /* the version comes last, since it may hold spaces */
    g_auto(GStrv) fields = g_strsplit(line, " ", FIELDS);
    if (g_strv_length(fields) != FIELDS || strcmp(fields[NAME], format_name) != 0 ||
        !build_id_parse(fields[BUILD_ID], entry.point.build_id, sizeof(entry.point.build_id)) ||
        !g_ascii_string_to_unsigned(fields[KIND], 10, 0, EC_LIBRARY_KIND_MAX - 1, &kind, NULL) ||
        !g_ascii_string_to_unsigned(fields[METHOD], 10, 0, EC_HOOK_METHOD_MAX - 1, &method, NULL) ||
        !g_ascii_string_to_unsigned(fields[FUNCTION], 10, 0, G_MAXINT64, &function, NULL) ||
        !hex_parse(fields[SIGNATURE], entry.signature, sizeof(entry.signature)) ||
        !version_parse(fields[VERSION], entry.point.version, sizeof(entry.point.version)))
        return false;
    entry.point.kind = (enum ec_library_kind)kind;
    entry.point.method = (enum ec_hook_method)method;
    entry.point.function_offset = function;
    *ret_entry = entry;
    return true;
}

static bool is_ours(int fd, mode_t type)
{
    struct stat status;

    return fstat(fd, &status) == 0 && (status.st_mode & S_IFMT) == type && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

struct ec_hook_cache {
    GMutex lock;
    int directory; /* -1: not (yet) open */
    bool counted;
    unsigned n_entries; /* if they were counted: those that there are, or more */
};

ec_hook_cache *ec_hook_cache_new(void)
{
    ec_hook_cache *cache = g_new0(ec_hook_cache, 1);

    g_mutex_init(&cache->lock);
    cache->directory = -1;
    return cache;
}

void ec_hook_cache_free(ec_hook_cache *cache)
{
    if (cache == NULL)
        return;
    if (cache->directory >= 0)
        close(cache->directory);
    g_mutex_clear(&cache->lock);
    g_free(cache);
}

/* -1 if there is none that is ours alone. Under the lock. */
static int directory_open(ec_hook_cache *cache, bool make)
{
    g_autofree char *path = g_build_filename(g_get_user_cache_dir(), "ecapture", NULL);

    if (cache->directory >= 0)
        return cache->directory;
    if (make && g_mkdir_with_parents(path, 0700) != 0)
        return -1;
    g_auto(ec_fd) fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && is_ours(fd, S_IFDIR))
        cache->directory = ec_fd_steal(&fd);
    return cache->directory;
}

static bool entry_read(ec_hook_cache *cache, const char *build_id, struct ec_hook_entry *ret_entry)
{
    char text[ENTRY_LEN_MAX + 1];

    g_mutex_lock(&cache->lock);
    const int directory = directory_open(cache, false);
    g_mutex_unlock(&cache->lock);
    if (directory < 0)
        return false;
    g_auto(ec_fd) fd = openat(directory, build_id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || !is_ours(fd, S_IFREG))
        return false;
    ssize_t len = read(fd, text, sizeof(text));
    return len > 0 && ec_hook_entry_parse(text, (size_t)len, ret_entry) &&
           strcmp(ret_entry->point.build_id, build_id) == 0;
}

static bool signature_read(int fd, uint64_t offset, uint8_t signature[static EC_HOOK_SIGNATURE_LEN])
{
    return pread(fd, signature, EC_HOOK_SIGNATURE_LEN, (off_t)offset) == EC_HOOK_SIGNATURE_LEN;
}

bool ec_hook_cache_get(ec_hook_cache *cache, int fd, struct ec_hook_point *ret_point)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    g_autoptr(GError) reason = NULL;
    uint8_t signature[EC_HOOK_SIGNATURE_LEN];
    struct ec_hook_entry entry;

    if (image == NULL || ec_elf_image_get_build_id(image)[0] == '\0' ||
        !entry_read(cache, ec_elf_image_get_build_id(image), &entry))
        return false;
    if (!signature_read(fd, entry.point.function_offset, signature) ||
        memcmp(signature, entry.signature, sizeof(signature)) != 0)
        return false;
    if (ec_hook_point_prove(fd, &entry.point, ret_point, &reason))
        return true;
    ec_log_debug("the cached hook point of %s does not hold: %s", entry.point.build_id, reason->message);
    return false;
}

static bool is_entry_name(const char *name)
{
    return name[0] != '.' && name[0] != '\0';
}

static void entries_count(DIR *entries, ec_hook_cache *cache)
{
    const struct dirent *entry;

    cache->counted = true;
    cache->n_entries = 0;
    while (entries != NULL && (entry = readdir(entries)) != NULL)
        cache->n_entries += is_entry_name(entry->d_name);
}

/* Leaves room for one more. Under the lock. */
static void make_room(ec_hook_cache *cache)
{
    const struct dirent *entry;

    if (cache->counted && ++cache->n_entries <= ENTRIES_MAX)
        return;
    int copy = openat(cache->directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autoptr(DIR) entries = copy >= 0 ? fdopendir(copy) : NULL;
    entries_count(entries, cache);
    if (cache->n_entries < ENTRIES_MAX)
        return;
    cache->n_entries = 0;
    rewinddir(entries);
    while ((entry = readdir(entries)) != NULL)
        if (is_entry_name(entry->d_name))
            unlinkat(cache->directory, entry->d_name, 0);
}

/* -1 if there is none to write to. */
static int directory_prepare(ec_hook_cache *cache)
{
    g_mutex_lock(&cache->lock);
    const int directory = directory_open(cache, true);
    if (directory >= 0)
        make_room(cache);
    g_mutex_unlock(&cache->lock);
    return directory;
}

static bool entry_write(int directory, const char *build_id, const char *text)
{
    char temporary[NAME_LEN];
    const size_t len = strlen(text);

    g_snprintf(temporary, sizeof(temporary), "new-%d", (int)gettid());
    unlinkat(directory, temporary, 0);
    g_auto(ec_fd) fd = openat(directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (write(fd, text, len) == (ssize_t)len && renameat(directory, temporary, directory, build_id) == 0)
        return true;
    unlinkat(directory, temporary, 0);
    return false;
}

void ec_hook_cache_put(ec_hook_cache *cache, int fd, const struct ec_hook_point *point)
{
    struct ec_hook_entry entry = {.point = *point};

    /* What is remembered is proven again by the random's place, of which a pseudo-random function tells nothing. */
    if (point->prf != EC_PRF_NONE)
        return;
    if (point->build_id[0] == '\0' || !signature_read(fd, point->function_offset, entry.signature))
        return;
    const int directory = directory_prepare(cache);
    if (directory < 0)
        return;
    g_autofree char *text = ec_hook_entry_format(&entry);
    if (!entry_write(directory, point->build_id, text))
        ec_log_debug("the hook point of %s could not be kept: %s", point->build_id, g_strerror(errno));
}
