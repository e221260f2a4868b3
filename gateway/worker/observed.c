#include "gateway/worker/observed.h"

#include <errno.h>
#include <string.h>

#include "gateway/worker/session.h"

/* Sessions looked at, and ended, in a turn of the loop. */
#define OBSERVED_SLICE 256
#define OBSERVED_KILLS 32

/* A trace writes no more lines than that in a second. */
#define OBSERVED_TRACE_LINES 1000
#define OBSERVED_TRACE_S_MAX 3600

_Static_assert(sizeof(struct observer_ask) <= PEER_LINK_ANSWER_MAX,
               "a link has room for it");

static struct sessions *
observed_sessions(struct observed *observed)
{
    return container_of(observed, struct sessions, observed);
}

/* --- which sessions ------------------------------------------------------ */

static bool
observed_is_within(struct addr addr, struct addr first, struct addr last)
{
    return addr_cmp(first, addr) <= 0 && addr_cmp(addr, last) <= 0;
}

static bool
observed_is_name(const struct observer_name *name, const char *text)
{
    return text != NULL && strlen(text) == name->len &&
           memcmp(text, name->octets, name->len) == 0;
}

/* Exact; with a * behind it the beginning; with a dot before it, where
   `suffix`, the end. */
static bool
observed_is_like(const struct observer_text *text, const char *octets,
                 size_t len, bool suffix)
{
    size_t size = text->len;
    if (size > 0 && text->octets[size - 1] == '*')
        return len >= size - 1 && memcmp(octets, text->octets, size - 1) == 0;
    if (suffix && size > 1 && text->octets[0] == '.')
        return len > size &&
               memcmp(octets + len - size, text->octets, size) == 0;
    return len == size && memcmp(octets, text->octets, size) == 0;
}

static bool
observed_has_certificate(const struct observer_text *text,
                         const struct session *session)
{
    const struct certificate *certificate = session_certificate(session);
    for (size_t i = 0; certificate != NULL && i < certificate->count; i++)
        if (observed_is_like(text, certificate->names[i].at,
                             certificate->names[i].len, true))
            return true;
    return false;
}

static bool
observed_has_id(const struct observer_filter *filter, uint64_t id)
{
    unsigned first = 0, end = filter->id_count;
    while (first < end) {
        unsigned middle = (first + end) / 2;
        if (filter->ids[middle] == id)
            return true;
        if (filter->ids[middle] < id)
            first = middle + 1;
        else
            end = middle;
    }
    return false;
}

static uint64_t
observed_age_ms(const struct session *session)
{
    uint64_t now_us = sessions_of(session)->loop->now_us;
    return session->total_ms + (now_us - session->phase_us) / 1000;
}

/* Whether the filter means this session. */
static bool
observed_matches(const struct observer_filter *filter,
                 const struct session *session)
{
    const struct request *request = &session->request;
    const struct relay_half *half = session->relay.half;
    uint32_t terms = filter->terms;

    if ((terms & OBSERVER_IDS) && !observed_has_id(filter, session->id))
        return false;
    if ((terms & OBSERVER_CLIENT) &&
        !observed_is_within(session->client, filter->client_first,
                            filter->client_last))
        return false;
    if ((terms & OBSERVER_DEST) &&
        (!request->understood ||
         !observed_is_within(request->to, filter->dest_first,
                             filter->dest_last)))
        return false;
    if ((terms & OBSERVER_PORT) &&
        (!request->understood || request->port != filter->port))
        return false;
    if ((terms & OBSERVER_VERSION) &&
        !(filter->versions >> request->version & 1))
        return false;
    if ((terms & OBSERVER_STATE) &&
        !observed_is_name(&filter->state, session_state_name(session)))
        return false;
    if ((terms & OBSERVER_OLDER) &&
        observed_age_ms(session) <= filter->older_ms)
        return false;
    if ((terms & OBSERVER_UP) && half[RELAY_UP].moved <= filter->up)
        return false;
    if ((terms & OBSERVER_DOWN) && half[RELAY_DOWN].moved <= filter->down)
        return false;
    if ((terms & OBSERVER_RULE) &&
        !observed_is_name(&filter->rule,
                          session->rule != NULL ? session->rule->name : NULL))
        return false;
    if ((terms & OBSERVER_LISTENER) &&
        !observed_is_name(&filter->listener, session->listener->text))
        return false;
    if ((terms & OBSERVER_USERID) &&
        (!request->understood ||
         !observed_is_like(&filter->userid, request->userid,
                           request->userid_len, false)))
        return false;
    return !(terms & OBSERVER_CERTIFICATE) ||
           observed_has_certificate(&filter->certificate, session);
}

