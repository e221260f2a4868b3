#include "base/timer.h"
#include "base/list.h"
#include "tests/unit/unit.h"

#define ALARMS 60

/*
 * An alarm: a timer, what its callback does, and beside it the naive model
 * of the same timer, one flag and one number.
 */
struct alarm {
    struct timer timer;
    bool due;             /* model: it is running */
    uint64_t deadline_ms; /* model */
    unsigned fired;       /* times, in this call of timer_fire */
};

static struct {
    struct timer_heap heap;
    struct alarm alarms[ALARMS];
    struct random random;
    uint64_t now_ms;
    bool firing;
    bool meddles; /* callbacks start and cancel */
    uint64_t last_ms;
    unsigned fired, cancelled_by_others, restarted_itself;
} world;

static void
alarm_start(struct alarm *alarm, uint64_t deadline_ms)
{
    timer_start(&world.heap, &alarm->timer, deadline_ms);
    alarm->due = true;
    alarm->deadline_ms = deadline_ms;
    /* Once a call: from a callback it is the next call's at the earliest. */
    if (world.firing && deadline_ms <= world.now_ms)
        alarm->deadline_ms = world.now_ms + 1;
}

static void
alarm_cancel(struct alarm *alarm)
{
    timer_cancel(&world.heap, &alarm->timer);
    alarm->due = false;
}

static struct alarm *
any_alarm(void)
{
    return &world.alarms[random_below(&world.random, ALARMS)];
}

/* Around now, often already past, often the same as others. */
static uint64_t
any_deadline(void)
{
    return world.now_ms - 5 + random_below(&world.random, 40);
}

static void
alarm_meddle(struct alarm *alarm)
{
    struct alarm *other = any_alarm();

    switch (random_below(&world.random, 5)) {
    case 0:
        world.cancelled_by_others += other->due && other != alarm;
        alarm_cancel(other);
        break;
    case 1:
        alarm_start(other, any_deadline());
        break;
    case 2:
        alarm_start(alarm, any_deadline());
        world.restarted_itself++;
        break;
    case 3:
        alarm_cancel(alarm);
        break;
    }
}

static void
alarm_fired(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);

    assert_true(alarm->due);
    assert_false(timer_running(timer));
    assert_true(alarm->deadline_ms <= world.now_ms);
    assert_true(alarm->deadline_ms >= world.last_ms);
    assert_int_equal(alarm->fired++, 0);
    world.fired++;
    alarm->due = false;
    if (world.meddles)
        alarm_meddle(alarm);
    else
        world.last_ms = alarm->deadline_ms;
}

static void
assert_heap_is_the_model(void)
{
    uint64_t next_ms = UINT64_MAX;

    for (size_t i = 0; i < ALARMS; i++) {
        const struct alarm *alarm = &world.alarms[i];

        assert_int_equal(timer_running(&alarm->timer), alarm->due);
        if (alarm->due && alarm->deadline_ms < next_ms)
            next_ms = alarm->deadline_ms;
    }
    assert_int_equal(timer_next_ms(&world.heap), next_ms);
}

static void
fire(uint64_t now_ms)
{
    world.now_ms = now_ms;
    world.last_ms = 0;
    for (size_t i = 0; i < ALARMS; i++)
        world.alarms[i].fired = 0;
    world.firing = true;
    timer_fire(&world.heap, now_ms);
    world.firing = false;
    for (size_t i = 0; i < ALARMS; i++)
        if (world.alarms[i].due)
            assert_true(world.alarms[i].deadline_ms > now_ms);
    assert_heap_is_the_model();
}

static void
world_init(uint64_t seed, bool meddles)
{
    memset(&world, 0, sizeof world);
    random_init(&world.random, seed);
    world.now_ms = 1000;
    world.meddles = meddles;
    for (size_t i = 0; i < ALARMS; i++)
        timer_init(&world.alarms[i].timer, alarm_fired);
}

