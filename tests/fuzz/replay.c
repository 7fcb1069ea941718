/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Stands in for libFuzzer in an ordinary build: runs every file of a corpus directory through the
 * fuzz target once, so that each input that ever broke a parser is tried again by every test run.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool replay_file(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *data = NULL;
    g_autofree uint8_t *exact = NULL;
    size_t size = 0;

    if (!g_file_get_contents(path, &data, &size, &error)) {
        fprintf(stderr, "replay: %s\n", error->message);
        return false;
    }
    /* g_file_get_contents appends a NUL; a copy of the exact size lets ASan see a read of it. */
    exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    printf("%s: %zu bytes\n", path, size);
    fflush(stdout);
    LLVMFuzzerTestOneInput(exact, size);
    return true;
}

/* An empty corpus fails: a replay of nothing would pass for ever. */
static bool replay_directory(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) directory = g_dir_open(path, 0, &error);
    const char *name;
    bool ok = true;
    unsigned n = 0;

    if (!directory) {
        fprintf(stderr, "replay: %s\n", error->message);
        return false;
    }
    while ((name = g_dir_read_name(directory))) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        ok = replay_file(file) && ok;
        n++;
    }
    if (!n)
        fprintf(stderr, "replay: %s holds no input\n", path);
    return ok && n;
}

int main(int argc, char **argv)
{
    bool ok = argc > 1;

    if (!ok)
        fprintf(stderr, "usage: %s CORPUS-DIRECTORY|FILE...\n", argv[0]);
    for (int i = 1; i < argc; i++) {
        if (g_file_test(argv[i], G_FILE_TEST_IS_DIR))
            ok = replay_directory(argv[i]) && ok;
        else
            ok = replay_file(argv[i]) && ok;
    }
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