/* --- rows ---------------------------------------------------------------- */

static void
observed_put_name(struct observer_name *name, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;
    name->len = (uint8_t)(len < OBSERVER_NAME_MAX ? len : OBSERVER_NAME_MAX);
    memcpy(name->octets, text != NULL ? text : "", name->len);
}

static void
observed_put_text(struct observer_text *text, const char *octets, size_t len)
{
    text->whole = (uint16_t)len;
    text->len = (uint8_t)(len < OBSERVER_TEXT_MAX ? len : OBSERVER_TEXT_MAX);
    if (text->len > 0)
        memcpy(text->octets, octets, text->len);
}

static void
observed_put_endpoint(struct endpoint *to, const struct endpoint *from)
{
    if (from != NULL)
        *to = *from;
}

static void
observed_put_record(struct observer_row *row, const struct record *record)
{
    row->id = record->id;
    row->up = record->up;
    row->down = record->down;
    row->client = record->client;
    observed_put_endpoint(&row->dest, record->dest);
    observed_put_endpoint(&row->proxy, record->proxy);
    observed_put_endpoint(&row->local, record->local);
    observed_put_endpoint(&row->peer, record->peer);
    memcpy(row->ms, record->ms, sizeof(row->ms));
    row->code = record->code;
    observed_put_name(&row->listener, record->listener);
    observed_put_name(&row->command, record->command);
    observed_put_name(&row->rule, record->rule);
    observed_put_name(&row->verdict, record->verdict);
    observed_put_name(&row->ended_by, record->ended_by);
    observed_put_name(&row->end, record->end);
    observed_put_name(&row->version, record->version);
    observed_put_name(&row->tls, record->tls);
    observed_put_name(&row->via, record->via);
    observed_put_text(&row->userid, record->userid, record->userid_len);
    observed_put_text(&row->name, record->name, record->name_len);
    observed_put_text(&row->ident, record->ident, record->ident_len);
    if (record->certificate != NULL)
        observed_put_text(&row->certificate, record->certificate->at,
                          record->certificate->len);
    if (record->hint != NULL)
        observed_put_text(&row->hint, record->hint, strlen(record->hint));
}

/* Of a live session there is no verdict before it is granted, and no end. */
static void
observed_fill_row(struct observer_row *row, struct session *session)
{
    struct session_description description;
    bool ended = session->state == SESSION_END;
    session_describe(session, !ended, &description);
    struct record *record = &description.record;
    if (!ended)
        record->ended_by = record->end = record->hint = NULL;
    if (!ended && !session->request.granted && session->state != SESSION_REFUSE)
        record->verdict = NULL;
    memset(row, 0, sizeof(*row));
    observed_put_record(row, record);
    observed_put_name(&row->state, session_state_name(session));
    row->age_ms = observed_age_ms(session);
}

/* --- top ----------------------------------------------------------------- */

static void
observed_put_octets(struct observer_name *key, const char *octets, size_t len)
{
    key->len = (uint8_t)(len < OBSERVER_NAME_MAX ? len : OBSERVER_NAME_MAX);
    if (key->len > 0)
        memcpy(key->octets, octets, key->len);
}

/* Where the client has named its destination, by that name. */
static void
observed_put_dest(struct observer_name *key, const struct session *session)
{
    const struct request *request = &session->request;
    char text[ADDR_TEXT_MAX];
    if (request_name(request) != NULL)
        observed_put_octets(key, request_name(request), request->name_len);
    else if (request->understood)
        observed_put_name(key, addr_format(request->to, text));
}

