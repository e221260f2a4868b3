/* The log queue against a reader: it wakes for room that its lines wait for,
   and looks again, now and then, where something else is in the way. */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/monitor/journal.h"
#include "gateway/monitor/log_file.h"
#include "gateway/monitor/sink.h"
#include "gateway/monitor/syslog.h"
#include "tests/unit/unit.h"

#define MANY 4096

/* ---- The writer and syslogd: one end of a pair, of which we have the other
   ---- */

static int ends[2];
static int connects, syslog_error;

int
sink_writer_start(struct sink_writer *writer, struct services *services,
                  int out)
{
    (void)writer, (void)services;
    close(out);
    return 0;
}

void
sink_writer_adopt(struct sink_writer *writer, struct services *services,
                  struct handover *handover)
{
    (void)writer, (void)services, (void)handover;
}

void
sink_writer_hand_over(const struct sink_writer *writer, struct handed_log *log)
{
    (void)writer, (void)log;
}

int
sink_writer_line_fd(const struct sink_writer *writer)
{
    (void)writer;
    return ends[0];
}

void
sink_writer_reopen(struct sink_writer *writer, int out)
{
    (void)writer;
    close(out);
}

void
sink_writer_finish(struct sink_writer *writer)
{
    (void)writer;
}

void
sink_writer_fini(struct sink_writer *writer)
{
    (void)writer;
}

bool
service_is_over(const struct service *service)
{
    (void)service;
    return true;
}

int
log_file_open(const char *path, const struct user *user)
{
    (void)path, (void)user;
    return -ENOENT;
}

const char *
log_file_error(int error)
{
    return strerror(-error);
}

bool
journal_is(int fd)
{
    (void)fd;
    return false;
}

bool
journal_has_stderr(void)
{
    return false;
}

int
journal_connect(void)
{
    return -ENOENT;
}

int
syslog_connect(void)
{
    connects++;
    return dup(ends[0]);
}

int
syslog_send(int fd, const char *line, size_t len)
{
    if (syslog_error != 0)
        return syslog_error;
    return send(fd, line, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* ---- ---- */

static struct loop loop;
static struct segment *segment;
static struct services services;
static struct sink sink;

static int
setup(void **state, enum config_log_target target)
{
    struct config config = {.log = {.target = target}};
    (void)state;
    connects = syslog_error = 0;
    assert_int_equal(channel_pair(ends), 0);
    assert_int_equal(loop_init(&loop), 0);
    segment = calloc(1, sizeof(*segment));
    assert_non_null(segment);
    services.loop = &loop;
    assert_int_equal(sink_open(&sink, &services, &config, segment, NULL), 0);
    loop_turn(&loop, 0);
    return 0;
}

static int
setup_writer(void **state)
{
    return setup(state, CONFIG_LOG_STDERR);
}

static int
setup_syslog(void **state)
{
    return setup(state, CONFIG_LOG_SYSLOG);
}

static int
teardown(void **state)
{
    (void)state;
    sink_close(&sink);
    loop_fini(&loop);
    free(segment);
    close(ends[0]);
    if (ends[1] != -1)
        close(ends[1]);
    return 0;
}

static bool
wakes(void)
{
    struct epoll_event event;
    return sys_poll_wait(loop.poller, &event, 1, 0) != 0;
}

static void
say(void)
{
    sink_lines(&sink, "one\n", 4);
    loop_turn(&loop, 0);
}

static int
read_batches(void)
{
    char octets[CHANNEL_BATCH_MAX];
    int count = 0;
    while (recv(ends[1], octets, sizeof(octets), MSG_DONTWAIT) > 0)
        count++;
    return count;
}

static void
it_wakes_only_for_room_it_waits_for(void **state)
{
    int said = 1;
    (void)state;
    assert_false(wakes());
    say();
    assert_int_equal(read_batches(), 1);
    assert_false(wakes());

    for (; queue_length(&sink.queue) == 0; said++) {
        assert_true(said < MANY);
        say();
    }
    assert_false(wakes());
    assert_true(read_batches() > 0);
    for (int i = 0; queue_length(&sink.queue) > 0; i++) {
        assert_true(i < MANY);
        loop_turn(&loop, 0);
    }
    loop_turn(&loop, 0);
    assert_int_equal(read_batches(), 1);
    assert_false(wakes());
}

/* A reader that is closed, or that reads no more, is no reason to spin. */
static void
it_looks_now_and_then_for_a_writer_that_reads_no_more(void **state)
{
    (void)state;
    assert_int_equal(shutdown(ends[1], SHUT_RD), 0);
    for (int i = 0; i < 4; i++)
        say();
    assert_false(wakes());
    assert_int_equal(queue_length(&sink.queue), 16);
    assert_true(timer_running(&sink.retry));

    /* Once it reads again (here: another reads in its place). */
    assert_int_equal(close(ends[1]), 0);
    int again[2];
    assert_int_equal(channel_pair(again), 0);
    assert_int_equal(dup2(again[0], ends[0]), ends[0]);
    close(again[0]);
    ends[1] = again[1];
    loop_start_timer(&loop, &sink.retry, 0);
    for (int i = 0; queue_length(&sink.queue) > 0; i++) {
        assert_true(i < MANY);
        loop_turn(&loop, 10);
    }
    assert_int_equal(read_batches(), 1);
}

static void
it_tries_again_where_the_kernel_has_no_memory(void **state)
{
    (void)state;
    syslog_error = -ENOBUFS;
    for (int i = 0; i < 4; i++)
        say();
    assert_false(wakes());
    assert_true(timer_running(&sink.retry));
    syslog_error = 0;
    loop_start_timer(&loop, &sink.retry, 0);
    for (int i = 0; queue_length(&sink.queue) > 0; i++) {
        assert_true(i < MANY);
        loop_turn(&loop, 10);
    }
    assert_int_equal(connects, 1);
    assert_int_equal(read_batches(), 4);
    assert_false(timer_running(&sink.retry));
}

static void
it_connects_to_another_syslogd_when_one_has_gone(void **state)
{
    (void)state;
    assert_int_equal(connects, 1);
    assert_int_equal(close(ends[1]), 0);
    ends[1] = -1;
    for (int i = 0; i < 4; i++)
        say();
    assert_false(wakes());
    assert_int_equal(sink.syslog, -1);
    assert_int_equal(connects, 1);
    assert_true(timer_running(&sink.retry));

    int again[2];
    assert_int_equal(channel_pair(again), 0);
    assert_int_equal(dup2(again[0], ends[0]), ends[0]);
    close(again[0]);
    ends[1] = again[1];
    loop_start_timer(&loop, &sink.retry, 0);
    for (int i = 0; queue_length(&sink.queue) > 0; i++) {
        assert_true(i < MANY);
        loop_turn(&loop, 10);
    }
    assert_int_equal(connects, 2);
    assert_int_equal(read_batches(), 4);
    assert_false(wakes());
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_wakes_only_for_room_it_waits_for,
                                        setup_writer, teardown),
        cmocka_unit_test_setup_teardown(
            it_looks_now_and_then_for_a_writer_that_reads_no_more, setup_writer,
            teardown),
        {"syslogd_wakes_it_only_for_room_it_waits_for",
         it_wakes_only_for_room_it_waits_for, setup_syslog, teardown, NULL},
        cmocka_unit_test_setup_teardown(
            it_tries_again_where_the_kernel_has_no_memory, setup_syslog,
            teardown),
        cmocka_unit_test_setup_teardown(
            it_connects_to_another_syslogd_when_one_has_gone, setup_syslog,
            teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
