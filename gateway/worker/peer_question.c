#include "gateway/worker/peer_question.h"

#include <string.h>

static struct peer_questions *
peer_questions_of(struct peer_link *link)
{
    return container_of(link, struct peer_questions, link);
}

static struct peer_question *
peer_question_of(struct list *at)
{
    return container_of(at, struct peer_question, link);
}

static struct list *
peer_questions_bucket(struct peer_questions *questions, uint64_t id)
{
    return &questions->sent[id % PEER_QUESTION_BUCKETS];
}

static void
peer_questions_flush(struct peer_link *link)
{
    struct peer_questions *questions = peer_questions_of(link);

    list_each_safe (at, after, &questions->unsent) {
        struct peer_question *question = peer_question_of(at);
        if (questions->ops->send(questions, question) < 0)
            return;
        question->sent = true;
        list_remove(at);
        list_append(peer_questions_bucket(questions, question->id), at);
    }
}

/* Those that were sent are older than those unsent: they go first. */
static void
peer_questions_resend(struct peer_link *link)
{
    struct peer_questions *questions = peer_questions_of(link);
    struct list newer;

    list_init(&newer);
    list_take(&newer, &questions->unsent);
    for (size_t i = 0; i < PEER_QUESTION_BUCKETS; i++)
        list_take(&questions->unsent, &questions->sent[i]);
    list_each_safe (at, after, &questions->unsent)
        peer_question_of(at)->sent = false;
    list_take(&questions->unsent, &newer);
    peer_questions_flush(link);
}

static struct peer_question *
peer_questions_find(struct peer_questions *questions, uint64_t id)
{
    list_each_safe (at, after, peer_questions_bucket(questions, id))
        if (peer_question_of(at)->id == id)
            return peer_question_of(at);
    return NULL;
}

static void
peer_questions_receive(struct peer_link *link, const void *answer)
{
    struct peer_questions *questions = peer_questions_of(link);
    uint64_t id;

    memcpy(&id, answer, sizeof(id));
    struct peer_question *question = peer_questions_find(questions, id);
    if (question == NULL)
        return;
    peer_question_stop(question);
    questions->ops->receive(question, answer);
}

void
peer_question_start(struct peer_questions *questions,
                    struct peer_question *question)
{
    bool first = list_empty(&questions->unsent);

    *question = (struct peer_question){.id = ++questions->last_id};
    list_append(&questions->unsent, &question->link);
    if (first) /* else the link is full, and peer_questions_flush will come */
        peer_questions_flush(&questions->link);
}

bool
peer_question_stop(struct peer_question *question)
{
    bool sent = question->sent;

    list_remove(&question->link);
    question->sent = false;
    return sent;
}

void
peer_questions_init(struct peer_questions *questions, struct loop *loop,
                    enum channel_peer peer,
                    const struct peer_questions_ops *ops)
{
    questions->link_ops =
        (struct peer_link_ops){.answer_size = ops->answer_size,
                               .receive = peer_questions_receive,
                               .flush = peer_questions_flush,
                               .resend = peer_questions_resend};
    peer_link_init(&questions->link, loop, peer, &questions->link_ops);
    questions->ops = ops;
    questions->last_id = 0;
    list_init(&questions->unsent);
    for (size_t i = 0; i < PEER_QUESTION_BUCKETS; i++)
        list_init(&questions->sent[i]);
}
