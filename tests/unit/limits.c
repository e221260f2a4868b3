#include "gateway/worker/limits.h"

#include <errno.h>

#include "gateway/worker/sources.h"
#include "tests/unit/unit.h"

/* Two workers, one configuration. */
#define WORKERS 2

static struct segment *segment;
static int fd;
static struct config *config;
static struct loop loop;
static struct record_log records[WORKERS];
static struct limits limits[WORKERS];

static int
setup(void **state)
{
    (void)state;
    static const char text[] =
        "limits: {sessions: 100, pending: 40, per_source:"
        " {sessions: 60, pending: 30, binds: 2, rate: 1M}}\n";
    struct config_error error;

    fd = segment_create(&segment);
    config = config_parse(NULL, text, sizeof(text) - 1, &error, NULL);
    memset(&loop, 0, sizeof(loop));
    list_init(&loop.tasks);
    loop.now_us = 1000000;
    if (fd < 0 || config == NULL)
        return -1;
    for (unsigned i = 0; i < WORKERS; i++) {
        segment_serve(segment, i, 1);
        records[i].loop = &loop;
        records[i].level = LOG_LEVEL_INFO;
        records[i].filled = 0;
        timer_init(&records[i].flush, NULL);
        limits_init(&limits[i], &loop, segment, i, &records[i], config);
    }
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        limits_fini(&limits[i]);
    config_unref(config);
    munmap(segment, sizeof(*segment));
    return close(fd);
}

static struct addr
host(uint32_t number)
{
    return addr_v4(0x0a000000 + number);
}

/* One that is let in and relays at once; or why not. */
static enum limit
relay(unsigned worker, struct addr source)
{
    int source_index;
    enum limit limit =
        limits_enter(&limits[worker], source, false, &source_index);

    if (limit == LIMIT_NONE || limit_sheds(limit))
        limits_settle(&limits[worker], source_index);
    if (limit_sheds(limit))
        limits_leave(&limits[worker], source_index);
    return limit;
}

/* One that stays pending. */
static enum limit
wait(unsigned worker, struct addr source)
{
    int source_index;
    enum limit limit =
        limits_enter(&limits[worker], source, false, &source_index);

    if (limit_sheds(limit)) {
        limits_settle(&limits[worker], source_index);
        limits_leave(&limits[worker], source_index);
    }
    return limit;
}

/* How many get in, until the limit that is expected to stop them does. */
static unsigned
many(enum limit (*one)(unsigned, struct addr), struct addr source,
     enum limit end)
{
    unsigned count = 0;
    enum limit limit;

    while ((limit = one(count % WORKERS, source)) == LIMIT_NONE)
        count++;
    assert_int_equal(limit, end);
    return count;
}

static uint64_t
gauge(enum segment_gauge which)
{
    return segment_gauge_sum(segment, which);
}

static void
a_source_has_so_many_sessions_in_all_workers_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(many(relay, host(1), LIMIT_SOURCE_SESSIONS), 60);
    assert_int_equal(relay(0, host(2)), LIMIT_NONE);
    assert_int_equal(gauge(SEGMENT_GAUGE_live), 61);
    assert_int_equal(gauge(SEGMENT_GAUGE_pending), 0);
}

static void
a_source_has_so_many_pending_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(many(wait, host(1), LIMIT_SOURCE_PENDING), 30);
    assert_int_equal(wait(0, host(2)), LIMIT_NONE);
    assert_int_equal(gauge(SEGMENT_GAUGE_pending), 31);
}

static void
what_is_refused_leaves_no_charge(void **state)
{
    (void)state;
    many(relay, host(1), LIMIT_SOURCE_SESSIONS);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(relay(0, host(1)), LIMIT_SOURCE_SESSIONS);
    assert_int_equal(gauge(SEGMENT_GAUGE_live), 60);
}

/* 100 sessions: 95 for whoever has one, five more for others. */
static void
the_last_twentieth_of_sessions_is_for_who_has_none(void **state)
{
    (void)state;
    assert_int_equal(many(relay, host(1), LIMIT_SOURCE_SESSIONS), 60);
    assert_int_equal(many(relay, host(2), LIMIT_SESSIONS), 35);
    for (uint32_t i = 3; i < 8; i++) {
        assert_int_equal(relay(0, host(i)), LIMIT_NONE);
        assert_int_equal(relay(0, host(i)), LIMIT_SESSIONS);
    }
    assert_int_equal(relay(0, host(8)), LIMIT_SESSIONS);
    assert_int_equal(gauge(SEGMENT_GAUGE_live), 100);
}

