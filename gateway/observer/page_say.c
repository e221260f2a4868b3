#include "gateway/observer/page_say.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "gateway/observer/figures.h"
#include "gateway/observer/health.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/status.h"

/* --- samples ------------------------------------------------------------- */

void
page_say_sample(const struct page *page, struct history_sample *sample)
{
    const struct figures figures = observer_figures(page->observer);
    const struct segment *segment = figures.segment;
    struct figures_histogram connects;
    *sample = (struct history_sample){
        .sessions = segment_gauge_sum(segment, SEGMENT_GAUGE_live),
        .accepted = segment_counter_sum(segment, SEGMENT_COUNTER_accepted),
        .up = segment_counter_sum(segment, SEGMENT_COUNTER_relayed_up),
        .down = segment_counter_sum(segment, SEGMENT_COUNTER_relayed_down),
    };
    figures_phase(&figures, PHASE_CONNECT, &connects);
    memcpy(sample->connects, connects.counts, sizeof(connects.counts));
}

/* Verdicts of one name are one reason: the first of them. */
void
page_say_refused(const struct page *page, uint64_t counts[REFUSED_REASONS])
{
    const struct figures figures = observer_figures(page->observer);
    size_t count;
    struct figures_outcome *outcomes = figures_outcomes(&figures, &count);
    memset(counts, 0, REFUSED_REASONS * sizeof(counts[0]));
    for (size_t i = 0; outcomes != NULL && i < count; i++)
        if (figures_is_refusal(outcomes[i].verdict))
            counts[outcomes[i].verdict] += outcomes[i].count;
    free(outcomes);
}

/* --- parts --------------------------------------------------------------- */

static json_t *
page_say_point(const struct history *history)
{
    double values[HISTORY_VALUES];
    json_t *list = json_array();
    history_values(history_newest(history), values);
    for (size_t i = 0; i < HISTORY_VALUES; i++)
        json_array_append_new(list, isfinite(values[i]) ? json_real(values[i])
                                                        : json_null());
    return list;
}

static json_t *
page_say_sessions(const struct figures *figures)
{
    static const char *const names[] = {
#define X(symbol, name) name,
        SESSION_STATE_NAMES(X)
#undef X
    };
    json_t *states = json_object();
    for (unsigned i = 0; i < SESSION_STATE_COUNT; i++) {
        uint64_t count = figures_state(figures, i);
        if (count > 0)
            json_object_set_new(states, names[i],
                                json_integer((json_int_t)count));
    }
    return json_pack(
        "{s:I,s:o}", "live",
        (json_int_t)segment_gauge_sum(figures->segment, SEGMENT_GAUGE_live),
        "states", states);
}

static json_t *
page_say_refusals(const struct page *page)
{
    uint64_t counts[REFUSED_REASONS];
    json_t *list = json_array();
    page_say_refused(page, counts);
    for (unsigned i = 0; i < REFUSED_REASONS; i++)
        if (counts[i] > 0)
            json_array_append_new(
                list, json_pack("{s:s,s:I,s:I}", "verdict", figures_verdict(i),
                                "recent",
                                (json_int_t)refused_lately(&page->kept->refused,
                                                           i, counts[i]),
                                "total", (json_int_t)counts[i]));
    return list;
}

static json_t *
page_say_limits(const struct figures *figures)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < FIGURES_LIMIT_COUNT; i++) {
        struct figures_limited limited = figures_limit(figures, i);
        bool octets = i == FIGURES_MEMORY || i == FIGURES_STALLED;
        json_array_append_new(list, json_pack("{s:s,s:I,s:I,s:b}", "limit",
                                              figures_limit_names[i], "used",
                                              (json_int_t)limited.used, "most",
                                              (json_int_t)limited.most,
                                              "octets", (int)octets));
    }
    return list;
}

static const char *
page_say_worker_state(const struct segment *segment, unsigned slot)
{
    const struct segment_column *column = &segment->columns[slot];
    switch (atomic_load(&segment->workers[slot].state)) {
    case SERVICE_DRAINING:
        return "draining";
    case SERVICE_READY:
        if (atomic_load(&column->serving) == 0)
            return "draining";
        return atomic_load(&column->paused) > 0 ? "paused" : "accepting";
    default:
        return "starting";
    }
}