static void
observed_put_key(struct observer_name *key, enum observer_by by,
                 const struct session *session)
{
    const struct request *request = &session->request;
    const struct certificate *certificate = session_certificate(session);
    char text[ADDR_TEXT_MAX];
    switch (by) {
    case OBSERVER_BY_CLIENT:
        observed_put_name(key, addr_format(session->client, text));
        break;
    case OBSERVER_BY_DEST:
        observed_put_dest(key, session);
        break;
    case OBSERVER_BY_RULE:
        observed_put_name(key,
                          session->rule != NULL ? session->rule->name : NULL);
        break;
    case OBSERVER_BY_USERID:
        observed_put_octets(key, request->userid, request->userid_len);
        break;
    case OBSERVER_BY_CERTIFICATE:
        if (certificate != NULL && certificate->count > 0)
            observed_put_octets(key,
                                certificate->names[certificate->matched].at,
                                certificate->names[certificate->matched].len);
        break;
    case OBSERVER_BY_COUNT:
        break;
    }
}

static void
observed_add_entry(struct observed *observed, const struct observed_ask *ask,
                   const struct session *session)
{
    struct observer_top *top = &observed->reply.top;
    struct observer_entry *entry = &top->entries[top->count++];
    memset(entry, 0, sizeof(*entry));
    entry->id = session->id;
    entry->up = session->relay.half[RELAY_UP].moved;
    entry->down = session->relay.half[RELAY_DOWN].moved;
    observed_put_key(&entry->key, (enum observer_by)ask->by, session);
}

/* --- replies ------------------------------------------------------------- */

/* False: it waits in `reply`. A link that is gone takes everything. */
static bool
observed_send(struct observed *observed)
{
    observed->waits = peer_link_send(&observed->link, &observed->reply,
                                     sizeof(observed->reply)) == -EAGAIN;
    return !observed->waits;
}

static void
observed_begin_reply(struct observed *observed, uint32_t kind, uint32_t id)
{
    observed->reply.kind = kind;
    observed->reply.id = id;
    observed->reply.dropped = 0;
}

static bool
observed_send_end(struct observed *observed, uint32_t id, uint64_t matched,
                  bool refused)
{
    observed_begin_reply(observed, OBSERVER_END, id);
    observed->reply.end =
        (struct observer_end){.matched = matched, .refused = refused};
    return observed_send(observed);
}

/* --- asks ---------------------------------------------------------------- */

static void
observed_free_ask(struct observed_ask *ask)
{
    if (ask->kind == 0)
        return;
    list_remove(&ask->walk.link);
    ask->kind = 0;
}

/* One that matches. False: no more in this turn. */
static bool
observed_visit(struct observed *observed, struct observed_ask *ask,
               struct session *session)
{
    if (ask->kind == OBSERVER_KILL) {
        ask->matched += session_kill(session);
        return true;
    }
    ask->matched++;
    if (ask->kind == OBSERVER_TOP) {
        observed_add_entry(observed, ask, session);
        if (observed->reply.top.count < OBSERVER_ENTRIES_MAX)
            return true;
        bool sent = observed_send(observed);
        observed->reply.top.count = sent ? 0 : observed->reply.top.count;
        return sent;
    }
    if (ask->left == 0)
        return true;
    ask->left--;
    observed_begin_reply(observed, OBSERVER_ROW, ask->id);
    observed_fill_row(&observed->reply.row, session);
    return observed_send(observed);
}

/* A slice of its sessions; at the end what it came to. */
static void
observed_serve(struct observed *observed, struct observed_ask *ask)
{
    struct sessions *sessions = observed_sessions(observed);
    struct session *session = NULL;
    int slice = ask->kind == OBSERVER_KILL ? OBSERVED_KILLS : OBSERVED_SLICE;

    if (ask->kind == OBSERVER_TOP) {
        observed_begin_reply(observed, OBSERVER_ENTRIES, ask->id);
        observed->reply.top.count = 0;
    }
    for (int i = 0; i < slice && !ask->walked; i++) {
        session = sessions_walk_next(sessions, &ask->walk);
        ask->walked = session == NULL;
        if (session != NULL && observed_matches(&ask->filter, session) &&
            !observed_visit(observed, ask, session))
            return;
    }
    if (ask->kind == OBSERVER_TOP && observed->reply.top.count > 0 &&
        !observed_send(observed))
        return;
    if (ask->walked) {
        observed_send_end(observed, ask->id, ask->matched, false);
        observed_free_ask(ask);
    }
}

