/* What holds after every scenario, whatever happened in it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/session.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/play.h"

/* Octets a direction may keep in user memory and in a pipe. */
#define HELD_MAX (65536 + 262144)

static uint64_t
counter(const struct play *play, enum segment_counter which)
{
    return play->segment->columns[0].counters[which];
}

static bool
check_gauges(struct play *play)
{
    static const char *const names[] = {
#define X(name, help) #name,
        SEGMENT_GAUGES(X)
#undef X
    };

    for (size_t i = 0; i < SEGMENT_GAUGE_COUNT; i++) {
        long long left = (long long)play->segment->columns[0].gauges[i];
        if (left != 0)
            return play_fail(play, "the gauge '%s' is left at %lld", names[i],
                             left);
    }
    return true;
}

/* Those of the configuration, as long as it accepts; none of a BIND. */
static unsigned
listeners_meant(const struct play *play)
{
    unsigned count = 0;

    if (play->working)
        for (size_t i = 0; i < play->worker.listener_count; i++)
            count += play->worker.listeners[i]->fd >= 0;
    return count;
}

bool
law_nothing_open(struct play *play)
{
    char kinds[400];

    if (sim_open(kinds, sizeof(kinds)) > 0)
        return play_fail(play, "left open: %s", kinds);
    if (sim_listeners() != listeners_meant(play))
        return play_fail(play, "%u listening sockets are open, not %u",
                         sim_listeners(), listeners_meant(play));
    if (!play->worker.loop.stopped &&
        timer_next_ms(&play->worker.loop.timers) != UINT64_MAX)
        return play_fail(play, "a timer is left running");
    return check_gauges(play);
}

/* --- Accounts --- */

/* Whether each session has a line. */
static bool
all_are_written(const struct play *play)
{
    const struct policy *policy = &play->config->policy;
    bool all = play->config->log.level >= LOG_LEVEL_INFO;

    for (size_t i = 0; i < policy->rule_count; i++) {
        unsigned level = policy->rules[i].log.level;
        all &= level == 0 || level > LOG_LEVEL_INFO;
    }
    return all;
}

static bool
check_accounts(struct play *play)
{
    uint64_t accepted = counter(play, SEGMENT_COUNTER_accepted) -
                        counter(play, SEGMENT_COUNTER_limited);
    uint64_t decided = counter(play, SEGMENT_COUNTER_granted) +
                       counter(play, SEGMENT_COUNTER_refused) +
                       counter(play, SEGMENT_COUNTER_early);
    uint64_t told = counter(play, SEGMENT_COUNTER_records) +
                    counter(play, SEGMENT_COUNTER_dropped) +
                    counter(play, SEGMENT_COUNTER_quiet) +
                    counter(play, SEGMENT_COUNTER_suppressed);

    if (accepted != decided)
        return play_fail(play,
                         "accepted %llu within the limits, but granted, "
                         "refused and early are %llu",
                         (unsigned long long)accepted,
                         (unsigned long long)decided);
    if (all_are_written(play) && told != accepted)
        return play_fail(play, "%llu sessions, but %llu records",
                         (unsigned long long)accepted,
                         (unsigned long long)told);
    return true;
}

static uint64_t
sum_of(const struct play *play, const char *key)
{
    uint64_t sum = 0;
    char value[64];

    for (size_t i = 0; i < play->record_count; i++)
        if (record_value(play->records[i], key, value, sizeof(value)))
            sum += strtoull(value, NULL, 10);
    return sum;
}

/* The records that were written are there, and say what was counted. */
static bool
check_records(struct play *play)
{
    play_collect_records(play);
    if (play->record_count != counter(play, SEGMENT_COUNTER_records))
        return play_fail(
            play, "%zu records arrived, %llu were counted", play->record_count,
            (unsigned long long)counter(play, SEGMENT_COUNTER_records));
    if (counter(play, SEGMENT_COUNTER_dropped) > 0 || !all_are_written(play))
        return true;
    if (!play->faulty && !play->spoilt &&
        play_complaints(play, NULL) != counter(play, SEGMENT_COUNTER_limited) +
                                           counter(play, SEGMENT_COUNTER_shed))
        return play_fail(play, "the log tells of %llu that met a limit",
                         (unsigned long long)play_complaints(play, NULL));
    if (!play->faulty && !play->spoilt &&
        play_suppressed(play) != counter(play, SEGMENT_COUNTER_suppressed))
        return play_fail(play, "the log tells of %llu refusals without records",
                         (unsigned long long)play_suppressed(play));
    if (sum_of(play, "up") != counter(play, SEGMENT_COUNTER_up) ||
        sum_of(play, "down") != counter(play, SEGMENT_COUNTER_down))
        return play_fail(play, "octets in records and counters differ");
    return true;
}

/* --- Octets --- */

/* What the reader has is what the writer sent: all of it where the reader
   saw an end, else the beginning of it. */
