/* What the gateway does, what befalls its machine, and time. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "gateway/observer/metrics.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/step.h"

/* --- Dialling --- */

/* The newest client that has no server yet. */
static struct actor *
lonely_client(struct play *play)
{
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        if (actor->client && actor->partner == NULL)
            return actor;
    return NULL;
}

static bool
expect_dial(struct play *play, const char *to_text, const char *name,
            struct actor *client)
{
    struct endpoint to;
    struct sim_dial dial;
    struct actor *server;
    char text[ENDPOINT_TEXT_MAX];

    if (!step_endpoint(play, to_text, &to))
        return false;
    if (!sim_take_dial(&dial))
        return play_fail(play, "the gateway connects nowhere");
    if (!addr_equal(dial.to.addr, to.addr) || dial.to.port != to.port)
        return play_fail(play, "the gateway connects to %s",
                         endpoint_format(&dial.to, text));
    server = play_add_actor(play, name, false);
    server->dial = dial;
    server->partner = client;
    server->sock = sim_far_end(dial.id);
    if (client != NULL)
        client->partner = server;
    return true;
}

static bool
connects_to(struct play *play, char *const args[])
{
    return expect_dial(play, args[0], "server", lonely_client(play));
}

static bool
connects_to_as(struct play *play, char *const args[])
{
    return expect_dial(play, args[0], args[1], lonely_client(play));
}

static bool
connects_to_as_for(struct play *play, char *const args[])
{
    struct actor *client = step_actor(play, args[2]);
    return client != NULL && expect_dial(play, args[0], args[1], client);
}

static bool
through_as_for(struct play *play, char *const args[])
{
    if (!connects_to_as_for(play, args))
        return false;
    step_actor(play, args[2])->partner->parent = true;
    return true;
}

static bool
through_as(struct play *play, char *const args[])
{
    struct actor *client = lonely_client(play);

    if (!connects_to_as(play, args))
        return false;
    if (client != NULL)
        client->partner->parent = true;
    return true;
}

/* It asks identd: a dial that is nobody's partner. */
static bool
asks_as(struct play *play, char *const args[])
{
    return expect_dial(play, args[0], args[1], NULL);
}

static bool
connects_nowhere(struct play *play, char *const args[])
{
    struct sim_dial dial;
    char text[ENDPOINT_TEXT_MAX];

    (void)args;
    return !sim_take_dial(&dial) ||
           play_fail(play, "the gateway connects to %s",
                     endpoint_format(&dial.to, text));
}

/* The address the gateway bound to before it dialled. */
static bool
dials_from(struct play *play, char *const args[])
{
    struct actor *server = step_actor(play, args[0]);
    struct addr want;
    char text[ADDR_TEXT_MAX];

    if (server == NULL || addr_parse(args[1], &want) < 0)
        return play_fail(play, "'%s' is no address", args[1]);
    return addr_equal(server->dial.from.addr, want) ||
           play_fail(play, "it comes from %s",
                     addr_format(server->dial.from.addr, text));
}

static struct actor *
asked(struct play *play, const char *name)
{
    struct actor *server = step_actor(play, name);

    if (server != NULL && (server->client || server->dial.id == 0)) {
        play_fail(play, "%s was not asked", name);
        return NULL;
    }
    return server;
}

static bool
accepts(struct play *play, char *const args[])
{
    struct actor *server = asked(play, args[0]);

    if (server == NULL)
        return false;
    server->sock = sim_answer(server->dial.id, 0);
    return server->sock != NULL || play_fail(play, "the gateway has given up");
}

/* Octets that its hello says in answer to the gateway's. */
static bool
accepts_with_tls(struct play *play, char *const args[])
{
    const char *words = args[1] != NULL ? args[1] : "is=gw.example";

    if (!accepts(play, args))
        return false;
    struct actor *server = play_actor(play, args[0]);
    server->tls = true;
    octets_add(&server->hello, words, strlen(words));
    return true;
}

static bool
accepts_with_plain_tls(struct play *play, char *const args[])
{
    return accepts_with_tls(play, (char *[]){args[0], NULL});
}

