/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Says of each file where it would be hooked, or why not, one line each, as the product finds it: whatever machine the
 * file is for.
 *
 *   resolve FILE…
 */
#include "go-hook-point.h"
#include "nss-hook-point.h"
#include "plaintext-point.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool find(int fd, struct ec_hook_point *ret_point, GError **error)
{
    if (ec_go_file_is_go(fd))
        return ec_go_hook_point_find(fd, ret_point, error);
    if (ec_nss_file_is_nss(fd))
        return ec_nss_hook_point_find(fd, ret_point, error);
    return ec_hook_point_find(fd, -1, ret_point, error);
}

static void describe(const char *path, const struct ec_hook_point *point, unsigned n_plaintext)
{
    printf("%s: %s by %s, %u functions, random ", path, ec_library_kind_get_name(point->kind),
           ec_hook_method_get_name(point->method), 1 + point->n_more + !!point->go_resume_offset);
    if (point->random_indirect)
        printf("*(0x%x) + ", point->random_pointer_offset);
    printf("0x%x, %u plaintext probes, function 0x%" G_GINT64_MODIFIER "x + %" G_GINT64_MODIFIER "u\n",
           point->random_offset, n_plaintext, point->function_offset, point->probe_offset - point->function_offset);
}

static void resolve(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    struct ec_hook_point point;

    if (fd < 0) {
        perror(path);
        return;
    }
    if (find(fd, &point, &error)) {
        g_autoptr(GArray) plaintext = ec_plaintext_points_find(fd, NULL);

        describe(path, &point, plaintext ? plaintext->len : 0);
    } else {
        printf("%s: %s\n", path, error->message);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        resolve(argv[i]);
    return 0;
}