/* One ask in a turn, in turn. */
static void
observed_work(struct task *task)
{
    struct observed *observed = container_of(task, struct observed, work);
    if (observed->waits)
        return; /* observed_flush goes on */
    for (unsigned i = 0; i < OBSERVER_ASKS_MAX; i++) {
        struct observed_ask *ask =
            &observed->asks[observed->next++ % OBSERVER_ASKS_MAX];
        if (ask->kind == 0)
            continue;
        observed_serve(observed, ask);
        loop_defer(observed->loop, &observed->work);
        return;
    }
}

static void
observed_begin_ask(struct observed *observed,
                   const struct observer_ask *message)
{
    for (unsigned i = 0; i < OBSERVER_ASKS_MAX; i++) {
        struct observed_ask *ask = &observed->asks[i];
        if (ask->kind != 0)
            continue;
        ask->kind = message->kind;
        ask->id = message->id;
        ask->left = message->count < OBSERVER_ROWS_MAX ? message->count
                                                       : OBSERVER_ROWS_MAX;
        ask->by = message->count;
        ask->matched = 0;
        ask->walked = false;
        ask->filter = message->filter;
        sessions_walk_start(observed_sessions(observed), &ask->walk,
                            message->kind == OBSERVER_KILL);
        loop_defer(observed->loop, &observed->work);
        return;
    }
    if (!observed->waits)
        observed_send_end(observed, message->id, 0, true);
}

/* --- follow -------------------------------------------------------------- */

static void
observed_begin_follow(struct observed *observed,
                      const struct observer_ask *message)
{
    for (unsigned i = 0; i < OBSERVER_FOLLOWS_MAX; i++) {
        struct observed_follow *follow = &observed->follows[i];
        if (follow->id != 0)
            continue;
        *follow = (struct observed_follow){.id = message->id,
                                           .ends = message->count == 1,
                                           .filter = message->filter};
        observed->follow_count++;
        return;
    }
    if (!observed->waits)
        observed_send_end(observed, message->id, 0, true);
}

static void
observed_cancel(struct observed *observed, uint32_t id)
{
    for (unsigned i = 0; i < OBSERVER_ASKS_MAX; i++)
        if (observed->asks[i].id == id)
            observed_free_ask(&observed->asks[i]);
    for (unsigned i = 0; i < OBSERVER_FOLLOWS_MAX; i++)
        if (observed->follows[i].id == id && id != 0) {
            observed->follows[i].id = 0;
            observed->follow_count--;
        }
}

void
observed_report(struct observed *observed, struct session *session, bool begins)
{
    for (unsigned i = 0; i < OBSERVER_FOLLOWS_MAX; i++) {
        struct observed_follow *follow = &observed->follows[i];
        struct observer_reply reply;
        if (follow->id == 0 || (begins && follow->ends) ||
            !observed_matches(&follow->filter, session))
            continue;
        if (observed->waits) {
            follow->dropped++;
            continue;
        }
        reply.kind = begins ? OBSERVER_BEGAN : OBSERVER_ENDED;
        reply.id = follow->id;
        reply.dropped = follow->dropped;
        observed_fill_row(&reply.row, session);
        if (peer_link_send(&observed->link, &reply, sizeof(reply)) == -EAGAIN)
            follow->dropped++;
    }
}

/* --- trace --------------------------------------------------------------- */

static void
observed_end_trace(struct timer *timer)
{
    struct observed_trace *trace =
        container_of(timer, struct observed_trace, end);
    trace->observed->trace_count--;
    trace->observed = NULL;
}

static void
observed_begin_trace(struct observed *observed,
                     const struct observer_ask *message)
{
    uint32_t seconds = message->count < OBSERVED_TRACE_S_MAX
                           ? message->count
                           : OBSERVED_TRACE_S_MAX;
    bool refused = true;
    for (unsigned i = 0; i < OBSERVER_TRACES_MAX && refused; i++) {
        struct observed_trace *trace = &observed->traces[i];
        if (trace->observed != NULL)
            continue;
        refused = false;
        trace->observed = observed;
        trace->filter = message->filter;
        trace->dropped = 0;
        observed->trace_count++;
        loop_start_timer(observed->loop, &trace->end, (uint64_t)seconds * 1000);
    }
    if (!observed->waits)
        observed_send_end(observed, message->id, 0, refused);
}

