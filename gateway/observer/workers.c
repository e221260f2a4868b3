#include "gateway/observer/workers.h"

#include <errno.h>
#include <unistd.h>

#include "gateway/link_message.h"

/* Messages of one worker in a turn. */
#define WORKERS_TURN 64
/* A worker that hangs does not keep an operator waiting. */
#define WORKERS_ANSWER_MS 5000

/* --- surveys ------------------------------------------------------------- */

static void survey_run(struct survey *survey);

static bool
survey_follows(const struct survey *survey)
{
    return survey->ask.kind == OBSERVER_FOLLOW;
}

static void
survey_leave(struct survey *survey)
{
    struct workers *workers = survey->workers;
    loop_cancel_timer(workers->loop, &survey->timeout);
    list_remove(&survey->link);
    if (survey_follows(survey))
        workers->following_count--;
    else if (survey->ask.id != 0)
        workers->running_count--;
    survey->workers = NULL;
}

static void
survey_start_next(struct workers *workers)
{
    while (!list_empty(&workers->waiting) &&
           workers->running_count < OBSERVER_ASKS_MAX)
        survey_run(container_of(workers->waiting.next, struct survey, link));
}

static void
survey_finish(struct survey *survey)
{
    struct workers *workers = survey->workers;
    survey_leave(survey);
    survey_start_next(workers);
    survey->ops->done(survey);
}

static void
survey_on_timeout(struct timer *timer)
{
    struct survey *survey = container_of(timer, struct survey, timeout);
    survey->unanswered += survey->asked_count;
    survey_finish(survey);
}

/* One that is asked in vain, since its link is full or has just ended, did not
   answer. */
static void
survey_ask_worker(struct survey *survey, unsigned slot)
{
    const struct worker_link *link = &survey->workers->links[slot];
    if (link->watch.fd == -1)
        return;
    if (link_message_send(link->watch.fd, &survey->ask, sizeof(survey->ask)) !=
        0) {
        survey->unanswered++;
        return;
    }
    survey->asked[slot] = true;
    survey->asked_count++;
}

static uint32_t
workers_take_id(struct workers *workers)
{
    workers->next_id =
        workers->next_id == UINT32_MAX ? 1 : workers->next_id + 1;
    return workers->next_id;
}

static void
survey_run(struct survey *survey)
{
    struct workers *workers = survey->workers;
    list_remove(&survey->link);
    list_append(survey_follows(survey) ? &workers->following
                                       : &workers->running,
                &survey->link);
    if (survey_follows(survey))
        workers->following_count++;
    else
        workers->running_count++;
    survey->ask.id = workers_take_id(workers);
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        survey_ask_worker(survey, i);
    if (survey_follows(survey))
        return;
    /* Where nobody was asked it is done in the next turn. */
    loop_start_timer(workers->loop, &survey->timeout,
                     survey->asked_count > 0 ? WORKERS_ANSWER_MS : 0);
}

bool
survey_start(struct survey *survey, struct workers *workers)
{
    survey->ask.id = 0;
    survey->asked_count = survey->unanswered = 0;
    survey->matched = 0;
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        survey->asked[i] = false;
    timer_init(&survey->timeout, survey_on_timeout);
    list_init(&survey->link);
    if (survey_follows(survey) &&
        workers->following_count >= OBSERVER_FOLLOWS_MAX)
        return false;
    survey->workers = workers;
    list_append(&workers->waiting, &survey->link);
    if (survey_follows(survey))
        survey_run(survey);
    else
        survey_start_next(workers);
    return true;
}

void
survey_cancel(struct survey *survey)
{
    struct workers *workers = survey->workers;
    struct observer_ask cancel = {.kind = OBSERVER_CANCEL,
                                  .id = survey->ask.id};
    if (workers == NULL)
        return;
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        if (workers->links[i].watch.fd != -1 && survey->asked[i])
            (void)!link_message_send(workers->links[i].watch.fd, &cancel,
                                     sizeof(cancel));
    survey_leave(survey);
    survey_start_next(workers);
}

/* --- replies ------------------------------------------------------------- */

static void
survey_worker_done(struct survey *survey, unsigned slot, bool answered)
{
    survey->asked[slot] = false;
    survey->asked_count--;
    survey->unanswered += !answered;
    if (survey->asked_count == 0 && !survey_follows(survey))
        survey_finish(survey);
}

