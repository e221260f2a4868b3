#include "runner.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "stall.h"

#define THREADS 32
/* After the wait for timers and this time no further case begins. */
#define BUDGET_MS 20000
#define SERIAL_BUDGET_MS 900000 /* of a server that serves one at a time */
#define RECOVERY_MS 30000       /* until a server that stalled serves again */

enum runner_progress {
    PROGRESS_WAITING,
    PROGRESS_RUNNING,
    PROGRESS_OVER,
};

struct runner_pool {
    struct run *run;
    const struct setting *setting;
    enum runner_progress *progress; /* one a case */
    uint64_t began;
    uint64_t until;
    pthread_mutex_t lock;
    pthread_cond_t changed;
};

/* Whether one of its group is being played. */
static bool
runner_group_is_busy(const struct runner_pool *pool,
                     const struct conform_case *what)
{
    for (size_t i = 0; what->group != NULL && i < pool->run->count; i++) {
        const char *group = pool->run->cases[i]->group;
        if (pool->progress[i] == PROGRESS_RUNNING && group != NULL &&
            strcmp(group, what->group) == 0)
            return true;
    }
    return false;
}

/* Whether the server would serve no other case meanwhile. */
static bool
runner_is_apart(const struct runner_pool *pool, const struct conform_case *what)
{
    return (what->stalls & pool->setting->stalls) != 0;
}

/* Cases that wait for timers begin first; in a group they come last, so that
   they do not delay the others. */
static int
runner_urgency(const struct conform_case *what)
{
    if (what->slow)
        return what->group == NULL ? 3 : 0;
    return what->group != NULL ? 2 : 1;
}

/* The next to play, or -1; *left says whether any waits at all. */
static long
runner_choose(const struct runner_pool *pool, bool *left)
{
    long best = -1;

    *left = false;
    for (size_t i = 0; i < pool->run->count; i++) {
        const struct conform_case *what = pool->run->cases[i];
        if (pool->progress[i] != PROGRESS_WAITING ||
            runner_is_apart(pool, what))
            continue;
        *left = true;
        if (!runner_group_is_busy(pool, what) &&
            (best < 0 ||
             runner_urgency(what) > runner_urgency(pool->run->cases[best])))
            best = (long)i;
    }
    return best;
}

/* The lock is held. All cases that are being played share the blame. */
static void
runner_note_death(struct runner_pool *pool)
{
    struct run *run = pool->run;
    struct run_death *death = &run->death;

    if (death->happened)
        return;
    death->happened = true;
    death->ms = (unsigned)(actor_now() - pool->began);
    for (size_t i = 0; i < run->count; i++) {
        if (pool->progress[i] != PROGRESS_RUNNING)
            continue;
        run->lost[i] = true;
        death->under_way++;
    }
}

/* What such a case found is worth nothing, unless it was alone. */
static void
runner_judge_lost(struct finding *finding, const struct run_death *death)
{
    if (death->under_way == 1) {
        finding->outcome = OUTCOME_UNMET;
        snprintf(finding->why, WHY_MAX, "the server died");
    } else {
        finding->outcome = OUTCOME_UNTESTABLE;
        snprintf(finding->why, WHY_MAX,
                 "the server died while this case and %zu others were played",
                 death->under_way - 1);
    }
}

/* Why it is not played now; NULL: it is. */
static const char *
runner_reason_to_leave(const struct runner_pool *pool,
                       const struct conform_case *what)
{
    bool alone =
        runner_is_apart(pool, what) || (pool->setting->stalls & STALL_CLIENT);

    if (pool->run->death.happened)
        return "the server had died";
    if (actor_now() >= pool->until)
        return "the server left too many cases without an answer, there "
               "was no time for this one";
    if (alone && !stall_is_over(pool->setting, RECOVERY_MS))
        return "the server has served nobody since an earlier case";
    return NULL;
}

