#include "gateway/worker/sessions.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/session.h"

static backlog_fn sessions_shed_stalled;

/* The parents' contexts of a configuration that was replaced, as long as there
   are sessions which have not left yet and may need them. */
struct former_tls {
    struct list link;
    struct config *config; /* reference */
    struct tls_context *contexts[CONFIG_PARENTS_MAX];
};

static void
sessions_free_former(struct former_tls *former)
{
    list_remove(&former->link);
    for (size_t i = 0; i < CONFIG_PARENTS_MAX; i++)
        tls_context_free(former->contexts[i]);
    config_unref(former->config);
    free(former);
}

/* Frees those that no session can need any more; `all`: at the end. */
static void
sessions_sweep_former(struct sessions *sessions, bool all)
{
    list_each_safe (at, after, &sessions->former) {
        struct former_tls *former = container_of(at, struct former_tls, link);
        if (all || former->config->refs == 1)
            sessions_free_former(former);
    }
}

/* Where there is no memory for it, sessions that need one are refused. */
static void
sessions_keep_former(struct sessions *sessions)
{
    struct tls_context **contexts =
        &sessions->tls_contexts[CONFIG_LISTENERS_MAX];
    bool any = false;

    for (size_t i = 0; i < CONFIG_PARENTS_MAX; i++)
        any |= contexts[i] != NULL;
    struct former_tls *former = any ? calloc(1, sizeof(*former)) : NULL;
    if (former == NULL)
        return;
    former->config = config_ref(sessions->config);
    for (size_t i = 0; i < CONFIG_PARENTS_MAX; i++) {
        former->contexts[i] = contexts[i];
        contexts[i] = NULL;
    }
    list_append(&sessions->former, &former->link);
}

static void
sessions_reap(struct task *task)
{
    struct sessions *sessions = container_of(task, struct sessions, reap);

    list_each_safe (at, after, &sessions->ended) {
        session_free(container_of(at, struct session, link));
    }
    list_init(&sessions->ended);
    list_each_safe (at, after, &sessions->routes) {
        free(container_of(at, struct route, link));
    }
    list_init(&sessions->routes);
    sessions_sweep_former(sessions, false);
}

/* Whether any rule asks for a live CONNECT beside a BIND. */
static bool
sessions_need_registry(const struct config *config)
{
    for (size_t i = 0; i < config->policy.rule_count; i++)
        if (config->policy.rules[i].require_connect)
            return true;
    return false;
}

void
sessions_init(struct sessions *sessions, struct loop *loop,
              struct config *config, struct segment *segment, unsigned slot,
              struct record_log *records, live_link_send_fn *send,
              void (*changed)(struct sessions *))
{
    struct config_budget budget = config_budget(config);

    sessions->loop = loop;
    sessions->config = config_ref(config);
    sessions->segment = segment;
    sessions->column = &segment->columns[slot];
    sessions->addresses = NULL;
    sessions->slot = slot;
    sessions->records = records;
    sessions->accept_error = 0;
    relay_pool_init(&sessions->pool, loop, sessions->column, config->splice,
                    &budget, session_on_relay_event, sessions_shed_stalled);
    stream_tls_pool_init(&sessions->tls, loop);
    list_init(&sessions->former);
    memset(sessions->tls_contexts, 0, sizeof(sessions->tls_contexts));
    sessions->rule_copies = (struct rule_copies){.names = &segment->names};
    rule_copies_set(&sessions->rule_copies, config);
    live_link_init(&sessions->live_link, send);
    sessions->live_link.wanted = sessions_need_registry(config);
    lookups_init(&sessions->lookups, loop);
    sessions->associations = (struct association_pool){
        .loop = loop,
        .lookups = &sessions->lookups,
        .datagrams = segment->series[slot].datagrams,
        .resolve_ms = config->timeouts.resolve_ms,
        .in_max = budget.buffer_in,
    };
    authentications_init(&sessions->authentications, loop);
    sessions->way_out_turns = (struct way_out_turns){0};
    parents_init(&sessions->parents, loop, &sessions->lookups, records, segment,
                 slot);
    parents_set(&sessions->parents, config);
    limits_init(&sessions->limits, loop, segment, slot, records, config);
    refusals_init(&sessions->refusals, loop, segment, slot, records);
    shared_sessions_init(&sessions->shared, segment, slot);
    observed_init(&sessions->observed, loop);
    list_init(&sessions->walks);
    sessions->binds = 0;
    list_init(&sessions->unfinished);
    sessions->unfinished_count = 0;
    attempts_init(&sessions->attempts, segment->secret);
    list_init(&sessions->live);
    list_init(&sessions->unrecorded);
    sessions->unrecorded_count = 0;
    list_init(&sessions->ended);
    list_init(&sessions->routes);
    task_init(&sessions->reap, sessions_reap);
    sessions->count = 0;
    sessions->budget = budget.sessions;
    sessions->changed = changed;
}

