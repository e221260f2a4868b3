#include "tests/monitor/household.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/channel.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/signals.h"

#define KIDS_MAX 256
#define LOG_MAX (1 << 20)
#define FIRST_PID 5000

/* Turns of the loop in which nothing ends: a monitor that spins. */
#define TURNS_MAX 20000

static struct kid kids[KIDS_MAX];
static unsigned born;
static uint64_t clock_us = 1000000, left_ms;
static int signal_pipe[2];
static int exec_error;
static unsigned watches_refused;
static char lines_text[LOG_MAX];
static size_t lines_len;
static unsigned turns;

/* ---- Children ---- */

struct kid *
kid_find(enum kid_role role, unsigned number)
{
    for (unsigned i = born; i-- > 0;)
        if (kids[i].alive && kids[i].role == role && kids[i].number == number)
            return &kids[i];
    return NULL;
}

unsigned
kid_count(enum kid_role role)
{
    unsigned count = 0;

    for (unsigned i = 0; i < born; i++)
        count += kids[i].alive && kids[i].role == role;
    return count;
}

static void
say(struct kid *kid, uint32_t kind, uint32_t arg, uint64_t id)
{
    struct channel_message message = {.kind = kind, .arg = arg, .id = id};

    channel_send(kid->control, &message, -1);
}

/* One that is checked says first whom it can follow. */
void
kid_say_ready(struct kid *kid)
{
    kid->ready = true;
    if (kid->role == KID_UPGRADE_CHECK)
        say(kid, CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape());
    say(kid, CHANNEL_READY, 0, 0);
}

void
kid_take(struct kid *kid)
{
    kid->busy = false;
    if (kid->offered == kid->taken)
        return;
    kid->taken = kid->offered;
    say(kid, CHANNEL_CONFIGURED, kid->taken, 0);
}

static void
close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
kid_die(struct kid *kid, int status)
{
    if (!kid->alive)
        return;
    kid->alive = false;
    kid->status = status;
    close_one(&kid->control);
    close_one(&kid->stderr_fd);
    close_one(&kid->lines);
    close_one(&kid->config);
    if (kid->segment != NULL)
        munmap(kid->segment, sizeof(*kid->segment));
    household_signal(SIGCHLD);
}

void
kid_hold(struct kid *kid, unsigned sessions)
{
    kid->segment->columns[kid->number].gauges[SEGMENT_GAUGE_live] = sessions;
}

uint64_t
household_live(void)
{
    for (unsigned i = 0; i < born; i++)
        if (kids[i].alive && kids[i].segment != NULL)
            return segment_gauge_sum(kids[i].segment, SEGMENT_GAUGE_live);
    player_fail("no worker is left to look");
}

static void
kid_hear(struct kid *kid, const struct channel_message *message, int fd)
{
    switch (message->kind) {
    case CHANNEL_PING:
        say(kid, CHANNEL_PONG, 0, 0);
        break;
    case CHANNEL_DRAIN:
        kid->draining = true;
        break;
    case CHANNEL_STOP:
        kid->stopping = true;
        break;
    case CHANNEL_CONFIG:
        kid->offered = message->arg;
        if (!kid->busy)
            kid_take(kid);
        break;
    }
    if (fd >= 0)
        close(fd);
    if (kid->role == KID_UPGRADE_CHECK && kid->draining)
        kid_die(kid, 0);
}

/* What a log writer writes; at the end of its lines it ends. */
static bool
kid_write(struct kid *kid)
{
    ssize_t count;

    if (kid->role != KID_WRITER || !kid->ready)
        return false;
    count = recv(kid->lines, lines_text + lines_len, LOG_MAX - 1 - lines_len,
                 MSG_DONTWAIT);
    if (count == 0)
        kid_die(kid, 0);
    if (count > 0)
        lines_len += (size_t)count;
    return count >= 0;
}

/* All but workers end with their channel; those have sessions. */
static bool
kid_turn(struct kid *kid)
{
    struct channel_message message;
    int fd = -1;
    int came = channel_receive(kid->control, &message, &fd);

    if (came == 1)
        kid_hear(kid, &message, fd);
    if (came == 0 && kid->role != KID_WRITER)
        kid_die(kid, 0);
    return came == 1 || (kid->alive && kid_write(kid));
}

bool
kids_turn(void)
{
    bool any = false;

    for (unsigned i = 0; i < born; i++)
        if (kids[i].alive && !kids[i].silent)
            any |= kid_turn(&kids[i]);
    return any;
}

/* ---- In place of gateway/monitor/child.c ---- */

void
child_init(struct child *child)
{
    *child = (struct child){.pid = 0, .control = -1, .stderr_fd = -1};
}

static enum kid_role
role_of(char *const *argv)
{
    if (strcmp(argv[1], "--worker") == 0)
        return KID_WORKER;
    if (strcmp(argv[1], "--writer") == 0)
        return KID_WRITER;
    return strcmp(argv[1], "--resolver") == 0 ? KID_RESOLVER
                                              : KID_UPGRADE_CHECK;
}