/* 40 pending: 38 for whoever has one, two more for others. */
static void
the_last_twentieth_of_pending_is_for_who_has_none(void **state)
{
    (void)state;
    assert_int_equal(many(wait, host(1), LIMIT_SOURCE_PENDING), 30);
    assert_int_equal(many(wait, host(2), LIMIT_PENDING), 8);
    assert_int_equal(wait(0, host(3)), LIMIT_NONE);
    assert_int_equal(wait(1, host(4)), LIMIT_NONE);
    assert_int_equal(wait(0, host(5)), LIMIT_PENDING);
    assert_int_equal(gauge(SEGMENT_GAUGE_pending), 40);
}

static void
a_dead_workers_sessions_make_room(void **state)
{
    (void)state;
    assert_int_equal(many(relay, host(1), LIMIT_SOURCE_SESSIONS), 60);
    segment_retire(segment, 1);
    segment_serve(segment, 1, 1);
    assert_int_equal(many(relay, host(1), LIMIT_SOURCE_SESSIONS), 30);
}

static void
binds_are_counted_while_they_wait(void **state)
{
    (void)state;
    int source_index;

    assert_int_equal(limits_enter(&limits[0], host(1), false, &source_index),
                     LIMIT_NONE);
    assert_int_equal(limits_take_port(&limits[0], source_index,
                                      SEGMENT_CHARGE_binds, 2),
                     source_index);
    assert_int_equal(limits_take_port(&limits[1], source_index,
                                      SEGMENT_CHARGE_binds, 2),
                     source_index);
    assert_int_equal(limits_take_port(&limits[1], source_index,
                                      SEGMENT_CHARGE_binds, 2), -EDQUOT);
    limits_give_port(&limits[0], source_index, SEGMENT_CHARGE_binds);
    assert_int_equal(limits_take_port(&limits[1], source_index,
                                      SEGMENT_CHARGE_binds, 2),
                     source_index);
    assert_int_equal(limits_take_port(&limits[1], -ENOSPC,
                                      SEGMENT_CHARGE_binds, 2), -ENOSPC);
}

/* Held and queued octets count beside the sessions, 24 KiB each. */
static void
over_the_memory_something_has_to_give_way(void **state)
{
    (void)state;
    limits[0].memory = 10 * CONFIG_SESSION_OCTETS + 65536;
    for (int i = 0; i < 10; i++)
        assert_int_equal(relay(0, host(1)), LIMIT_NONE);
    segment_charge(limits[1].column, SEGMENT_GAUGE_held, 32768);
    segment_charge(limits[1].column, SEGMENT_GAUGE_queued, 32768);
    assert_int_equal(wait(0, host(1)), LIMIT_MEMORY);
    assert_int_equal(wait(0, host(2)), LIMIT_MEMORY);
    segment_charge(limits[1].column, SEGMENT_GAUGE_held, -32768);
    assert_int_equal(wait(0, host(1)), LIMIT_NONE);
}

static void
a_source_that_is_not_known_counts_in_all(void **state)
{
    (void)state;
    int source_index;

    for (int i = 0; i < SEGMENT_SOURCES; i++) { /* somebody's, all of it */
        segment->sources[i].key = UINT64_MAX;
        segment->charges[0][i].count[SEGMENT_CHARGE_sessions] = 1;
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(
            limits_enter(&limits[0], host(1), false, &source_index),
            LIMIT_NONE);
        assert_int_equal(source_index, -ENOSPC);
        limits_settle(&limits[0], source_index);
    }
    assert_int_equal(limits_enter(&limits[0], host(1), false, &source_index),
                     LIMIT_SESSIONS);
    limits_settle(&limits[0], -ENOSPC);
    for (int i = 0; i < 101; i++)
        limits_leave(&limits[0], -ENOSPC);
    assert_int_equal(gauge(SEGMENT_GAUGE_live), 0);
}

/* ---- What the log is told ---- */

/* The lines since the last look. */
static const char *
said(void)
{
    static char text[4096];

    assert_true(records[0].filled < sizeof(text));
    memcpy(text, records[0].queue, records[0].filled);
    text[records[0].filled] = '\0';
    records[0].filled = 0;
    return text;
}

/* All timers but the one of the queue, which is not read here. */
static void
pass_ms(uint64_t ms)
{
    loop.now_us += ms * 1000;
    timer_cancel(&loop.timers, &records[0].flush);
    timer_fire(&loop.timers, loop_now_ms(&loop));
}

static void
auto_leaves_a_source_an_eighth_and_this_machine_everything(void **state)
{
    (void)state;
    static const char text[] = "limits: {sessions: 800}";
    struct config_error error;
    struct config *automatic =
        config_parse(NULL, text, sizeof(text) - 1, &error, NULL);
    const struct addr here = addr_v4(0x7f000001);

    assert_non_null(automatic);
    for (unsigned i = 0; i < WORKERS; i++)
        limits_set(&limits[i], automatic);
    assert_int_equal(many(relay, host(1), LIMIT_SOURCE_SESSIONS), 100);
    loop.now_us += 1000000;
    assert_in_range(many(relay, here, LIMIT_SESSIONS), 600, 700);
    config_unref(automatic);
}