/* CONNECTs that stand are registered when a rule first asks for them; when none
   asks any more, those that are registered are still unregistered at their
   end. */
static void
sessions_want_registry(struct sessions *sessions, bool wanted)
{
    if (wanted && !sessions->live_link.wanted) {
        list_each_safe (at, after, &sessions->live) {
            session_register(container_of(at, struct session, link));
        }
    }
    sessions->live_link.wanted = wanted;
}

void
sessions_reconfigure(struct sessions *sessions, struct config *config)
{
    struct config_budget budget = config_budget(config);

    rule_copies_set(&sessions->rule_copies, config);
    parents_set(&sessions->parents, config);
    sessions_keep_former(sessions);
    config_ref(config);
    config_unref(sessions->config);
    sessions_sweep_former(sessions, false);
    sessions->config = config;
    sessions->associations.version++;
    sessions->associations.resolve_ms = config->timeouts.resolve_ms;
    sessions->associations.in_max = budget.buffer_in;
    sessions->budget = budget.sessions;
    relay_pool_set(&sessions->pool, config->splice, &budget);
    limits_set(&sessions->limits, config);
    sessions_want_registry(sessions, sessions_need_registry(config));
}

int
sessions_make_tls(const struct sessions *sessions, const struct config *config,
                  const struct tls_files *files, struct tls_context **contexts)
{
    static const struct tls_files none;
    bool good = true;

    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        const struct config_tls *options = config_tls_at(config, i);
        contexts[i] = options == NULL
                          ? NULL
                          : tls_context_new(options, files ? files : &none,
                                            (uint32_t)i, sessions->tls.signing);
        good &= options == NULL || contexts[i] != NULL;
    }
    for (size_t i = 0; i < CONFIG_TLS_MAX && !good; i++)
        tls_context_free(contexts[i]);
    return good ? 0 : -ENOMEM;
}

void
sessions_take_tls(struct sessions *sessions, struct tls_context **contexts)
{
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        tls_context_free(sessions->tls_contexts[i]);
        sessions->tls_contexts[i] = contexts[i];
    }
}

struct tls_context *
sessions_parent_tls(const struct sessions *sessions,
                    const struct config *config, size_t parent)
{
    if (config == sessions->config)
        return sessions->tls_contexts[CONFIG_LISTENERS_MAX + parent];
    list_each_safe (at, after, &sessions->former) {
        const struct former_tls *former =
            container_of(at, struct former_tls, link);
        if (former->config == config)
            return former->contexts[parent];
    }
    return NULL;
}

void
sessions_fini(struct sessions *sessions)
{
    assert(list_empty(&sessions->unfinished) && list_empty(&sessions->live));
    assert(sessions->attempts.count == 0);
    observed_fini(&sessions->observed);
    parents_fini(&sessions->parents);
    task_cancel(&sessions->reap);
    sessions_reap(&sessions->reap);
    relay_pool_fini(&sessions->pool);
    stream_tls_pool_fini(&sessions->tls);
    sessions_take_tls(sessions, (struct tls_context *[CONFIG_TLS_MAX]){0});
    sessions_sweep_former(sessions, true);
    live_link_fini(&sessions->live_link);
    rule_copies_fini(&sessions->rule_copies);
    config_unref(sessions->config);
}

/* Attempts of the holder that has most of them are ended before unfinished
   requests: one holder's many attempts must not cost new clients their
   sessions. */
bool
sessions_shed(struct sessions *sessions, enum limit limit, struct addr from,
              int source_index)
{
    struct attempts *attempts = &sessions->attempts;
    struct session *attempt = NULL;

    if (limit == LIMIT_SOURCE_PENDING) {
        attempt = attempts_of_source(attempts, from, source_index);
        return attempt != NULL && session_shed(attempt, limit);
    }
    if (limit == LIMIT_PENDING) {
        attempt = attempts_fin_received(attempts);
        if (attempt == NULL &&
            attempts_most(attempts) > sessions->unfinished_count)
            attempt = attempts_of_most(attempts, from, source_index);
        if (attempt != NULL)
            return session_shed(attempt, limit);
    }
    while (!list_empty(&sessions->unfinished)) {
        struct list *oldest = sessions->unfinished.next;
        if (session_shed(container_of(oldest, struct session, link), limit))
            return true;
    }
    return false;
}