static struct survey *
workers_find_survey(struct list *list, uint32_t id)
{
    list_each_safe (at, after, list) {
        struct survey *survey = container_of(at, struct survey, link);
        if (survey->ask.id == id)
            return survey;
    }
    return NULL;
}

static void
workers_take_entries(struct survey *survey, const struct observer_top *top)
{
    for (uint32_t i = 0; i < top->count && i < OBSERVER_ENTRIES_MAX; i++)
        survey->ops->entry(survey, &top->entries[i]);
}

/* Of the kinds that the survey's ask has. */
static void
workers_take_reply(struct workers *workers, unsigned slot,
                   const struct observer_reply *reply)
{
    struct survey *survey = workers_find_survey(&workers->running, reply->id);
    if (survey == NULL)
        survey = workers_find_survey(&workers->following, reply->id);
    if (survey == NULL || !survey->asked[slot])
        return; /* it was cancelled, or its time is over */
    switch (reply->kind) {
    case OBSERVER_ROW:
        if (survey->ops->row != NULL)
            survey->ops->row(survey, slot, &reply->row);
        break;
    case OBSERVER_ENTRIES:
        if (survey->ops->entry != NULL)
            workers_take_entries(survey, &reply->top);
        break;
    case OBSERVER_BEGAN:
    case OBSERVER_ENDED:
        if (survey->ops->event != NULL)
            survey->ops->event(survey, slot, reply->kind == OBSERVER_BEGAN,
                               &reply->row, reply->dropped);
        break;
    case OBSERVER_END:
        survey->matched += reply->end.matched;
        survey_worker_done(survey, slot, reply->end.refused == 0);
        break;
    default: /* not for an observer */
        break;
    }
}

static void
workers_lose(struct list *list, unsigned slot)
{
    list_each_safe (at, after, list) {
        struct survey *survey = container_of(at, struct survey, link);
        if (survey->asked[slot])
            survey_worker_done(survey, slot, false);
    }
}

/* --- links --------------------------------------------------------------- */

static void
workers_close_link(struct worker_link *link)
{
    struct workers *workers = link->workers;
    int fd = link->watch.fd;
    if (fd == -1)
        return;
    loop_unwatch(workers->loop, &link->watch);
    close(fd);
    task_cancel(&link->again);
    unsigned slot = (unsigned)(link - workers->links);
    workers_lose(&workers->running, slot);
    workers_lose(&workers->following, slot);
}

static void
workers_read_link(struct worker_link *link)
{
    struct workers *workers = link->workers;
    struct observer_reply reply;
    for (int i = 0; i < WORKERS_TURN; i++) {
        if (link->watch.fd == -1)
            return;
        int got = link_message_receive(link->watch.fd, &reply, sizeof(reply));
        if (got == -EBADMSG)
            continue;
        if (got != 1) {
            if (got != -EAGAIN)
                workers_close_link(link);
            return;
        }
        workers_take_reply(workers, (unsigned)(link - workers->links), &reply);
    }
    loop_defer(workers->loop, &link->again);
}

static void
workers_on_again(struct task *task)
{
    workers_read_link(container_of(task, struct worker_link, again));
}

static void
workers_link_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    workers_read_link(container_of(watch, struct worker_link, watch));
}

/* What is followed goes on with the worker that is new there. */
void
workers_open_link(struct workers *workers, unsigned slot, int fd)
{
    struct worker_link *link = &workers->links[slot];
    workers_close_link(link);
    if (loop_watch(workers->loop, &link->watch, fd, EPOLLIN | EPOLLET,
                   workers_link_ready) < 0) {
        close(fd);
        return;
    }
    list_each_safe (at, after, &workers->following) {
        survey_ask_worker(container_of(at, struct survey, link), slot);
    }
}

void
workers_init(struct workers *workers, struct loop *loop)
{
    workers->loop = loop;
    list_init(&workers->running);
    list_init(&workers->waiting);
    list_init(&workers->following);
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++) {
        struct worker_link *link = &workers->links[i];
        link->workers = workers;
        link->watch.fd = -1;
        task_init(&link->again, workers_on_again);
    }
}

void
workers_fini(struct workers *workers)
{
    for (unsigned i = 0; i < SEGMENT_SLOTS; i++)
        workers_close_link(&workers->links[i]);
}
