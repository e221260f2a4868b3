#include "gateway/monitor/upgrade_probe.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>

#include "gateway/monitor/handover.h"
#include "tests/unit/unit.h"

/* The clock and the child are the test's. */
enum { PID = 4711 };

const struct role roles[] = {
    [ROLE_UPGRADE_CHECK] = {"--upgrade-check", "upgrade check", "check", NULL,
                            NULL, NULL, NULL},
};
const size_t role_count = COUNT(roles);

static struct loop loop;
static const struct user user;
static struct services services;
static struct upgrade_probe probe;
static int far;   /* the child's end of the channel */
static int mouth; /* and of its stderr */
static unsigned over, killed;
static char why[UPGRADE_PROBE_WHY_MAX];

void
child_init(struct child *child)
{
    *child = (struct child){.pid = 0, .control = -1, .stderr_fd = -1};
}

int
child_start(struct child *child, const struct child_plan *plan)
{
    int control[2], stderr_pipe[2];
    (void)plan;
    assert_int_equal(channel_pair(control), 0);
    assert_int_equal(pipe(stderr_pipe), 0);
    *child = (struct child){PID, control[0], stderr_pipe[0]};
    far = control[1];
    mouth = stderr_pipe[1];
    return 0;
}

void
child_close(struct child *child)
{
    close(child->control);
    close(child->stderr_fd);
    child_init(child);
}

void
child_kill(const struct child *child)
{
    killed += child->pid != 0;
}

static void
note(struct upgrade_probe *one, const char *text)
{
    assert_false(upgrade_probe_is_running(one));
    over++;
    snprintf(why, sizeof(why), "%s", text == NULL ? "" : text);
}

static void
pass(uint64_t ms)
{
    loop.now_us += ms * 1000;
    timer_fire(&loop.timers, loop_now_ms(&loop));
}

static void
look(void)
{
    uint64_t now_us = loop.now_us;
    for (int i = 0; i < 4; i++)
        loop_turn(&loop, 0);
    loop.now_us = now_us;
}

static void
say(uint32_t kind, uint32_t arg, uint64_t id)
{
    struct channel_message message = {.kind = kind, .arg = arg, .id = id};
    assert_int_equal(channel_send(far, &message, -1), 0);
}

static void
say_version(void)
{
    say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape());
}

/* As far as that: nothing said, the version said, ready. */
static void
come_to(unsigned stage)
{
    if (stage >= 1)
        say_version();
    if (stage >= 2)
        say(CHANNEL_READY, 0, 0);
    look();
}

static void
end_with(int status)
{
    close(far);
    close(mouth);
    assert_true(services_reap(&services, PID, status));
    far = mouth = -1;
}

static void
complain(const char *text)
{
    assert_int_equal(write(mouth, text, strlen(text)), strlen(text));
}

static void
expect(const char *text)
{
    assert_int_equal(over, 1);
    if (strstr(why, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, why);
}

static int
begin(void **state)
{
    (void)state;
    over = killed = 0;
    assert_int_equal(loop_init(&loop), 0);
    services = (struct services){.loop = &loop, .user = &user, .program = -1};
    services_init(&services);
    upgrade_probe_init(&probe, &services, note);
    assert_int_equal(upgrade_probe_start(&probe, -1, NULL, 0, NULL, 0), 0);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    if (upgrade_probe_is_running(&probe)) {
        upgrade_probe_cancel(&probe);
        end_with(SIGKILL);
    }
    loop_fini(&loop);
    return 0;
}

/* Statuses as waitpid gives them. */
#define EXIT(status) ((status) << 8)

static void
takes_one_that_comes_as_far_as_a_worker_and_ends_in_order(void **state)
{
    struct channel_message message;
    (void)state;
    come_to(1);
    assert_int_equal(channel_receive(far, &message, NULL), -EAGAIN);
    come_to(0);
    say(CHANNEL_READY, 0, 0);
    look();
    assert_int_equal(channel_receive(far, &message, NULL), 1);
    assert_int_equal(message.kind, CHANNEL_DRAIN);
    pass(UPGRADE_PROBE_MS - 1);
    end_with(EXIT(0));
    assert_int_equal(over, 1);
    assert_string_equal(why, "");
    assert_int_equal(killed, 0);
    pass(UPGRADE_PROBE_MS);
    assert_int_equal(over, 1);
}

static void
refuses_another_version_by_name_and_kills_it(void **state)
{
    (void)state;
    say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION + 1, handover_shape());
    look();
    assert_int_equal(killed, 1);
    assert_int_equal(over, 0); /* not before it is dead */
    end_with(SIGKILL);
    expect("restart instead");
    expect("version");
}

