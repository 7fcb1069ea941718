/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parallel.h"

enum { THREADS_MAX = 16 };

struct share {
    GPtrArray *items;
    ec_parallel_work work;
    void *data;
    gint next; /* the first item that no thread has taken yet; atomic */
};

static gpointer share_work(gpointer data)
{
    struct share *share = data;

    for (guint i; (i = (guint)g_atomic_int_add(&share->next, 1)) < share->items->len;)
        share->work(g_ptr_array_index(share->items, i), share->data);
    return NULL;
}

void ec_parallel_foreach(GPtrArray *items, ec_parallel_work work, void *data)
{
    struct share share = {items, work, data, 0};
    GThread *threads[THREADS_MAX];
    guint n_threads = 0, wanted = MIN(items->len, g_get_num_processors());

    /* What can't be started is left to this one. */
    while (n_threads + 1 < MIN(wanted, THREADS_MAX) &&
           (threads[n_threads] = g_thread_try_new("parallel", share_work, &share, NULL)) != NULL)
        n_threads++;
    share_work(&share);
    while (n_threads > 0)
        g_thread_join(threads[--n_threads]);
}
