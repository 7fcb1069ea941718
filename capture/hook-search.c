/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hook-search.h"

#include "descriptor.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What the threads and the search share; whoever comes last frees it. */
struct shared {
    int event;
    GMutex turn; /* held by the thread whose search runs */
    GAsyncQueue *results;
};

struct ec_hook_search {
    struct shared *shared;
};

struct job {
    struct shared *shared;
    int fd, debug_fd;
    void *key;
};

static void result_free(gpointer data)
{
    struct ec_hook_result *result = data;

    g_clear_error(&result->error);
    g_free(result);
}

static void shared_clear(gpointer data)
{
    struct shared *shared = data;

    close(shared->event);
    g_mutex_clear(&shared->turn);
    g_async_queue_unref(shared->results);
}

ec_hook_search *ec_hook_search_new(void)
{
    g_auto(ec_fd) event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0)
        return NULL;
    ec_hook_search *search = g_new0(ec_hook_search, 1);
    search->shared = g_atomic_rc_box_new0(struct shared);
    search->shared->event = ec_fd_steal(&event);
    search->shared->results = g_async_queue_new_full(result_free);
    g_mutex_init(&search->shared->turn);
    return search;
}

void ec_hook_search_free(ec_hook_search *search)
{
    if (search == NULL)
        return;
    g_atomic_rc_box_release_full(search->shared, shared_clear);
    g_free(search);
}

int ec_hook_search_get_fd(const ec_hook_search *search)
{
    return search->shared->event;
}

static void job_free(struct job *job)
{
    close(job->fd);
    if (job->debug_fd >= 0)
        close(job->debug_fd);
    g_atomic_rc_box_release_full(job->shared, shared_clear);
    g_free(job);
}

static gpointer job_run(gpointer data)
{
    struct job *job = data;
    struct ec_hook_result *result = g_new0(struct ec_hook_result, 1);

    result->key = job->key;
    g_mutex_lock(&job->shared->turn);
    result->found = ec_hook_point_find(job->fd, job->debug_fd, &result->point, &result->error);
    g_mutex_unlock(&job->shared->turn);
    g_async_queue_push(job->shared->results, result);
    eventfd_write(job->shared->event, 1);
    job_free(job);
    return NULL;
}

bool ec_hook_search_start(ec_hook_search *search, int fd, int debug_fd_to_take, void *key)
{
    struct job *job = g_new0(struct job, 1);

    job->shared = g_atomic_rc_box_acquire(search->shared);
    job->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    job->debug_fd = debug_fd_to_take;
    job->key = key;
    GThread *thread = job->fd >= 0 ? g_thread_try_new("hook-search", job_run, job, NULL) : NULL;
    if (thread == NULL) {
        job_free(job);
        return false;
    }
    g_thread_unref(thread);
    return true;
}

bool ec_hook_search_take(ec_hook_search *search, struct ec_hook_result *ret_result)
{
    eventfd_t count;

    /* Before the queue is looked at: what comes after makes it readable again. */
    eventfd_read(search->shared->event, &count);
    g_autofree struct ec_hook_result *result = g_async_queue_try_pop(search->shared->results);
    if (result == NULL)
        return false;
    *ret_result = *result;
    return true;
}
