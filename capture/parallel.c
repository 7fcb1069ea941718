/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parallel.h"

enum { THREADS_MAX = 16 };

struct share {
    guint n_items;
    ec_parallel_work work;
    void *data;
    gint next; /* the first item that no thread has taken yet; atomic */
};

static gpointer share_work(gpointer data)
{
    struct share *share = data;

    for (guint i; (i = (guint)g_atomic_int_add(&share->next, 1)) < share->n_items;)
        share->work(i, share->data);
    return NULL;
}

void ec_parallel_for(guint n_items, guint n_threads, ec_parallel_work work, void *data)
{
    struct share share = {n_items, work, data, 0};
    GThread *threads[THREADS_MAX];
    guint n_started = 0, wanted = MIN(MIN(n_items, n_threads), THREADS_MAX);

    /* What can't be started is left to this one. */
    while (n_started + 1 < wanted &&
           (threads[n_started] = g_thread_try_new("parallel", share_work, &share, NULL)) != NULL)
        n_started++;
    share_work(&share);
    while (n_started > 0)
        g_thread_join(threads[--n_started]);
}
