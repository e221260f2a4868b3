#include "gateway/observer/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum metrics_kind {
    METRICS_COUNTER,
    METRICS_GAUGE,
    METRICS_HISTOGRAM,
    METRICS_INFO
};

/* The text that is being written. */
struct metrics {
    const struct figures *figures;
    bool open;
    FILE *to;
    const struct metrics_row *row;
};

struct metrics_row {
    const char *name; /* of the samples, without the prefix */
    enum metrics_kind kind;
    const char *labels; /* for the manual */
    const char *help;
    void (*write)(const struct metrics *metrics);
};

/* --- samples ------------------------------------------------------------- */

/* What the format escapes; other octets that are not printable ASCII are none
   of a name's, and one that a worker has invented need not be readable. */
static void
metrics_put_value(const struct metrics *metrics, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            fprintf(metrics->to, "\\%c", *value);
        else if (*value == '\n')
            fputs("\\n", metrics->to);
        else
            fputc(*value >= 0x20 && *value < 0x7f ? *value : '?', metrics->to);
    }
}

static void
metrics_put_labels(const struct metrics *metrics, va_list labels)
{
    const char *before = "{";
    const char *name;

    while ((name = va_arg(labels, const char *)) != NULL) {
        fprintf(metrics->to, "%s%s=\"", before, name);
        metrics_put_value(metrics, va_arg(labels, const char *));
        fputc('"', metrics->to);
        before = ",";
    }
    if (before[0] == ',')
        fputc('}', metrics->to);
}

/* Names and values of labels, and NULL. */
static void
metrics_put(const struct metrics *metrics, uint64_t value, ...)
{
    va_list labels;

    fprintf(metrics->to, "socks4d_%s", metrics->row->name);
    va_start(labels, value);
    metrics_put_labels(metrics, labels);
    va_end(labels);
    fprintf(metrics->to, " %" PRIu64 "\n", value);
}

/* Milliseconds as seconds. */
static const char *
metrics_seconds(uint64_t ms, char text[32])
{
    int len =
        snprintf(text, 32, "%" PRIu64 ".%03" PRIu64, ms / 1000, ms % 1000);

    while (text[len - 1] == '0' && text[len - 2] != '.')
        text[--len] = '\0';
    return text;
}

static void
metrics_put_histogram(const struct metrics *metrics, const char *label,
                      const char *value,
                      const struct figures_histogram *histogram)
{
    const char *name = metrics->row->name;
    uint64_t below = 0;
    char seconds[32];

    for (unsigned i = 0; i <= SERIES_BUCKETS; i++) {
        below += histogram->counts[i];
        fprintf(metrics->to, "socks4d_%s_bucket{%s=\"", name, label);
        metrics_put_value(metrics, value);
        fprintf(metrics->to, "\",le=\"%s\"} %" PRIu64 "\n",
                i < SERIES_BUCKETS
                    ? metrics_seconds(series_bounds_ms[i], seconds)
                    : "+Inf",
                below);
    }
    fprintf(metrics->to, "socks4d_%s_sum{%s=\"", name, label);
    metrics_put_value(metrics, value);
    fprintf(metrics->to, "\"} %s\n",
            metrics_seconds(histogram->sum_ms, seconds));
    fprintf(metrics->to, "socks4d_%s_count{%s=\"", name, label);
    metrics_put_value(metrics, value);
    fprintf(metrics->to, "\"} %" PRIu64 "\n", below);
}

/* The name with that number; of the number for all others "(other)". */
static const char *
metrics_name(const struct metrics *metrics, enum series_kind kind,
             unsigned number, char text[SERIES_NAME_MAX])
{
    series_names_text(&metrics->figures->segment->names, kind, number, text);
    return text[0] != '\0' ? text : "(other)";
}

/* --- the families -------------------------------------------------------- */

static const char *const metrics_states[] = {
#define X(symbol, name) name,
    SESSION_STATE_NAMES(X)
#undef X
};

static const char *const metrics_versions[] = {"none",
#define X(symbol, name) name,
                                               REQUEST_VERSIONS(X)
#undef X
};

static const char *const metrics_phases[] = {
#define X(symbol, name) name,
    PHASES(X)
#undef X
};

static const char *const metrics_limits[] = {
#define X(symbol, name) name,
    LIMITS(X)
#undef X
};

static const char *const metrics_datagrams[] = {
#define X(symbol, name) name,
    DATAGRAMS(X)
#undef X
};

static const char *const metrics_handshakes[] = {
#define X(symbol, name) name,
    HANDSHAKES(X)
#undef X
};

