#include "tests/scenario/step.h"

#include <string.h>

#include "tests/scenario/authenticator.h"
#include "tests/scenario/heap.h"

static bool
authenticator_hears(struct play *play, char *const args[])
{
    const struct authentication_question *question = authenticator_next();

    if (question == NULL)
        return play_fail(play, "it heard nothing");
    if (question->kind != AUTHENTICATION_ASK)
        return play_fail(play, "it heard no question");
    return (strlen(args[0]) == question->user_len &&
            memcmp(args[0], question->user, question->user_len) == 0 &&
            strlen(args[1]) == question->password_len &&
            memcmp(args[1], question->password, question->password_len) == 0) ||
           play_fail(play, "it heard '%.*s' and '%.*s'", question->user_len,
                     question->user, question->password_len,
                     question->password);
}

static bool
authenticator_hears_cancel(struct play *play, char *const args[])
{
    const struct authentication_question *message = authenticator_next();

    (void)args;
    return (message != NULL && message->kind == AUTHENTICATION_CANCEL) ||
           play_fail(play, "it heard %s",
                     message == NULL ? "nothing" : "a question");
}

static bool
authenticator_hears_nothing(struct play *play, char *const args[])
{
    (void)args;
    return authenticator_next() == NULL ||
           play_fail(play, "it heard something");
}

static bool
authenticator_says(struct play *play, char *const args[])
{
    static const char *const words[] = {
        [AUTHENTICATION_ACCEPTED] = "yes",
        [AUTHENTICATION_REFUSED] = "no",
        [AUTHENTICATION_FAILED] = "failed",
        [AUTHENTICATION_LIMITED] = "limited",
        [AUTHENTICATION_OVERLOADED] = "overloaded",
    };
    struct authentication_answer answer = {.outcome = 0};

    if (authenticator_question() == NULL)
        return play_fail(play, "it was not asked");
    while (answer.outcome < AUTHENTICATION_OUTCOMES &&
           strcmp(words[answer.outcome], args[0]) != 0)
        answer.outcome++;
    if (answer.outcome == AUTHENTICATION_OUTCOMES)
        return play_fail(play, "'%s' is no answer", args[0]);
    answer.id = authenticator_question()->id;
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.authentications.asked.link;
    link->ops->receive(link, &answer);
    heap_watch(false);
    return true;
}

static bool
authenticator_is_replaced(struct play *play, char *const args[])
{
    (void)args;
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.authentications.asked.link;
    link->ops->resend(link);
    heap_watch(false);
    return true;
}

const struct step authenticator_steps[] = {
    {"authenticator hears nothing", authenticator_hears_nothing},
    {"authenticator hears cancel", authenticator_hears_cancel},
    {"authenticator hears %w %w", authenticator_hears},
    {"authenticator says %w", authenticator_says},
    {"authenticator is replaced", authenticator_is_replaced},
    {NULL, NULL},
};
