#include "gateway/observer/status.h"

#include <stdio.h>

#include "base/sys.h"
#include "gateway/observer/figures.h"

static const char *const status_states[] = {
#define X(symbol, name) name,
    SERVICE_STATES(X)
#undef X
};

static json_t *
status_worker(const struct observer *observer, unsigned slot)
{
    const struct segment_worker *worker = &observer->segment->workers[slot];
    const struct segment_column *column = &observer->segment->columns[slot];
    unsigned state = atomic_load(&worker->state) % SERVICE_STATE_COUNT;
    return json_pack(
        "{s:i,s:I,s:s,s:I,s:I}", "worker", (int)slot, "pid",
        (json_int_t)atomic_load(&worker->pid), "state", status_states[state],
        "sessions",
        (json_int_t)atomic_load(&column->gauges[SEGMENT_GAUGE_live]), "started",
        (json_int_t)atomic_load(&worker->started));
}

static json_t *
status_workers(const struct observer *observer)
{
    unsigned slots = atomic_load(&observer->segment->slots);
    json_t *list = json_array();
    for (unsigned i = 0; i < slots && i < SEGMENT_SLOTS; i++)
        if (atomic_load(&observer->segment->workers[i].pid) != 0)
            json_array_append_new(list, status_worker(observer, i));
    return list;
}

/* By state; all but those that no session is seen in. */
static json_t *
status_sessions(const struct observer *observer)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SESSION_STATE_NAMES(X)
#undef X
    };
    const struct figures figures = observer_figures(observer);
    json_t *states = json_object();
    for (unsigned i = SESSION_PROXY; i < SESSION_END; i++)
        json_object_set_new(
            states, names[i],
            json_integer((json_int_t)figures_state(&figures, i)));
    return states;
}

static json_int_t
status_count(const struct observer *observer, enum segment_counter which)
{
    return (json_int_t)segment_counter_sum(observer->segment, which);
}

json_t *
status_json(const struct observer *observer)
{
    const struct segment *segment = observer->segment;
    uint64_t live = segment_gauge_sum(segment, SEGMENT_GAUGE_live);
    return json_pack(
        "{s:s,s:s,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "version",
        PROJECT_VERSION, "config", observer->config_id, "uptime",
        (json_int_t)((sys_wall_ms() - segment->began_ms) / 1000), "workers",
        (json_int_t)segment_share(segment).workers, "live", (json_int_t)live,
        "sessions", status_sessions(observer), "granted",
        status_count(observer, SEGMENT_COUNTER_granted), "refused",
        status_count(observer, SEGMENT_COUNTER_refused), "early",
        status_count(observer, SEGMENT_COUNTER_early), "limited",
        status_count(observer, SEGMENT_COUNTER_limited), "lost",
        status_count(observer, SEGMENT_COUNTER_lost), "up",
        status_count(observer, SEGMENT_COUNTER_up), "down",
        status_count(observer, SEGMENT_COUNTER_down), "processes",
        status_workers(observer));
}

/* --- rows ---------------------------------------------------------------- */

static json_t *
status_rows(json_t *rows)
{
    json_int_t count = (json_int_t)json_array_size(rows);
    return json_pack("{s:o,s:I,s:I}", "rows", rows, "total", count, "more",
                     (json_int_t)0);
}

/* --- listeners ----------------------------------------------------------- */

static uint64_t
status_listener_sessions(const struct observer *observer, const char *name)
{
    const struct figures figures = observer_figures(observer);
    unsigned number =
        series_names_find(&observer->segment->names, SERIES_LISTENER, name);
    uint64_t sum = 0;
    for (unsigned state = SESSION_PROXY; state < SESSION_END; state++)
        sum += figures_live(&figures, number, state);
    return sum;
}

/* How long its certificate is good: negative when it has expired; null: it has
   none. */
static json_t *
status_days_left(const struct observer *observer, size_t number)
{
    uint64_t expires_s = atomic_load(&observer->segment->expires_s[number]);
    if (expires_s == 0)
        return json_null();
    int64_t left_s = (int64_t)(expires_s - sys_wall_ms() / 1000);
    return json_integer(left_s / 86400);
}

static json_t *
status_listener(const struct observer *observer, size_t number)
{
    static const char *const versions[][3] = {
        [CONFIG_SOCKS5_OFF] = {"4", "4, 4a", "4a"},
        [CONFIG_SOCKS5_ON] = {"4, 5", "4, 4a, 5", "4a, 5"},
        [CONFIG_SOCKS5_ONLY] = {"5", "5", "5"},
    };
    const struct config_listener *listener =
        &observer->config->listeners[number];
    char address[ENDPOINT_TEXT_MAX];
    return json_pack(
        "{s:s,s:s,s:s,s:b,s:o,s:b,s:I}", "listener", listener->name, "address",
        endpoint_format(&listener->at, address), "versions",
        versions[listener->socks5][listener->socks4a], "tls",
        listener->tls != NULL, "certificate_days",
        status_days_left(observer, number), "proxy",
        listener->proxy_protocol.nets.count > 0, "sessions",
        (json_int_t)status_listener_sessions(observer, listener->name));
}