static void
refuses_other_sizes_of_what_is_shared(void **state)
{
    (void)state;
    say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape() + 1);
    look();
    end_with(SIGKILL);
    expect("another size: restart instead");
}

static void
says_who_cannot_be_confined(void **state)
{
    (void)state;
    come_to(1);
    say(CHANNEL_UNCONFINED, 0, EPERM);
    look();
    end_with(EXIT(1));
    expect("cannot be confined");
    expect(strerror(EPERM));
}

static void
refuses_what_does_not_belong_there(void **state)
{
    static const uint32_t kinds[][8] = {
        {CHANNEL_READY, CHANNEL_UNCONFINED, CHANNEL_REGISTER, 0, 77},
        {CHANNEL_UPGRADE_CHECK, CHANNEL_ASK_CONNECT, CHANNEL_PONG, 0, 77},
        {CHANNEL_UPGRADE_CHECK, CHANNEL_READY, CHANNEL_UNCONFINED, 0, 77},
    };
    for (unsigned stage = 0; stage < COUNT(kinds); stage++)
        for (size_t i = 0; i < 5; i++) {
            come_to(stage);
            say(kinds[stage][i], HANDOVER_VERSION, handover_shape());
            look();
            assert_int_equal(killed, 1);
            end_with(SIGKILL);
            expect("not understood");
            finish(state);
            begin(state);
        }
}

static void
refuses_half_a_message(void **state)
{
    (void)state;
    come_to(1);
    assert_int_equal(send(far, "word", 4, 0), 4);
    look();
    end_with(SIGKILL);
    expect("not understood");
}

static void
gives_up_after_its_time_wherever_it_hangs(void **state)
{
    for (unsigned stage = 0; stage < 3; stage++) {
        come_to(stage);
        pass(UPGRADE_PROBE_MS - 1);
        assert_int_equal(killed, 0);
        pass(1);
        assert_int_equal(killed, 1);
        end_with(SIGKILL);
        expect("within 4900 ms");
        finish(state);
        begin(state);
    }
}

static void
says_how_it_ended_before_its_time(void **state)
{
    static const struct {
        unsigned stage;
        int status;
        const char *complaint, *said;
    } ends[] = {
        {0, EXIT(127), NULL, "cannot be executed; is it"},
        {0, EXIT(127), "no library\n", "cannot be executed: no library"},
        {0, EXIT(0), NULL, "status 0; is it a socks4d"},
        {0, EXIT(2), "a\nlast\n", "status 2: last; is it a socks4d"},
        {1, EXIT(1), "gw.yaml:3:1: wrong\n", "gw.yaml:3:1: wrong"},
        {1, EXIT(1), "half a line", "half a line"},
        {1, EXIT(0), "a remark\n", "status 0 and was not ready"},
        {1, EXIT(1), NULL, "status 1 and was not ready"},
        {2, EXIT(4), NULL, "status 4"},
        {1, SIGSEGV, NULL, "signal 11"},
        {2, SIGSYS, "bad call\n", "signal 31: bad call"},
    };
    for (size_t i = 0; i < COUNT(ends); i++) {
        come_to(ends[i].stage);
        if (ends[i].complaint != NULL)
            complain(ends[i].complaint);
        end_with(ends[i].status);
        expect(ends[i].said);
        finish(state);
        begin(state);
    }
}

static void
hears_what_was_said_before_the_end(void **state)
{
    (void)state;
    say(CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION + 1, 0); /* and nobody looks */
    complain("lost\n");
    end_with(EXIT(1));
    expect("restart instead");
}

static void
is_silent_when_it_was_cancelled(void **state)
{
    (void)state;
    come_to(2);
    upgrade_probe_cancel(&probe);
    assert_int_equal(killed, 1);
    end_with(EXIT(0));
    assert_int_equal(over, 0);
    assert_false(upgrade_probe_is_running(&probe));
}

static void
knows_its_own_process_only(void **state)
{
    (void)state;
    assert_false(services_reap(&services, PID + 1, 0));
    end_with(EXIT(1));
    assert_false(services_reap(&services, PID, 0));
    assert_false(services_reap(&services, 0, 0));
    assert_int_equal(over, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(takes_one_that_comes_as_far_as_a_worker_and_ends_in_order),
        TEST(refuses_another_version_by_name_and_kills_it),
        TEST(refuses_other_sizes_of_what_is_shared),
        TEST(says_who_cannot_be_confined),
        TEST(refuses_what_does_not_belong_there),
        TEST(refuses_half_a_message),
        TEST(gives_up_after_its_time_wherever_it_hangs),
        TEST(says_how_it_ended_before_its_time),
        TEST(hears_what_was_said_before_the_end),
        TEST(is_silent_when_it_was_cancelled),
        TEST(knows_its_own_process_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
