/*
 * Questions to a kernel behind base/sys.h, with Linux's answers. Built
 * twice: with the simulated kernel and with the real one over loopback. As
 * long as both pass, the simulation does not flatter the gateway.
 */

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "tests/scenario/kernel_stage.h"

static int failures;

static void
expect(const char *what, long got, long want, int line)
{
    if (got == want)
        return;
    fprintf(stderr, "kernel_test.c:%d: %s is %ld (%#lx), not %ld (%#lx)\n",
            line, what, got, (unsigned long)got, want, (unsigned long)want);
    failures++;
}

#define EXPECT(got, want) expect(#got, (long)(got), (long)(want), __LINE__)

#define INTEREST (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET)

static int poller;

/* The next event's bits; 0: none comes. */
static uint32_t
next_event(void)
{
    struct epoll_event event;
    int count = sys_poll_wait(poller, &event, 1, stage_patience_ms());
    return count == 1 ? event.events : 0;
}

static void
watch(int fd)
{
    EXPECT(sys_poll_add(poller, fd, INTEREST, NULL), 0);
}

/* A connection with its first end watched and its first event taken. */
static void
watched_pair(int fds[2])
{
    stage_pair(fds);
    watch(fds[0]);
    EXPECT(next_event(), EPOLLOUT);
}

static void
close_pair(int fds[2])
{
    sys_reset(fds[0]);
    sys_reset(fds[1]);
}

static ssize_t
recv_some(int fd)
{
    char octets[4096];
    return sys_recv(fd, octets, sizeof(octets));
}

static void
fresh_socket_hangs_up(void)
{
    int fd = sys_tcp(true);

    watch(fd);
    EXPECT(next_event(), EPOLLOUT | EPOLLHUP);
    sys_close(fd);
}

static void
refused_connect_is_an_error_event(void)
{
    int fd = sys_tcp(true);

    EXPECT(stage_refused_connect(fd), -EINPROGRESS);
    watch(fd);
    EXPECT(next_event(), EPOLLOUT | EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    EXPECT(sys_error(fd), -ECONNREFUSED);
    EXPECT(sys_error(fd), 0);
    EXPECT(recv_some(fd), 0);
    sys_close(fd);
}

static void
an_edge_comes_with_each_arrival_only(void)
{
    int fds[2];

    watched_pair(fds);
    EXPECT(next_event(), 0);
    EXPECT(sys_send(fds[1], "a", 1), 1);
    EXPECT(next_event(), EPOLLIN | EPOLLOUT);
    EXPECT(next_event(), 0);
    EXPECT(sys_send(fds[1], "b", 1), 1);
    EXPECT(next_event(), EPOLLIN | EPOLLOUT);
    EXPECT(recv_some(fds[0]), 2);
    EXPECT(recv_some(fds[0]), -EAGAIN);
    EXPECT(next_event(), 0);
    close_pair(fds);
}

static void
fin_is_rdhup_and_then_0(void)
{
    int fds[2];

    watched_pair(fds);
    EXPECT(sys_send(fds[1], "abc", 3), 3);
    EXPECT(sys_shutdown(fds[1]), 0);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    EXPECT(recv_some(fds[0]), 3);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(next_event(), 0);
    EXPECT(sys_send(fds[0], "x", 1), 1); /* the other half lives */
    EXPECT(sys_shutdown(fds[0]), 0);
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    EXPECT(sys_send(fds[0], "x", 1), -EPIPE);
    close_pair(fds);
}

static void
reset_says_so_once_and_then_0(void)
{
    int fds[2];

    watched_pair(fds);
    EXPECT(sys_send(fds[1], "abc", 3), 3);
    sys_reset(fds[1]);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    EXPECT(recv_some(fds[0]), 3);
    EXPECT(recv_some(fds[0]), -ECONNRESET);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(sys_send(fds[0], "x", 1), -EPIPE);
    sys_close(fds[0]);
}

static void
write_takes_the_resets_error(void)
{
    int fds[2];

    stage_pair(fds);
    sys_reset(fds[1]);
    stage_settle();
    EXPECT(sys_send(fds[0], "x", 1), -ECONNRESET);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(sys_send(fds[0], "x", 1), -EPIPE);
    sys_close(fds[0]);
}

static void
asking_takes_the_resets_error(void)
{
    int fds[2];

    stage_pair(fds);
    sys_reset(fds[1]);
    stage_settle();
    EXPECT(sys_error(fds[0]), -ECONNRESET);
    EXPECT(sys_error(fds[0]), 0);
    EXPECT(recv_some(fds[0]), 0);
    sys_close(fds[0]);
}

static void
reset_behind_fin_is_epipe(void)
{
    int fds[2];

    watched_pair(fds);
    EXPECT(sys_shutdown(fds[1]), 0);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(sys_send(fds[0], "zz", 2), 2);
    stage_settle();
    sys_close(fds[1]); /* with "zz" unread */
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(sys_error(fds[0]), -EPIPE);
    EXPECT(sys_send(fds[0], "x", 1), -EPIPE);
    sys_close(fds[0]);
}

static void
closing_with_something_unread_is_a_reset(void)
{
    int fds[2];

    stage_pair(fds);
    EXPECT(sys_send(fds[0], "unread", 6), 6);
    stage_settle();
    sys_close(fds[1]);
    stage_settle();
    EXPECT(recv_some(fds[0]), -ECONNRESET);
    sys_close(fds[0]);
}

static void
writing_to_a_closed_end_is_answered_by_a_reset(void)
{
    int fds[2];

    watched_pair(fds);
    sys_close(fds[1]);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    EXPECT(sys_send(fds[0], "late", 4), 4);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLERR | EPOLLHUP);
    EXPECT(recv_some(fds[0]), 0);
    EXPECT(sys_send(fds[0], "x", 1), -EPIPE);
    sys_close(fds[0]);
}

