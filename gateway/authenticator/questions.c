#include "gateway/authenticator/questions.h"

#include <assert.h>
#include <string.h>

static struct question_source *
question_source_at(struct list *link)
{
    return container_of(link, struct question_source, link);
}

static struct question *
question_at(struct list *link)
{
    return container_of(link, struct question, link);
}

void
authenticator_client_init(struct authenticator_client *client)
{
    *client = (struct authenticator_client){.held = 0};
    list_init(&client->link);
    list_init(&client->sources);
}

void
questions_init(struct questions *questions, questions_overloaded_fn *overloaded)
{
    questions->overloaded = overloaded;
    list_init(&questions->clients);
    list_init(&questions->free_questions);
    list_init(&questions->free_sources);
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        list_append(&questions->free_questions, &questions->table[i].link);
        list_append(&questions->free_sources, &questions->sources[i].link);
        list_init(&questions->sources[i].questions);
    }
}

/* --- how many each holds -------------------------------------------------- */

/* NULL: the source asks nothing. */
static struct question_source *
question_source_find(struct authenticator_client *client, uint64_t source)
{
    list_each_safe (at, after, &client->sources)
        if (question_source_at(at)->source == source)
            return question_source_at(at);
    return NULL;
}

/* There are as many as questions, and each holds at least one. */
static struct question_source *
question_source_open(struct questions *questions,
                     struct authenticator_client *client, uint64_t source)
{
    assert(!list_empty(&questions->free_sources));
    struct question_source *opened =
        question_source_at(questions->free_sources.next);

    list_remove(&opened->link);
    list_append(&client->sources, &opened->link);
    opened->client = client;
    opened->source = source;
    opened->held = 0;
    return opened;
}

/* Takes the question from its source and keeps its octets. */
static void
question_leave(struct questions *questions, struct question *question)
{
    struct question_source *source = question->source;
    struct authenticator_client *client = source->client;

    list_remove(&question->link);
    question->source = NULL;
    client->held--;
    if (--source->held == 0) {
        list_remove(&source->link);
        list_append(&questions->free_sources, &source->link);
    }
    if (client->held == 0)
        list_remove(&client->link);
}

void
questions_release(struct questions *questions, struct question *question)
{
    if (question->source != NULL)
        question_leave(questions, question);
    explicit_bzero(&question->asked, sizeof(question->asked));
    list_append(&questions->free_questions, &question->link);
}

/* --- room ---------------------------------------------------------------- */

/* Counts the question that is about to be added. Of equals it is the
   newcomer. */
static struct authenticator_client *
questions_largest_client(struct questions *questions,
                         struct authenticator_client *newcomer)
{
    struct authenticator_client *largest = newcomer;
    size_t most = newcomer->held + 1;

    list_each_safe (at, after, &questions->clients) {
        struct authenticator_client *client =
            container_of(at, struct authenticator_client, link);
        if (client->held <= most)
            continue;
        largest = client;
        most = client->held;
    }
    return largest;
}

/* The same of its sources; NULL: that of the newcomer, which has none yet. */
static struct question_source *
questions_largest_source(struct authenticator_client *client,
                         const struct authenticator_client *newcomer,
                         uint64_t source)
{
    struct question_source *largest = NULL;
    size_t most = client == newcomer ? 1 : 0;

    list_each_safe (at, after, &client->sources) {
        struct question_source *one = question_source_at(at);
        size_t held = one->held;
        if (client == newcomer && one->source == source)
            held++;
        if (held <= most)
            continue;
        largest = one;
        most = held;
    }
    return largest;
}

/* False: no source holds more than the newcomer's, whose question is refused.
 */
static bool
questions_make_room(struct questions *questions,
                    struct authenticator_client *client, uint64_t source)
{
    if (!list_empty(&questions->free_questions))
        return true;
    struct authenticator_client *largest =
        questions_largest_client(questions, client);
    struct question_source *most =
        questions_largest_source(largest, client, source);
    if (most == NULL)
        return false;
    struct question *oldest = question_at(most->questions.next);
    uint64_t id = oldest->asked.id;
    questions_release(questions, oldest);
    questions->overloaded(largest, id);
    return true;
}

/* --- in and out ---------------------------------------------------------- */

void
questions_add(struct questions *questions, struct authenticator_client *client,
              const struct authentication_question *asked, uint64_t now_ms)
{
    if (!questions_make_room(questions, client, asked->source)) {
        questions->overloaded(client, asked->id);
        return;
    }
    struct question *question = question_at(questions->free_questions.next);
    struct question_source *source =
        question_source_find(client, asked->source);
    if (source == NULL)
        source = question_source_open(questions, client, asked->source);
    list_remove(&question->link);
    list_append(&source->questions, &question->link);
    question->source = source;
    question->give_up_ms = now_ms + asked->timeout_ms;
    question->asked = *asked;
    source->held++;
    if (client->held++ == 0)
        list_append(&questions->clients, &client->link);
}

void
questions_cancel(struct questions *questions,
                 struct authenticator_client *client, uint64_t id)
{
    list_each_safe (at, after, &client->sources) {
        list_each_safe (one, next, &question_source_at(at)->questions) {
            if (question_at(one)->asked.id != id)
                continue;
            questions_release(questions, question_at(one));
            return;
        }
    }
}

/* Puts one behind the others of its ring: their turn comes first. */
static void
questions_rotate(struct list *ring, struct list *link)
{
    list_remove(link);
    list_append(ring, link);
}

static struct question *
questions_take_of(struct questions *questions,
                  struct authenticator_client *client)
{
    struct question_source *source = question_source_at(client->sources.next);
    struct question *question = question_at(source->questions.next);

    questions_rotate(&questions->clients, &client->link);
    questions_rotate(&client->sources, &source->link);
    question_leave(questions, question);
    return question;
}

struct question *
questions_take(struct questions *questions, uint64_t now_ms,
               struct authenticator_client **client)
{
    list_each_safe (at, after, &questions->clients) {
        *client = container_of(at, struct authenticator_client, link);
        while (!(*client)->blocked && (*client)->held > 0) {
            struct question *question = questions_take_of(questions, *client);
            if (question->give_up_ms > now_ms)
                return question;
            questions_release(questions, question);
        }
    }
    return NULL;
}

void
questions_leave(struct questions *questions,
                struct authenticator_client *client)
{
    list_each_safe (at, after, &client->sources)
        list_each_safe (one, next, &question_source_at(at)->questions)
            questions_release(questions, question_at(one));
    assert(client->held == 0);
    client->blocked = false;
}
