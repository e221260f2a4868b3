/*
 * A process is added by a row of roles[], its main, and a confinement table:
 * here they are, and nothing else about it. This program is the monitor, and
 * executes itself as the ferret.
 */
#include "gateway/monitor/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"
#include "gateway/monitor/sink.h"
#include "gateway/readiness.h"
#include "tests/unit/unit.h"

/* --- the process --------------------------------------------------------- */

/* clang-format off */
static const struct confine_permission ferret_calls[] = {
    {CALL(poll)},
    {CALL(ppoll)}, /* what poll is on some machines */
    {CALL(recvmsg)},
    {CALL(sendto)},
};
/* clang-format on */

static const struct confine_table confine_ferret = {
    .calls = ferret_calls,
    .call_count = COUNT(ferret_calls),
};

static void
ferret_say(uint32_t kind)
{
    struct channel_message message = {.kind = kind};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

/* What the tests make it do by messages that mean something else elsewhere. */
enum {
    SQUEAK = CHANNEL_DRAIN,
    SAY_WHAT_IS_ANOTHERS = CHANNEL_STOP,
    SAY_READY_AGAIN = CHANNEL_REOPEN,
    BABBLE = CHANNEL_ANSWER,
    FLOOD = CHANNEL_LINK,
    SAY_NOTHING = CHANNEL_FILE,
    SAY_UNCONFINED = CHANNEL_OPERATOR,
};

static void
ferret_obey(uint32_t order)
{
    if (order == SQUEAK)
        fputs("squeak\n", stderr);
    if (order == SAY_WHAT_IS_ANOTHERS)
        ferret_say(CHANNEL_REGISTER);
    if (order == SAY_READY_AGAIN)
        ferret_say(CHANNEL_READY);
    if (order == BABBLE)
        send(CHANNEL_FD_CONTROL, "word", 4, 0);
    if (order == SAY_NOTHING)
        send(CHANNEL_FD_CONTROL, "", 0, 0);
    for (int i = 0; order == FLOOD && i < 100; i++)
        ferret_say(CHANNEL_PONG);
    for (int i = 0; order == SAY_UNCONFINED && i < 3; i++)
        ferret_say(CHANNEL_UNCONFINED);
}

/* Answers until the monitor is gone. */
static int
ferret_main(int argc, char **argv)
{
    struct channel_message message;
    struct pollfd control = {.fd = CHANNEL_FD_CONTROL, .events = POLLIN};
    int came;
    if (argc != ROLE_OWN || readiness_reach(&roles[0], argv, NULL) != 0)
        return 1;
    while (poll(&control, 1, -1) >= 0 &&
           (came = channel_receive(CHANNEL_FD_CONTROL, &message, NULL)) != 0) {
        if (came == 1)
            ferret_obey(message.kind);
        ferret_say(CHANNEL_PONG);
    }
    return 0;
}

static bool needed;

static bool
ferret_needed(const struct config *config)
{
    (void)config;
    return needed;
}

const struct role roles[] = {{"--ferret", "ferret", "ferret", ferret_main,
                              &confine_ferret, ferret_needed, NULL}};
const size_t role_count = COUNT(roles);

/* A sanitizer does not live confined. */
#ifdef SANITIZED
#define SANDBOX CONFINE_OFF
#else
#define SANDBOX CONFINE_REQUIRE
#endif

/* --- the monitor around it ----------------------------------------------- */

static struct loop loop;
static struct user user;
static struct services services;
static unsigned changes;
static char log_lines[16384];
static int program;

void
sink_begin(const struct sink *sink, struct log_line *line, const char *event,
           enum log_level level)
{
    (void)sink;
    log_start(line, false, 0, event, level);
}

void
sink_say(struct sink *sink, struct log_line *line)
{
    (void)sink;
    log_end(line);
    strncat(log_lines, line->text, sizeof(log_lines) - strlen(log_lines) - 1);
}

static void
note_change(struct services *all)
{
    assert_ptr_equal(all, &services);
    changes++;
}

static void
reap(void)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        services_reap(&services, pid, status);
}

uint64_t __wrap_sys_now_us(void);
uint64_t __real_sys_now_us(void);

static uint64_t passed_us;

uint64_t
__wrap_sys_now_us(void)
{
    return __real_sys_now_us() + passed_us;
}

/* Turns of the loop until it is so, bounded. */
static void
turn_until(bool (*is_so)(void))
{
    uint64_t end_us = __real_sys_now_us() + 30 * UINT64_C(1000000);
    while (!is_so() && __real_sys_now_us() < end_us) {
        loop_turn(&loop, 50);
        reap();
    }
    if (!is_so())
        fail_msg("it does not come; the log:\n%s", log_lines);
}

static struct service *
ferret(void)
{
    assert_int_equal(services.plain_count, 1);
    return &services.plain[0];
}

static bool
is_ready(void)
{
    return ferret()->state == SERVICE_READY &&
           !service_has_predecessor(ferret());
}