/* Sends until the kernel takes no more; how much it took. */
static size_t
fill(int fd)
{
    static const char octets[65536];
    size_t total = 0;

    for (;;) {
        ssize_t sent = sys_send(fd, octets, sizeof(octets));
        if (sent < 0) {
            EXPECT(sent, -EAGAIN);
            return total;
        }
        total += (size_t)sent;
    }
}

/* As fill, but gives what is under way time to leave the sender's buffer. */
static size_t
fill_up(int fd)
{
    size_t total = 0, more;

    do {
        more = fill(fd);
        total += more;
        stage_settle();
    } while (more > 0);
    return total;
}

static void
full_connection_tells_when_there_is_room(void)
{
    int fds[2];

    watched_pair(fds);
    size_t total = fill_up(fds[0]);
    while (next_event() != 0)
        total += fill_up(fds[0]);
    while (total > 0) {
        ssize_t count = recv_some(fds[1]);
        if (count <= 0) {
            EXPECT(count, -EAGAIN);
            stage_settle();
            continue;
        }
        total -= (size_t)count;
    }
    EXPECT(next_event(), EPOLLOUT);
    close_pair(fds);
}

static void
reading_stops_at_the_urgent_octet(void)
{
    int fds[2];

    watched_pair(fds);
    EXPECT(sys_send(fds[1], "ab", 2), 2);
    EXPECT(sys_send_urgent(fds[1], '!'), 1);
    EXPECT(sys_send(fds[1], "cd", 2), 2);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLPRI);
    EXPECT(sys_at_mark(fds[0]), 0);
    EXPECT(recv_some(fds[0]), 2);
    EXPECT(sys_at_mark(fds[0]), 1);
    EXPECT(recv_some(fds[0]), 3); /* in the stream: SO_OOBINLINE */
    EXPECT(sys_at_mark(fds[0]), 0);
    EXPECT(recv_some(fds[0]), -EAGAIN);
    close_pair(fds);
}