static bool
answer(struct play *play, const char *name, int error)
{
    struct actor *server = asked(play, name);

    if (server == NULL)
        return false;
    if (sim_given_up(server->dial.id))
        return play_fail(play, "the gateway has given up");
    sim_answer(server->dial.id, error);
    return true;
}

static bool
refuses(struct play *play, char *const args[])
{
    int error;
    return step_errno(play, "ECONNREFUSED", &error) &&
           answer(play, args[0], error);
}

static bool
fails_with(struct play *play, char *const args[])
{
    int error;
    return step_errno(play, args[1], &error) && answer(play, args[0], error);
}

static bool
is_itself(struct play *play, char *const args[])
{
    struct actor *server = asked(play, args[0]);

    if (server == NULL)
        return false;
    return sim_answer_itself(server->dial.id) ||
           play_fail(play, "the gateway has given up");
}

static bool
waits_for(struct play *play, char *const args[])
{
    struct actor *server = asked(play, args[0]);

    if (server == NULL)
        return false;
    return !sim_given_up(server->dial.id) ||
           play_fail(play, "the gateway has given up");
}

static bool
gives_up(struct play *play, char *const args[])
{
    struct actor *server = asked(play, args[0]);

    if (server == NULL)
        return false;
    return sim_given_up(server->dial.id) ||
           play_fail(play, "the gateway still waits for %s", args[0]);
}

static bool
at_once(struct play *play, char *const args[])
{
    struct endpoint to;
    int error = 0;

    if (!step_endpoint(play, args[0], &to))
        return false;
    if (strcmp(args[1], "success") != 0 && !step_errno(play, args[1], &error))
        return false;
    sim_answer_at_once(&to, error);
    return true;
}

/* --- The usual beginning, for scenarios about what follows --- */

static bool
is_relayed(struct play *play, char *const args[])
{
    const char *asks = "%s sends CONNECT %s \"\"";
    const char *granted = "%s receives granted";
    char text[6][200] = {""};

    if (play->mode->version_5) {
        asks = "%s sends CONNECT5 %s";
        granted = "%s receives granted in 5";
        snprintf(text[0], sizeof(text[0]), "%s sends 05 01 00", args[0]);
        snprintf(text[1], sizeof(text[1]), "%s receives 05 00", args[0]);
    }
    snprintf(text[2], sizeof(text[2]), asks, args[0], args[1]);
    snprintf(text[3], sizeof(text[3]), "gateway connects to %s as %s for %s",
             args[1], args[2], args[0]);
    snprintf(text[4], sizeof(text[4]), "%s accepts", args[2]);
    snprintf(text[5], sizeof(text[5]), granted, args[0]);
    for (int i = play->mode->version_5 ? 0 : 2; i < 6; i++) {
        if (!step_run(play, text[i]))
            return false;
        play_settle(play);
    }
    return true;
}

/* Client NAME comes from port 20000 + i, and so on; one after the other. */
static bool
crowd(struct play *play, char *const args[], const char *const forms[])
{
    char text[ENDPOINT_TEXT_MAX + 40];
    uint64_t count;

    if (text_number(args[0], &count) != 0 || count > 40000)
        return play_fail(play, "'%s' is no number of clients", args[0]);
    for (unsigned i = 0; i < count; i++) {
        snprintf(text, sizeof(text), "crowd%u connects from %s:%u", i, args[1],
                 20000 + i);
        if (!step_run(play, text))
            return false;
        for (int form = 0; forms[form] != NULL; form++) {
            snprintf(text, sizeof(text), forms[form], i, i);
            play_settle(play);
            if (!step_run(play, text))
                return false;
        }
        play_settle(play);
    }
    return true;
}

static bool
crowd_is_relayed(struct play *play, char *const args[])
{
    static const char *const forms[] = {
        "crowd%u is relayed to 10.0.0.2:80 as target%u", NULL};
    return crowd(play, args, forms);
}

