#include "gateway/worker/authentication.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct authentication *
authentication_of(struct peer_question *asked)
{
    return container_of(asked, struct authentication, asked);
}

static int
authentication_send(struct peer_questions *questions,
                    struct peer_question *asked)
{
    struct authentication_question *question =
        authentication_of(asked)->question;

    question->id = asked->id;
    return peer_link_send(&questions->link, question, sizeof(*question));
}

/* The password is gone when this returns. */
static void
authentication_close(struct authentication *authentication)
{
    explicit_bzero(authentication->question, sizeof(*authentication->question));
    free(authentication->question);
    authentication->question = NULL;
}

int
authentication_start(struct authentications *authentications,
                     struct authentication *authentication, uint64_t source,
                     const void *user, size_t user_len, const void *password,
                     size_t password_len, uint64_t timeout_ms,
                     authentication_fn *answered)
{
    assert(user_len <= AUTHENTICATION_USER_MAX &&
           password_len <= AUTHENTICATION_PASSWORD_MAX);
    struct authentication_question *question = calloc(1, sizeof(*question));
    if (question == NULL)
        return -ENOMEM;
    question->kind = AUTHENTICATION_ASK;
    question->timeout_ms =
        timeout_ms < UINT32_MAX ? (uint32_t)timeout_ms : UINT32_MAX;
    question->source = source;
    question->user_len = (uint8_t)user_len;
    question->password_len = (uint8_t)password_len;
    memcpy(question->user, user, user_len);
    memcpy(question->password, password, password_len);
    *authentication =
        (struct authentication){.question = question, .answered = answered};
    peer_question_start(&authentications->asked, &authentication->asked);
    return 0;
}

void
authentication_cancel(struct authentications *authentications,
                      struct authentication *authentication)
{
    if (authentication->question == NULL)
        return;
    struct authentication_question question = {.kind = AUTHENTICATION_CANCEL,
                                               .id = authentication->asked.id};
    if (peer_question_stop(&authentication->asked)) {
        int error = peer_link_send(&authentications->asked.link, &question,
                                   sizeof(question));
        (void)error; /* the authenticator gives up by itself */
    }
    authentication_close(authentication);
}

/* An answer that cannot be is a failure. */
static void
authentication_receive(struct peer_question *asked, const void *message)
{
    struct authentication *one = authentication_of(asked);
    const struct authentication_answer *answer = message;

    authentication_close(one);
    one->answered(one, answer->outcome < AUTHENTICATION_OUTCOMES
                           ? (enum authentication_outcome)answer->outcome
                           : AUTHENTICATION_FAILED);
}

_Static_assert(offsetof(struct authentication_answer, id) == 0,
               "it begins with it");

void
authentications_init(struct authentications *authentications, struct loop *loop)
{
    static const struct peer_questions_ops ops = {
        .answer_size = sizeof(struct authentication_answer),
        .send = authentication_send,
        .receive = authentication_receive,
    };

    peer_questions_init(&authentications->asked, loop,
                        CHANNEL_PEER_AUTHENTICATOR, &ops);
}
