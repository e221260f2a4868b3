/* Workers that ask the monitor; the test has their ends of the channels. */
#include "gateway/monitor/slots.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/slots_parts.h"
#include "gateway/role.h"
#include "tests/unit/unit.h"

#define WORKERS 3

const struct role roles[] = {{.word = "--worker", .name = "worker"}};
const size_t role_count = COUNT(roles);

static struct loop loop;
static struct services services;
static struct segment segment;
static struct slots slots;
static int workers[WORKERS];

static void
ignore_change(struct services *all)
{
    assert_ptr_equal(all, &services);
}

static int
begin(void **state)
{
    (void)state;
    services = (struct services){.loop = &loop, .changed = ignore_change};
    slots = (struct slots){.services = &services, .segment = &segment};
    if (loop_init(&loop) != 0 || slots_init(&slots) != 0)
        return -1;
    services_init(&services);
    for (unsigned i = 0; i < WORKERS; i++) {
        int ends[2];
        if (channel_pair(ends) != 0)
            return -1;
        slot_init(&slots.table[i], &slots, i);
        slots.table[i].service.state = SERVICE_READY;
        slots.table[i].service.current.child.control = ends[0];
        workers[i] = ends[1];
    }
    slots.count = WORKERS;
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++) {
        close(slots.table[i].service.current.child.control);
        close(workers[i]);
    }
    slots_fini(&slots);
    loop_fini(&loop);
    return 0;
}

static void
ask(unsigned worker)
{
    struct channel_message message = {.kind = CHANNEL_ASK_CONNECT,
                                      .id = 70 + worker};
    assert_int_equal(channel_send(workers[worker], &message, -1), 0);
}

/* An event for its channel. */
static void
notice(unsigned worker)
{
    struct service *service = &slots.table[worker].service;
    assert_int_equal(service_receive(service), 1);
    service->ops->received(service);
}

static void
assert_answered(unsigned worker)
{
    struct channel_message message;
    assert_int_equal(channel_receive(workers[worker], &message, NULL), 1);
    assert_int_equal(message.kind, CHANNEL_ANSWER);
    assert_int_equal(message.id, 70 + worker);
    assert_int_equal(channel_receive(workers[worker], &message, NULL), -EAGAIN);
}

/* The question of each is read while that of another is answered, and its
   channel is empty by then: no event will come for it. */
static void
answers_questions_that_come_while_another_is_answered(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORKERS; i++)
        ask(i);
    notice(WORKERS - 1);
    loop_turn(&loop, 0);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_answered(i);
}

/* It is started again in its slot. */
static void
counts_no_slot_as_free_whose_worker_is_about_to_begin_anew(void **state)
{
    struct service *service = &slots.table[1].service;

    (void)state;
    assert_int_equal(slots_free(&slots), SEGMENT_SLOTS - WORKERS);
    service->state = SERVICE_EMPTY;
    service->wanted = true;
    assert_int_equal(slots_free(&slots), SEGMENT_SLOTS - WORKERS);
    service->wanted = false;
    assert_int_equal(slots_free(&slots), SEGMENT_SLOTS - WORKERS + 1);
}

/* One that cannot take the newest config version would hold up the upgrade. */
static void
waits_for_no_worker_of_the_binary_before(void **state)
{
    static const struct config_version version = {.number = 7};

    (void)state;
    slots.config_version = &version;
    for (unsigned i = 0; i < WORKERS; i++) {
        slots.table[i].config_version = 7;
        slots.table[i].service.wanted = true;
    }
    assert_int_equal(slots_starting(&slots), 0);
    slots.table[0].config_version = 6;
    assert_int_equal(slots_starting(&slots), 1);
    slots.table[0].service.wanted = false;
    assert_int_equal(slots_starting(&slots), 0);
    slots.table[1].service.state = SERVICE_STARTING;
    assert_int_equal(slots_starting(&slots), 1);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            answers_questions_that_come_while_another_is_answered, begin,
            finish),
        cmocka_unit_test_setup_teardown(
            counts_no_slot_as_free_whose_worker_is_about_to_begin_anew, begin,
            finish),
        cmocka_unit_test_setup_teardown(
            waits_for_no_worker_of_the_binary_before, begin, finish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