/* What the servers send, nobody reads. */
static bool
crowd_stalls(struct play *play, char *const args[])
{
    char sends[80];
    const char *const forms[] = {
        "crowd%u is relayed to 10.0.0.2:80 as target%u",
        "crowd%u stops reading", sends, NULL};
    snprintf(sends, sizeof(sends), "target%%u sends %.60s", args[2]);
    return crowd(play, args, forms);
}

static bool
crowd_is_refused(struct play *play, char *const args[])
{
    static const char *const forms[] = {"crowd%u sends CONNECT 10.0.0.2:0 \"\"",
                                        "crowd%u receives a reply 91",
                                        "crowd%u closes", NULL};
    return crowd(play, args, forms);
}

/* --- Time --- */

static bool
after(struct play *play, char *const args[])
{
    uint64_t ms;

    if (!step_time(play, args[0], &ms))
        return false;
    play_advance(play, ms);
    return true;
}

/* At a time since the scenario began. */
static bool
at(struct play *play, char *const args[])
{
    uint64_t ms, now_ms = (sim_now_us() - play->start_us) / 1000;

    if (!step_time(play, args[0], &ms))
        return false;
    if (ms < now_ms)
        return play_fail(play, "that is over");
    play_advance(play, ms - now_ms);
    return true;
}

/* The process is stopped: time passes and nothing runs. */
static bool
stands_still(struct play *play, char *const args[])
{
    uint64_t ms;

    if (!step_time(play, args[0], &ms))
        return false;
    sim_advance_us(ms * 1000);
    return true;
}

static bool
wall_back(struct play *play, char *const args[])
{
    uint64_t ms;

    if (!step_time(play, args[0], &ms))
        return false;
    sim_shift_wall_ms(-(int64_t)ms);
    return true;
}

/* --- The worker --- */

static bool
drains(struct play *play, char *const args[])
{
    (void)args;
    heap_watch(true);
    worker_drain(&play->worker);
    heap_watch(false);
    play->stopped = true;
    return true;
}

static bool
stops(struct play *play, char *const args[])
{
    (void)args;
    heap_watch(true);
    worker_stop(&play->worker);
    heap_watch(false);
    play->stopped = true;
    return true;
}

static bool
has_stopped(struct play *play, char *const args[])
{
    (void)args;
    return play->worker.loop.stopped || play_fail(play, "it runs");
}

static bool
is_running(struct play *play, char *const args[])
{
    (void)args;
    return !play->worker.loop.stopped || play_fail(play, "it has stopped");
}

/* Whether a line of the metrics begins so, or is so if it is `whole`. */
static bool
find_metric(struct play *play, const char *sample, bool whole)
{
    const struct figures figures = {play->segment, play->config, "id", "hash"};
    char *text = NULL, line[300];
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    if (stream == NULL)
        abort();
    metrics_write(&figures, true, stream);
    fclose(stream);
    snprintf(line, sizeof(line), "\nsocks4d_%s%s", sample, whole ? "\n" : "");
    bool found = strstr(text, line) != NULL;
    free(text);
    return found;
}

static bool
metrics_have(struct play *play, char *const args[])
{
    return find_metric(play, args[0], true) || play_fail(play, "no such line");
}

static bool
metrics_lack(struct play *play, char *const args[])
{
    return !find_metric(play, args[0], false) ||
           play_fail(play, "there is one");
}

static bool
counter_is(struct play *play, char *const args[])
{
    static const char *const names[] = {
#define X(name, help) #name,
        SEGMENT_COUNTERS(X)
#undef X
    };
    uint64_t want, got;

    for (size_t i = 0; i < SEGMENT_COUNTER_COUNT; i++) {
        if (strcmp(names[i], args[0]) != 0)
            continue;
        got = play->segment->columns[0].counters[i];
        return (text_number(args[1], &want) == 0 && got == want) ||
               play_fail(play, "it is %llu", (unsigned long long)got);
    }
    return play_fail(play, "no counter '%s'", args[0]);
}

static bool
gauge_find(struct play *play, const char *name, uint64_t *got)
{
    static const char *const names[] = {
#define X(name, help) #name,
        SEGMENT_GAUGES(X)
#undef X
    };

    for (size_t i = 0; i < SEGMENT_GAUGE_COUNT; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        *got = play->segment->columns[0].gauges[i];
        return true;
    }
    return play_fail(play, "no gauge '%s'", name);
}

