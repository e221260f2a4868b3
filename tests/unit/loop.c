#include "base/loop.h"
#include "base/sys.h"
#include "tests/unit/unit.h"

#define WATCHES 1000

/*
 * A poller of our own: it tells of what is ready in the order in which it
 * became so, as many as there is room for, as epoll does; and a clock that
 * jumps where the test says so.
 */
struct source {
    struct watch watch;
    bool stays; /* ready again once told of */
    bool jumps; /* the process is stopped once told of it */
    unsigned heard;
};

static struct {
    struct loop loop;
    struct timer timer;
    struct source sources[WATCHES];
    struct source *ready[WATCHES];
    size_t readies;
    uint64_t now_us;
    unsigned fired;
    unsigned turns;
    unsigned heard; /* sources, in all */
    unsigned heard_before_fired;
} world;

uint64_t
sys_now_us(void)
{
    return world.now_us;
}

int
sys_poll_open(void)
{
    return 3;
}

void
sys_close(int fd)
{
    (void)fd;
}

int
sys_poll_add(int poller, int fd, uint32_t events, void *tag)
{
    (void)poller, (void)fd, (void)events, (void)tag;
    return 0;
}

int
sys_poll_change(int poller, int fd, uint32_t events, void *tag)
{
    return sys_poll_add(poller, fd, events, tag);
}

int
sys_poll_del(int poller, int fd)
{
    (void)poller, (void)fd;
    return 0;
}

static void
becomes_ready(unsigned number)
{
    assert_true(world.readies < WATCHES);
    world.ready[world.readies++] = &world.sources[number];
}

int
sys_poll_wait(int poller, struct epoll_event *events, int room, int wait_ms)
{
    (void)poller;
    size_t count = world.readies < (size_t)room ? world.readies : (size_t)room;
    if (count == 0 && wait_ms > 0)
        world.now_us += (uint64_t)wait_ms * 1000;
    struct source *told[WATCHES];
    memcpy(told, world.ready, count * sizeof(*told));
    world.readies -= count;
    memmove(world.ready, world.ready + count,
            world.readies * sizeof(*world.ready));
    for (size_t i = 0; i < count; i++) {
        events[i] = (struct epoll_event){.data.ptr = &told[i]->watch};
        if (told[i]->stays)
            world.ready[world.readies++] = told[i];
        if (told[i]->jumps) {
            world.now_us += 10000000;
            becomes_ready(1);
        }
    }
    return (int)count;
}

static void
hear(struct watch *watch, uint32_t events)
{
    (void)events;
    struct source *source = container_of(watch, struct source, watch);
    source->heard++;
    world.heard++;
}

static void
fire(struct timer *timer)
{
    (void)timer;
    world.fired++;
    world.heard_before_fired = world.heard;
}

static int
begin(void **state)
{
    (void)state;
    memset(&world, 0, sizeof(world));
    world.now_us = 1000000;
    assert_int_equal(loop_init(&world.loop), 0);
    timer_init(&world.timer, fire);
    for (int i = 0; i < WATCHES; i++)
        assert_int_equal(loop_watch(&world.loop, &world.sources[i].watch,
                                    10 + i, EPOLLIN, hear),
                         0);
    loop_start_timer(&world.loop, &world.timer, 100);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    loop_fini(&world.loop);
    return 0;
}

static void
until_it_fires(unsigned most)
{
    for (world.turns = 0; world.fired == 0; world.turns++) {
        assert_true(world.turns < most);
        loop_turn(&world.loop, -1);
    }
}

static void
waits_until_a_timer_is_due(void **state)
{
    (void)state;
    until_it_fires(2);
    assert_int_equal(world.now_us, 1100000);
}

static void
hears_all_that_came_before_a_timer_runs_out(void **state)
{
    (void)state;
    world.now_us += 10000000; /* stopped, and continued */
    for (unsigned i = 0; i < WATCHES; i++)
        becomes_ready(i);
    until_it_fires(10);
    assert_int_equal(world.heard_before_fired, WATCHES);
}

static void
hears_what_came_while_it_was_stopped_in_mid_turn(void **state)
{
    (void)state;
    world.sources[0].jumps = true;
    becomes_ready(0);
    until_it_fires(3);
    assert_int_equal(world.heard_before_fired, 2);
    assert_int_equal(world.sources[1].heard, 1);
}

static void
timers_run_out_however_busy_it_is(void **state)
{
    (void)state;
    world.now_us += 10000000;
    for (unsigned i = 0; i < WATCHES; i++) {
        world.sources[i].stays = true;
        becomes_ready(i);
    }
    until_it_fires(10);
    for (unsigned i = 0; i < WATCHES; i++)
        assert_true(world.sources[i].heard > 0);
    world.fired = 0;
    loop_start_timer(&world.loop, &world.timer, 0);
    until_it_fires(10);
}

/* A turn that works for long; what it waits for then has its whole time. */
static void
a_timer_counts_from_the_clock_that_was_read(void **state)
{
    (void)state;
    world.now_us += 10000000;
    loop_read_clock(&world.loop);
    loop_start_timer(&world.loop, &world.timer, 100);
    uint64_t began_us = world.now_us;
    until_it_fires(2);
    assert_int_equal(world.now_us, began_us + 100000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(waits_until_a_timer_is_due, begin,
                                        finish),
        cmocka_unit_test_setup_teardown(
            hears_all_that_came_before_a_timer_runs_out, begin, finish),
        cmocka_unit_test_setup_teardown(
            hears_what_came_while_it_was_stopped_in_mid_turn, begin, finish),
        cmocka_unit_test_setup_teardown(timers_run_out_however_busy_it_is,
                                        begin, finish),
        cmocka_unit_test_setup_teardown(
            a_timer_counts_from_the_clock_that_was_read, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
