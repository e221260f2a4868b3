#include "gateway/worker/authentication.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct list *
authentications_bucket(struct authentications *authentications, uint64_t id)
{
    return &authentications->sent[id % AUTHENTICATION_BUCKETS];
}

static void
authentications_flush(struct peer_link *link)
{
    struct authentications *authentications =
        container_of(link, struct authentications, link);

    list_each_safe (at, after, &authentications->unsent) {
        struct authentication *one =
            container_of(at, struct authentication, link);
        if (peer_link_send(link, one->question, sizeof(*one->question)) < 0)
            return;
        one->sent = true;
        list_remove(at);
        list_append(authentications_bucket(authentications, one->question->id),
                    at);
    }
}

/* The password is gone when this returns. */
static void
authentication_close(struct authentication *authentication)
{
    list_remove(&authentication->link);
    explicit_bzero(authentication->question, sizeof(*authentication->question));
    free(authentication->question);
    authentication->question = NULL;
    authentication->sent = false;
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
    question->id = ++authentications->last_id;
    question->source = source;
    question->user_len = (uint8_t)user_len;
    question->password_len = (uint8_t)password_len;
    memcpy(question->user, user, user_len);
    memcpy(question->password, password, password_len);
    *authentication =
        (struct authentication){.question = question, .answered = answered};
    bool first = list_empty(&authentications->unsent);
    list_append(&authentications->unsent, &authentication->link);
    if (first) /* else the link is full, and authentications_flush will come */
        authentications_flush(&authentications->link);
    return 0;
}

void
authentication_cancel(struct authentications *authentications,
                      struct authentication *authentication)
{
    if (authentication->question == NULL)
        return;
    struct authentication_question question = {
        .kind = AUTHENTICATION_CANCEL, .id = authentication->question->id};
    if (authentication->sent) {
        int error =
            peer_link_send(&authentications->link, &question, sizeof(question));
        (void)error; /* the authenticator gives up by itself */
    }
    authentication_close(authentication);
}

static struct authentication *
authentications_find(struct authentications *authentications, uint64_t id)
{
    list_each_safe (at, after, authentications_bucket(authentications, id)) {
        struct authentication *one =
            container_of(at, struct authentication, link);
        if (one->question->id == id)
            return one;
    }
    return NULL;
}

/* An answer without a question is ignored; one that cannot be is a failure. */
static void
authentications_receive(struct peer_link *link, const void *message)
{
    struct authentications *authentications =
        container_of(link, struct authentications, link);
    const struct authentication_answer *answer = message;
    struct authentication *one =
        authentications_find(authentications, answer->id);

    if (one == NULL)
        return;
    authentication_close(one);
    one->answered(one, answer->outcome < AUTHENTICATION_OUTCOMES
                           ? (enum authentication_outcome)answer->outcome
                           : AUTHENTICATION_FAILED);
}

/* Questions that were sent are older than those unsent: they go first. */
static void
authentications_resend(struct peer_link *link)
{
    struct authentications *authentications =
        container_of(link, struct authentications, link);
    struct list newer;

    list_init(&newer);
    list_take(&newer, &authentications->unsent);
    for (size_t i = 0; i < AUTHENTICATION_BUCKETS; i++)
        list_take(&authentications->unsent, &authentications->sent[i]);
    list_each_safe (at, after, &authentications->unsent) {
        container_of(at, struct authentication, link)->sent = false;
    }
    list_take(&authentications->unsent, &newer);
    authentications_flush(link);
}

void
authentications_init(struct authentications *authentications, struct loop *loop)
{
    static const struct peer_link_ops ops = {
        .answer_size = sizeof(struct authentication_answer),
        .receive = authentications_receive,
        .flush = authentications_flush,
        .resend = authentications_resend,
    };

    peer_link_init(&authentications->link, loop, CHANNEL_PEER_AUTHENTICATOR,
                   &ops);
    authentications->last_id = 0;
    list_init(&authentications->unsent);
    for (size_t i = 0; i < AUTHENTICATION_BUCKETS; i++)
        list_init(&authentications->sent[i]);
}

const char *
authentication_hint(enum authentication_outcome outcome)
{
    static const char *const hints[AUTHENTICATION_OUTCOMES] = {
        [AUTHENTICATION_ACCEPTED] = NULL,
        [AUTHENTICATION_REFUSED] =
            "the users file has no such user, or another password for it; "
            "`socks4d passwd' sets one",
        [AUTHENTICATION_FAILED] =
            "the authenticator cannot check passwords; see the log",
        [AUTHENTICATION_LIMITED] =
            "too many wrong passwords from this source; it has to wait",
        [AUTHENTICATION_OVERLOADED] =
            "the authenticator has no room, and this source asks most",
    };

    return hints[outcome];
}