static bool
gauge_is(struct play *play, char *const args[])
{
    uint64_t want, got = 0;

    if (!gauge_find(play, args[0], &got))
        return false;
    return (text_number(args[1], &want) == 0 && got == want) ||
           play_fail(play, "it is %lld", (long long)got);
}

static bool
gauge_at_most(struct play *play, char *const args[])
{
    uint64_t most, got = 0;

    if (!gauge_find(play, args[0], &got))
        return false;
    return (text_size(args[1], &most) == 0 && got <= most) ||
           play_fail(play, "it is %lld", (long long)got);
}

/* In the next slot: one that accepts, or has stepped aside. */
static bool
another_has(struct play *play, char *const args[])
{
    struct segment_column *column = &play->segment->columns[1];
    uint64_t count;

    if (text_number(args[0], &count) < 0)
        return play_fail(play, "'%s' is no number", args[0]);
    segment_serve(play->segment, 1, 1);
    column->gauges[SEGMENT_GAUGE_live] = count;
    return true;
}

static bool
gateway_has_descriptors(struct play *play, char *const args[])
{
    play->worker.sessions.budget = strtoul(args[0], NULL, 10);
    return true;
}

static bool
another_is_paused(struct play *play, char *const args[])
{
    (void)args;
    play->segment->columns[1].paused = 1;
    return true;
}

static bool
nothing_open(struct play *play, char *const args[])
{
    (void)args;
    play_advance(play, 5000);
    return law_nothing_open(play);
}

static bool
was_spliced(struct play *play, char *const args[])
{
    (void)args;
    if (play->mode->splice != NULL || play->mode->pipes_refused ||
        play->mode->one_octet || play->mode->split || play->mode->room != 0 ||
        play->mode->flaky != 0 || play->mode->racy)
        return true; /* another kernel, another way */
    return sim_spliced() > 0 || play_fail(play, "nothing was spliced");
}

static bool
was_not_spliced(struct play *play, char *const args[])
{
    (void)args;
    return sim_spliced() == 0 || play_fail(play, "%llu octets were",
                                           (unsigned long long)sim_spliced());
}

/* Octets one turn of the loop has read, at most. */
static bool
turn_moved_at_most(struct play *play, char *const args[])
{
    uint64_t most;

    return (text_size(args[0], &most) == 0 && sim_largest_turn() <= most) ||
           play_fail(play, "one turn read %llu",
                     (unsigned long long)sim_largest_turn());
}

/* --- Records --- */

/* Behind the quoted string, which is whole. */
static const char *
skip_quoted(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\';
    return at + 1;
}

/* Behind the key, which stands in no quoted value: a USERID may look like
   one. */
static const char *
find_value(const char *line, const char *text_key, const char *json_key)
{
    for (const char *at = line; *at != '\0';) {
        if (*at == *text_key && strncmp(at, text_key, strlen(text_key)) == 0)
            return at + strlen(text_key);
        if (*at == *json_key && strncmp(at, json_key, strlen(json_key)) == 0)
            return at + strlen(json_key);
        at = *at == '"' ? skip_quoted(at) : at + 1;
    }
    return NULL;
}

bool
record_value(const char *line, const char *key, char *value, size_t room)
{
    char text_key[64], json_key[64];
    size_t len;

    snprintf(text_key, sizeof(text_key), " %s=", key);
    snprintf(json_key, sizeof(json_key), "\"%s\":", key);
    const char *from = find_value(line, text_key, json_key);
    if (from == NULL)
        return false;
    if (*from == '"') {
        len = (size_t)(skip_quoted(from) - from) - 2;
        from++;
    } else {
        len = strcspn(from, " ,}\n");
    }
    snprintf(value, room, "%.*s", (int)len, from);
    return true;
}

static void
collect_line(struct play *play, const char *line)
{
    const size_t room = sizeof(play->records) / sizeof(char *);

    if (log_count_records(line, strlen(line)) == 0) {
        if (play->message_count < room)
            play->messages[play->message_count++] = strdup(line);
    } else if (play->record_count < room) {
        play->records[play->record_count++] = strdup(line);
    }
}