static void
auto_is_a_rate_for_others_and_none_for_this_machine(void **state)
{
    (void)state;
    static const char text[] =
        "limits: {sessions: 10k, per_source: {sessions: 10k}}";
    struct config_error error;
    struct config *automatic =
        config_parse(NULL, text, sizeof(text) - 1, &error, NULL);

    assert_non_null(automatic);
    for (unsigned i = 0; i < WORKERS; i++)
        limits_set(&limits[i], automatic);
    assert_int_equal(many(relay, host(1), LIMIT_RATE), CONFIG_SOURCE_RATE);
    assert_in_range(many(relay, addr_v4(0x7f000001), LIMIT_SESSIONS), 9000,
                    10000);
    config_unref(automatic);
}

static void
repeated_lines_come_once_a_second_and_say_how_many(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        limits_complain(&limits[0], LIMIT_RATE, host(1));
    assert_non_null(strstr(said(), "event=limit level=warning worker=0 "
                                   "limit=limits.per_source.rate count=1 "
                                   "source=10.0.0.1\n"));
    limits_complain(&limits[0], LIMIT_SESSIONS, host(3));
    assert_non_null(strstr(said(), "limit=limits.sessions count=1"));
    limits_complain(&limits[0], LIMIT_RATE, host(2));
    pass_ms(999);
    assert_string_equal(said(), "");
    pass_ms(1);
    assert_non_null(strstr(said(), "limit=limits.per_source.rate count=1000 "
                                   "source=10.0.0.2\n"));
    pass_ms(10000);
    assert_string_equal(said(), "");
    limits_complain(&limits[0], LIMIT_RATE, host(1));
    assert_non_null(strstr(said(), "count=1 "));
}

static void
what_found_no_room_is_said_later(void **state)
{
    (void)state;
    records[0].filled = RECORD_QUEUE - 10;
    limits_complain(&limits[0], LIMIT_RATE, host(1));
    records[0].filled = 0;
    limits_complain(&limits[0], LIMIT_RATE, host(1));
    pass_ms(1000);
    assert_non_null(strstr(said(), "count=2 "));
    limits_complain(&limits[0], LIMIT_RATE, host(1));
    limits_fini(&limits[0]);
    assert_non_null(strstr(said(), "count=1 "));
}

/* As many as its client may have, while the balancer itself has no limit. */
static void
a_balancers_connection_is_charged_to_its_client(void **state)
{
    (void)state;
    for (int i = 0; i <= 60; i++) {
        int source_index;
        assert_int_equal(limits_enter(&limits[0], host(1), true, &source_index),
                         LIMIT_NONE);
        int balancer = source_index;
        assert_int_equal(
            sources_sum(segment, balancer, SEGMENT_CHARGE_sessions), 1);
        assert_int_equal(limits_move(&limits[0], host(2), &source_index),
                         i < 60 ? LIMIT_NONE : LIMIT_SOURCE_SESSIONS);
        assert_int_equal(
            sources_sum(segment, balancer, SEGMENT_CHARGE_sessions), 0);
        assert_int_equal(sources_sum(segment, balancer, SEGMENT_CHARGE_pending),
                         0);
        assert_true(i < 60 ? source_index >= 0 : source_index < 0);
        limits_settle(&limits[0], source_index);
    }
    assert_int_equal(gauge(SEGMENT_GAUGE_live), 61);
    assert_int_equal(gauge(SEGMENT_GAUGE_pending), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_source_has_so_many_sessions_in_all_workers_and_no_more),
        TEST(a_source_has_so_many_pending_and_no_more),
        TEST(what_is_refused_leaves_no_charge),
        TEST(the_last_twentieth_of_sessions_is_for_who_has_none),
        TEST(the_last_twentieth_of_pending_is_for_who_has_none),
        TEST(a_balancers_connection_is_charged_to_its_client),
        TEST(a_dead_workers_sessions_make_room),
        TEST(binds_are_counted_while_they_wait),
        TEST(over_the_memory_something_has_to_give_way),
        TEST(a_source_that_is_not_known_counts_in_all),
        TEST(auto_leaves_a_source_an_eighth_and_this_machine_everything),
        TEST(auto_is_a_rate_for_others_and_none_for_this_machine),
        TEST(repeated_lines_come_once_a_second_and_say_how_many),
        TEST(what_found_no_room_is_said_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
