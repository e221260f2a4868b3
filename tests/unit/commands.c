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

/* An operator's end of a new connection, the last of the control socket's. */
static int
connected(void)
{
    struct sockaddr_un at;
    socklen_t len = sizeof(at);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_int_equal(
        getsockname(observer.control.listener.fd, (struct sockaddr *)&at, &len),
        0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
    loop_turn(&observer.loop, 0);
    return fd;
}

static struct control_connection *
newest(void)
{
    return container_of(observer.control.connections.prev,
                        struct control_connection, link);
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
    control_listen(&observer.control, listener, 1, 0);
    operator_end = connected();
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

/* Whether the first line that is answered has the word. */
static bool
is_answered(int fd, const char *request, const char *word)
{
    char line[512];
    ssize_t len;

    assert_true(send(fd, request, strlen(request), 0) > 0);
    while ((len = recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT)) < 0)
        loop_turn(&observer.loop, 0);
    line[len] = '\0';
    return strstr(line, word) != NULL;
}

/* How many of so many reloads it takes. */
static unsigned
reload(unsigned times)
{
    unsigned taken = 0;

    while (times-- > 0)
        taken += is_answered(operator_end, "{\"command\":\"reload\"}\n",
                             "\"asked\"");
    return taken;
}

/* Those that wait in the channel are taken with the next second's. */
static void
the_monitor_is_told_no_more_than_it_takes(void **state)
{
    struct control_connection *connection = newest();
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

static bool
follows(int fd)
{
    return is_answered(fd, "{\"command\":\"sessions\",\"follow\":true}\n",
                       "\"following\"");
}

static void
who_may_only_look_leaves_follows_to_others(void **state)
{
    int lookers[3], one, other;

    (void)state;
    for (size_t i = 0; i < COUNT(lookers); i++) {
        lookers[i] = connected();
        newest()->peer.may_change = false;
        assert_true(follows(lookers[i]) == (i < OBSERVER_FOLLOWS_MAX - 2));
    }
    one = connected();
    other = connected();
    assert_true(follows(one) && follows(other));
    assert_false(follows(operator_end));
    for (size_t i = 0; i < COUNT(lookers); i++)
        close(lookers[i]);
    close(one);
    close(other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_monitor_is_told_no_more_than_it_takes, setup, teardown),
        cmocka_unit_test_setup_teardown(
            who_may_only_look_leaves_follows_to_others, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
