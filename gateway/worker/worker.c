#include "gateway/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"

/* How long the monitor may take for each batch of the last records: it waits
   for the log writer, and both for a processor. */
#define WORKER_LAST_MS 5000

/* The last session of a draining worker has ended: the loop stops when the
   monitor has all records, or takes none. */
static void
worker_check_end(struct worker *worker)
{
    if (worker->records.filled == 0)
        loop_stop(&worker->loop);
    else
        loop_start_timer(&worker->loop, &worker->drain_timer, WORKER_LAST_MS);
}

/* Thousands of sessions may have ended in this turn, so its time is old. */
static void
worker_begin_end(struct worker *worker)
{
    worker->ending = true;
    loop_read_clock(&worker->loop);
    refusals_fini(&worker->sessions.refusals);
    record_log_flush(&worker->records);
    worker_check_end(worker);
}

static void
worker_changed(struct sessions *sessions)
{
    struct worker *worker = container_of(sessions, struct worker, sessions);

    for (size_t i = 0; i < worker->listener_count; i++)
        listener_recheck(worker->listeners[i]);
    if (worker->draining && sessions->count == 0 && !worker->ending)
        worker_begin_end(worker);
}

static void
worker_on_sent(struct record_log *records)
{
    struct worker *worker = container_of(records, struct worker, records);

    sessions_write_records(&worker->sessions);
    if (worker->ending)
        worker_check_end(worker);
}

static void
worker_drained(struct timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, drain_timer);

    if (worker->ending)
        loop_stop(&worker->loop);
    else
        worker_stop(worker);
}

int
worker_init(struct worker *worker, struct config *config,
            struct segment *segment, unsigned slot, int log_fd,
            live_link_send_fn *send)
{
    memset(worker, 0, sizeof(*worker));
    timer_init(&worker->drain_timer, worker_drained);
    worker->config = config;
    worker->segment = segment;
    worker->slot = slot;

    int error = loop_init(&worker->loop);
    if (error == 0)
        error = record_log_init(&worker->records, &worker->loop,
                                &segment->columns[slot], config, log_fd,
                                worker_on_sent);
    if (error == 0)
        sessions_init(&worker->sessions, &worker->loop, config, segment, slot,
                      &worker->records, send, worker_changed);
    return error;
}

int
worker_take_tls(struct worker *worker, const struct tls_files *files)
{
    struct tls_context *contexts[CONFIG_TLS_MAX];
    int error = parents_take_passwords(worker->config, files);

    if (error == 0)
        error = sessions_make_tls(&worker->sessions, worker->config, files,
                                  contexts);
    if (error == 0)
        sessions_take_tls(&worker->sessions, contexts);
    return error;
}

/* It was closed. */
static void
worker_free_listener(struct listener *listener)
{
    listener_fini(listener);
    free(listener);
}

void
worker_fini(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_close(worker->listeners[i]);
    sessions_stop(&worker->sessions);
    limits_fini(&worker->sessions.limits);
    refusals_fini(&worker->sessions.refusals);
    record_log_flush(&worker->records);
    sessions_drop_records(&worker->sessions);
    record_log_fini(&worker->records);
    sessions_fini(&worker->sessions);
    for (size_t i = 0; i < worker->listener_count; i++)
        worker_free_listener(worker->listeners[i]);
    loop_cancel_timer(&worker->loop, &worker->drain_timer);
    loop_fini(&worker->loop);
    config_unref(worker->config);
}

/* A new one for config->listeners[index], on fd, which it takes. */
static struct listener *
worker_open(struct worker *worker, const struct config *config, size_t index,
            int fd)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    struct refstr *name = refstr_new(config->listeners[index].name,
                                     &worker->segment->names, SERIES_LISTENER);
    int error = -ENOMEM;

    if (listener != NULL && name != NULL)
        error = listener_open(listener, &worker->sessions, fd, index, name);
    else
        sys_close(fd);
    refstr_unref(name);
    if (error == 0)
        return listener;
    if (listener != NULL)
        listener_fini(listener);
    free(listener);
    return NULL;
}

int
worker_listen(struct worker *worker, int fd)
{
    size_t index = worker->listener_count;
    struct listener *listener = worker_open(worker, worker->config, index, fd);

    if (listener == NULL)
        return -ENOMEM;
    worker->listeners[worker->listener_count++] = listener;
    return 0;
}

/* ---- Another configuration ---- */

/* The one that has this address, or NULL. */
static struct listener *
worker_find(const struct worker *worker, const struct endpoint *at)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        if (endpoint_equal(&worker->config->listeners[i].at, at))
            return worker->listeners[i];
    return NULL;
}

