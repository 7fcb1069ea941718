/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "miss.h"

#include "printable.h"

#include <stdbool.h>

enum { REASONS_MAX = 16, NAMES_MAX = 8 };
static const char other_reasons[] = "other reasons";

/* Of one reason. */
struct row {
    char *reason;
    uint64_t count;
    GPtrArray *names; /* of char *, in order of appearance */
    bool more_names;
};

struct ec_misses {
    GPtrArray *rows; /* of struct row * */
};

static void row_free(gpointer data)
{
    struct row *row = data;

    g_free(row->reason);
    g_ptr_array_unref(row->names);
    g_free(row);
}

ec_misses *ec_misses_new(void)
{
    ec_misses *misses = g_new0(ec_misses, 1);

    misses->rows = g_ptr_array_new_with_free_func(row_free);
    return misses;
}

void ec_misses_free(ec_misses *misses)
{
    if (!misses)
        return;
    g_ptr_array_unref(misses->rows);
    g_free(misses);
}

static struct row *row_find(const ec_misses *misses, const char *reason)
{
    for (guint i = 0; i < misses->rows->len; i++) {
        struct row *row = g_ptr_array_index(misses->rows, i);

        if (g_str_equal(row->reason, reason))
            return row;
    }
    return NULL;
}

static struct row *row_get(ec_misses *misses, const char *reason)
{
    struct row *row = row_find(misses, reason);

    if (row)
        return row;
    if (misses->rows->len >= REASONS_MAX - 1)
        reason = other_reasons;
    if ((row = row_find(misses, reason)))
        return row;
    row = g_new0(struct row, 1);
    row->reason = g_strdup(reason);
    row->names = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(misses->rows, row);
    return row;
}

void ec_misses_add(ec_misses *misses, const char *reason, const char *comm)
{
    struct row *row = row_get(misses, reason);
    g_autofree char *name = ec_printable_copy(comm);

    row->count++;
    if (!*name || g_ptr_array_find_with_equal_func(row->names, name, g_str_equal, NULL))
        return;
    if (row->names->len < NAMES_MAX)
        g_ptr_array_add(row->names, g_steal_pointer(&name));
    else
        row->more_names = true;
}

void ec_misses_move(ec_misses *misses, const char *from, const char *to, const char *comm)
{
    struct row *row = row_find(misses, from);

    if (!row || row->count == 0)
        return;
    row->count--;
    ec_misses_add(misses, to, comm);
}

static gint compare_rows(gconstpointer a, gconstpointer b)
{
    const struct row *left = *(struct row *const *)a, *right = *(struct row *const *)b;

    return left->count < right->count ? 1 : left->count > right->count ? -1 : 0;
}

static void row_format(const struct row *row, GString *text)
{
    g_string_append_printf(text, "%s%s × %" G_GUINT64_FORMAT, text->len ? "; " : "", row->reason, row->count);
    for (guint i = 0; i < row->names->len; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : " (", (const char *)g_ptr_array_index(row->names, i));
    if (row->names->len)
        g_string_append(text, row->more_names ? ", …)" : ")");
}

char *ec_misses_format(const ec_misses *misses)
{
    g_autoptr(GPtrArray) rows = g_ptr_array_copy(misses->rows, NULL, NULL);
    GString *text = g_string_new(NULL);

    g_ptr_array_set_free_func(rows, NULL);
    g_ptr_array_sort(rows, compare_rows);
    for (guint i = 0; i < rows->len; i++)
        if (((const struct row *)g_ptr_array_index(rows, i))->count > 0)
            row_format(g_ptr_array_index(rows, i), text);
    return g_string_free(text, FALSE);
}
