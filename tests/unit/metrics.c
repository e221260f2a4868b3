#include "gateway/observer/metrics.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "gateway/observer/health.h"
#include "tests/unit/unit.h"

static struct segment *segment;
static struct config *config;
static struct figures figures;

static int
setup(void **state)
{
    (void)state;
    struct config_error error;
    const char text[] =
        "listen: [{address: '127.0.0.1:1080', name: local}]\n"
        "limits: {sessions: 100}\n"
        "parents: [{name: hq, address: '127.0.0.1:1081'}]\n"
        "rules: [{action: allow, from: [any], to: [any], via: [hq]}]\n";

    segment = mmap(NULL, sizeof(*segment), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    config = config_parse(NULL, text, strlen(text), &error, NULL);
    figures = (struct figures){segment, config, "0123abcd", "hash"};
    return segment == MAP_FAILED || config == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    config_unref(config);
    return munmap(segment, sizeof(*segment));
}

/* To be freed. */
static char *
written(bool open)
{
    char *text;
    size_t len;
    FILE *stream = open_memstream(&text, &len);

    assert_non_null(stream);
    metrics_write(&figures, open, stream);
    assert_int_equal(fclose(stream), 0);
    assert_int_equal(strlen(text), len);
    return text;
}

static void
assert_written(const char *line)
{
    char *text = written(true);

    if (strstr(text, line) == NULL)
        fail_msg("not there: %s", line);
    free(text);
}

static void
values_of_labels_are_escaped(void **state)
{
    (void)state;
    /* The configuration allows none of these in a name. */
    series_names_add(&segment->names, SERIES_RULE, "a\"b\\c\nd\x01\xff");
    assert_written("socks4d_rule_hits_total{rule=\"a\\\"b\\\\c\\nd\?\?\"} 0\n");
    figures.config_id = "x\"} 1\n";
    assert_written("id=\"x\\\"} 1\\n\"} 1\n");
}

static void
workers_that_have_ended_still_count(void **state)
{
    (void)state;
    uint32_t key = series_key(0, 0, 90, 1);

    for (unsigned slot = 0; slot < 3; slot++) {
        segment_serve(segment, slot, 1);
        series_count(&segment->series[slot], key);
        series_observe(&segment->series[slot].phases[PHASE_TOTAL], 1500);
    }
    series_count(&segment->series[2], series_key(0, 1, 0, 0));
    segment_retire(segment, 1);
    atomic_store(&segment->slots, 1);
    assert_written("socks4d_sessions_total{verdict=\"granted\",code=\"90\","
                   "listener=\"(other)\",version=\"4\"} 3\n");
    assert_written("socks4d_sessions_total{verdict=\"no-request\",code=\"0\","
                   "listener=\"(other)\",version=\"none\"} 1\n");
    assert_written("socks4d_phase_seconds_sum{phase=\"total\"} 4.5\n");
    assert_written(
        "socks4d_phase_seconds_bucket{phase=\"total\",le=\"1.0\"} 0\n"
        "socks4d_phase_seconds_bucket{phase=\"total\",le=\"2.0\"} 3\n");
    assert_written("socks4d_workers_serving 1\n");
}

static void
a_parent_is_up_where_its_last_answer_is_newer_than_its_failure(void **state)
{
    (void)state;
    unsigned hq = series_names_add(&segment->names, SERIES_PARENT, "hq");

    segment_serve(segment, 0, 1);
    segment_serve(segment, 1, 1);
    assert_written("socks4d_parent_up{parent=\"hq\"} 1\n");
    atomic_store(&segment->series[0].parent_failed_us[hq], 20);
    assert_written("socks4d_parent_up{parent=\"hq\"} 0\n");
    atomic_store(&segment->series[1].parent_answered_us[hq], 30);
    assert_written("socks4d_parent_up{parent=\"hq\"} 1\n");
}

/* A worker that was taken over can write anywhere in it. */
static void
whatever_stands_in_the_segment_is_written_as_text(void **state)
{
    (void)state;
    unsigned seed = 1;
    unsigned char *octets = (unsigned char *)segment;

    memset(segment, 0xff, offsetof(struct segment, columns));
    memset(segment->columns, 0xff, sizeof(segment->columns));
    for (unsigned i = 0; i < 4; i++) {
        memset(&segment->series[i], 0xff, sizeof(segment->series[i]));
        memset(&segment->lives[i], 0xff, sizeof(segment->lives[i]));
    }
    free(written(true));
    for (size_t i = 0; i < offsetof(struct segment, series); i++)
        octets[i] = (unsigned char)rand_r(&seed);
    for (size_t i = 0; i < sizeof(segment->series[0]); i++)
        ((unsigned char *)&segment->series[0])[i] =
            (unsigned char)rand_r(&seed);
    char *text = written(false);
    for (const char *at = text; *at != '\0'; at++)
        assert_true(*at == '\n' || (*at >= 0x20 && *at < 0x7f));
    free(text);
}

static void
openmetrics_is_written_for_whoever_asks_for_it(void **state)
{
    (void)state;
    char *open = written(true), *classic = written(false);
    size_t len = strlen(open);

    assert_string_equal(open + len - 6, "# EOF\n");
    assert_non_null(strstr(open, "# TYPE socks4d_build info\n"));
    assert_non_null(strstr(open, "# TYPE socks4d_sessions counter\n"));
    assert_null(strstr(classic, "# EOF"));
    assert_non_null(strstr(classic, "# TYPE socks4d_build_info gauge\n"));
    assert_non_null(strstr(classic, "# TYPE socks4d_sessions_total counter\n"));
    free(open);
    free(classic);
    assert_false(metrics_accepts_open(NULL));
    assert_false(metrics_accepts_open("text/plain"));
    assert_true(metrics_accepts_open(
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"));
}

static void
the_agents_weight_is_what_is_free(void **state)
{
    (void)state;
    char line[HEALTH_LINE_MAX];
    const struct {
        int live;
        const char *line;
    } rows[] = {{0, "ready up 100%\n"},
                {25, "ready up 75%\n"},
                {99, "ready up 1%\n"},
                {100, "ready up 1%\n"},
                {500, "ready up 1%\n"}};

    health_agent_line(segment, config, line);
    assert_string_equal(line, "drain\n");
    segment_serve(segment, 0, 1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        atomic_store(&segment->columns[0].gauges[SEGMENT_GAUGE_live],
                     (uint64_t)rows[i].live);
        assert_int_equal(health_agent_line(segment, config, line),
                         strlen(rows[i].line));
        assert_string_equal(line, rows[i].line);
    }
    segment_serve(segment, 0, 0);
    health_agent_line(segment, config, line);
    assert_string_equal(line, "drain\n");
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(values_of_labels_are_escaped),
        T(workers_that_have_ended_still_count),
        T(a_parent_is_up_where_its_last_answer_is_newer_than_its_failure),
        T(whatever_stands_in_the_segment_is_written_as_text),
        T(openmetrics_is_written_for_whoever_asks_for_it),
        T(the_agents_weight_is_what_is_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