static json_t *
page_say_workers(const struct segment *segment)
{
    unsigned slots = atomic_load(&segment->slots);
    json_t *list = json_array();
    for (unsigned i = 0; i < slots && i < SEGMENT_SLOTS; i++) {
        const struct segment_worker *worker = &segment->workers[i];
        uint32_t started = atomic_load(&worker->started);
        if (atomic_load(&worker->pid) == 0)
            continue;
        json_array_append_new(
            list,
            json_pack("{s:i,s:s,s:I,s:i}", "worker", (int)i, "state",
                      page_say_worker_state(segment, i), "sessions",
                      (json_int_t)atomic_load(
                          &segment->columns[i].gauges[SEGMENT_GAUGE_live]),
                      "restarts", started == 0 ? 0 : (int)started - 1));
    }
    return list;
}

static json_t *
page_say_parents(const struct figures *figures)
{
    const struct config *config = figures->config;
    json_t *list = json_array();
    for (size_t i = 0; i < config->parent_count; i++) {
        const struct config_parent *parent = &config->parents[i];
        char addresses[STATUS_ADDRESSES_MAX];
        status_addresses(parent, ", ", addresses);
        unsigned number = series_names_find(&figures->segment->names,
                                            SERIES_PARENT, parent->name);
        json_array_append_new(
            list,
            json_pack("{s:s,s:s,s:s}", "parent", parent->name, "address",
                      addresses, "state",
                      figures_parent_is_up(figures, number) ? "up" : "down"));
    }
    return list;
}

/* Whose certificate the index-th of config_tls_at is. */
static void
page_say_owner(const struct config *config, size_t index, char *to, size_t room)
{
    if (index < CONFIG_LISTENERS_MAX)
        snprintf(to, room, "listener %s", config->listeners[index].name);
    else
        snprintf(to, room, "parent %s",
                 config->parents[index - CONFIG_LISTENERS_MAX].name);
}

static json_t *
page_say_certificates(const struct figures *figures, int64_t now_s)
{
    const struct config *config = figures->config;
    json_t *list = json_array();
    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        const struct config_tls *tls = config_tls_at(config, i);
        int64_t ends = (int64_t)atomic_load(&figures->segment->expires_s[i]);
        char owner[128];
        if (tls == NULL || tls->certificate.path == NULL || ends == 0)
            continue;
        page_say_owner(config, i, owner, sizeof(owner));
        /* Rounded down: one that ends within a day has 0. */
        int64_t days = (ends - now_s) / 86400 - (ends < now_s);
        json_array_append_new(list, json_pack("{s:s,s:s,s:I}", "of", owner,
                                              "file", tls->certificate.path,
                                              "days", (json_int_t)days));
    }
    return list;
}

static const char *
page_say_state(const struct segment *segment)
{
    unsigned slots = atomic_load(&segment->slots);
    if (health_is_serving(segment))
        return "serving";
    for (unsigned i = 0; i < slots && i < SEGMENT_SLOTS; i++)
        if (atomic_load(&segment->workers[i].state) == SERVICE_DRAINING)
            return "draining";
    return "no worker";
}

json_t *
page_say(const struct page *page)
{
    const struct observer *observer = page->observer;
    const struct figures figures = observer_figures(page->observer);
    uint64_t now_ms = sys_wall_ms();
    return json_pack(
        "{s:I,s:I,s:s,s:s,s:s,s:I,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "time",
        (json_int_t)(now_ms / 1000), "second",
        (json_int_t)page->history.kept->second, "host", page->host, "version",
        PROJECT_VERSION, "config", observer->config_id, "uptime",
        (json_int_t)((now_ms - observer->segment->began_ms) / 1000), "state",
        page_say_state(observer->segment), "point",
        page_say_point(&page->history), "sessions", page_say_sessions(&figures),
        "refusals", page_say_refusals(page), "limits",
        page_say_limits(&figures), "workers",
        page_say_workers(observer->segment), "parents",
        page_say_parents(&figures), "certificates",
        page_say_certificates(&figures, (int64_t)(now_ms / 1000)));
}
