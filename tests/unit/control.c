/* The control socket against who asks: an answer that is read wakes nobody, but
   one that waits for room is sent on when there is some. */

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/observer/commands.h"
#include "gateway/observer/observer.h"
#include "tests/unit/unit.h"

#define MANY 4096

/* More than the socket holds. */
#define LONG (4 << 20)

static size_t size;
static uint64_t clock_us = 1000000, cost_us; /* of a request */
static int run;

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

void
commands_run(struct control_connection *connection, const json_t *request)
{
    char *text = malloc(size);
    (void)request;
    run++;
    clock_us += cost_us;
    assert_non_null(text);
    memset(text, 'x', size);
    json_t *answer = json_pack("{s:s#}", "text", text, (int)size);
    free(text);
    control_answer(connection, answer);
}

static struct observer observer;
static int peer;

static int
setup(void **state)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa_family_t);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)state;
    cost_us = 0;
    run = 0;
    assert_int_equal(loop_init(&observer.loop), 0);
    observer.owner = getuid();
    control_init(&observer.control, &observer);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    len = sizeof(at);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(peer, (struct sockaddr *)&at, len), 0);
    control_listen(&observer.control, fd, 1, 0);
    loop_turn(&observer.loop, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    close(peer);
    control_fini(&observer.control);
    loop_fini(&observer.loop);
    return 0;
}

static bool
wakes(void)
{
    struct epoll_event event;
    return sys_poll_wait(observer.loop.poller, &event, 1, 0) != 0;
}

/* Whether a line has come to its end, and what there is of it is read. */
static bool
reads_a_line(void)
{
    static char octets[65536];
    ssize_t got;
    while ((got = recv(peer, octets, sizeof(octets), MSG_DONTWAIT)) > 0)
        if (octets[got - 1] == '\n')
            return true;
    return false;
}

static void
ask(size_t wanted)
{
    size = wanted;
    assert_int_equal(send(peer, "{}\n", 3, 0), 3);
    for (int i = 0; i < 8; i++)
        loop_turn(&observer.loop, 0);
}

static void
it_wakes_for_requests_and_for_room_it_waits_for(void **state)
{
    int turns = 0;
    (void)state;
    ask(1);
    assert_false(wakes());
    assert_true(reads_a_line());
    assert_false(wakes());

    ask(LONG);
    assert_false(wakes());
    for (; !reads_a_line(); turns++) {
        assert_true(turns < MANY);
        loop_turn(&observer.loop, 10);
    }
    assert_true(turns > 0);
    for (int i = 0; i < 8; i++)
        loop_turn(&observer.loop, 0);
    assert_false(wakes());
    ask(1);
    assert_true(reads_a_line());
    assert_false(wakes());
}

/* The monitor ends an observer that leaves its pings unanswered. */
static void
requests_that_take_long_leave_the_monitor_its_turn(void **state)
{
    (void)state;
    size = 1;
    cost_us = 30000;
    for (int i = 0; i < 16; i++)
        assert_int_equal(send(peer, "{}\n", 3, 0), 3);
    for (int turn = 1; turn <= 8; turn++) {
        loop_turn(&observer.loop, 0);
        assert_in_range(run, turn, 2 * turn);
    }
    for (int i = 0; i < MANY && run < 16; i++)
        loop_turn(&observer.loop, 0);
    assert_int_equal(run, 16);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            it_wakes_for_requests_and_for_room_it_waits_for, setup, teardown),
        cmocka_unit_test_setup_teardown(
            requests_that_take_long_leave_the_monitor_its_turn, setup,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