/* How many stalled sessions are reset at once. */
#define SHED_STALLED 64

/* Of whom the backlog is: an entry of the table of sources; sessions without
   one are counted together, in the last place. */
static size_t
sessions_source(const struct backlog_entry *entry)
{
    struct session *session = container_of(entry->relay, struct session, relay);

    return session->source_index >= 0 ? (size_t)session->source_index
                                      : SEGMENT_SOURCES;
}

/* Whether it holds octets, and has moved none since they were counted. */
static bool
sessions_is_stalled(const struct backlog_entry *entry)
{
    const struct relay_half *half = entry->relay->half;

    return entry->octets > 0 &&
           entry->moved[RELAY_UP] == half[RELAY_UP].moved &&
           entry->moved[RELAY_DOWN] == half[RELAY_DOWN].moved;
}

/* NULL: none stalls. */
static struct backlog_entry *
sessions_most_stalled(const struct backlog *backlog, const uint64_t *sums)
{
    struct backlog_entry *most = NULL;

    list_each_safe (at, after, &backlog->entries) {
        struct backlog_entry *entry =
            container_of(at, struct backlog_entry, link);
        if (!sessions_is_stalled(entry))
            continue;
        uint64_t sum = sums[sessions_source(entry)];
        uint64_t most_sum = most != NULL ? sums[sessions_source(most)] : 0;
        if (sum > most_sum ||
            (sum == most_sum && most != NULL && entry->octets > most->octets))
            most = entry;
    }
    return most;
}

/* Resets stalled sessions until their backlog fits: of the source that has most
   of it, the one that has most. */
static void
sessions_shed_stalled(struct backlog *backlog)
{
    uint64_t *sums = calloc(SEGMENT_SOURCES + 1, sizeof(*sums));

    if (sums == NULL)
        return; /* the next look tries again */
    list_each_safe (at, after, &backlog->entries) {
        struct backlog_entry *entry =
            container_of(at, struct backlog_entry, link);
        if (sessions_is_stalled(entry))
            sums[sessions_source(entry)] += entry->octets;
    }
    for (int i = 0; i < SHED_STALLED && backlog->octets > backlog->max; i++) {
        struct backlog_entry *most = sessions_most_stalled(backlog, sums);
        if (most == NULL)
            break;
        sums[sessions_source(most)] -= most->octets;
        session_shed_stalled(container_of(most->relay, struct session, relay));
    }
    free(sums);
}

void
sessions_say_no_splice(struct sessions *sessions)
{
    struct log_line line;

    record_begin(sessions->records, &line, "splice_failed", LOG_LEVEL_WARNING);
    log_number(&line, "worker", sessions->slot);
    log_text(&line, "error", strerror(-sessions->pool.splice_error));
    log_text(&line, "message",
             "the kernel or a system call filter refuses splice(2): this "
             "worker copies all traffic instead, which takes more processor "
             "time for bulk transfers");
    record_say(sessions->records, &line);
}

/* Tried again so often that one line a minute is enough. */
#define SAY_NO_ACCEPT_MS 60000

void
sessions_say_no_accept(struct sessions *sessions, const char *listener,
                       int error)
{
    struct log_line line;
    uint64_t now_ms = loop_now_ms(sessions->loop);

    if (error == sessions->accept_error && now_ms < sessions->accept_say_ms)
        return;
    sessions->accept_error = error;
    sessions->accept_say_ms = now_ms + SAY_NO_ACCEPT_MS;
    record_begin(sessions->records, &line, "accept_failed", LOG_LEVEL_ERROR);
    log_number(&line, "worker", sessions->slot);
    log_text(&line, "listener", listener);
    log_text(&line, "error", strerror(-error));
    log_text(&line, "message",
             error == -EPERM || error == -EACCES || error == -ENOSYS
                 ? "a system call filter or a security module refuses "
                   "accept4(2): let the gateway make it; clients wait"
                 : "the kernel refuses accept4(2); clients wait, and the "
                   "worker tries again");
    record_say(sessions->records, &line);
}

