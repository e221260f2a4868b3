#include "gateway/observer/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "gateway/observer/filter.h"
#include "gateway/observer/listing.h"
#include "gateway/observer/migration.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/row_json.h"
#include "gateway/observer/status.h"
#include "gateway/observer/top.h"

#define TRACE_S 60
#define TRACE_S_MAX 3600

/*
 * The monitor ends an observer that reports more than 1000 requests in a
 * second, those that wait in the channel included. So changes, and attempts of
 * peers that may only look, are reported so many times at most; and neither
 * takes the other's share.
 */
#define CHANGES_PER_S 400
#define DENIALS_PER_S 100

struct command {
    const char *name;
    bool changes; /* not for those who may only look */
    void (*run)(struct control_connection *connection, const json_t *request);
};

/* --- the monitor --------------------------------------------------------- */

/* What was asked for, or was done: the monitor writes a line about it. */
static bool
commands_report(const struct control_connection *connection,
                enum channel_action action, uint32_t number, uint64_t count,
                const char *text)
{
    struct channel_message message = {.kind = CHANNEL_OPERATOR,
                                      .arg = number,
                                      .operator= {.action = action,
                                                  .uid = connection->peer.uid,
                                                  .pid = connection->peer.pid,
                                                  .count = count} };
    size_t len = strlen(text);
    if (len > CHANNEL_TEXT_MAX)
        len = CHANNEL_TEXT_MAX;
    message.operator.len =(uint32_t) len;
    memcpy(message.operator.text, text, len);
    return observer_tell_monitor(&message);
}

/* Its number is not that of any of the observer before, or after. */
static uint32_t
commands_take_number(void)
{
    static uint32_t number;
    if (number == 0)
        number = (uint32_t)getpid() << 12;
    return ++number;
}

static void
commands_ask_monitor(struct control_connection *connection,
                     const json_t *request, enum channel_action action)
{
    bool wait = action == CHANNEL_DRAIN_ALL ||
                json_is_true(json_object_get(request, "wait"));
    uint32_t number = wait ? commands_take_number() : 0;
    connection->number = number;
    if (!commands_report(connection, action, number, 0, ""))
        control_refuse(connection, false,
                       "the monitor does not listen; is it stopped?");
    else if (!wait)
        control_answer(connection, json_pack("{s:b}", "asked", 1));
}

void
commands_finish(struct control *control, uint32_t number, bool done,
                const char *text, size_t len)
{
    len = strnlen(text, len);
    list_each_safe (at, after, &control->connections) {
        struct control_connection *connection =
            container_of(at, struct control_connection, link);
        if (number == 0 || connection->number != number || !connection->busy)
            continue;
        connection->number = 0;
        while (len > 0 && text[len - 1] == '\n')
            len--;
        json_t *said = json_stringn(text, len);
        if (said == NULL)
            said = json_string("see the log");
        control_answer(connection,
                       json_pack("{s:o}", done ? "done" : "error", said));
    }
}

static void
commands_reload(struct control_connection *connection, const json_t *request)
{
    commands_ask_monitor(connection, request, CHANNEL_RELOAD);
}

static void
commands_drain(struct control_connection *connection, const json_t *request)
{
    commands_ask_monitor(connection, request, CHANNEL_DRAIN_ALL);
}

static void
commands_upgrade(struct control_connection *connection, const json_t *request)
{
    commands_ask_monitor(connection, request, CHANNEL_UPGRADE);
}

/* --- which sessions ------------------------------------------------------ */

/* "filter": ["client=10.0.0.0/8", …], "ids": [7, …]. False: it was refused. */
static bool
commands_read_filter(struct control_connection *connection,
                     const json_t *request, struct observer_filter *filter)
{
    const json_t *terms = json_object_get(request, "filter");
    const json_t *ids = json_object_get(request, "ids");
    char why[FILTER_WHY_MAX];
    size_t i;
    json_t *value;

    memset(filter, 0, sizeof(*filter));
    if ((terms != NULL && !json_is_array(terms)) ||
        (ids != NULL && !json_is_array(ids))) {
        control_refuse(connection, true, "filter and ids are lists");
        return false;
    }
    json_array_foreach(terms, i, value)
    {
        const char *term = json_string_value(value);
        if (term == NULL || filter_add(filter, term, why) != 0) {
            control_refuse(connection, true, "%s",
                           term == NULL ? "a filter is a text" : why);
            return false;
        }
    }
    json_array_foreach(ids, i, value)
    {
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            filter_add_id(filter, (uint64_t)json_integer_value(value)) != 0) {
            control_refuse(connection, true,
                           "ids are numbers of sessions, at most %d",
                           OBSERVER_IDS_MAX);
            return false;
        }
    }
    return true;
}

