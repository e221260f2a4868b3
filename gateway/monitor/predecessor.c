#include "gateway/monitor/predecessor.h"

#include <string.h>
#include <unistd.h>

/* More than a channel holds. */
#define LAST_WORDS 4096

static int
hear(struct predecessor *predecessor)
{
    struct channel_message message;
    int came = channel_receive(predecessor->child.control, &message, NULL);
    if (came == 1)
        predecessor->heard(predecessor, &message);
    return came;
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct predecessor *predecessor =
        container_of(watch, struct predecessor, control_watch);
    if (hear(predecessor) == 0)
        loop_unwatch(predecessor->loop, watch);
}

void
predecessor_adopt(struct predecessor *predecessor, struct loop *loop,
                  const struct handed_child *handed,
                  predecessor_heard_fn *heard, child_stderr_line_fn *on_line)
{
    if (handed->pid == 0)
        return;
    predecessor->loop = loop;
    predecessor->heard = heard;
    predecessor->child = predecessor_child(handed);
    if (loop_watch(loop, &predecessor->control_watch, handed->control, EPOLLIN,
                   control_ready) < 0 ||
        child_stderr_start(&predecessor->child_stderr, loop, handed->stderr_fd,
                           on_line) < 0)
        child_kill(&predecessor->child); /* its successor starts anyway */
    child_stderr_resume(&predecessor->child_stderr, handed->stderr_line);
}

bool
predecessor_is_there(const struct predecessor *predecessor)
{
    return predecessor->child.pid != 0;
}

void
predecessor_kill(const struct predecessor *predecessor)
{
    child_kill(&predecessor->child);
}

static void
bury(struct predecessor *predecessor)
{
    loop_unwatch(predecessor->loop, &predecessor->control_watch);
    child_stderr_end(&predecessor->child_stderr);
    child_bury(&predecessor->child);
}

bool
predecessor_reap(struct predecessor *predecessor, pid_t pid)
{
    if (!predecessor_is_there(predecessor) || predecessor->child.pid != pid)
        return false;
    for (int i = 0; i < LAST_WORDS && hear(predecessor) == 1; i++)
        ;
    bury(predecessor);
    return true;
}

void
predecessor_fini(struct predecessor *predecessor)
{
    if (!predecessor_is_there(predecessor))
        return;
    predecessor_kill(predecessor);
    bury(predecessor);
}

void
predecessor_hand_over(const struct child *child,
                      const struct child_stderr *child_stderr,
                      struct handed_child *handed)
{
    if (child->pid == 0)
        return;
    handed->pid = (uint64_t)child->pid;
    handed->control = child->control;
    handed->stderr_fd = child->stderr_fd;
    memcpy(handed->stderr_line, child_stderr->line, child_stderr->len);
    handed->stderr_line[child_stderr->len] = '\0';
}

struct child
predecessor_child(const struct handed_child *handed)
{
    return (struct child){(pid_t)handed->pid, handed->control,
                          handed->stderr_fd};
}