bool
worker_lacks(const struct worker *worker, const struct endpoint *at)
{
    return !worker->draining && worker_find(worker, at) == NULL;
}

/* The listeners to be, each with its name; none of them is in use yet. */
struct worker_next {
    struct listener *listeners[CONFIG_LISTENERS_MAX];
    struct refstr *names[CONFIG_LISTENERS_MAX];
    bool opened[CONFIG_LISTENERS_MAX];
    size_t count;
};

/* What waits in one that was opened is left to workers that fare better. */
static void
worker_next_undo(struct worker_next *next)
{
    for (size_t i = 0; i < next->count; i++) {
        refstr_unref(next->names[i]);
        if (!next->opened[i])
            continue;
        listener_close_now(next->listeners[i]);
        worker_free_listener(next->listeners[i]);
    }
}

/* False: no memory. `fd` is taken. */
static bool
worker_next_add(struct worker_next *next, struct worker *worker,
                const struct config *config, int fd)
{
    size_t i = next->count;
    const struct config_listener *row = &config->listeners[i];
    struct listener *listener = worker_find(worker, &row->at);

    next->opened[i] = listener == NULL;
    if (listener == NULL)
        listener = worker_open(worker, config, i, fd);
    if (listener == NULL)
        return false;
    next->listeners[i] = listener;
    next->names[i] =
        refstr_new(row->name, &worker->segment->names, SERIES_LISTENER);
    next->count++;
    return next->names[i] != NULL;
}

static int
worker_next_prepare(struct worker_next *next, struct worker *worker,
                    const struct config *config, const int *fds)
{
    size_t i = 0;
    bool good = true;

    next->count = 0;
    while (i < config->listener_count && !worker->draining && good) {
        good = worker_next_add(next, worker, config, fds[i]);
        i++;
    }
    for (; i < config->listener_count; i++)
        if (fds[i] != -1)
            sys_close(fds[i]);
    if (!good)
        worker_next_undo(next);
    return good ? 0 : -ENOMEM;
}

static bool
worker_next_has(const struct worker_next *next, const struct listener *listener)
{
    for (size_t i = 0; i < next->count; i++)
        if (next->listeners[i] == listener)
            return true;
    return false;
}

static void
worker_next_take_over(struct worker_next *next, struct worker *worker)
{
    for (size_t i = 0; i < next->count; i++) {
        worker->listeners[i] = next->listeners[i];
        listener_rename(worker->listeners[i], i, next->names[i]);
        refstr_unref(next->names[i]);
    }
    worker->listener_count = next->count;
}

/* Those that are no longer named, while the old configuration is in force. */
static void
worker_next_close_others(const struct worker_next *next, struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        if (!worker_next_has(next, worker->listeners[i]))
            listener_close(worker->listeners[i]);
    for (size_t i = 0; i < worker->listener_count; i++)
        if (!worker_next_has(next, worker->listeners[i]))
            worker_free_listener(worker->listeners[i]);
}

int
worker_reconfigure(struct worker *worker, struct config *config,
                   const struct tls_files *files, const int *fds)
{
    struct worker_next next;
    struct tls_context *contexts[CONFIG_TLS_MAX];
    int error = worker_next_prepare(&next, worker, config, fds);

    if (error == 0) {
        error = parents_take_passwords(config, files);
        if (error == 0)
            error =
                sessions_make_tls(&worker->sessions, config, files, contexts);
        if (error < 0)
            worker_next_undo(&next);
    }
    if (error < 0) {
        config_unref(config);
        return error;
    }
    worker_next_close_others(&next, worker);
    worker_next_take_over(&next, worker);
    sessions_reconfigure(&worker->sessions, config);
    sessions_take_tls(&worker->sessions, contexts);
    record_log_set(&worker->records, config);
    config_unref(worker->config);
    worker->config = config;
    return 0;
}

/* ---- The end ---- */

void
worker_drain(struct worker *worker)
{
    if (worker->draining)
        return;
    worker->draining = true;
    segment_serve(worker->segment, worker->slot, 0);
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_close(worker->listeners[i]);
    if (worker->config->timeouts.drain_ms > 0)
        loop_start_timer(&worker->loop, &worker->drain_timer,
                         worker->config->timeouts.drain_ms);
    worker_changed(&worker->sessions);
}

void
worker_stop(struct worker *worker)
{
    worker_drain(worker);
    sessions_stop(&worker->sessions);
}