json_t *
status_listeners(const struct observer *observer)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < observer->config->listener_count; i++)
        json_array_append_new(rows, status_listener(observer, i));
    return status_rows(rows);
}

/* --- limits -------------------------------------------------------------- */

static json_t *
status_limit(const char *name, uint64_t used, uint64_t most, uint64_t met)
{
    return json_pack("{s:s,s:I,s:I,s:o,s:I}", "limit", name, "used",
                     (json_int_t)used, "most", (json_int_t)most, "percent",
                     most > 0 ? json_real((double)(used * 1000 / most) / 10)
                              : json_null(),
                     "met", (json_int_t)met);
}

/* What is kept for all sources, and how often each was met; then those of one
   source, whose use is as many as there are sources. */
json_t *
status_limits(const struct observer *observer)
{
    static const enum limit met[FIGURES_LIMIT_COUNT] = {
        [FIGURES_SESSIONS] = LIMIT_SESSIONS,
        [FIGURES_PENDING] = LIMIT_PENDING,
        [FIGURES_MEMORY] = LIMIT_MEMORY,
        [FIGURES_STALLED] = LIMIT_NONE,
        [FIGURES_DESCRIPTORS] = LIMIT_DESCRIPTORS,
        [FIGURES_PIPES] = LIMIT_NONE};
    static const struct {
        const char *name;
        enum limit limit;
    } sources[] = {{"per_source.sessions", LIMIT_SOURCE_SESSIONS},
                   {"per_source.pending", LIMIT_SOURCE_PENDING},
                   {"per_source.rate", LIMIT_RATE}};
    const struct config *config = observer->config;
    const uint64_t most[] = {config_source_sessions(config),
                             config->limits.per_source.pending,
                             config_source_rate(config)};
    const struct figures figures = observer_figures(observer);
    json_t *rows = json_array();
    for (unsigned i = 0; i < FIGURES_LIMIT_COUNT; i++) {
        struct figures_limited limited = figures_limit(&figures, i);
        uint64_t count =
            met[i] == LIMIT_NONE ? 0 : figures_limited(&figures, met[i]);
        json_array_append_new(rows,
                              status_limit(figures_limit_names[i], limited.used,
                                           limited.most, count));
    }
    for (size_t i = 0; i < 3; i++)
        json_array_append_new(
            rows,
            json_pack("{s:s,s:n,s:I,s:n,s:I}", "limit", sources[i].name, "used",
                      "most", (json_int_t)most[i], "percent", "met",
                      (json_int_t)figures_limited(&figures, sources[i].limit)));
    return status_rows(rows);
}

/* --- parents ------------------------------------------------------------- */

void
status_addresses(const struct config_parent *parent, const char *between,
                 char text[STATUS_ADDRESSES_MAX])
{
    const size_t room = STATUS_ADDRESSES_MAX;
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < parent->address_count && len < room; i++) {
        const struct config_parent_address *address = &parent->addresses[i];
        const char *before = i > 0 ? between : "";
        char at[ENDPOINT_TEXT_MAX];
        int added = address->name != NULL
                        ? snprintf(text + len, room - len, "%s%.*s:%u", before,
                                   (int)address->name_len, address->name,
                                   address->at.port)
                        : snprintf(text + len, room - len, "%s%s", before,
                                   endpoint_format(&address->at, at));
        len += (size_t)added;
    }
}

json_t *
status_parents(const struct observer *observer)
{
    const struct config *config = observer->config;
    const struct figures figures = observer_figures(observer);
    json_t *rows = json_array();
    for (size_t i = 0; i < config->parent_count; i++) {
        const struct config_parent *parent = &config->parents[i];
        unsigned number = series_names_find(&observer->segment->names,
                                            SERIES_PARENT, parent->name);
        struct figures_histogram took;
        char addresses[STATUS_ADDRESSES_MAX];
        status_addresses(parent, " ", addresses);
        figures_parent(&figures, number, &took);
        json_array_append_new(
            rows,
            json_pack("{s:s,s:s,s:b,s:b,s:I,s:o}", "parent", parent->name,
                      "address", addresses, "tls", parent->tls != NULL, "up",
                      figures_parent_is_up(&figures, number), "answers",
                      (json_int_t)took.count, "ms",
                      took.count > 0
                          ? json_integer((json_int_t)(took.sum_ms / took.count))
                          : json_null()));
    }
    return status_rows(rows);
}