/* As it was written, for the log. */
static void
commands_show_filter(const json_t *request, char *text, size_t room)
{
    size_t len = 0, i;
    json_t *value;
    text[0] = '\0';
    json_array_foreach(json_object_get(request, "filter"), i, value)
    {
        if (len < room)
            len +=
                (size_t)snprintf(text + len, room - len, "%s%s",
                                 len > 0 ? " " : "", json_string_value(value));
    }
    json_array_foreach(json_object_get(request, "ids"), i, value)
    {
        if (len < room)
            len += (size_t)snprintf(
                text + len, room - len, "%s%" JSON_INTEGER_FORMAT,
                len > 0 ? " " : "", json_integer_value(value));
    }
}

/* --- sessions, top ------------------------------------------------------- */

static void
commands_on_answer(void *context, json_t *answer)
{
    control_answer(context, answer);
}

static void
commands_cancel_listing(struct control_connection *connection)
{
    listing_cancel(connection->request);
}

static void commands_follow(struct control_connection *connection,
                            const struct observer_filter *filter);

static void
commands_sessions(struct control_connection *connection, const json_t *request)
{
    struct workers *workers = &connection->control->observer->workers;
    struct observer_filter filter;
    if (!commands_read_filter(connection, request, &filter))
        return;
    if (json_is_true(json_object_get(request, "follow"))) {
        commands_follow(connection, &filter);
        return;
    }
    connection->request =
        listing_start(workers, &filter, commands_on_answer, connection);
    connection->cancel = commands_cancel_listing;
    if (connection->request == NULL)
        control_answer(connection, NULL);
}

static void
commands_cancel_top(struct control_connection *connection)
{
    top_cancel(connection->request);
}

static void
commands_top(struct control_connection *connection, const json_t *request)
{
    struct workers *workers = &connection->control->observer->workers;
    const char *word = json_string_value(json_object_get(request, "by"));
    enum observer_by by = word != NULL ? top_find(word) : OBSERVER_BY_CLIENT;
    if (by == OBSERVER_BY_COUNT) {
        control_refuse(connection, true,
                       "by is client, dest, rule, userid or certificate");
        return;
    }
    const struct config *config = connection->control->observer->config;
    connection->request =
        top_start(workers, by, config != NULL ? config_sessions(config) : 0,
                  commands_on_answer, connection);
    connection->cancel = commands_cancel_top;
    if (connection->request == NULL)
        control_answer(connection, NULL);
}

/* --- surveys of one connection: follow, kill, trace ---------------------- */

struct commands_survey {
    struct survey survey;
    struct control_connection *connection; /* borrowed */
    uint64_t dropped[SEGMENT_SLOTS];       /* told so far */
    uint64_t unsent;                       /* found no room in its queue */
    char filter[CHANNEL_TEXT_MAX + 1];
};

static void
commands_cancel_survey(struct control_connection *connection)
{
    struct commands_survey *own = connection->request;
    survey_cancel(&own->survey);
    free(own);
}

/* NULL: it was refused. */
static struct commands_survey *
commands_survey_new(struct control_connection *connection,
                    const struct survey_ops *ops, enum observer_ask_kind kind,
                    uint32_t count, const struct observer_filter *filter)
{
    struct commands_survey *own = calloc(1, sizeof(*own));
    if (own == NULL) {
        control_answer(connection, NULL);
        return NULL;
    }
    own->connection = connection;
    own->survey.ops = ops;
    own->survey.ask =
        (struct observer_ask){.kind = kind, .count = count, .filter = *filter};
    connection->request = own;
    connection->cancel = commands_cancel_survey;
    return own;
}

static void
commands_on_event(struct survey *survey, unsigned worker, bool begins,
                  const struct observer_row *row, uint64_t dropped)
{
    struct commands_survey *own =
        container_of(survey, struct commands_survey, survey);
    json_t *event = json_pack("{s:s}", "event", begins ? "begin" : "end");
    json_t *json = row_json(row, worker, NULL);
    uint64_t lost = dropped - own->dropped[worker] + own->unsent;
    if (event != NULL && json != NULL)
        json_object_update(event, json);
    if (lost > 0)
        json_object_set_new(event, "dropped", json_integer((json_int_t)lost));
    if (event == NULL || json == NULL ||
        !control_send(own->connection, event)) {
        own->unsent++;
    } else {
        own->dropped[worker] = dropped;
        own->unsent = 0;
    }
    json_decref(json);
    json_decref(event);
}

