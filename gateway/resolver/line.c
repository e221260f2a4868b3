#include "gateway/resolver/line.h"

#include <errno.h>
#include <unistd.h>

/* --- answers ------------------------------------------------------------ */

/* True: it is on its way, or nobody will ever read it. */
static bool
send_answer(const struct line *line, const struct lookup_answer *answer)
{
    return names_send(line->watch.fd, answer, sizeof(*answer)) != -EAGAIN;
}

/* False: no room, EPOLLOUT will come. */
static bool
flush(struct line *line)
{
    if (line->waits && !send_answer(line, &line->answer))
        return false;
    line->waits = false;
    list_each_safe (at, after, &line->outbox) {
        struct asker *asker = container_of(at, struct asker, link);
        if (!send_answer(line, &asker->answer))
            return false;
        desk_release(line->desk, asker);
    }
    return true;
}

void
line_answered(struct asker *asker)
{
    struct line *line = container_of(asker->holder, struct line, holder);

    list_append(&line->outbox, &asker->link);
    flush(line);
}

/* --- questions ---------------------------------------------------------- */

static void
take(struct line *line, const struct lookup_question *question)
{
    if (question->kind == LOOKUP_CANCEL)
        desk_cancel(line->desk, &line->holder, question->id);
    else if (question->kind == LOOKUP_ASK)
        line->waits =
            desk_ask(line->desk, &line->holder, question, &line->answer) &&
            !send_answer(line, &line->answer);
}

/* Edge-triggered: goes on until nothing is left, or there is no room. */
static void
work(struct line *line)
{
    struct lookup_question question;

    if (!flush(line))
        return;
    for (int i = 0; i < LINE_TURN; i++) {
        int got = names_receive(line->watch.fd, &question, sizeof(question));
        if (got == 1)
            take(line, &question);
        else if (got != -EBADMSG) {
            if (got != -EAGAIN)
                line_close(line);
            return;
        }
        if (line->waits)
            return;
    }
    loop_defer(line->desk->means.loop, &line->again);
}

static void
again(struct task *task)
{
    work(container_of(task, struct line, again));
}

static void
ready(struct watch *watch, uint32_t events)
{
    (void)events;
    work(container_of(watch, struct line, watch));
}

/* --- its life ----------------------------------------------------------- */

void
line_init(struct line *line, struct desk *desk)
{
    line->desk = desk;
    line->watch.fd = -1;
    line->waits = false;
    list_init(&line->outbox);
    holder_init(&line->holder);
    task_init(&line->again, again);
}

void
line_open(struct line *line, int fd)
{
    line_close(line);
    if (loop_watch(line->desk->means.loop, &line->watch, fd,
                   EPOLLIN | EPOLLOUT | EPOLLET, ready) < 0)
        close(fd);
}

void
line_close(struct line *line)
{
    int fd = line->watch.fd;

    if (fd == -1)
        return;
    loop_unwatch(line->desk->means.loop, &line->watch);
    close(fd);
    task_cancel(&line->again);
    line->waits = false;
    list_each_safe (at, after, &line->outbox) {
        desk_release(line->desk, container_of(at, struct asker, link));
    }
    desk_leave(line->desk, &line->holder);
}
