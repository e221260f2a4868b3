#include "gateway/worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The loop stops when the last session of a draining worker has ended. */
static void
worker_changed(struct sessions *sessions)
{
    struct worker *worker = container_of(sessions, struct worker, sessions);

    for (size_t i = 0; i < worker->listener_count; i++)
        listener_relieve(&worker->listeners[i]);
    if (worker->draining && sessions->count == 0)
        loop_stop(&worker->loop);
}

static void
worker_drained(struct timer *timer)
{
    worker_stop(container_of(timer, struct worker, drain_timer));
}

int
worker_init(struct worker *worker, struct config *config,
            struct segment *segment, unsigned slot, int log_fd,
            primary_send_fn *send)
{
    memset(worker, 0, sizeof(*worker));
    timer_init(&worker->drain_timer, worker_drained);
    worker->config = config;
    worker->segment = segment;
    worker->slot = slot;
    worker->listeners =
        calloc(config->listener_count, sizeof(*worker->listeners));
    if (worker->listeners == NULL)
        return -ENOMEM;
    worker->listener_count = config->listener_count;
    for (size_t i = 0; i < worker->listener_count; i++)
        worker->listeners[i].fd = -1;

    int error = loop_init(&worker->loop);
    if (error == 0)
        error = record_log_init(&worker->records, &worker->loop,
                                &segment->columns[slot], config, log_fd);
    if (error == 0)
        sessions_init(&worker->sessions, &worker->loop, config, segment, slot,
                      &worker->records, send, worker_changed);
    else
        free(worker->listeners);
    return error;
}

void
worker_fini(struct worker *worker)
{
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_close(&worker->listeners[i]);
    sessions_stop(&worker->sessions);
    limits_fini(&worker->sessions.limits);
    record_log_fini(&worker->records);
    sessions_fini(&worker->sessions);
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_fini(&worker->listeners[i]);
    free(worker->listeners);
    loop_cancel_timer(&worker->loop, &worker->drain_timer);
    loop_fini(&worker->loop);
    config_unref(worker->config);
}

int
worker_listen(struct worker *worker, size_t index, int fd)
{
    return listener_open(&worker->listeners[index], &worker->sessions, fd,
                         index, worker->config->listeners[index].name);
}

void
worker_drain(struct worker *worker)
{
    if (worker->draining)
        return;
    worker->draining = true;
    segment_serve(worker->segment, worker->slot, 0);
    for (size_t i = 0; i < worker->listener_count; i++)
        listener_close(&worker->listeners[i]);
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