/* The lock is held, but not while it is played. */
static void
runner_play(struct runner_pool *pool, size_t chosen)
{
    const struct conform_case *what = pool->run->cases[chosen];
    struct finding *finding = &pool->run->findings[chosen];

    pool->progress[chosen] = PROGRESS_RUNNING;
    pthread_mutex_unlock(&pool->lock);
    const char *why = runner_reason_to_leave(pool, what);
    if (why != NULL)
        play_none(finding, why);
    else
        play_case(pool->setting, what, finding);
    bool gone = why == NULL && probe_is_gone(&pool->setting->place);
    pthread_mutex_lock(&pool->lock);
    if (gone)
        runner_note_death(pool);
    if (pool->run->lost[chosen])
        runner_judge_lost(finding, &pool->run->death);
    pool->progress[chosen] = PROGRESS_OVER;
    pthread_cond_broadcast(&pool->changed);
}

static void *
runner_work(void *argument)
{
    struct runner_pool *pool = argument;
    bool left = true;

    pthread_mutex_lock(&pool->lock);
    while (left) {
        long chosen = runner_choose(pool, &left);
        if (chosen >= 0)
            runner_play(pool, (size_t)chosen);
        else if (left)
            pthread_cond_wait(&pool->changed, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static bool
runner_matches(const struct conform_case *what, const char *pattern)
{
    if (fnmatch(pattern, what->name, 0) == 0)
        return true;
    for (unsigned i = 0; i < what->id_count; i++)
        if (fnmatch(pattern, what->ids[i], 0) == 0)
            return true;
    return false;
}

static bool
runner_is_wanted(const struct conform_case *what, const char *only)
{
    char pattern[128];

    while (only != NULL && *only != '\0') {
        size_t len = strcspn(only, ",");
        if (len < sizeof pattern) {
            memcpy(pattern, only, len);
            pattern[len] = '\0';
            if (runner_matches(what, pattern))
                return true;
        }
        only += len + (only[len] == ',');
        if (*only == '\0')
            return false;
    }
    return true;
}

static bool
runner_is_for(const struct conform_case *what, const struct setting *setting)
{
    return setting->socks5 || what->mode == MODE_ANY ||
           (what->mode == MODE_4A) == setting->socks4a;
}

static void
runner_play_together(struct runner_pool *pool)
{
    unsigned most = pool->setting->stalls & STALL_CLIENT ? 1 : THREADS;
    pthread_t threads[THREADS];
    unsigned count = 0;

    while (count < most &&
           pthread_create(&threads[count], NULL, runner_work, pool) == 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

static void
runner_play_apart(struct runner_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < pool->run->count; i++) {
        if (pool->progress[i] != PROGRESS_WAITING)
            continue;
        pool->until = UINT64_MAX;
        runner_play(pool, i);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void
runner_play_all(struct runner_pool *pool)
{
    pool->began = actor_now();
    pool->until = pool->began + pool->setting->wait_ms + BUDGET_MS;
    if (pool->setting->stalls & STALL_CLIENT)
        pool->until = pool->began + SERIAL_BUDGET_MS;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    runner_play_together(pool);
    runner_play_apart(pool);
}

int
run_cases(struct run *run, const struct setting *setting,
          const struct cases *cases, const char *only)
{
    struct runner_pool pool = {.run = run, .setting = setting};
    size_t room = cases->count + 1;

    *run = (struct run){0};
    run->cases = calloc(room, sizeof(struct conform_case *));
    run->findings = calloc(room, sizeof *run->findings);
    run->lost = calloc(room, sizeof *run->lost);
    pool.progress = calloc(room, sizeof *pool.progress);
    if (!run->cases || !run->findings || !run->lost || !pool.progress) {
        free(pool.progress);
        return -ENOMEM;
    }
    for (size_t i = 0; i < cases->count; i++)
        if (runner_is_for(&cases->each[i], setting) &&
            runner_is_wanted(&cases->each[i], only))
            run->cases[run->count++] = &cases->each[i];
    runner_play_all(&pool);
    free(pool.progress);
    return 0;
}

void
run_free(struct run *run)
{
    free(run->cases);
    free(run->findings);
    free(run->lost);
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

/* Cases that were met; what is unmet has been looked at. */
static size_t
runner_count_met(const struct run *run)
{
    size_t count = 0;

    for (unsigned level = 0; level < LEVEL_COUNT; level++)
        count += run_count(run, (enum level)level, OUTCOME_MET);
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
    return run->death.happened || runner_count_met(run) == 0 ? 3 : 0;
}
