/* What operators ask for, and how often the monitor is told of it: it ends an
   observer that tells it too often. */

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/observer/observer.h"
#include "tests/unit/unit.h"

/* In a second. */
#define MANY 2000
#define MONITOR_TAKES 1000

static uint64_t clock_us;
static struct observer observer;
static int operator_end;
static unsigned told[CHANNEL_DENIED + 1];

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

bool
observer_tell_monitor(const struct channel_message *message)
{
    told[message->operator.action]++;
    return true;
}

static int
setup(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(at.sun_family); /* the kernel names it */
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

    (void)state;
    clock_us = 1000000;
    memset(told, 0, sizeof(told));
    observer.owner = getuid();
    assert_int_equal(loop_init(&observer.loop), 0);
    workers_init(&observer.workers, &observer.loop);
    control_init(&observer.control, &observer);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(listener, 4), 0);
    len = sizeof(at);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    operator_end = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(operator_end, (struct sockaddr *)&at, len), 0);
    control_listen(&observer.control, listener, 1, 0);
    loop_turn(&observer.loop, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(operator_end);
    control_fini(&observer.control);
    workers_fini(&observer.workers);
    loop_fini(&observer.loop);
    return 0;
}

/* How many of so many reloads it takes. */
static unsigned
reload(unsigned times)
{
    static const char request[] = "{\"command\":\"reload\"}\n";
    unsigned taken = 0;

    while (times-- > 0) {
        char line[512];
        ssize_t len;
        assert_true(send(operator_end, request, strlen(request), 0) > 0);
        while ((len = recv(operator_end, line, sizeof(line) - 1,
                           MSG_DONTWAIT)) < 0)
            loop_turn(&observer.loop, 0);
        line[len] = '\0';
        taken += strstr(line, "\"asked\"") != NULL;
    }
    return taken;
}

/* Those that wait in the channel are taken with the next second's. */
static void
the_monitor_is_told_no_more_than_it_takes(void **state)
{
    struct control_connection *connection = container_of(
        observer.control.connections.next, struct control_connection, link);
    unsigned first = reload(MANY);

    (void)state;
    assert_int_equal(told[CHANNEL_RELOAD], first);
    connection->peer.may_change = false;
    assert_int_equal(reload(MANY), 0);
    assert_true(told[CHANNEL_DENIED] > 0);
    assert_true(first + told[CHANNEL_DENIED] <= MONITOR_TAKES / 2);
    clock_us += 1000000;
    told[CHANNEL_DENIED] = 0;
    assert_int_equal(reload(MANY), 0);
    assert_true(told[CHANNEL_DENIED] > 0);
    connection->peer.may_change = true; /* others have not taken its share */
    assert_int_equal(reload(MANY), first);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_monitor_is_told_no_more_than_it_takes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