static bool
check_direction(struct play *play, const struct actor *from, size_t from_skip,
                const struct actor *to, size_t to_skip)
{
    const uint8_t *sent = octets_from(&from->sent, from_skip);
    const uint8_t *got = octets_from(&to->received, to_skip);
    size_t sent_len, got_len;

    if (to->received.len <= to_skip)
        return true;
    sent_len = from->sent.len - from_skip;
    got_len = to->received.len - to_skip;
    if (got_len > sent_len || memcmp(sent, got, got_len) != 0)
        return play_fail(play, "%s received what %s has not sent", to->name,
                         from->name);
    return true;
}

/* An end of stream that is clean although the writer's was not, or that
   came too early. */
static bool
check_end(struct play *play, const struct actor *from, size_t from_skip,
          const struct actor *to, size_t to_skip)
{
    size_t got = to->received.len > to_skip ? to->received.len - to_skip : 0;

    if (to->sock != NULL && sim_sock_met_fin(to->sock) && !from->ended &&
        (!from->left || from->broke))
        return play_fail(play, "%s was sent a FIN, but %s never sent one",
                         to->name, from->name);
    if (!to->saw_end || to->saw_reset || to->left)
        return true;
    if (!from->ended && !from->left)
        return play_fail(play, "%s saw an end that %s never sent", to->name,
                         from->name);
    if (from->cut)
        return play_fail(play, "%s saw a clean end, but %s was cut short",
                         to->name, from->name);
    if (got != from->sent.len - from_skip)
        return play_fail(play, "%s saw an end after %zu of %zu octets of %s",
                         to->name, got, from->sent.len - from_skip, from->name);
    return true;
}

/* The gateway has cut a session of its own accord: a timer, a limit, a drain
   has. */
static bool
was_cut(const struct play *play)
{
    static const char *const ends[] = {"timeout", "limit", "drain", "error"};
    char value[64];

    for (size_t i = 0; i < play->record_count; i++)
        for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++)
            if (record_value(play->records[i], "end", value, sizeof(value)) &&
                strcmp(value, ends[j]) == 0)
                return true;
    return false;
}

/* What the writer had sent before it broke reached a reader that stayed. */
static bool
check_break(struct play *play, const struct actor *from, size_t from_skip,
            const struct actor *to, size_t to_skip)
{
    size_t got = to->received.len > to_skip ? to->received.len - to_skip : 0;

    if (!from->broke || (to->left && !to->saw_reset) || to->broke ||
        from->pushed < from_skip || play->spoilt || was_cut(play))
        return true;
    if (got != from->pushed - from_skip)
        return play_fail(play,
                         "%s has %zu octets, but %s had sent %zu before it "
                         "broke",
                         to->name, got, from->name, from->pushed - from_skip);
    return to->saw_reset || play_fail(play, "%s does not see that %s broke",
                                      to->name, from->name);
}

/* What a server has received of the gateway itself: of a parent, a request. */
static size_t
server_asked(const struct actor *server)
{
    return (server->parent ? actor_asked_size(server) : 0) + server->met_head;
}

static size_t
server_answered(const struct actor *server)
{
    return server->parent ? actor_answered_size(server) : 0;
}

static bool
check_session(struct play *play, const struct actor *client)
{
    const struct actor *server = client->partner;
    size_t request = actor_request_size(client);
    size_t asked = server != NULL ? server_asked(server) : 0;
    size_t answered = server != NULL ? server_answered(server) : 0;
    size_t reply = actor_reply_size(client);

    if (server == NULL || request == 0 || !actor_is_granted(client))
        return true;
    /* The second reply of a BIND, which follows the first, is a parent's own
       only in its own version. */
    if (server->parent && actor_command(client) == 2 &&
        actor_is_asked_in_5(server) != (client->received.at[0] == 5))
        return true;
    return check_direction(play, client, request, server, asked) &&
           check_direction(play, server, answered, client, reply) &&
           check_end(play, client, request, server, asked) &&
           check_end(play, server, answered, client, reply) &&
           check_break(play, client, request, server, asked) &&
           check_break(play, server, answered, client, reply);
}

/* What clients of other protocols are told, and no more; of HTTP's answer as
   much as a small buffer takes. */
static bool
is_answer_to_other_protocol(const struct actor *client)
{
    static const char http[] = "HTTP/1.1 400 Bad Request\r\n";
    const uint8_t *answer = client->received.at;
    size_t len = client->received.len;

    return (len == 2 && memcmp(answer, "\5\xff", 2) == 0) ||
           (len > sizeof(http) && memcmp(answer, http, sizeof(http) - 1) == 0);
}

