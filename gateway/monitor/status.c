#include "gateway/monitor/status.h"

/* name; the columns' figures under the names of the segment's tables */
static const char *const gauge_names[] = {
#define X(name, help) #name,
    SEGMENT_GAUGES(X)
#undef X
};

static const char *const counter_names[] = {
#define X(name, help) #name,
    SEGMENT_COUNTERS(X)
#undef X
};

static void
status_report_slot(const struct slot *slot)
{
    struct log_line line;
    const struct service *service = &slot->service;
    struct sink *sink = service->services->sink;
    struct segment_column *column =
        &slot->slots->segment->columns[service->number];
    sink_begin(sink, &line, "status", LOG_LEVEL_NOTICE);
    log_number(&line, "worker", service->number);
    log_number(&line, "pid", (uint64_t)service->current.child.pid);
    log_text(&line, "state", service_state_names[service->state]);
    log_number(&line, "generation", slot->generation);
    log_text(&line, "config", slot->id);
    for (int i = 0; i < SEGMENT_GAUGE_COUNT; i++)
        log_number(&line, gauge_names[i], atomic_load(&column->gauges[i]));
    for (int i = 0; i < SEGMENT_COUNTER_COUNT; i++)
        log_number(&line, counter_names[i], atomic_load(&column->counters[i]));
    sink_answer(sink, &line);
}

static void
status_report_total(const struct slots *slots)
{
    struct log_line line;
    struct sink *sink = slots->services->sink;
    sink_begin(sink, &line, "total", LOG_LEVEL_NOTICE);
    log_number(&line, "workers", slots_count(slots, SERVICE_READY));
    log_text(&line, "config", slots->config_version->id);
    for (enum segment_gauge i = 0; i < SEGMENT_GAUGE_COUNT; i++)
        log_number(&line, gauge_names[i], segment_gauge_sum(slots->segment, i));
    for (enum segment_counter i = 0; i < SEGMENT_COUNTER_COUNT; i++)
        log_number(&line, counter_names[i],
                   segment_counter_sum(slots->segment, i));
    sink_answer(sink, &line);
}

void
status_report(const struct slots *slots)
{
    for (unsigned i = 0; i < slots->count; i++) {
        const struct service *service = &slots->table[i].service;
        if (service->wanted || service->state != SERVICE_EMPTY)
            status_report_slot(&slots->table[i]);
    }
    status_report_total(slots);
}
