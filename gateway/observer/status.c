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
    uint64_t pending = segment_gauge_sum(segment, SEGMENT_GAUGE_pending);
    return json_pack(
        "{s:s,s:s,s:I,s:I,s:{s:I,s:I},s:I,s:I,s:I,s:I,s:o}", "version",
        PROJECT_VERSION, "config", observer->config_id, "uptime",
        (json_int_t)((sys_wall_ms() - segment->began_ms) / 1000), "workers",
        (json_int_t)segment_share(segment).workers, "sessions", "live",
        (json_int_t)live, "pending", (json_int_t)pending, "granted",
        status_count(observer, SEGMENT_COUNTER_granted), "refused",
        status_count(observer, SEGMENT_COUNTER_refused), "up",
        status_count(observer, SEGMENT_COUNTER_up), "down",
        status_count(observer, SEGMENT_COUNTER_down), "processes",
        status_workers(observer));
}