static void
splice_stops_at_the_urgent_octet(void)
{
    int fds[2], ends[2];

    stage_pair(fds);
    EXPECT(sys_pipe(ends, 65536), 0);
    EXPECT(sys_splice(fds[0], ends[1], 4096), -EAGAIN); /* nothing there */
    EXPECT(sys_send(fds[1], "ab", 2), 2);
    EXPECT(sys_send_urgent(fds[1], '!'), 1);
    stage_settle();
    EXPECT(sys_splice(fds[0], ends[1], 4096), 2);
    EXPECT(sys_splice(fds[0], ends[1], 4096), -EAGAIN); /* the mark */
    EXPECT(sys_shutdown(fds[1]), 0);
    stage_settle();
    EXPECT(sys_splice(fds[0], ends[1], 4096), 0); /* no end of stream! */
    EXPECT(recv_some(fds[0]), 1);
    EXPECT(sys_splice(fds[0], ends[1], 4096), 0); /* now it is */
    sys_close(ends[0]);
    sys_close(ends[1]);
    close_pair(fds);
}

static void
splice_says_again_for_a_full_pipe(void)
{
    int fds[2], ends[2];
    size_t moved = 0;

    stage_pair(fds);
    EXPECT(sys_pipe(ends, 4096), 0);
    fill_up(fds[1]);
    for (;;) {
        ssize_t count = sys_splice(fds[0], ends[1], 1 << 20);
        if (count <= 0) {
            EXPECT(count, -EAGAIN);
            break;
        }
        moved += (size_t)count;
    }
    EXPECT(moved > 0, 1);
    uint8_t octets[16];
    EXPECT(sys_pipe_read(ends[0], octets, sizeof(octets)), sizeof(octets));
    moved -= sizeof(octets);
    EXPECT(sys_splice(ends[0], fds[0], moved), moved);
    EXPECT(sys_splice(ends[0], fds[0], 4096), -EAGAIN); /* empty */
    EXPECT(sys_pipe_read(ends[0], octets, sizeof(octets)), -EAGAIN);
    sys_close(ends[1]);
    EXPECT(sys_splice(ends[0], fds[0], 4096), 0); /* empty for good */
    EXPECT(sys_pipe_read(ends[0], octets, sizeof(octets)), 0);
    sys_close(ends[0]);
    close_pair(fds);
}

static void
splice_reports_a_reset(void)
{
    int fds[2], ends[2];

    stage_pair(fds);
    EXPECT(sys_pipe(ends, 65536), 0);
    sys_reset(fds[1]);
    stage_settle();
    EXPECT(sys_splice(fds[0], ends[1], 4096), -ECONNRESET);
    EXPECT(sys_splice(fds[0], ends[1], 4096), 0);
    sys_close(ends[0]);
    sys_close(ends[1]);
    sys_close(fds[0]);
}

/* Linux hands a pipe to a socket in pieces of some slots. Where a reset answers
   one of them, the next one meets its error. */
