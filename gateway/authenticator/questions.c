#include "gateway/authenticator/questions.h"

#include <assert.h>
#include <string.h>

static struct asking_source *
asking_source_at(struct list *link)
{
    return container_of(link, struct asking_source, link);
}

static struct question *
question_at(struct list *link)
{
    return container_of(link, struct question, link);
}

void
asker_init(struct asker *asker)
{
    *asker = (struct asker){.held = 0};
    list_init(&asker->link);
    list_init(&asker->sources);
}

void
questions_init(struct questions *questions, questions_overloaded_fn *overloaded)
{
    questions->overloaded = overloaded;
    list_init(&questions->askers);
    list_init(&questions->free_questions);
    list_init(&questions->free_sources);
    for (size_t i = 0; i < QUESTIONS_MAX; i++) {
        list_append(&questions->free_questions, &questions->table[i].link);
        list_append(&questions->free_sources, &questions->sources[i].link);
        list_init(&questions->sources[i].questions);
    }
}

/* --- who has how many ---------------------------------------------------- */

/* NULL: the source asks nothing. */
static struct asking_source *
asking_source_find(struct asker *asker, uint64_t source)
{
    list_each_safe (at, after, &asker->sources)
        if (asking_source_at(at)->source == source)
            return asking_source_at(at);
    return NULL;
}

/* There are as many as questions, and each holds at least one. */
static struct asking_source *
asking_source_open(struct questions *questions, struct asker *asker,
                   uint64_t source)
{
    assert(!list_empty(&questions->free_sources));
    struct asking_source *opened =
        asking_source_at(questions->free_sources.next);

    list_remove(&opened->link);
    list_append(&asker->sources, &opened->link);
    opened->asker = asker;
    opened->source = source;
    opened->held = 0;
    return opened;
}

/* Out of its source; the question is still there. */
static void
question_leave(struct questions *questions, struct question *question)
{
    struct asking_source *source = question->source;
    struct asker *asker = source->asker;

    list_remove(&question->link);
    question->source = NULL;
    asker->held--;
    if (--source->held == 0) {
        list_remove(&source->link);
        list_append(&questions->free_sources, &source->link);
    }
    if (asker->held == 0)
        list_remove(&asker->link);
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

/* Counts what is about to be added; of equals it is the newcomer. */
static struct asker *
questions_largest_asker(struct questions *questions, struct asker *newcomer)
{
    struct asker *largest = newcomer;
    size_t most = newcomer->held + 1;

    list_each_safe (at, after, &questions->askers) {
        struct asker *asker = container_of(at, struct asker, link);
        if (asker->held <= most)
            continue;
        largest = asker;
        most = asker->held;
    }
    return largest;
}

/* The same of its sources; NULL: that of the newcomer, which has none yet. */
static struct asking_source *
questions_largest_source(struct asker *asker, const struct asker *newcomer,
                         uint64_t source)
{
    struct asking_source *largest = NULL;
    size_t most = asker == newcomer ? 1 : 0;

    list_each_safe (at, after, &asker->sources) {
        struct asking_source *one = asking_source_at(at);
        size_t held = one->held;
        if (asker == newcomer && one->source == source)
            held++;
        if (held <= most)
            continue;
        largest = one;
        most = held;
    }
    return largest;
}

/* False: nobody holds more than this one, which is turned away. */
static bool
questions_make_room(struct questions *questions, struct asker *asker,
                    uint64_t source)
{
    if (!list_empty(&questions->free_questions))
        return true;
    struct asker *largest = questions_largest_asker(questions, asker);
    struct asking_source *most =
        questions_largest_source(largest, asker, source);
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
questions_add(struct questions *questions, struct asker *asker,
              const struct authentication_question *asked, uint64_t now_ms)
{
    if (!questions_make_room(questions, asker, asked->source)) {
        questions->overloaded(asker, asked->id);
        return;
    }
    struct question *question = question_at(questions->free_questions.next);
    struct asking_source *source = asking_source_find(asker, asked->source);
    if (source == NULL)
        source = asking_source_open(questions, asker, asked->source);
    list_remove(&question->link);
    list_append(&source->questions, &question->link);
    question->source = source;
    question->give_up_ms = now_ms + asked->timeout_ms;
    question->asked = *asked;
    source->held++;
    if (asker->held++ == 0)
        list_append(&questions->askers, &asker->link);
}

void
questions_cancel(struct questions *questions, struct asker *asker, uint64_t id)
{
    list_each_safe (at, after, &asker->sources) {
        list_each_safe (one, next, &asking_source_at(at)->questions) {
            if (question_at(one)->asked.id != id)
                continue;
            questions_release(questions, question_at(one));
            return;
        }
    }
}

/* Behind the others: their turn comes first. */
static void
questions_rotate(struct list *ring, struct list *link)
{
    list_remove(link);
    list_append(ring, link);
}

static struct question *
questions_take_of(struct questions *questions, struct asker *asker)
{
    struct asking_source *source = asking_source_at(asker->sources.next);
    struct question *question = question_at(source->questions.next);

    questions_rotate(&questions->askers, &asker->link);
    questions_rotate(&asker->sources, &source->link);
    question_leave(questions, question);
    return question;
}

struct question *
questions_take(struct questions *questions, uint64_t now_ms,
               struct asker **asker)
{
    list_each_safe (at, after, &questions->askers) {
        *asker = container_of(at, struct asker, link);
        while (!(*asker)->blocked && (*asker)->held > 0) {
            struct question *question = questions_take_of(questions, *asker);
            if (question->give_up_ms > now_ms)
                return question;
            questions_release(questions, question);
        }
    }
    return NULL;
}

void
questions_leave(struct questions *questions, struct asker *asker)
{
    list_each_safe (at, after, &asker->sources)
        list_each_safe (one, next, &asking_source_at(at)->questions)
            questions_release(questions, question_at(one));
    assert(asker->held == 0);
    asker->blocked = false;
}