static void
commands_never_done(struct survey *survey)
{
    (void)survey;
}

/* Of the four, two are left to the page and to those who may change things. */
#define LOOKERS_FOLLOW_MAX (OBSERVER_FOLLOWS_MAX - 2)

static bool
commands_may_follow(const struct control_connection *connection)
{
    unsigned lookers = 0;
    list_each_safe (at, after, &connection->control->connections) {
        const struct control_connection *other =
            container_of(at, struct control_connection, link);
        lookers += other->endless && !other->peer.may_change;
    }
    return connection->peer.may_change || lookers < LOOKERS_FOLLOW_MAX;
}

static const struct survey_ops commands_follow_ops = {
    .event = commands_on_event, .done = commands_never_done};

static void
commands_follow(struct control_connection *connection,
                const struct observer_filter *filter)
{
    if (!commands_may_follow(connection)) {
        control_refuse(connection, false,
                       "%d connections of those who may only look follow "
                       "sessions already; end one",
                       LOOKERS_FOLLOW_MAX);
        return;
    }
    struct commands_survey *own = commands_survey_new(
        connection, &commands_follow_ops, OBSERVER_FOLLOW, 0, filter);
    if (own == NULL)
        return;
    if (survey_start(&own->survey, &connection->control->observer->workers)) {
        connection->endless = true;
        json_t *line = json_pack("{s:b}", "following", 1);
        control_send(connection, line);
        json_decref(line);
        return;
    }
    free(own);
    control_refuse(connection, false,
                   "%d connections follow sessions already; end one",
                   OBSERVER_FOLLOWS_MAX);
}

static void
commands_end_survey(struct commands_survey *own, json_t *answer)
{
    struct control_connection *connection = own->connection;
    if (own->survey.unanswered > 0)
        json_object_set_new(answer, "unanswered",
                            json_integer(own->survey.unanswered));
    free(own);
    control_answer(connection, answer);
}

static void
commands_on_killed(struct survey *survey)
{
    struct commands_survey *own =
        container_of(survey, struct commands_survey, survey);
    commands_report(own->connection, CHANNEL_KILLED, 0, survey->matched,
                    own->filter);
    commands_end_survey(
        own, json_pack("{s:I}", "killed", (json_int_t)survey->matched));
}

static const struct survey_ops commands_kill_ops = {.done = commands_on_killed};

static void
commands_kill(struct control_connection *connection, const json_t *request)
{
    struct observer_filter filter;
    if (!commands_read_filter(connection, request, &filter))
        return;
    if (filter.terms == 0) {
        control_refuse(connection, true,
                       "kill takes the ids of sessions or a filter; "
                       "client=0.0.0.0/0 is every IPv4 client");
        return;
    }
    struct commands_survey *own = commands_survey_new(
        connection, &commands_kill_ops, OBSERVER_KILL, 0, &filter);
    if (own == NULL)
        return;
    commands_show_filter(request, own->filter, sizeof(own->filter));
    (void)!survey_start(&own->survey, &connection->control->observer->workers);
}

static void
commands_on_traced(struct survey *survey)
{
    struct commands_survey *own =
        container_of(survey, struct commands_survey, survey);
    uint32_t seconds = survey->ask.count;
    if (survey->unanswered == 0)
        commands_report(own->connection, CHANNEL_TRACED, 0, seconds,
                        own->filter);
    commands_end_survey(own,
                        survey->unanswered == 0
                            ? json_pack("{s:I}", "tracing", (json_int_t)seconds)
                            : json_pack("{s:s}", "error",
                                        "a worker has two traces already, "
                                        "or does not answer; wait until "
                                        "one is over"));
}

static const struct survey_ops commands_trace_ops = {.done =
                                                         commands_on_traced};

static void
commands_trace(struct control_connection *connection, const json_t *request)
{
    const json_t *given = json_object_get(request, "seconds");
    json_int_t seconds = given != NULL ? json_integer_value(given) : TRACE_S;
    struct observer_filter filter;
    if (!commands_read_filter(connection, request, &filter))
        return;
    if (filter.terms == 0 || seconds < 1 || seconds > TRACE_S_MAX) {
        control_refuse(connection, true,
                       filter.terms == 0 ? "trace takes a filter"
                                         : "a trace takes 1 to 3600 seconds");
        return;
    }
    struct commands_survey *own =
        commands_survey_new(connection, &commands_trace_ops, OBSERVER_TRACE,
                            (uint32_t)seconds, &filter);
    if (own == NULL)
        return;
    commands_show_filter(request, own->filter, sizeof(own->filter));
    (void)!survey_start(&own->survey, &connection->control->observer->workers);
}