static void
collect_lines(struct play *play, char *text)
{
    for (char *line = strtok(text, "\n"); line != NULL;
         line = strtok(NULL, "\n"))
        collect_line(play, line);
}

void
play_collect_records(struct play *play)
{
    for (char *text; (text = sim_take_log()) != NULL; free(text))
        collect_lines(play, text);
}

static const char *
next_record(struct play *play)
{
    play_collect_records(play);
    if (play->record_next == play->record_count) {
        play_advance(play, 1000); /* they go out in batches */
        play_collect_records(play);
    }
    if (play->record_next == play->record_count) {
        play_fail(play, "no record was written");
        return NULL;
    }
    return play->records[play->record_next++];
}

/* One "key=value" or key="a value". */
static bool
check_pair(struct play *play, const char *record, const char *key,
           const char *want)
{
    char got[1200];

    if (!record_value(record, key, got, sizeof(got)))
        return play_fail(play, "the record has no %s: %s", key, record);
    return strcmp(got, want) == 0 ||
           play_fail(play, "%s is '%s' in %s", key, got, record);
}

static bool
record_has(struct play *play, char *const args[])
{
    const char *record = next_record(play);
    char key[32], want[1200];
    int used;

    if (record == NULL)
        return false;
    for (const char *pair = args[0]; *pair != '\0'; pair += used) {
        want[0] = '\0';
        used = 0;
        if (sscanf(pair, " %31[a-z_.]=%n", key, &used) != 1 || used == 0)
            return play_fail(play, "no key=value: %s", pair);
        pair += used;
        used = 0;
        if (*pair == '"')
            sscanf(pair, "\"%1199[^\"]\"%n", want, &used);
        else
            sscanf(pair, "%1199[^ ]%n", want, &used);
        if (used == 0 && strncmp(pair, "\"\"", 2) == 0)
            used = 2;
        if (used == 0 || !check_pair(play, record, key, want))
            return play_fail(play, "no key=value: %s", pair);
    }
    return true;
}

static bool
record_holds(struct play *play, char *const args[])
{
    const char *record = next_record(play);

    if (record == NULL)
        return false;
    return strstr(record, args[0]) != NULL ||
           play_fail(play, "not in %s", record);
}

static bool
records_come(struct play *play, char *const args[])
{
    uint64_t count;

    if (text_number(args[0], &count) != 0)
        return play_fail(play, "'%s' is no number of records", args[0]);
    while (count-- > 0) {
        const char *record = next_record(play);
        char value[100];
        if (record == NULL)
            return false;
        if (!record_value(record, "peer", value, sizeof(value)))
            return play_fail(play, "not whole: %s", record);
    }
    return true;
}

/* The next line of a session that begins, or NULL. */
static const char *
next_start(struct play *play)
{
    char event[32];

    play_collect_records(play);
    for (; play->start_next < play->message_count; play->start_next++)
        if (record_value(play->messages[play->start_next], "event", event,
                         sizeof(event)) &&
            strcmp(event, "session_start") == 0)
            return play->messages[play->start_next++];
    return NULL;
}

static bool
start_holds(struct play *play, char *const args[])
{
    const char *line = next_start(play);

    if (line == NULL) {
        play_advance(play, 1000); /* they go out in batches */
        line = next_start(play);
    }
    if (line == NULL)
        return play_fail(play, "no line says that a session begins");
    return strstr(line, args[0]) != NULL || play_fail(play, "not in %s", line);
}

static bool
some_line_holds(struct play *play, const char *text)
{
    play_collect_records(play);
    for (size_t i = 0; i < play->message_count; i++)
        if (strstr(play->messages[i], text) != NULL)
            return true;
    return false;
}

/* Any that is no record, of those so far or within a second and what a batch
   waits. */