static void
splice_takes_the_error_of_a_reset_that_it_meets(void)
{
    int from[2], to[2], ends[2];
    char octets[4096] = {0};
    ssize_t inside = 0, moved;

    watched_pair(to);
    stage_pair(from);
    EXPECT(sys_pipe(ends, 64 * 4096), 0);
    while (inside < 32 * (ssize_t)sizeof(octets)) {
        EXPECT(sys_send(from[1], octets, sizeof(octets)), sizeof(octets));
        stage_settle();
        moved = sys_splice(from[0], ends[1], sizeof(octets));
        EXPECT(moved > 0, true);
        if (moved <= 0)
            break;
        inside += moved;
    }
    sys_close(to[1]);
    stage_settle();
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
    moved = sys_splice(ends[0], to[0], (size_t)inside);
    EXPECT(moved > 0, true);
    if (moved < inside) /* before Linux 6.5 it may be all, and no error */
        EXPECT(sys_error(to[0]), 0);
    EXPECT(recv_some(to[0]), 0);
    EXPECT(next_event(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
    sys_close(ends[0]);
    sys_close(ends[1]);
    sys_close(to[0]);
    close_pair(from);
}

static void
what_came_before_a_reset_can_be_read(void)
{
    int fds[2], ends[2];

    stage_pair(fds);
    EXPECT(sys_pipe(ends, 65536), 0);
    EXPECT(sys_send(fds[1], "ab", 2), 2);
    EXPECT(sys_send_urgent(fds[1], '!'), 1);
    sys_reset(fds[1]);
    stage_settle();
    EXPECT(sys_send(fds[0], "x", 1), -ECONNRESET);
    EXPECT(sys_splice(fds[0], ends[1], 4096), 2);
    EXPECT(sys_at_mark(fds[0]), 1);
    EXPECT(recv_some(fds[0]), 1);
    EXPECT(recv_some(fds[0]), 0); /* the error was told: this is no FIN */
    sys_close(ends[0]);
    sys_close(ends[1]);
    sys_close(fds[0]);
}

static void
what_was_read_is_acknowledged(void)
{
    int fds[2];

    stage_pair(fds);
    EXPECT(sys_unacked(fds[0]), 0);
    EXPECT(sys_send(fds[0], "abc", 3), 3);
    stage_settle();
    EXPECT(recv_some(fds[1]), 3);
    stage_settle();
    EXPECT(sys_unacked(fds[0]), 0);
    close_pair(fds);
}

static void
listener_is_ready_until_it_is_empty(void)
{
    struct endpoint peer;
    int far, listener = stage_listener_with_client(&far);

    EXPECT(sys_poll_add(poller, listener, EPOLLIN | EPOLLEXCLUSIVE, NULL), 0);
    EXPECT(next_event(), EPOLLIN);
    EXPECT(next_event(), EPOLLIN);
    EXPECT(sys_waiting(listener), 1);
    int fd = sys_accept(listener, &peer);
    EXPECT(fd >= 0, 1);
    EXPECT(next_event(), 0);
    EXPECT(sys_waiting(listener), 0);
    EXPECT(sys_accept(listener, &peer), -EAGAIN);
    EXPECT(sys_poll_del(poller, listener), 0);
    sys_close(listener);
    sys_close(fd);
    stage_close_client(far);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
#define TEST(name)                                                             \
    {                                                                          \
#name, name                                                            \
    }
    TEST(fresh_socket_hangs_up),
    TEST(refused_connect_is_an_error_event),
    TEST(an_edge_comes_with_each_arrival_only),
    TEST(fin_is_rdhup_and_then_0),
    TEST(reset_says_so_once_and_then_0),
    TEST(write_takes_the_resets_error),
    TEST(asking_takes_the_resets_error),
    TEST(reset_behind_fin_is_epipe),
    TEST(closing_with_something_unread_is_a_reset),
    TEST(writing_to_a_closed_end_is_answered_by_a_reset),
    TEST(full_connection_tells_when_there_is_room),
    TEST(reading_stops_at_the_urgent_octet),
    TEST(splice_stops_at_the_urgent_octet),
    TEST(splice_says_again_for_a_full_pipe),
    TEST(splice_reports_a_reset),
    TEST(splice_takes_the_error_of_a_reset_that_it_meets),
    TEST(what_came_before_a_reset_can_be_read),
    TEST(what_was_read_is_acknowledged),
    TEST(listener_is_ready_until_it_is_empty),
};

int
main(void)
{
    signal(SIGPIPE, SIG_IGN); /* splice(2) cannot be told not to send it */
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        int before = failures;
        stage_start();
        poller = sys_poll_open();
        tests[i].run();
        sys_close(poller);
        failures += stage_stop();
        printf("%s %zu - %s\n", failures == before ? "ok" : "not ok", i + 1,
               tests[i].name);
    }
    printf("1..%zu\n", sizeof(tests) / sizeof(tests[0]));
    return failures > 0;
}