/* Of SOCKS5 a choice, or none; what became of a password; a reply, or none. */
static bool
check_reply_5(struct play *play, const struct actor *client)
{
    const uint8_t *received = client->received.at;
    size_t len = client->received.len;
    size_t at = actor_reply_at(client);
    size_t end = actor_reply_size(client);

    if (len == 1 || (received[1] != 0 && received[1] != 2))
        return play_fail(play, "%s received no choice", client->name);
    if (received[1] == 2 && len > 2 &&
        (received[2] != 1 || (len > 3 && received[3] > 1)))
        return play_fail(play, "%s received no status", client->name);
    if (received[1] == 2 && len > 4 && received[3] != 0)
        return play_fail(play, "%s received more than a failure", client->name);
    if (len <= at)
        return true;
    if (received[at] != 5 || (len > at + 1 && received[at + 1] > 8))
        return play_fail(play, "%s received no reply", client->name);
    if (end == 0 && !client->saw_reset && !client->left)
        return play_fail(play, "%s received half a reply", client->name);
    return end == 0 || len == end || received[at + 1] == 0 ||
           play_fail(play, "%s received more than a refusal", client->name);
}

/* Exactly one reply of eight octets; behind a refusal nothing. */
static bool
check_reply(struct play *play, const struct actor *client)
{
    const uint8_t *reply = client->received.at;
    size_t len = client->received.len;

    if (len == 0 || is_answer_to_other_protocol(client))
        return true;
    if (reply[0] == 5)
        return check_reply_5(play, client);
    if (reply[0] != 0 || (len > 1 && (reply[1] < 90 || reply[1] > 93)))
        return play_fail(play, "%s received no reply: %02x %02x ...",
                         client->name, reply[0], len > 1 ? reply[1] : 0);
    if (len < 8 && !client->saw_reset && !client->left)
        return play_fail(play, "%s received half a reply", client->name);
    if (len > 8 && reply[1] != 90)
        return play_fail(play, "%s received more than a refusal", client->name);
    if (!client->tls && client->sock != NULL &&
        sim_sock_first_write(client->sock) != 8)
        return play_fail(play, "the reply to %s was not one write [V4-3.3-1]",
                         client->name);
    return true;
}

static bool
check_actors(struct play *play)
{
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        if (actor->client &&
            (!check_reply(play, actor) || !check_session(play, actor)))
            return false;
    return true;
}

/* --- While it goes on --- */

static bool
check_held_between(struct play *play, const struct actor *from, size_t skip,
                   const struct actor *to, size_t to_skip)
{
    uint64_t read = sim_sock_consumed(from->sock);
    uint64_t written = sim_sock_arrived(to->sock);
    uint64_t held;

    if (from->tls || to->tls)
        return true; /* these are octets of records */
    if (read < skip || written < to_skip)
        return true;
    held = (read - skip) - (written - to_skip);
    return (int64_t)held <= HELD_MAX ||
           play_fail(play, "%llu octets of %s are held",
                     (unsigned long long)held, from->name);
}

/* Bounded memory a direction, however slow the reader. */
bool
law_held(struct play *play)
{
    for (struct actor *client = play->actors; client != NULL;
         client = client->next) {
        struct actor *server = client->partner;
        size_t request = actor_request_size(client);
        size_t reply = actor_reply_size(client);
        if (!client->client || server == NULL || server->sock == NULL ||
            client->sock == NULL || request == 0)
            continue;
        if (reply == 0)
            reply = 8;
        if (!check_held_between(play, client, request, server,
                                server_asked(server)) ||
            !check_held_between(play, server, server_answered(server), client,
                                reply))
            return false;
    }
    return true;
}

static bool
check_misuse(struct play *play)
{
    const char *misuse = sim_misuse();
    return misuse == NULL || play_fail(play, "the worker used %s", misuse);
}

static bool
check_dials(struct play *play)
{
    struct sim_dial dial;
    char text[ENDPOINT_TEXT_MAX];

    if (play->tolerant || !sim_take_dial(&dial))
        return true;
    return play_fail(play, "nobody asked why the gateway connects to %s",
                     endpoint_format(&dial.to, text));
}

bool
law_check(struct play *play)
{
    if (play->failed)
        return false;
    play_advance(play, 5000);
    return !play->failed && check_misuse(play) && check_dials(play) &&
           law_nothing_open(play) && check_accounts(play) &&
           check_records(play) && check_actors(play);
}

/* Its record, or an association, may still need something in it. */
static bool
setup_is_kept(const struct session_setup *setup)
{
    return setup->config == NULL &&
           (setup->bind != NULL || setup->ident != NULL || setup->via != NULL);
}

/* What a session needs before it relays takes no memory while it does. */
bool
law_setup(struct play *play)
{
    if (!play->working)
        return true;
    list_each_safe (at, after, &play->worker.sessions.live) {
        const struct session *session = container_of(at, struct session, link);
        bool relays = session->state == SESSION_RELAY ||
                      session->state == SESSION_HALF_CLOSED ||
                      session->state == SESSION_UDP;
        if (relays && session->setup != NULL && !setup_is_kept(session->setup))
            return play_fail(play, "a session that relays keeps its setup");
    }
    return true;
}