static void
observed_write_step(struct observed_trace *trace, struct session *session,
                    const char *left)
{
    struct sessions *sessions = sessions_of(session);
    uint64_t second = loop_now_ms(sessions->loop) / 1000;
    if (trace->second != second)
        trace->lines = 0;
    trace->second = second;
    if (trace->lines++ >= OBSERVED_TRACE_LINES ||
        !session_write_step(session, left, trace->dropped))
        trace->dropped++;
    else
        trace->dropped = 0;
}

/* One line, however many traces want it; none while there is no observer, and
   then they end (observed_forget). */
void
observed_trace(struct observed *observed, struct session *session,
               const char *left)
{
    if (observed->link.watch.fd == -1)
        return;
    for (unsigned i = 0; i < OBSERVER_TRACES_MAX; i++) {
        struct observed_trace *trace = &observed->traces[i];
        if (trace->observed == NULL ||
            !observed_matches(&trace->filter, session))
            continue;
        observed_write_step(trace, session, left);
        return;
    }
}

/* --- the link ------------------------------------------------------------ */

static struct observed *
observed_of(struct peer_link *link)
{
    return container_of(link, struct observed, link);
}

/* Whatever it says: lengths are made to fit. */
static void
observed_sanitize(struct observer_filter *filter)
{
    struct observer_name *names[] = {&filter->rule, &filter->listener,
                                     &filter->state};
    for (size_t i = 0; i < 3; i++)
        if (names[i]->len > OBSERVER_NAME_MAX)
            names[i]->len = OBSERVER_NAME_MAX;
    if (filter->id_count > OBSERVER_IDS_MAX)
        filter->id_count = OBSERVER_IDS_MAX;
}

static void
observed_receive(struct peer_link *link, const void *message)
{
    struct observed *observed = observed_of(link);
    struct observer_ask ask = *(const struct observer_ask *)message;
    observed_sanitize(&ask.filter);
    switch (ask.kind) {
    case OBSERVER_TOP:
    case OBSERVER_LIST:
    case OBSERVER_KILL:
        observed_begin_ask(observed, &ask);
        break;
    case OBSERVER_FOLLOW:
        observed_begin_follow(observed, &ask);
        break;
    case OBSERVER_TRACE:
        observed_begin_trace(observed, &ask);
        break;
    case OBSERVER_CANCEL:
        observed_cancel(observed, ask.id);
        break;
    default: /* not for a worker */
        break;
    }
}

static void
observed_flush(struct peer_link *link)
{
    struct observed *observed = observed_of(link);
    if (observed->waits && observed_send(observed))
        loop_defer(observed->loop, &observed->work);
}

/* Another observer knows nothing of what was asked, nor has anybody to stop a
   trace: one that was taken over would leave an hour of lines behind, and both
   places taken. */
static void
observed_forget(struct peer_link *link)
{
    struct observed *observed = observed_of(link);
    for (unsigned i = 0; i < OBSERVER_ASKS_MAX; i++)
        observed_free_ask(&observed->asks[i]);
    for (unsigned i = 0; i < OBSERVER_FOLLOWS_MAX; i++)
        observed->follows[i].id = 0;
    for (unsigned i = 0; i < OBSERVER_TRACES_MAX; i++) {
        loop_cancel_timer(observed->loop, &observed->traces[i].end);
        observed->traces[i].observed = NULL;
    }
    observed->follow_count = observed->trace_count = 0;
    observed->waits = false;
}

static const struct peer_link_ops observed_ops = {
    .answer_size = sizeof(struct observer_ask),
    .receive = observed_receive,
    .flush = observed_flush,
    .resend = observed_forget,
};

void
observed_init(struct observed *observed, struct loop *loop)
{
    memset(observed, 0, sizeof(*observed));
    observed->loop = loop;
    peer_link_init(&observed->link, loop, CHANNEL_PEER_OBSERVER, &observed_ops);
    task_init(&observed->work, observed_work);
    for (unsigned i = 0; i < OBSERVER_ASKS_MAX; i++)
        list_init(&observed->asks[i].walk.link);
    for (unsigned i = 0; i < OBSERVER_TRACES_MAX; i++)
        timer_init(&observed->traces[i].end, observed_end_trace);
}

void
observed_fini(struct observed *observed)
{
    observed_forget(&observed->link);
    task_cancel(&observed->work);
}