/* Those for which there was no number only where there are any. */
static void
metrics_write_live(const struct metrics *metrics)
{
    const struct figures *figures = metrics->figures;
    unsigned end = series_names_end(&figures->segment->names, SERIES_LISTENER);
    char name[SERIES_NAME_MAX];

    for (unsigned i = 0; i < end; i++)
        for (unsigned j = SESSION_NEW + 1; j < SESSION_END; j++) {
            uint64_t live = figures_live(figures, i, (enum session_state)j);
            if (live > 0 || i != SERIES_OTHER)
                metrics_put(
                    metrics, live, "state", metrics_states[j], "listener",
                    metrics_name(metrics, SERIES_LISTENER, i, name), NULL);
        }
}

static void
metrics_write_sessions(const struct metrics *metrics)
{
    size_t count = 0;
    struct figures_outcome *outcomes =
        figures_outcomes(metrics->figures, &count);
    char name[SERIES_NAME_MAX], code[16];

    for (size_t i = 0; i < count; i++) {
        const struct figures_outcome *outcome = &outcomes[i];
        snprintf(code, sizeof(code), "%u", outcome->code);
        metrics_put(
            metrics, outcome->count, "verdict",
            figures_verdict(outcome->verdict), "code", code, "listener",
            metrics_name(metrics, SERIES_LISTENER, outcome->listener, name),
            "version",
            metrics_versions[outcome->version < REQUEST_VERSION_COUNT
                                 ? outcome->version
                                 : 0],
            NULL);
    }
    free(outcomes);
}

static void
metrics_write_rules(const struct metrics *metrics)
{
    const struct figures *figures = metrics->figures;
    unsigned end = series_names_end(&figures->segment->names, SERIES_RULE);
    char name[SERIES_NAME_MAX];

    for (unsigned i = 0; i < end; i++) {
        uint64_t hits = figures_rule(figures, i);
        if (hits > 0 || i != SERIES_OTHER)
            metrics_put(metrics, hits, "rule",
                        metrics_name(metrics, SERIES_RULE, i, name), NULL);
    }
}

/* Of each rule by version, where there was any: how many, and when the last. */
static void
metrics_write_decided(const struct metrics *metrics, bool last)
{
    const struct figures *figures = metrics->figures;
    unsigned end = series_names_end(&figures->segment->names, SERIES_RULE);
    char name[SERIES_NAME_MAX];

    for (unsigned i = 0; i < end; i++)
        for (unsigned j = REQUEST_UNKNOWN + 1; j < REQUEST_VERSION_COUNT; j++) {
            struct figures_decided decided =
                figures_decided(figures, i, (enum request_version)j);
            if (decided.count > 0)
                metrics_put(metrics, last ? decided.last_s : decided.count,
                            "rule", metrics_name(metrics, SERIES_RULE, i, name),
                            "version", metrics_versions[j], NULL);
        }
}

static void
metrics_write_requests(const struct metrics *metrics)
{
    metrics_write_decided(metrics, false);
}

static void
metrics_write_last(const struct metrics *metrics)
{
    metrics_write_decided(metrics, true);
}

static void
metrics_write_forgotten(const struct metrics *metrics)
{
    for (int granted = 1; granted >= 0; granted--)
        metrics_put(metrics, figures_forgotten(metrics->figures, granted),
                    "outcome", granted ? "granted" : "refused", NULL);
}

static void
metrics_put_counter(const struct metrics *metrics, enum segment_counter which)
{
    metrics_put(metrics, segment_counter_sum(metrics->figures->segment, which),
                NULL);
}

static void
metrics_write_accepted(const struct metrics *metrics)
{
    metrics_put_counter(metrics, SEGMENT_COUNTER_accepted);
}

static void
metrics_write_lost(const struct metrics *metrics)
{
    metrics_put_counter(metrics, SEGMENT_COUNTER_lost);
}

static void
metrics_write_dropped(const struct metrics *metrics)
{
    metrics_put_counter(metrics, SEGMENT_COUNTER_dropped);
}

static void
metrics_write_restarts(const struct metrics *metrics)
{
    metrics_put_counter(metrics, SEGMENT_COUNTER_restarts);
}

static void
metrics_write_octets(const struct metrics *metrics)
{
    const struct segment *segment = metrics->figures->segment;

    metrics_put(metrics,
                segment_counter_sum(segment, SEGMENT_COUNTER_relayed_up),
                "direction", "up", NULL);
    metrics_put(metrics,
                segment_counter_sum(segment, SEGMENT_COUNTER_relayed_down),
                "direction", "down", NULL);
}

static void
metrics_write_phases(const struct metrics *metrics)
{
    struct figures_histogram histogram;

    for (unsigned i = 0; i < PHASE_COUNT; i++) {
        figures_phase(metrics->figures, (enum phase)i, &histogram);
        metrics_put_histogram(metrics, "phase", metrics_phases[i], &histogram);
    }
}