static bool
is_over(void)
{
    return service_is_over(ferret());
}

static bool
has_answered(void)
{
    return ferret()->current.heartbeat.unanswered == 0;
}

/* A second, without waiting for it. */
static void
pass_second(void)
{
    passed_us += 1000000;
    loop_turn(&loop, 0);
}

static void
begin_monitor(struct handover *handover)
{
    services = (struct services){.loop = &loop,
                                 .user = &user,
                                 .program = program,
                                 .sandbox = SANDBOX,
                                 .changed = note_change};
    services_init(&services);
    assert_int_equal(services_start(&services, NULL, handover), 0);
}

static int
begin(void **state)
{
    (void)state;
    needed = true;
    changes = 0;
    log_lines[0] = '\0';
    user = (struct user){.uid = geteuid(), .gid = getegid()};
    program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(loop_init(&loop), 0);
    begin_monitor(NULL);
    turn_until(is_ready);
    return 0;
}

static int
finish(void **state)
{
    (void)state;
    services_finish(&services);
    turn_until(is_over);
    services_fini(&services);
    loop_fini(&loop);
    close(program);
    return 0;
}

static void
expect_log(const char *words)
{
    if (strstr(log_lines, words) == NULL)
        fail_msg("no \"%s\" in:\n%s", words, log_lines);
}

/* --- tests --------------------------------------------------------------- */

static void
is_started_confined_and_ready(void **state)
{
    (void)state;
    assert_true(services_ready(&services));
    assert_int_equal(services.unconfined.kind, 0);
    expect_log("event=ferret_ready");
    assert_true(changes > 0);
}

static void
says_a_line_of_its_stderr(void **state)
{
    const struct channel_message message = {.kind = SQUEAK};
    (void)state;
    ferret()->current.heartbeat.unanswered = 1;
    assert_int_equal(service_send(ferret(), &message, -1), 0);
    turn_until(has_answered);
    kill(ferret()->current.child.pid, SIGKILL);
    ferret()->state = SERVICE_STARTING;
    turn_until(is_ready);
    expect_log("event=stderr level=error process=ferret message=squeak");
}

static void
is_pinged_and_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 2 * HEARTBEAT_MISSED; i++) {
        pass_second();
        turn_until(has_answered);
    }
    assert_null(strstr(log_lines, "ferret_hung"));
}

static bool
has_ended(void)
{
    return strstr(log_lines, "ferret_ended") != NULL;
}

static bool
is_another(void)
{
    return is_ready() && has_ended();
}

static void
is_started_again_when_it_is_killed(void **state)
{
    (void)state;
    pid_t before = ferret()->current.child.pid;
    kill(before, SIGKILL);
    turn_until(is_another);
    assert_int_not_equal(ferret()->current.child.pid, before);
    expect_log("signal=9 retry_ms=0");
}

static void
is_killed_and_started_again_when_it_hangs(void **state)
{
    (void)state;
    kill(ferret()->current.child.pid, SIGSTOP);
    for (int i = 0; i <= HEARTBEAT_MISSED; i++)
        pass_second();
    expect_log("event=ferret_hung");
    turn_until(is_another);
}

static void
is_started_later_and_later_where_it_never_becomes_ready(void **state)
{
    (void)state;
    for (uint64_t in_ms = RESPAWN_FIRST_MS; in_ms < 1000; in_ms *= 2) {
        char words[64];
        ferret()->state = SERVICE_STARTING;
        ferret()->paused = true; /* its READY is not read */
        log_lines[0] = '\0';
        kill(ferret()->current.child.pid, SIGKILL);
        turn_until(has_ended);
        snprintf(words, sizeof(words), "retry_ms=%llu",
                 (unsigned long long)in_ms);
        expect_log(words);
        pass_second();
        assert_int_not_equal(ferret()->current.child.pid, 0);
    }
    turn_until(is_ready);
}

static struct handover *
hand_over(void)
{
    struct handover *handover = handover_new();
    handover->segment = handover->config = program;
    handover->certificates = program;
    services_hand_over(&services, handover);
    int file = handover_write(handover);
    assert_true(file >= 0);
    handover_free(handover);
    handover = handover_new();
    assert_int_equal(handover_read(handover, file), 0);
    close(file);
    return handover;
}

static void
is_ended_when_it_sends_what_it_may_not(void **state)
{
    static const uint32_t orders[] = {
        SAY_WHAT_IS_ANOTHERS, SAY_READY_AGAIN, BABBLE, FLOOD,
        SAY_NOTHING,          SAY_UNCONFINED};
    (void)state;
    for (size_t i = 0; i < COUNT(orders); i++) {
        const struct channel_message order = {.kind = orders[i]};
        pid_t before = ferret()->current.child.pid;
        log_lines[0] = '\0';
        assert_int_equal(service_send(ferret(), &order, -1), 0);
        turn_until(is_another);
        assert_int_not_equal(ferret()->current.child.pid, before);
        expect_log("event=ferret_broken");
        expect_log("killed: it has a defect, or somebody has taken it over; "
                   "keep this log and report it, as SECURITY.md says");
        expect_log("signal=9");
        assert_null(strstr(log_lines, "event=sandbox"));
    }
}

