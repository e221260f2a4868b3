/* Who has most, where a worker that was taken over says so. */

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "gateway/link_message.h"
#include "gateway/observer/observer.h"
#include "gateway/observer/top.h"
#include "tests/unit/unit.h"

#define SESSIONS 30000

/* The inverse of an odd number by which ids could be multiplied. */
#define UNMIX UINT64_C(0xf1de83e19937733d)

static uint64_t clock_us = 1000000;
static struct loop loop;
static struct workers workers;
static int worker;
static bool done;
static json_int_t groups, rate; /* of the answer: how many, of the first */
static bool alike;              /* one group, in which one octet has moved */

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

bool
observer_tell_monitor(const struct channel_message *message)
{
    (void)message;
    return true;
}

static uint64_t
in_order(uint64_t i)
{
    return i;
}

/* Their hashes without a secret end alike. */
static uint64_t
colliding(uint64_t i)
{
    return (i << 46) * UNMIX;
}

static void
say(const struct observer_reply *reply)
{
    while (link_message_send(worker, reply, sizeof(*reply)) == -EAGAIN)
        loop_turn(&loop, 0);
}

static void
answer(uint64_t id(uint64_t))
{
    struct observer_reply reply = {.kind = OBSERVER_ENTRIES};
    struct observer_ask ask;

    while (link_message_receive(worker, &ask, sizeof(ask)) != 1)
        loop_turn(&loop, 0);
    reply.id = ask.id;
    for (uint64_t i = 0; i < SESSIONS; i++) {
        struct observer_entry *entry = &reply.top.entries[reply.top.count++];
        *entry = (struct observer_entry){
            .id = id(i + 1), .up = clock_us, .key.len = alike ? 0 : 8};
        memcpy(entry->key.octets, &entry->id, 8);
        if (reply.top.count == OBSERVER_ENTRIES_MAX)
            say(&reply);
        reply.top.count %= OBSERVER_ENTRIES_MAX;
    }
    reply.kind = OBSERVER_END;
    memset(&reply.end, 0, sizeof(reply.end));
    say(&reply);
}

static void
on_done(void *context, json_t *answer)
{
    const json_t *rows = json_object_get(answer, "rows");

    (void)context;
    groups = json_integer_value(json_object_get(answer, "total"));
    rate =
        json_integer_value(json_object_get(json_array_get(rows, 0), "rate_up"));
    json_decref(answer);
    done = true;
}

/* Processor time of the whole. */
static double
ask(uint64_t id(uint64_t), uint64_t most)
{
    clock_t before = clock();

    done = false;
    assert_non_null(
        top_start(&workers, OBSERVER_BY_USERID, most, on_done, NULL));
    answer(id);
    for (int i = 0; i < 100; i++)
        loop_turn(&loop, 0);
    clock_us += 1000000; /* to the second look */
    answer(id);
    while (!done)
        loop_turn(&loop, 0);
    return (double)(clock() - before);
}

static int
setup(void **state)
{
    int link[2];

    (void)state;
    alike = false;
    if (loop_init(&loop) != 0 || channel_pair(link) != 0)
        return -1;
    workers_init(&workers, &loop);
    workers.secret[0] = UINT64_C(0x0706050403020100);
    workers_open_link(&workers, 0, link[0]);
    worker = link[1];
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    workers_fini(&workers);
    loop_fini(&loop);
    return close(worker);
}

static void
nobody_can_choose_what_collides(void **state)
{
    (void)state;
    assert_true(ask(colliding, SESSIONS) < 10 * ask(in_order, SESSIONS));
    assert_int_equal(groups, SESSIONS);
}

/* A session of which a sample was kept has a rate, an octet in a microsecond.
 */
static void
no_worker_has_more_kept_than_there_may_be(void **state)
{
    (void)state;
    alike = true;
    ask(in_order, SESSIONS);
    assert_int_equal(rate / 1000000, SESSIONS);
    ask(in_order, 2000);
    assert_in_range(rate / 1000000, 2000, 4000);
    alike = false;
    ask(in_order, 2000);
    assert_int_equal(groups, SESSIONS);
}

#define ASKING 16 /* connections of members of control.group */

/* Of the whole process, used or not. */
static long
pages(void)
{
    long count = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    assert_non_null(file);
    assert_int_equal(fscanf(file, "%ld", &count), 1);
    fclose(file);
    return count;
}

/* What was freed and is taken again is written with zeros, so that it is all
   in use. */
static void
many_that_ask_take_no_more_than_there_is_to_say(void **state)
{
    struct top *tops[ASKING];
    long before = pages();

    (void)state;
    for (size_t i = 0; i < ASKING; i++) {
        tops[i] =
            top_start(&workers, OBSERVER_BY_CLIENT, 1 << 20, on_done, NULL);
        assert_non_null(tops[i]);
    }
    long taken = (pages() - before) * sysconf(_SC_PAGESIZE);
    printf("# %ld KiB\n", taken >> 10);
    assert_true(taken < 16 << 20);
    for (size_t i = 0; i < ASKING; i++)
        top_cancel(tops[i]);
}

int
main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nobody_can_choose_what_collides),
        T(no_worker_has_more_kept_than_there_may_be),
        T(many_that_ask_take_no_more_than_there_is_to_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
