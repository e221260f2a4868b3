#include "gateway/monitor/child_stderr.h"

#include <string.h>
#include <unistd.h>

static void
child_stderr_end_line(struct child_stderr *child_stderr)
{
    child_stderr->line[child_stderr->len] = '\0';
    child_stderr->on_line(child_stderr, child_stderr->line);
    child_stderr->len = 0;
}

static void
child_stderr_add(struct child_stderr *child_stderr, const char *octets,
                 size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (octets[i] == '\n' || octets[i] == '\0')
            child_stderr_end_line(child_stderr);
        else
            child_stderr->line[child_stderr->len++] = octets[i];
        if (child_stderr->len == CHILD_STDERR_LINE_MAX - 1)
            child_stderr_end_line(child_stderr);
    }
}

/* A piece a turn. Octets, 0 at the end, -1 when there is nothing now. */
static ssize_t
child_stderr_read(struct child_stderr *child_stderr)
{
    char octets[CHILD_STDERR_LINE_MAX];
    ssize_t count = read(child_stderr->watch.fd, octets, sizeof(octets));
    if (count > 0)
        child_stderr_add(child_stderr, octets, (size_t)count);
    return count;
}

static void
child_stderr_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct child_stderr *child_stderr =
        container_of(watch, struct child_stderr, watch);
    if (child_stderr_read(child_stderr) == 0)
        loop_unwatch(child_stderr->loop, watch);
}

int
child_stderr_start(struct child_stderr *child_stderr, struct loop *loop, int fd,
                   child_stderr_line_fn *on_line)
{
    child_stderr->loop = loop;
    child_stderr->on_line = on_line;
    child_stderr->len = 0;
    return loop_watch(loop, &child_stderr->watch, fd, EPOLLIN,
                      child_stderr_ready);
}

void
child_stderr_resume(struct child_stderr *child_stderr, const char *line)
{
    child_stderr->len = strnlen(line, CHILD_STDERR_LINE_MAX - 2);
    memcpy(child_stderr->line, line, child_stderr->len);
}

void
child_stderr_end(struct child_stderr *child_stderr)
{
    /* Bounded by what a pipe holds: the writer is dead. */
    for (int i = 0; i < 128 && child_stderr->watch.fd >= 0; i++) {
        if (child_stderr_read(child_stderr) <= 0)
            break;
    }
    loop_unwatch(child_stderr->loop, &child_stderr->watch);
    if (child_stderr->len > 0)
        child_stderr_end_line(child_stderr);
}