/* Its message was read for another's sake, and it ended, before the event of
   that message has its turn. */
static void
is_not_accused_when_it_ends(void **state)
{
    struct service_process *process = &ferret()->current;
    struct pollfd end = {.fd = process->child.control};
    (void)state;
    kill(process->child.pid, SIGKILL);
    while (poll(&end, 1, 30000) == 1 && (end.revents & POLLHUP) == 0)
        ;
    while (service_receive(ferret()) == 1)
        ;
    log_lines[0] = '\0';
    process->control_watch.ready(&process->control_watch, EPOLLIN);
    turn_until(is_another);
    assert_null(strstr(log_lines, "ferret_broken"));
}

/* The last messages of one that has served are no reasons why it could not. */
static void
forges_no_line_with_its_last_messages(void **state)
{
    const struct channel_message order = {.kind = SAY_UNCONFINED};
    (void)state;
    pid_t pid = ferret()->current.child.pid;
    struct pollfd said = {.fd = ferret()->current.child.control,
                          .events = POLLIN};
    log_lines[0] = '\0';
    assert_int_equal(service_send(ferret(), &order, -1), 0);
    assert_int_equal(poll(&said, 1, 30000), 1);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, WNOHANG) == 0)
        poll(NULL, 0, 1);
    assert_true(services_reap(&services, pid, SIGKILL));
    turn_until(is_ready);
    assert_null(strstr(log_lines, "event=sandbox"));
    assert_int_equal(services.unconfined.kind, 0);
}

static void
may_not_send_in_a_state_what_it_may_in_another(void **state)
{
    const struct channel_message order = {.kind = SAY_READY_AGAIN};
    (void)state;
    ferret()->state = SERVICE_DRAINING; /* told to, and not ready yet */
    ferret()->current.ready = false;
    ferret()->current.heartbeat.unanswered = 1;
    assert_int_equal(service_send(ferret(), &order, -1), 0);
    turn_until(has_answered);
    assert_null(strstr(log_lines, "ferret_broken"));
}

/* What an exec does: all is forgotten but what the file names. */
static void
forget(void)
{
    struct service_process *process = &ferret()->current;
    heartbeat_stop(&process->heartbeat);
    loop_unwatch(&loop, &process->control_watch);
    loop_unwatch(&loop, &process->child_stderr.watch);
    free(services.plain);
}

/* The next monitor is played by the same process. */
static void
is_handed_over_and_works_until_the_next_is_ready(void **state)
{
    (void)state;
    pid_t before = ferret()->current.child.pid;
    ferret()->current.child_stderr.len = 4;
    memcpy(ferret()->current.child_stderr.line, "half", 4);
    struct handover *handover = hand_over();
    forget();
    begin_monitor(handover);
    assert_false(services_ready(&services));
    assert_int_equal(service_working(ferret())->pid, before);
    turn_until(is_ready);
    assert_int_not_equal(service_working(ferret())->pid, before);
    expect_log("message=half");
    handover_free(handover);
}

static void
what_nobody_takes_over_ends(void **state)
{
    int status;
    (void)state;
    pid_t before = ferret()->current.child.pid;
    struct handover *handover = hand_over();
    forget();
    handover_close_rest(handover);
    assert_int_equal(waitpid(before, &status, 0), before);
    assert_int_equal(status, 0);
    assert_null(handover_find(handover, "--ferret", 0));
    handover_free(handover);
    begin_monitor(NULL);
    turn_until(is_ready);
}

static void
goes_where_it_is_not_needed_and_comes_back(void **state)
{
    (void)state;
    needed = false;
    services_reconfigure(&services, NULL);
    turn_until(is_over);
    assert_true(services_ready(&services));
    needed = true;
    services_reconfigure(&services, NULL);
    turn_until(is_ready);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, finish)

int
main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        TEST(is_started_confined_and_ready),
        TEST(says_a_line_of_its_stderr),
        TEST(is_pinged_and_answers),
        TEST(is_started_again_when_it_is_killed),
        TEST(is_killed_and_started_again_when_it_hangs),
        TEST(is_ended_when_it_sends_what_it_may_not),
        TEST(is_not_accused_when_it_ends),
        TEST(forges_no_line_with_its_last_messages),
        TEST(may_not_send_in_a_state_what_it_may_in_another),
        TEST(is_started_later_and_later_where_it_never_becomes_ready),
        TEST(is_handed_over_and_works_until_the_next_is_ready),
        TEST(what_nobody_takes_over_ends),
        TEST(goes_where_it_is_not_needed_and_comes_back),
    };
    const struct role *role = argc > 1 ? role_find(argv[1]) : NULL;
    if (role != NULL)
        return role->main(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