static bool
line_holds(struct play *play, char *const args[])
{
    if (!some_line_holds(play, args[0]))
        play_advance(play, 1100);
    return some_line_holds(play, args[0]) ||
           play_fail(play, "no line holds it; the last one: %s",
                     play->message_count > 0
                         ? play->messages[play->message_count - 1]
                         : "there is none");
}

static bool
no_start(struct play *play, char *const args[])
{
    (void)args;
    const char *line = next_start(play);
    return line == NULL || play_fail(play, "there is: %s", line);
}

static bool
records_have_come(struct play *play, char *const args[])
{
    uint64_t count;

    if (text_number(args[0], &count) != 0)
        return play_fail(play, "'%s' is no number of records", args[0]);
    play_collect_records(play);
    size_t left = play->record_count - play->record_next;
    return left == count || play_fail(play, "%zu have come", left);
}

static bool
no_record(struct play *play, char *const args[])
{
    (void)args;
    play_collect_records(play);
    return play->record_next == play->record_count ||
           play_fail(play, "there is: %s", play->records[play->record_next]);
}

uint64_t
play_complaints(struct play *play, const char *limit)
{
    uint64_t sum = 0;
    char value[64];

    play_collect_records(play);
    for (size_t i = 0; i < play->message_count; i++) {
        const char *line = play->messages[i];
        if (!record_value(line, "limit", value, sizeof(value)) ||
            strcmp(value, limit != NULL ? limit : value) != 0 ||
            (limit == NULL && strcmp(value, "descriptors") == 0))
            continue;
        if (record_value(line, "count", value, sizeof(value)))
            sum += strtoull(value, NULL, 10);
    }
    return sum;
}

uint64_t
play_suppressed(struct play *play)
{
    uint64_t sum = 0;
    char value[64];

    play_collect_records(play);
    for (size_t i = 0; i < play->message_count; i++)
        if (strstr(play->messages[i], "records_suppressed") != NULL &&
            record_value(play->messages[i], "count", value, sizeof(value)))
            sum += strtoull(value, NULL, 10);
    return sum;
}

/* By now, and what the log still keeps to itself for a second. */
static bool
was_met(struct play *play, char *const args[])
{
    play_advance(play, 1100);
    uint64_t count = play_complaints(play, args[0]);
    return count == strtoull(args[1], NULL, 10) ||
           play_fail(play, "the log says %llu times",
                     (unsigned long long)count);
}

static bool
log_blocks(struct play *play, char *const args[])
{
    (void)play, (void)args;
    sim_block_log(true);
    return true;
}

static bool
log_flows(struct play *play, char *const args[])
{
    (void)play, (void)args;
    sim_block_log(false);
    return true;
}

/* --- The machine --- */

static bool
machine_has(struct play *play, char *const args[])
{
    struct addr addr;

    if (addr_parse(args[0], &addr) < 0)
        return play_fail(play, "'%s' is no address", args[0]);
    sim_add_local(addr);
    return true;
}

static bool
machine_reaches(struct play *play, char *const args[])
{
    struct addr first, last, local;

    if (addr_parse_cidr(args[0], &first, &last) < 0 ||
        addr_parse(args[1], &local) < 0)
        return play_fail(play, "a network, and an address to reach it from");
    sim_add_local(local);
    sim_add_route(first, last, local);
    return true;
}

static bool
set_buffers(struct play *play, char *const args[])
{
    uint64_t size;

    if (text_size(args[0], &size) < 0)
        return play_fail(play, "'%s' is no size", args[0]);
    if (play->mode->room == 0 || play->mode->room > size)
        sim_set_room((size_t)size);
    return true;
}

static bool
hosts_keep(struct play *play, char *const args[])
{
    (void)play;
    (void)args;
    sim_hosts_keep();
    return true;
}

static bool
listeners_break(struct play *play, char *const args[])
{
    (void)play, (void)args;
    sim_break_listeners(true);
    return true;
}

static bool
listeners_listen(struct play *play, char *const args[])
{
    (void)play, (void)args;
    sim_break_listeners(false);
    return true;
}

static bool
limit_descriptors(struct play *play, char *const args[])
{
    uint64_t most;

    if (text_number(args[0], &most) < 0)
        return play_fail(play, "'%s' is no number", args[0]);
    sim_limit_fds((unsigned)most);
    return true;
}

