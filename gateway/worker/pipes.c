#include "gateway/worker/pipes.h"

#include <stdlib.h>

#include "base/sys.h"
#include "gateway/config/config.h"

_Static_assert(PIPE_SIZE == CONFIG_PIPE, "memory is planned with it");

#define PIPE_REST_MS 1000

static void
pipe_close(struct pipes *pipes, struct pipe *pipe)
{
    sys_close(pipe->ends[0]);
    sys_close(pipe->ends[1]);
    free(pipe);
    pipes->count--;
    segment_charge(pipes->column, SEGMENT_GAUGE_pipes, -1);
}

/* Closes what has lain unused for PIPE_REST_MS. */
static void
pipes_sweep(struct timer *timer)
{
    struct pipes *pipes = container_of(timer, struct pipes, sweep);
    uint64_t now_ms = loop_now_ms(pipes->loop);

    list_each_safe (at, after, &pipes->idle) {
        struct pipe *pipe = container_of(at, struct pipe, link);
        if (pipe->used_ms + PIPE_REST_MS > now_ms)
            break;
        list_remove(&pipe->link);
        pipe_close(pipes, pipe);
    }
    if (!list_empty(&pipes->idle))
        loop_start_timer(pipes->loop, &pipes->sweep, PIPE_REST_MS);
}

void
pipes_init(struct pipes *pipes, struct loop *loop,
           struct segment_column *column, size_t max)
{
    pipes->loop = loop;
    pipes->column = column;
    pipes->count = 0;
    pipes->lent = 0;
    pipes->max = max;
    list_init(&pipes->idle);
    timer_init(&pipes->sweep, pipes_sweep);
}

void
pipes_fini(struct pipes *pipes)
{
    loop_cancel_timer(pipes->loop, &pipes->sweep);
    list_each_safe (at, after, &pipes->idle) {
        pipe_close(pipes, container_of(at, struct pipe, link));
    }
    list_init(&pipes->idle);
}

static struct pipe *
pipe_open(struct pipes *pipes)
{
    if (pipes->count >= pipes->max)
        return NULL;
    struct pipe *pipe = malloc(sizeof(*pipe));
    if (pipe == NULL)
        return NULL;
    if (sys_pipe(pipe->ends, PIPE_SIZE) < 0) {
        free(pipe);
        return NULL;
    }
    list_init(&pipe->link);
    pipe->filled = 0;
    pipes->count++;
    segment_charge(pipes->column, SEGMENT_GAUGE_pipes, 1);
    return pipe;
}

struct pipe *
pipes_lend(struct pipes *pipes)
{
    struct pipe *pipe = NULL;

    if (list_empty(&pipes->idle)) {
        pipe = pipe_open(pipes);
    } else {
        pipe = container_of(pipes->idle.prev, struct pipe, link);
        list_remove(&pipe->link);
    }
    pipes->lent += pipe != NULL;
    return pipe;
}

void
pipes_return(struct pipes *pipes, struct pipe *pipe)
{
    pipes->lent--;
    if (pipe->filled > 0) {
        pipe_close(pipes, pipe);
        return;
    }
    pipe->used_ms = loop_now_ms(pipes->loop);
    list_append(&pipes->idle, &pipe->link);
    if (!timer_running(&pipes->sweep))
        loop_start_timer(pipes->loop, &pipes->sweep, PIPE_REST_MS);
}
