#include "gateway/observer/status.h"

#include "base/sys.h"

/* Of enum service_state of the monitor, whose header is not ours. */
static const char *const status_states[] = {"empty", "starting", "ready",
                                            "draining"};

static json_t *
status_worker(const struct observer *observer, unsigned slot)
{
    const struct segment_worker *worker = &observer->segment->workers[slot];
    const struct segment_column *column = &observer->segment->columns[slot];
    unsigned state = atomic_load(&worker->state) % 4;
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

static uint64_t
status_sessions_in(const struct observer *observer, enum session_state state)
{
    const struct segment *segment = observer->segment;
    unsigned slots = atomic_load(&segment->slots);
    uint64_t sum = 0;
    for (unsigned slot = 0; slot < slots && slot < SEGMENT_SLOTS; slot++)
        for (unsigned i = 0; i < SERIES_LISTENER_PLACES; i++)
            sum += atomic_load_explicit(&segment->lives[slot].count[i][state],
                                        memory_order_relaxed);
    return sum;
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
    json_t *states = json_object();
    for (unsigned i = SESSION_PROXY; i < SESSION_END; i++)
        json_object_set_new(
            states, names[i],
            json_integer((json_int_t)status_sessions_in(observer, i)));
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
        "{s:s,s:s,s:I,s:I,s:I,s:o,s:I,s:I,s:I,s:I,s:o}", "version",
        PROJECT_VERSION, "config", observer->config_id, "uptime",
        (json_int_t)((sys_wall_ms() - segment->began_ms) / 1000), "workers",
        (json_int_t)segment_share(segment).workers, "live", (json_int_t)live,
        "sessions", status_sessions(observer), "granted",
        status_count(observer, SEGMENT_COUNTER_granted), "refused",
        status_count(observer, SEGMENT_COUNTER_refused), "up",
        status_count(observer, SEGMENT_COUNTER_up), "down",
        status_count(observer, SEGMENT_COUNTER_down), "processes",
        status_workers(observer));
}

/* --- listeners ----------------------------------------------------------- */

static uint64_t
status_listener_sessions(const struct observer *observer, const char *name)
{
    const struct segment *segment = observer->segment;
    unsigned number = series_names_find(&segment->names, SERIES_LISTENER, name);
    unsigned slots = atomic_load(&segment->slots);
    uint64_t sum = 0;
    for (unsigned slot = 0; slot < slots && slot < SEGMENT_SLOTS; slot++)
        for (unsigned state = 0; state < SESSION_END; state++)
            sum +=
                atomic_load_explicit(&segment->lives[slot].count[number][state],
                                     memory_order_relaxed);
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
    static const char *const versions[] = {"4", "4, 4a", "4a"};
    const struct config_listener *listener =
        &observer->config->listeners[number];
    char address[ENDPOINT_TEXT_MAX];
    return json_pack(
        "{s:s,s:s,s:s,s:b,s:o,s:b,s:I}", "listener", listener->name, "address",
        endpoint_format(&listener->at, address), "versions",
        versions[listener->socks4a], "tls", listener->tls != NULL,
        "certificate_days", status_days_left(observer, number), "proxy",
        listener->proxy_protocol.nets.count > 0, "sessions",
        (json_int_t)status_listener_sessions(observer, listener->name));
}

json_t *
status_listeners(const struct observer *observer)
{
    json_t *rows = json_array();
    size_t count = observer->config->listener_count;
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, status_listener(observer, i));
    return json_pack("{s:o,s:I,s:I}", "rows", rows, "total", (json_int_t)count,
                     "more", (json_int_t)0);
}