/* "sys_recv fails with ENOMEM": the next call; "...forever". */
static bool
add_fault(struct play *play, const char *call_text, const char *error,
          unsigned times)
{
    struct sim_fault fault = {.at = 1, .times = times};

    if (!step_errno(play, error, &fault.error))
        return false;
    for (int call = 0; call < SIM_CALL_COUNT; call++) {
        if (strcmp(sim_call_name((enum sim_call)call), call_text) != 0)
            continue;
        fault.call = (enum sim_call)call;
        sim_fail(&fault);
        return true;
    }
    return play_fail(play, "no system call '%s'", call_text);
}

static bool
call_fails(struct play *play, char *const args[])
{
    return add_fault(play, args[0], args[1], 1);
}

static bool
call_keeps_failing(struct play *play, char *const args[])
{
    return add_fault(play, args[0], args[1], UINT_MAX);
}

static bool
heals(struct play *play, char *const args[])
{
    (void)play, (void)args;
    sim_heal();
    sim_limit_fds(0);
    return true;
}

const struct step gateway_steps[] = {
    {"gateway connects to %w", connects_to},
    {"gateway connects to %w as %w", connects_to_as},
    {"gateway connects to %w as %w for %w", connects_to_as_for},
    {"gateway goes through %w as %w", through_as},
    {"gateway goes through %w as %w for %w", through_as_for},
    {"gateway asks %w as %w", asks_as},
    {"gateway connects nowhere", connects_nowhere},
    {"gateway reaches %w from %w", dials_from},
    {"gateway waits for %w", waits_for},
    {"gateway gives up on %w", gives_up},
    {"gateway drains", drains},
    {"gateway stops", stops},
    {"gateway has stopped", has_stopped},
    {"gateway is running", is_running},
    {"gateway stands still for %w", stands_still},
    {"%w accepts", accepts},
    {"%w accepts with TLS", accepts_with_plain_tls},
    {"%w accepts with TLS and %w", accepts_with_tls},
    {"%w refuses", refuses},
    {"%w fails with %w", fails_with},
    {"%w is the gateway itself", is_itself},
    {"connecting to %w is at once %w", at_once},
    {"%w is relayed to %w as %w", is_relayed},
    {"%w clients from %w are relayed", crowd_is_relayed},
    {"%w clients from %w are refused", crowd_is_refused},
    {"%w clients from %w stall with %r", crowd_stalls},
    {"after %w", after},
    {"at %w", at},
    {"the wall clock goes back by %w", wall_back},
    {"counter %w is %w", counter_is},
    {"metrics have %r", metrics_have},
    {"metrics lack %r", metrics_lack},
    {"gauge %w is %w", gauge_is},
    {"gauge %w is at most %w", gauge_at_most},
    {"another worker has %w sessions", another_has},
    {"gateway has descriptors for %w session", gateway_has_descriptors},
    {"another worker steps aside", another_is_paused},
    {"nothing open", nothing_open},
    {"octets were spliced", was_spliced},
    {"no octets were spliced", was_not_spliced},
    {"one turn reads at most %w", turn_moved_at_most},
    {"record has %r", record_has},
    {"record holds %r", record_holds},
    {"%w records come", records_come},
    {"%w records have come", records_have_come},
    {"no record", no_record},
    {"start holds %r", start_holds},
    {"no start", no_start},
    {"line holds %r", line_holds},
    {"limit %w was met %w times", was_met},
    {"log blocks", log_blocks},
    {"log flows", log_flows},
    {"machine has %w", machine_has},
    {"machine reaches %w from %w", machine_reaches},
    {"buffers are %w", set_buffers},
    {"hosts keep what came before a reset", hosts_keep},
    {"descriptors are at most %w", limit_descriptors},
    {"no socket listens any more", listeners_break},
    {"every socket listens again", listeners_listen},
    {"call %w fails with %w", call_fails},
    {"call %w keeps failing with %w", call_keeps_failing},
    {"machine heals", heals},
    {NULL, NULL},
};