void
sessions_stop(struct sessions *sessions)
{
    list_each_safe (at, after, &sessions->unfinished) {
        session_stop(container_of(at, struct session, link));
    }
    while (sessions->attempts.count > 0)
        session_stop(attempts_any(&sessions->attempts));
    list_each_safe (at, after, &sessions->live) {
        session_stop(container_of(at, struct session, link));
    }
}

void
sessions_add(struct sessions *sessions, struct session *session)
{
    list_append(&sessions->unfinished, &session->link);
    sessions->unfinished_count++;
    sessions->count++;
}

void
sessions_move(struct sessions *sessions, struct session *session, bool pending)
{
    bool unfinished = session_is_unfinished(session);

    if (unfinished || !pending)
        sessions_leave(sessions, &session->link);
    if (unfinished) {
        sessions->unfinished_count--;
        list_remove(&session->link);
    } else if (!pending) {
        attempts_remove(&sessions->attempts, session);
    }
    if (unfinished && pending)
        attempts_add(&sessions->attempts, session,
                     stream_is(&session->relay.client, STREAM_ENDING));
    else if (!pending)
        list_append(&sessions->live, &session->link);
}

static void
sessions_free_later(struct sessions *sessions, struct list *link)
{
    list_remove(link);
    list_append(&sessions->ended, link);
    loop_defer(sessions->loop, &sessions->reap);
}

void
sessions_free_route_later(struct sessions *sessions, struct route *route)
{
    list_append(&sessions->routes, &route->link);
    loop_defer(sessions->loop, &sessions->reap);
}

bool
sessions_count_beside(struct sessions *sessions)
{
    if (sessions->count + sessions->besides >= sessions->budget)
        return false;
    sessions->besides++;
    return true;
}

void
sessions_uncount_beside(struct sessions *sessions)
{
    sessions->besides--;
    sessions->changed(sessions);
}

void
sessions_close(struct sessions *sessions, struct list *link, bool recorded)
{
    sessions_leave(sessions, link);
    if (!recorded && sessions->unrecorded_count < sessions->budget) {
        list_remove(link);
        list_append(&sessions->unrecorded, link);
        sessions->unrecorded_count++;
    } else {
        if (!recorded)
            segment_count(sessions->column, SEGMENT_COUNTER_dropped, 1);
        sessions_free_later(sessions, link);
    }
    sessions->count--;
    sessions->changed(sessions);
}

void
sessions_write_records(struct sessions *sessions)
{
    while (!list_empty(&sessions->unrecorded)) {
        struct session *session =
            container_of(sessions->unrecorded.next, struct session, link);
        if (!session_record(session, false))
            return;
        sessions_free_later(sessions, &session->link);
        sessions->unrecorded_count--;
    }
}

void
sessions_drop_records(struct sessions *sessions)
{
    while (!list_empty(&sessions->unrecorded)) {
        sessions_free_later(sessions, sessions->unrecorded.next);
        sessions->unrecorded_count--;
        segment_count(sessions->column, SEGMENT_COUNTER_dropped, 1);
    }
}

/* ---- A walk over all of them ---- */

/* Unfinished requests, then the lists of the attempts, then all others: the
   order in which a session passes them. */
#define PLACES (1 + ATTEMPTS_LISTS + 1)

/* NULL: it is not in use. */
static struct list *
sessions_place(struct sessions *sessions, size_t place)
{
    if (place == 0)
        return &sessions->unfinished;
    if (place == PLACES - 1)
        return &sessions->live;
    return attempts_list(&sessions->attempts, place - 1);
}

void
sessions_walk_start(struct sessions *sessions, struct sessions_walk *walk,
                    bool forward)
{
    *walk = (struct sessions_walk){.forward = forward};
    list_init(&walk->link);
    list_append(&sessions->walks, &walk->link);
}

struct session *
sessions_walk_next(struct sessions *sessions, struct sessions_walk *walk)
{
    while (walk->at == walk->head) { /* both NULL at the beginning */
        if (walk->place == PLACES)
            return NULL;
        size_t place = walk->forward ? walk->place : PLACES - 1 - walk->place;
        walk->place++;
        walk->head = sessions_place(sessions, place);
        walk->at = walk->head != NULL ? walk->head->next : NULL;
    }
    struct list *link = walk->at;
    walk->at = link->next;
    return container_of(link, struct session, link);
}

void
sessions_leave(struct sessions *sessions, struct list *link)
{
    list_each_safe (at, after, &sessions->walks) {
        struct sessions_walk *walk =
            container_of(at, struct sessions_walk, link);
        if (walk->at == link)
            walk->at = link->next;
    }
}
