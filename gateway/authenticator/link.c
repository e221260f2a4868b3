#include "gateway/authenticator/link.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gateway/link_message.h"

/* Questions read from one link in one turn. */
#define LINK_TURN 64

static struct authenticator_link *
authenticator_link_of(struct authenticator_client *client)
{
    return container_of(client, struct authenticator_link, client);
}

/* While it is blocked nothing is read: input that waits would be reported again
   by every change of what is watched. */
static void
authenticator_link_block(struct authenticator_link *link, bool blocked)
{
    if (link->client.blocked != blocked)
        loop_rewatch(link->loop, &link->watch,
                     EPOLLET | (blocked ? EPOLLOUT : EPOLLIN));
    link->client.blocked = blocked;
}

/* A worker that is gone shows when its link is read. */
void
authenticator_link_answer(struct authenticator_client *client, uint64_t id,
                          enum authentication_outcome outcome)
{
    struct authenticator_link *link = authenticator_link_of(client);

    link->answer = (struct authentication_answer){.id = id, .outcome = outcome};
    authenticator_link_block(
        link, link_message_send(link->watch.fd, &link->answer,
                                sizeof(link->answer)) == -EAGAIN);
}

void
authenticator_link_overloaded(struct authenticator_client *client, uint64_t id)
{
    struct authentication_answer answer = {
        .id = id, .outcome = AUTHENTICATION_OVERLOADED};
    int error = link_message_send(authenticator_link_of(client)->watch.fd,
                                  &answer, sizeof(answer));

    (void)error;
}

static void
authenticator_link_handle(struct authenticator_link *link,
                          const struct authentication_question *question)
{
    unsigned opened = link->opened;

    if (question->kind == AUTHENTICATION_CANCEL)
        questions_cancel(link->questions, &link->client, question->id);
    if (question->kind != AUTHENTICATION_ASK)
        return;
    bool known = link->known(question);
    if (link->opened != opened) /* the worker that has asked is gone */
        return;
    if (known)
        authenticator_link_answer(&link->client, question->id,
                                  AUTHENTICATION_ACCEPTED);
    else
        questions_add(link->questions, &link->client, question,
                      loop_now_ms(link->loop));
}

/* Edge-triggered: reads until nothing is left, or an answer has no room.
   Questions wait in the table and not in the link, so that the sources can take
   turns. */
static void
authenticator_link_work(struct authenticator_link *link)
{
    struct authentication_question question;
    int got = 1;

    for (int i = 0; i < LINK_TURN && (got == 1 || got == -EBADMSG) &&
                    !link->client.blocked;
         i++) {
        got = link_message_receive(link->watch.fd, &question, sizeof(question));
        if (got == 1)
            authenticator_link_handle(link, &question);
        explicit_bzero(&question, sizeof(question));
    }
    loop_defer(link->loop, link->work);
    if (link->client.blocked)
        return;
    if (got == 1 || got == -EBADMSG)
        loop_defer(link->loop, &link->again);
    else if (got != -EAGAIN)
        authenticator_link_close(link);
}

static void
authenticator_link_again(struct task *task)
{
    authenticator_link_work(
        container_of(task, struct authenticator_link, again));
}

static void
authenticator_link_ready(struct watch *watch, uint32_t events)
{
    struct authenticator_link *link =
        container_of(watch, struct authenticator_link, watch);

    (void)events;
    if (link->client.blocked)
        authenticator_link_answer(&link->client, link->answer.id,
                                  link->answer.outcome);
    if (!link->client.blocked)
        authenticator_link_work(link);
}

void
authenticator_link_init(struct authenticator_link *link, struct loop *loop,
                        struct questions *questions, struct task *work,
                        authenticator_link_known_fn *known)
{
    *link = (struct authenticator_link){
        .loop = loop, .questions = questions, .work = work, .known = known};
    link->watch.fd = -1;
    authenticator_client_init(&link->client);
    task_init(&link->again, authenticator_link_again);
}

void
authenticator_link_open(struct authenticator_link *link, int fd)
{
    authenticator_link_close(link);
    link->opened++;
    if (loop_watch(link->loop, &link->watch, fd, EPOLLIN | EPOLLET,
                   authenticator_link_ready) < 0)
        close(fd);
}

void
authenticator_link_close(struct authenticator_link *link)
{
    int fd = link->watch.fd;

    if (fd == -1)
        return;
    loop_unwatch(link->loop, &link->watch);
    close(fd);
    task_cancel(&link->again);
    questions_leave(link->questions, &link->client);
}