static struct segment *
map_segment(int fd)
{
    struct segment *segment =
        mmap(NULL, sizeof(*segment), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (segment == MAP_FAILED)
        player_fail("the segment cannot be mapped: %m");
    return segment;
}

int
child_start(struct child *child, const struct child_plan *plan)
{
    struct kid *kid = &kids[born];
    int control[2], stderr_pipe[2];

    if (born == KIDS_MAX)
        player_fail("it has started %u children", born);
    if (channel_pair(control) != 0 || pipe(stderr_pipe) != 0)
        player_fail("no channel: %m");
    fcntl(stderr_pipe[0], F_SETFL, O_NONBLOCK);
    *kid = (struct kid){.pid = FIRST_PID + (pid_t)born, .alive = true};
    kid->role = role_of(plan->argv);
    kid->control = control[1];
    kid->stderr_fd = stderr_pipe[1];
    kid->lines = kid->config = -1;
    if (kid->role == KID_WORKER) {
        kid->number = (unsigned)strtoul(plan->argv[2], NULL, 10);
        kid->segment = map_segment(plan->fds[1]);
        kid->config = dup(plan->fds[2]);
    }
    if (kid->role == KID_WORKER || kid->role == KID_WRITER)
        kid->lines = dup(plan->fds[0]);
    born++;
    *child = (struct child){kid->pid, control[0], stderr_pipe[0]};
    return 0;
}

void
child_bury(struct child *child)
{
    close_one(&child->control);
    close_one(&child->stderr_fd);
    child_init(child);
}

static struct kid *
kid_of(pid_t pid)
{
    return &kids[pid - FIRST_PID];
}

void
child_kill(const struct child *child)
{
    if (child->pid == 0)
        return;
    kid_of(child->pid)->killed = true;
    kid_die(kid_of(child->pid), SIGKILL);
}

/* ---- In place of gateway/monitor/signals.c ---- */

int
signals_open(void)
{
    return pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC) != 0 ? -errno
                                                           : signal_pipe[0];
}

int
signals_next(int fd)
{
    uint8_t number;

    return read(fd, &number, 1) == 1 ? number : 0;
}

void
signals_leave(void)
{
}

void
household_signal(int number)
{
    uint8_t octet = (uint8_t)number;

    if (write(signal_pipe[1], &octet, 1) != 1)
        player_fail("too many signals");
}

/* ---- In place of the kernel ---- */

pid_t __wrap_waitpid(pid_t pid, int *status, int options);
int __wrap_fexecve(int fd, char *const argv[], char *const envp[]);
uint64_t __wrap_sys_now_us(void);
int __wrap_sys_poll_add(int poller, int fd, uint32_t events, void *tag);
int __real_sys_poll_add(int poller, int fd, uint32_t events, void *tag);
int __wrap_sys_listen(const struct endpoint *at, int backlog);
int __real_sys_listen(const struct endpoint *at, int backlog);
int __wrap_sys_poll_wait(int poller, struct epoll_event *events, int room,
                         int wait_ms);
int __real_sys_poll_wait(int poller, struct epoll_event *events, int room,
                         int wait_ms);

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
    (void)pid, (void)options;
    for (unsigned i = 0; i < born; i++) {
        if (kids[i].alive || kids[i].pid == 0)
            continue;
        pid_t dead = kids[i].pid;
        *status = kids[i].status;
        kids[i].pid = 0;
        return dead;
    }
    errno = ECHILD;
    return -1;
}

int
__wrap_fexecve(int fd, char *const argv[], char *const envp[])
{
    (void)fd, (void)argv, (void)envp;
    if (exec_error == 0)
        player_executed();
    errno = exec_error;
    return -1;
}

void
household_refuse_exec(int error)
{
    exec_error = error;
}

void
household_refuse_watches(unsigned count)
{
    watches_refused = count;
}

int
__wrap_sys_poll_add(int poller, int fd, uint32_t events, void *tag)
{
    if (watches_refused == 0)
        return __real_sys_poll_add(poller, fd, events, tag);
    watches_refused--;
    return -ENOSPC;
}

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

/* Whatever the configuration says: no port of this machine's is wanted. */
int
__wrap_sys_listen(const struct endpoint *at, int backlog)
{
    const struct endpoint any = {.addr = addr_v4(0x7f000001)};

    (void)at;
    return __real_sys_listen(&any, backlog);
}

/* The loop has come to rest where there are neither events nor tasks: then
   time passes as far as the next timer, or the script goes on. */
int
__wrap_sys_poll_wait(int poller, struct epoll_event *events, int room,
                     int wait_ms)
{
    for (;;) {
        int count = __real_sys_poll_wait(poller, events, room, 0);

        if (++turns > TURNS_MAX)
            player_fail("it does not come to rest");
        if (count > 0)
            return count;
        if (kids_turn())
            continue;
        if (wait_ms == 0)
            return 0;
        if (left_ms > 0) {
            uint64_t step = left_ms;
            if (wait_ms > 0 && (uint64_t)wait_ms < step)
                step = (uint64_t)wait_ms;
            left_ms -= step;
            clock_us += step * 1000;
            return 0;
        }
        turns = 0;
        player_next();
    }
}

void
household_pass(uint64_t ms)
{
    left_ms = ms;
}

void
household_jump(uint64_t ms)
{
    clock_us += ms * 1000;
}

const char *
household_log(void)
{
    return lines_text;
}
