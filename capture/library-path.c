/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ld.so.cache would tell the same, but its format is glibc's own business; ld.so.conf is documented (ldconfig(8)). */
#include "library-path.h"

#include "elf-image.h"
#include "map-line.h"

#include <fcntl.h>
#include <glib.h>
#include <glob.h>
#include <string.h>

/* The built-in directories of glibc and musl, as distributions set them. */
static const char *const default_directories[] = {
#if defined(__x86_64__)
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
#endif
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
};

/* An include that includes itself ends here. */
enum { INCLUDE_DEPTH_MAX = 8 };

static void directory_add(GPtrArray *directories, const char *path)
{
    if (path[0] == '/' && !g_ptr_array_find_with_equal_func(directories, path, g_str_equal, NULL))
        g_ptr_array_add(directories, g_strdup(path));
}

static void configuration_read(GPtrArray *directories, const char *path, unsigned depth);

static void configuration_include(GPtrArray *directories, const char *pattern, unsigned depth)
{
    glob_t files = {0};

    if (depth < INCLUDE_DEPTH_MAX && glob(pattern, 0, NULL, &files) == 0)
        for (size_t i = 0; i < files.gl_pathc; i++)
            configuration_read(directories, files.gl_pathv[i], depth + 1);
    globfree(&files);
}

static void configuration_read(GPtrArray *directories, const char *path, unsigned depth)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_strstrip(g_strdelimit(*line, "#", '\0'));
        if (g_str_has_prefix(*line, "include") && g_ascii_isspace((*line)[7]))
            configuration_include(directories, g_strchug(*line + 7), depth);
        else
            directory_add(directories, *line);
    }
}

static void directory_visit(const char *directory, void (*visit)(const char *path, void *data), void *data)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (!ec_library_name_match(name, strlen(name)))
            continue;
        g_autofree char *path = g_build_filename(directory, name, NULL);
        visit(path, data);
    }
}

void ec_library_path_foreach(void (*visit)(const char *path, void *data), void *data)
{
    g_autoptr(GPtrArray) directories = g_ptr_array_new_with_free_func(g_free);

    configuration_read(directories, "/etc/ld.so.conf", 0);
    for (size_t i = 0; i < G_N_ELEMENTS(default_directories); i++)
        directory_add(directories, default_directories[i]);
    for (guint i = 0; i < directories->len; i++) {
        const char *directory = g_ptr_array_index(directories, i);
        g_autofree char *nss = g_build_filename(directory, "nss", NULL);

        directory_visit(directory, visit, data);
        directory_visit(nss, visit, data);
    }
}

void ec_library_path_foreach_nss(const char *path, void (*visit)(const char *path, void *data), void *data)
{
    static const char *const names[] = {"libssl3.so", "libnss3.so", "libsoftokn3.so"};
    g_autofree char *directory = g_path_get_dirname(path);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *other = g_build_filename(directory, names[i], NULL);

        if (g_file_test(other, G_FILE_TEST_IS_REGULAR))
            visit(other, data);
    }
}

int ec_library_debug_open(int fd, const char *root)
{
    g_autoptr(ec_elf_image) image = ec_elf_image_open(fd, NULL);
    const char *build_id = image != NULL ? ec_elf_image_get_build_id(image) : "";

    if (strlen(build_id) < 3)
        return -1;
    g_autofree char *path = g_strdup_printf("%s/usr/lib/debug/.build-id/%.2s/%s.debug", root, build_id, build_id + 2);
    int debug_fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return debug_fd >= 0 || *root == '\0' ? debug_fd : ec_library_debug_open(fd, "");
}

int ec_library_path_open_crypto(const char *path)
{
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *name = g_path_get_basename(path);

    if (!g_str_has_prefix(name, "libssl"))
        return -1;
    g_autofree char *crypto = g_strdup_printf("%s/libcrypto%s", directory, name + strlen("libssl"));
    return open(crypto, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}