static void
metrics_write_limits(const struct metrics *metrics)
{
    for (unsigned i = 0; i < FIGURES_LIMIT_COUNT; i++)
        metrics_put(metrics,
                    figures_limit(metrics->figures, (enum figures_limit)i).most,
                    "limit", figures_limit_names[i], NULL);
}

static void
metrics_write_used(const struct metrics *metrics)
{
    for (unsigned i = 0; i < FIGURES_LIMIT_COUNT; i++)
        metrics_put(metrics,
                    figures_limit(metrics->figures, (enum figures_limit)i).used,
                    "limit", figures_limit_names[i], NULL);
}

static void
metrics_write_limited(const struct metrics *metrics)
{
    for (unsigned i = 0; i < LIMIT_COUNT; i++)
        metrics_put(metrics, figures_limited(metrics->figures, (enum limit)i),
                    "limit", metrics_limits[i], NULL);
}

static void
metrics_write_binds(const struct metrics *metrics)
{
    metrics_put(metrics, figures_state(metrics->figures, SESSION_LISTEN), NULL);
}

/* The number of a configured parent, and its name. */
static unsigned
metrics_parent(const struct metrics *metrics, size_t i)
{
    return series_names_find(&metrics->figures->segment->names, SERIES_PARENT,
                             metrics->figures->config->parents[i].name);
}

static void
metrics_write_parents_up(const struct metrics *metrics)
{
    const struct config *config = metrics->figures->config;

    for (size_t i = 0; i < config->parent_count; i++)
        metrics_put(
            metrics,
            figures_parent_is_up(metrics->figures, metrics_parent(metrics, i)),
            "parent", config->parents[i].name, NULL);
}

static void
metrics_write_parents(const struct metrics *metrics)
{
    const struct config *config = metrics->figures->config;
    struct figures_histogram histogram;

    for (size_t i = 0; i < config->parent_count; i++) {
        figures_parent(metrics->figures, metrics_parent(metrics, i),
                       &histogram);
        metrics_put_histogram(metrics, "parent", config->parents[i].name,
                              &histogram);
    }
}

static void
metrics_write_certificates(const struct metrics *metrics)
{
    const struct config *config = metrics->figures->config;

    for (size_t i = 0; i < CONFIG_TLS_MAX; i++) {
        const struct config_tls *tls = config_tls_at(config, i);
        uint64_t expires_s = atomic_load_explicit(
            &metrics->figures->segment->expires_s[i], memory_order_relaxed);
        if (tls == NULL || tls->certificate.path == NULL || expires_s == 0)
            continue;
        if (i < CONFIG_LISTENERS_MAX)
            metrics_put(metrics, expires_s, "listener",
                        config->listeners[i].name, "file",
                        tls->certificate.path, NULL);
        else
            metrics_put(metrics, expires_s, "parent",
                        config->parents[i - CONFIG_LISTENERS_MAX].name, "file",
                        tls->certificate.path, NULL);
    }
}

static void
metrics_write_handshakes(const struct metrics *metrics)
{
    for (unsigned i = 0; i < HANDSHAKE_COUNT; i++)
        metrics_put(metrics,
                    figures_handshakes(metrics->figures, (enum handshake)i),
                    "result", metrics_handshakes[i], NULL);
}

static void
metrics_write_datagrams(const struct metrics *metrics)
{
    for (unsigned i = 0; i < DATAGRAM_COUNT; i++)
        metrics_put(metrics,
                    figures_datagrams(metrics->figures, (enum datagram)i),
                    "outcome", metrics_datagrams[i], NULL);
}

static void
metrics_write_workers(const struct metrics *metrics)
{
    metrics_put(metrics, segment_share(metrics->figures->segment).workers,
                NULL);
}

static void
metrics_write_config(const struct metrics *metrics)
{
    metrics_put(metrics, 1, "sha256", metrics->figures->config_sha256, "id",
                metrics->figures->config_id, NULL);
}

static void
metrics_write_build(const struct metrics *metrics)
{
    metrics_put(metrics, 1, "version", PROJECT_VERSION, NULL);
}

static void
metrics_write_start(const struct metrics *metrics)
{
    metrics_put(metrics, metrics->figures->segment->began_ms / 1000, NULL);
}