static void
play(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (random_below(&world.random, 3) != 0)
            alarm_start(any_alarm(), any_deadline());
        if (random_below(&world.random, 3) == 0)
            alarm_cancel(any_alarm());
        assert_heap_is_the_model();
        if (random_below(&world.random, 8) == 0)
            fire(world.now_ms + random_below(&world.random, 12));
    }
    printf("# fired %u\n", world.fired);
    assert_true(world.fired > steps / 20);
}

static void
fires_what_a_naive_model_fires_and_in_order(void **state)
{
    (void)state;
    world_init(1, false);
    play(20000);
}

static void
callbacks_may_start_and_cancel_any_timer(void **state)
{
    (void)state;
    world_init(2, true);
    play(20000);
    printf("# cancelled %u others, restarted itself %u times\n",
           world.cancelled_by_others, world.restarted_itself);
    assert_true(world.cancelled_by_others > 100);
    assert_true(world.restarted_itself > 100);
}

static void
has_no_next_deadline_when_nothing_runs(void **state)
{
    (void)state;
    world_init(3, false);
    assert_int_equal(timer_next_ms(&world.heap), UINT64_MAX);
    alarm_cancel(&world.alarms[0]);
    alarm_start(&world.alarms[0], 7);
    assert_int_equal(timer_next_ms(&world.heap), 7);
    alarm_start(&world.alarms[0], 9);
    assert_int_equal(timer_next_ms(&world.heap), 9);
    alarm_cancel(&world.alarms[0]);
    alarm_cancel(&world.alarms[0]);
    assert_int_equal(timer_next_ms(&world.heap), UINT64_MAX);
    fire(10);
    assert_int_equal(world.fired, 0);
}

static void
fires_at_its_deadline_and_not_before(void **state)
{
    (void)state;
    world_init(4, false);
    alarm_start(&world.alarms[0], 2000);
    fire(1999);
    assert_int_equal(world.fired, 0);
    fire(2000);
    assert_int_equal(world.fired, 1);
    fire(2001);
    assert_int_equal(world.fired, 1);
}

static void
restarts_itself_again(struct timer *timer)
{
    world.fired++;
    timer_start(&world.heap, timer, 0);
}

static void
fires_once_a_call_who_starts_itself_for_the_past(void **state)
{
    struct timer timer;

    (void)state;
    world_init(5, false);
    timer_init(&timer, restarts_itself_again);
    timer_start(&world.heap, &timer, 10);
    for (unsigned call = 1; call <= 5; call++) {
        timer_fire(&world.heap, 10 + call);
        assert_int_equal(world.fired, call);
    }
}

static struct timer crowd[TIMER_BATCH + 10];
static size_t crowd_fired;

static void
crowd_fire(struct timer *timer)
{
    assert_ptr_equal(timer, &crowd[crowd_fired]); /* the earliest first */
    crowd_fired++;
}

static void
fires_so_many_a_call_and_the_rest_at_the_next(void **state)
{
    struct timer_heap heap = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(crowd); i++) {
        timer_init(&crowd[i], crowd_fire);
        timer_start(&heap, &crowd[i], 1000 + i);
    }
    timer_fire(&heap, 5000);
    assert_int_equal(crowd_fired, TIMER_BATCH);
    assert_int_equal(timer_next_ms(&heap), 1000 + TIMER_BATCH);
    timer_fire(&heap, 5000);
    assert_int_equal(crowd_fired, COUNT(crowd));
    assert_int_equal(timer_next_ms(&heap), UINT64_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_what_a_naive_model_fires_and_in_order),
        cmocka_unit_test(callbacks_may_start_and_cancel_any_timer),
        cmocka_unit_test(has_no_next_deadline_when_nothing_runs),
        cmocka_unit_test(fires_at_its_deadline_and_not_before),
        cmocka_unit_test(fires_once_a_call_who_starts_itself_for_the_past),
        cmocka_unit_test(fires_so_many_a_call_and_the_rest_at_the_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
