#include "gateway/monitor/former.h"

#include <string.h>
#include <unistd.h>

/* More than a channel holds. */
#define LAST_WORDS 4096

static int
hear(struct former *former)
{
    struct channel_message message;
    int came = channel_receive(former->child.control, &message, NULL);
    if (came == 1)
        former->heard(former, &message);
    return came;
}

/* Its end shows as SIGCHLD; here it only must not wake us for ever. */
static void
control_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    struct former *former = container_of(watch, struct former, control_watch);
    if (hear(former) == 0)
        loop_unwatch(former->loop, watch);
}

void
former_adopt(struct former *former, struct loop *loop,
             const struct handed_child *handed, former_heard_fn *heard,
             child_stderr_line_fn *on_line)
{
    if (handed->pid == 0)
        return;
    former->loop = loop;
    former->heard = heard;
    former->child = former_child(handed);
    loop_watch(loop, &former->control_watch, handed->control, EPOLLIN,
               control_ready);
    child_stderr_start(&former->child_stderr, loop, handed->stderr_fd, on_line);
    child_stderr_resume(&former->child_stderr, handed->stderr_line);
}

bool
former_is_there(const struct former *former)
{
    return former->child.pid != 0;
}

void
former_kill(const struct former *former)
{
    child_kill(&former->child);
}

static void
bury(struct former *former)
{
    loop_unwatch(former->loop, &former->control_watch);
    child_stderr_end(&former->child_stderr);
    child_bury(&former->child);
}

bool
former_reap(struct former *former, pid_t pid)
{
    if (!former_is_there(former) || former->child.pid != pid)
        return false;
    for (int i = 0; i < LAST_WORDS && hear(former) == 1; i++)
        ;
    bury(former);
    return true;
}

void
former_fini(struct former *former)
{
    if (!former_is_there(former))
        return;
    former_kill(former);
    bury(former);
}

void
former_hand_over(const struct child *child,
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
former_child(const struct handed_child *handed)
{
    return (struct child){(pid_t)handed->pid, handed->control,
                          handed->stderr_fd};
}