static const struct metrics_row metrics_rows[] = {
    {"sessions_live", METRICS_GAUGE, "state, listener",
     "Sessions now, by what they wait for.", metrics_write_live},
    {"sessions_total", METRICS_COUNTER, "verdict, code, listener, version",
     "Sessions that have ended, and connections over a limit.",
     metrics_write_sessions},
    {"connections_accepted_total", METRICS_COUNTER, "",
     "Connections that were accepted.", metrics_write_accepted},
    {"sessions_lost_total", METRICS_COUNTER, "",
     "Sessions that ended with their worker.", metrics_write_lost},
    {"rule_hits_total", METRICS_COUNTER, "rule",
     "Requests that the rule has decided.", metrics_write_rules},
    {"requests_total", METRICS_COUNTER, "rule, version",
     "Requests that the rule has decided, by version of SOCKS.",
     metrics_write_requests},
    {"request_last_timestamp_seconds", METRICS_GAUGE, "rule, version",
     "When the rule last decided a request of that version of SOCKS.",
     metrics_write_last},
    {"migration_forgotten_total", METRICS_COUNTER, "outcome",
     "Rows that the report of socks4ctl migration had no room for.",
     metrics_write_forgotten},
    {"octets_total", METRICS_COUNTER, "direction",
     "Octets relayed, those of live sessions included.", metrics_write_octets},
    {"phase_seconds", METRICS_HISTOGRAM, "phase",
     "How long the phases of sessions took.", metrics_write_phases},
    {"limit", METRICS_GAUGE, "limit", "The most that a limit allows.",
     metrics_write_limits},
    {"limit_used", METRICS_GAUGE, "limit", "How much of a limit is used.",
     metrics_write_used},
    {"limited_total", METRICS_COUNTER, "limit",
     "Connections and sessions that met a limit; of descriptors, pauses.",
     metrics_write_limited},
    {"binds_waiting", METRICS_GAUGE, "", "BINDs that wait for their peer.",
     metrics_write_binds},
    {"parent_up", METRICS_GAUGE, "parent",
     "0: all addresses of the parent failed when they were last tried.",
     metrics_write_parents_up},
    {"parent_seconds", METRICS_HISTOGRAM, "parent",
     "Time from the connection to a parent to its first reply.",
     metrics_write_parents},
    {"certificate_expiry_timestamp_seconds", METRICS_GAUGE,
     "listener or parent, file",
     "When the first certificate of the chain ends.",
     metrics_write_certificates},
    {"tls_handshakes_total", METRICS_COUNTER, "result",
     "TLS handshakes with clients.", metrics_write_handshakes},
    {"udp_datagrams_total", METRICS_COUNTER, "outcome",
     "Datagrams of UDP associations, both ways: passed on, or why not.",
     metrics_write_datagrams},
    {"log_dropped_total", METRICS_COUNTER, "",
     "Records that could not be written.", metrics_write_dropped},
    {"workers_serving", METRICS_GAUGE, "", "Workers that accept.",
     metrics_write_workers},
    {"worker_restarts_total", METRICS_COUNTER, "",
     "Workers that were started in place of one that had ended.",
     metrics_write_restarts},
    {"config_info", METRICS_INFO, "sha256, id",
     "The configuration in force: a hash of its effective text.",
     metrics_write_config},
    {"build_info", METRICS_INFO, "version", "The program.",
     metrics_write_build},
    {"start_timestamp_seconds", METRICS_GAUGE, "",
     "When the gateway was started; upgrades do not count.",
     metrics_write_start},
};

/* --- the text ------------------------------------------------------------ */

/* OpenMetrics names a family without the ending of its samples. */
static void
metrics_write_head(const struct metrics *metrics)
{
    static const char *const words[] = {
        [METRICS_COUNTER] = "counter",
        [METRICS_GAUGE] = "gauge",
        [METRICS_HISTOGRAM] = "histogram",
        [METRICS_INFO] = "info",
    };
    const struct metrics_row *row = metrics->row;
    const char *kind = words[row->kind];
    int len = (int)strlen(row->name);

    if (metrics->open && row->kind == METRICS_COUNTER)
        len -= (int)strlen("_total");
    else if (metrics->open && row->kind == METRICS_INFO)
        len -= (int)strlen("_info");
    else if (row->kind == METRICS_INFO)
        kind = words[METRICS_GAUGE];
    fprintf(metrics->to, "# TYPE socks4d_%.*s %s\n", len, row->name, kind);
    fprintf(metrics->to, "# HELP socks4d_%.*s %s\n", len, row->name, row->help);
}

void
metrics_write(const struct figures *figures, bool open, FILE *to)
{
    struct metrics metrics = {.figures = figures, .open = open, .to = to};

    for (size_t i = 0; i < sizeof(metrics_rows) / sizeof(metrics_rows[0]);
         i++) {
        metrics.row = &metrics_rows[i];
        metrics_write_head(&metrics);
        metrics_rows[i].write(&metrics);
    }
    if (open)
        fputs("# EOF\n", to);
}

/* --- which of the two ---------------------------------------------------- */

/* A client that names the format wants it: Prometheus gives it the greater
   weight. */
bool
metrics_accepts_open(const char *accept)
{
    return accept != NULL &&
           strstr(accept, "application/openmetrics-text") != NULL;
}

const char *
metrics_type(bool open)
{
    return open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                : "text/plain; version=0.0.4; charset=utf-8";
}
