#include "runner.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 32
/* Besides the wait for timers: a case that has not begun by then is left. */
#define BUDGET_MS 20000

enum progress {
    PROGRESS_WAITING,
    PROGRESS_RUNNING,
    PROGRESS_OVER,
};

struct pool {
    struct run *run;
    const struct setting *setting;
    enum progress *progress; /* one a case */
    uint64_t until;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* Whether one of its group is being played. */
static bool
group_is_busy(const struct pool *pool, const struct conform_case *what)
{
    for (size_t i = 0; what->group != NULL && i < pool->run->count; i++) {
        const char *group = pool->run->cases[i]->group;
        if (pool->progress[i] == PROGRESS_RUNNING && group != NULL &&
            strcmp(group, what->group) == 0)
            return true;
    }
    return false;
}

/* What waits longest begins first; in a group it comes last, so that it
   holds up nobody. */
static int
urgency(const struct conform_case *what)
{
    if (what->slow)
        return what->group == NULL ? 3 : 0;
    return what->group != NULL ? 2 : 1;
}

/* The next to play, or -1; *left says whether any waits at all. */
static long
choose(const struct pool *pool, bool *left)
{
    long best = -1;

    *left = false;
    for (size_t i = 0; i < pool->run->count; i++) {
        const struct conform_case *what = pool->run->cases[i];
        if (pool->progress[i] != PROGRESS_WAITING)
            continue;
        *left = true;
        if (!group_is_busy(pool, what) &&
            (best < 0 || urgency(what) > urgency(pool->run->cases[best])))
            best = (long)i;
    }
    return best;
}

static void
play_one(struct pool *pool, long chosen)
{
    pool->progress[chosen] = PROGRESS_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    if (actor_now() < pool->until)
        play_case(pool->setting, pool->run->cases[chosen],
                  &pool->run->findings[chosen]);
    else
        play_none(&pool->run->findings[chosen],
                  "the server left too many cases without an answer, there "
                  "was no time for this one");
    pthread_mutex_lock(&pool->lock);
    pool->progress[chosen] = PROGRESS_OVER;
    pthread_cond_broadcast(&pool->changed);
}

static void *
work(void *argument)
{
    struct pool *pool = argument;
    bool left = true;

    pthread_mutex_lock(&pool->lock);
    while (left) {
        long chosen = choose(pool, &left);
        if (chosen >= 0)
            play_one(pool, chosen);
        else if (left)
            pthread_cond_wait(&pool->changed, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool
matches(const struct conform_case *what, const char *pattern)
{
    if (fnmatch(pattern, what->name, 0) == 0)
        return true;
    for (unsigned i = 0; i < what->id_count; i++)
        if (fnmatch(pattern, what->ids[i], 0) == 0)
            return true;
    return false;
}

static bool
is_wanted(const struct conform_case *what, const char *only)
{
    char pattern[128];

    while (only != NULL && *only != '\0') {
        size_t len = strcspn(only, ",");
        if (len < sizeof pattern) {
            memcpy(pattern, only, len);
            pattern[len] = '\0';
            if (matches(what, pattern))
                return true;
        }
        only += len + (only[len] == ',');
        if (*only == '\0')
            return false;
    }
    return true;
}

static bool
is_for(const struct conform_case *what, const struct setting *setting)
{
    return what->mode == MODE_ANY ||
           (what->mode == MODE_4A) == setting->socks4a;
}

static void
play_all(struct pool *pool)
{
    pthread_t threads[THREADS];
    unsigned count = 0;

    pool->until = actor_now() + pool->setting->wait_ms + BUDGET_MS;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    while (count < THREADS &&
           pthread_create(&threads[count], NULL, work, pool) == 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

int
run_cases(struct run *run, const struct setting *setting,
          const struct cases *cases, const char *only)
{
    struct pool pool = {.run = run, .setting = setting};
    size_t room = cases->count + 1;

    *run = (struct run){0};
    run->cases = calloc(room, sizeof(struct conform_case *));
    run->findings = calloc(room, sizeof *run->findings);
    pool.progress = calloc(room, sizeof *pool.progress);
    if (!run->cases || !run->findings || !pool.progress) {
        free(pool.progress);
        return -ENOMEM;
    }
    for (size_t i = 0; i < cases->count; i++)
        if (is_for(&cases->each[i], setting) &&
            is_wanted(&cases->each[i], only))
            run->cases[run->count++] = &cases->each[i];
    play_all(&pool);
    free(pool.progress);
    return 0;
}

void
run_free(struct run *run)
{
    free(run->cases);
    free(run->findings);
}

size_t
run_count(const struct run *run, enum level level, enum outcome outcome)
{
    size_t count = 0;

    for (size_t i = 0; i < run->count; i++)
        count += run->cases[i]->level == level &&
                 run->findings[i].outcome == outcome;
    return count;
}

int
run_status(const struct run *run)
{
    if (run_count(run, LEVEL_MUST, OUTCOME_UNMET) > 0)
        return 1;
    if (run_count(run, LEVEL_SHOULD, OUTCOME_UNMET) > 0 ||
        run_count(run, LEVEL_PRACTICE, OUTCOME_UNMET) > 0)
        return 2;
    return 0;
}