/* --- figures ------------------------------------------------------------- */

static void
commands_status(struct control_connection *connection, const json_t *request)
{
    (void)request;
    control_answer(connection, status_json(connection->control->observer));
}

static void
commands_listeners(struct control_connection *connection, const json_t *request)
{
    (void)request;
    control_answer(connection, status_listeners(connection->control->observer));
}

static void
commands_limits(struct control_connection *connection, const json_t *request)
{
    (void)request;
    control_answer(connection, status_limits(connection->control->observer));
}

static void
commands_parents(struct control_connection *connection, const json_t *request)
{
    (void)request;
    control_answer(connection, status_parents(connection->control->observer));
}

static void
commands_migration(struct control_connection *connection, const json_t *request)
{
    struct observer_filter filter;
    if (!commands_read_filter(connection, request, &filter))
        return;
    if (filter.terms & ~(uint32_t)MIGRATION_TERMS)
        control_refuse(connection, true,
                       "migration takes client=, userid=, rule= and version=");
    else
        control_answer(
            connection,
            migration_json(connection->control->observer->segment, &filter));
}

#define CONFIG_TEXT_MAX ((size_t)4 << 20)

static void
commands_config(struct control_connection *connection, const json_t *request)
{
    const struct observer *observer = connection->control->observer;
    char *text = NULL;
    size_t len;
    FILE *stream =
        observer->config != NULL ? open_memstream(&text, &len) : NULL;
    (void)request;
    if (stream == NULL) {
        control_answer(connection, NULL);
        return;
    }
    int error = config_dump(observer->config, true, stream);
    if (fclose(stream) != 0 || error != 0)
        control_answer(connection, NULL);
    else if (len > CONFIG_TEXT_MAX)
        control_refuse(connection, false,
                       "it is longer than 4 MiB; socks4d -T prints it");
    else
        control_answer(connection,
                       json_pack("{s:s,s:s}", "config", observer->config_id,
                                 "text", text));
    free(text);
}

/* --- the table ----------------------------------------------------------- */

/* clang-format off */
static const struct command commands[] = {
    {"status", false, commands_status},
    {"sessions", false, commands_sessions},
    {"top", false, commands_top},
    {"listeners", false, commands_listeners},
    {"limits", false, commands_limits},
    {"parents", false, commands_parents},
    {"migration", false, commands_migration},
    {"config", false, commands_config},
    {"kill", true, commands_kill},
    {"reload", true, commands_reload},
    {"drain", true, commands_drain},
    {"upgrade", true, commands_upgrade},
    {"trace", true, commands_trace},
};
/* clang-format on */

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static const char *
commands_name_at(const void *rows, size_t i)
{
    return ((const struct command *)rows)[i].name;
}

static const struct command *
commands_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* False: the monitor has had as many reports in this second as it takes. */
static bool
commands_may_report(struct control *control, bool may_change)
{
    uint64_t second = loop_now_ms(&control->observer->loop) / 1000;
    if (control->reported.second != second)
        control->reported.changes = control->reported.denials = 0;
    control->reported.second = second;
    return may_change ? control->reported.changes++ < CHANGES_PER_S
                      : control->reported.denials++ < DENIALS_PER_S;
}

/* The peer may only look: a line of the log says that it tried. */
static void
commands_deny(struct control_connection *connection,
              const struct command *command)
{
    if (commands_may_report(connection->control, false))
        commands_report(connection, CHANNEL_DENIED, 0, 0, command->name);
    control_refuse(connection, false,
                   "user %u may look, and not %s: that takes root or the user "
                   "who runs the gateway",
                   connection->peer.uid, command->name);
}

void
commands_run(struct control_connection *connection, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "command"));
    char shown[64], hint[TEXT_HINT_MAX];
    if (name == NULL) {
        control_refuse(connection, true,
                       "the line is not an object with a \"command\"");
        return;
    }
    const struct command *command = commands_find(name);
    if (command == NULL) {
        const char *nearest =
            text_nearest(name, commands, COMMAND_COUNT, commands_name_at);
        control_refuse(connection, true, "there is no command \"%s\"%s",
                       text_show(name, strlen(name), shown, sizeof(shown)),
                       text_hint(nearest, hint));
        return;
    }
    if (command->changes && !connection->peer.may_change)
        commands_deny(connection, command);
    else if (command->changes &&
             !commands_may_report(connection->control, true))
        control_refuse(connection, false,
                       "%d changes were asked for in this second; try again",
                       CHANGES_PER_S);
    else
        command->run(connection, request);
}
