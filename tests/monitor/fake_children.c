#include "tests/monitor/fake_children.h"

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
#include <time.h>
#include <unistd.h>

#include "base/sys.h"
#include "gateway/authenticator/main.h"
#include "gateway/certificate_check/main.h"
#include "gateway/certificate_report.h"
#include "gateway/channel.h"
#include "gateway/logwriter/main.h"
#include "gateway/monitor/child.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/signals.h"
#include "gateway/observer/main.h"
#include "gateway/resolver/main.h"
#include "gateway/signer/main.h"
#include "gateway/tls_files.h"
#include "gateway/upgrade_check/main.h"
#include "gateway/worker/main.h"

#define FAKE_CHILDREN_MAX 600
#define LOG_MAX (1 << 20)
#define FIRST_PID 5000
#define FDS_MAX 1024

/* Turns of the loop in which nothing ends: a monitor that spins. */
#define TURNS_MAX 20000

static struct fake_child children[FAKE_CHILDREN_MAX];
static unsigned born;
static uint64_t clock_us = 1000000, left_ms;
static int signal_pipe[2];
static int exec_error;
static unsigned watches_refused;
static char lines_text[LOG_MAX];
static bool no_ports_bounded;
static size_t lines_len;
static unsigned turns;

/* ---- Children ---- */

struct fake_child *
fake_child_find(int role, unsigned number)
{
    for (unsigned i = born; i-- > 0;)
        if (children[i].alive && children[i].role == role &&
            children[i].number == number)
            return &children[i];
    return NULL;
}

unsigned
fake_child_count(int role)
{
    unsigned count = 0;

    for (unsigned i = 0; i < born; i++)
        count += children[i].alive && children[i].role == role;
    return count;
}

static void
say(struct fake_child *fake, uint32_t kind, uint32_t arg, uint64_t id)
{
    struct channel_message message = {.kind = kind, .arg = arg, .id = id};

    channel_tell(fake->control, &message);
}

/* One that is checked says first whom it can follow. */
void
fake_child_say_ready(struct fake_child *fake)
{
    fake->ready = true;
    if (fake->role == ROLE_UPGRADE_CHECK)
        say(fake, CHANNEL_UPGRADE_CHECK, HANDOVER_VERSION, handover_shape());
    say(fake, CHANNEL_READY, 0, 0);
}

void
fake_child_take(struct fake_child *fake)
{
    fake->busy = false;
    if (fake->offered == fake->taken)
        return;
    fake->taken = fake->offered;
    say(fake, CHANNEL_CONFIGURED, fake->taken, 0);
}

static void
close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void
fake_child_die(struct fake_child *fake, int status)
{
    if (!fake->alive)
        return;
    fake->alive = false;
    fake->status = status;
    close_one(&fake->control);
    close_one(&fake->stderr_fd);
    close_one(&fake->lines);
    close_one(&fake->config);
    if (fake->segment != NULL)
        munmap(fake->segment, sizeof(*fake->segment));
    if (fake->role != ROLE_CERTIFICATE_CHECK) /* which is waited for */
        fake_signal(SIGCHLD);
}

void
fake_child_hold(struct fake_child *fake, unsigned sessions)
{
    fake->segment->columns[fake->number].gauges[SEGMENT_GAUGE_live] = sessions;
}

uint64_t
fake_children_live(void)
{
    for (unsigned i = 0; i < born; i++)
        if (children[i].alive && children[i].segment != NULL)
            return segment_gauge_sum(children[i].segment, SEGMENT_GAUGE_live);
    player_fail("no worker is left to look");
}

static void
fake_child_hear(struct fake_child *fake, const struct channel_message *message,
                int fd)
{
    switch (message->kind) {
    case CHANNEL_PING:
        say(fake, CHANNEL_PONG, 0, 0);
        break;
    case CHANNEL_DRAIN:
        fake->draining = true;
        break;
    case CHANNEL_STOP:
        fake->stopping = true;
        break;
    case CHANNEL_LINK:
        fake->links += fd >= 0;
        break;
    case CHANNEL_FILE:
        fake->keys += message->file.kind == CHANNEL_FILE_KEY;
        fake->users += message->file.kind == CHANNEL_FILE_USERS;
        if (message->file.kind != CHANNEL_FILE_TEXT)
            break;
        fake->offered = message->arg;
        if (!fake->busy)
            fake_child_take(fake);
        break;
    }
    if (fd >= 0)
        close(fd);
    if (fake->draining &&
        (fake->role == ROLE_UPGRADE_CHECK || fake->role == ROLE_LOGWRITER))
        fake_child_die(fake, 0);
}

/* What a log writer writes; at the end of its lines it ends. */
static bool
fake_child_write(struct fake_child *fake)
{
    ssize_t count;

    if (fake->role != ROLE_LOGWRITER || !fake->ready)
        return false;
    count = recv(fake->lines, lines_text + lines_len, LOG_MAX - 1 - lines_len,
                 MSG_DONTWAIT);
    if (count == 0)
        fake_child_die(fake, 0);
    if (count > 0)
        lines_len += (size_t)count;
    return count >= 0;
}

/* All but workers end with their channel; those have sessions. */
static bool
fake_child_turn(struct fake_child *fake)
{
    struct channel_message message;
    int fd = -1;
    int came = channel_receive(fake->control, &message, &fd);

    if (came == 1)
        fake_child_hear(fake, &message, fd);
    if (came == 0 && fake->role != ROLE_LOGWRITER)
        fake_child_die(fake, 0);
    return came == 1 || (fake->alive && fake_child_write(fake));
}

bool
fake_children_turn(void)
{
    bool any = false;

    for (unsigned i = 0; i < born; i++)
        if (children[i].alive && !children[i].silent)
            any |= fake_child_turn(&children[i]);
    return any;
}

/* ---- In place of the programs that gateway/roles.c names ---- */

static int
not_executed(void)
{
    player_fail("a role is executed");
}

int
worker_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
resolver_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
logwriter_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
upgrade_check_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
authenticator_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
signer_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
observer_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

int
certificate_check_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return not_executed();
}

/* ---- In place of gateway/monitor/child.c ---- */

void
child_init(struct child *child)
{
    *child = (struct child){.pid = 0, .control = -1, .stderr_fd = -1};
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

/* It finds nothing wrong, and a certificate that ends in ten days. */
static void
report_certificates(int reports)
{
    struct certificate_report expires = {.finding = CERTIFICATE_EXPIRES,
                                         .kind = TLS_FILE_CERTIFICATE,
                                         .expires_s =
                                             (uint64_t)time(NULL) + 10 * 86400};
    struct certificate_report done = {.finding = CERTIFICATE_DONE};

    if (send(reports, &expires, sizeof(expires), 0) < 0 ||
        send(reports, &done, sizeof(done), 0) < 0)
        player_fail("no report: %m");
}

int
child_start(struct child *child, const struct child_plan *plan)
{
    struct fake_child *fake = &children[born];
    int control[2], stderr_pipe[2];

    if (born == FAKE_CHILDREN_MAX)
        player_fail("it has started %u children", born);
    if (channel_pair(control) != 0 || pipe(stderr_pipe) != 0)
        player_fail("no channel: %m");
    fcntl(stderr_pipe[0], F_SETFL, O_NONBLOCK);
    *fake = (struct fake_child){.pid = FIRST_PID + (pid_t)born, .alive = true};
    fake->role = (int)(role_find(plan->argv[1]) - roles);
    fake->control = control[1];
    fake->stderr_fd = stderr_pipe[1];
    fake->lines = fake->config = -1;
    if (fake->role == ROLE_WORKER) {
        fake->number = (unsigned)strtoul(plan->argv[ROLE_OWN], NULL, 10);
        fake->segment = map_segment(plan->fds[1]);
        fake->config = dup(plan->fds[2]);
    }
    if (fake->role == ROLE_CERTIFICATE_CHECK)
        report_certificates(plan->fds[0]);
    if (fake->role == ROLE_WORKER || fake->role == ROLE_LOGWRITER)
        fake->lines = dup(plan->fds[0]);
    born++;
    *child = (struct child){fake->pid, control[0], stderr_pipe[0]};
    return 0;
}

void
child_close(struct child *child)
{
    close_one(&child->control);
    close_one(&child->stderr_fd);
    child_init(child);
}

static struct fake_child *
fake_child_of(pid_t pid)
{
    return &children[pid - FIRST_PID];
}

void
child_kill(const struct child *child)
{
    if (child->pid == 0)
        return;
    fake_child_of(child->pid)->killed = true;
    fake_child_die(fake_child_of(child->pid), SIGKILL);
}

/* ---- In place of gateway/monitor/signals.c ---- */

/* The pipe outlives an exec; but to set the action of SIGCHLD, as the real one
   does, discards those that wait. */
int
signals_open(void)
{
    uint8_t waiting[64];
    ssize_t count;

    if (signal_pipe[1] == 0 && pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC) != 0)
        return -errno;
    count = read(signal_pipe[0], waiting, sizeof(waiting));
    for (ssize_t i = 0; i < count; i++)
        if (waiting[i] != SIGCHLD)
            fake_signal(waiting[i]);
    return signal_pipe[0];
}

/* A service manager has started it. */
bool
signals_terminal_is_gone(void)
{
    return false;
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
fake_signal(int number)
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
int __wrap_sys_listen(const struct endpoint *at, int backlog, bool freebind);
int __real_sys_listen(const struct endpoint *at, int backlog, bool freebind);
int __wrap_sys_poll_wait(int poller, struct epoll_event *events, int room,
                         int wait_ms);
int __real_sys_poll_wait(int poller, struct epoll_event *events, int room,
                         int wait_ms);

bool __wrap_landlock_bounds_ports(void);

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
    (void)pid, (void)options;
    for (unsigned i = 0; i < born; i++) {
        if (children[i].alive || children[i].pid == 0)
            continue;
        pid_t dead = children[i].pid;
        *status = children[i].status;
        children[i].pid = 0;
        return dead;
    }
    errno = ECHILD;
    return -1;
}

/* Signals wait in the kernel, too. */
static bool
is_not_the_monitors(int fd)
{
    if (fd == signal_pipe[0] || fd == signal_pipe[1])
        return true;
    for (unsigned i = 0; i < born; i++)
        if (children[i].alive &&
            (fd == children[i].control || fd == children[i].stderr_fd ||
             fd == children[i].lines || fd == children[i].config))
            return true;
    return false;
}

static void
close_as_exec_does(void)
{
    for (int fd = STDERR_FILENO + 1; fd < FDS_MAX; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && flags & FD_CLOEXEC && !is_not_the_monitors(fd))
            close(fd);
    }
}

int
__wrap_fexecve(int fd, char *const argv[], char *const envp[])
{
    (void)fd, (void)argv, (void)envp;
    if (exec_error == 0) {
        for (unsigned i = 0; i < born; i++)
            if (children[i].dies_meanwhile)
                fake_child_die(&children[i], SIGSEGV);
        close_as_exec_does();
        player_executed();
    }
    errno = exec_error;
    return -1;
}

void
fake_refuse_exec(int error)
{
    exec_error = error;
}

void
household_refuse_watches(unsigned count)
{
    watches_refused = count;
}

void
fake_bound_no_ports(void)
{
    no_ports_bounded = true;
}

bool
__wrap_landlock_bounds_ports(void)
{
    return !no_ports_bounded;
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
__wrap_sys_listen(const struct endpoint *at, int backlog, bool freebind)
{
    const struct endpoint any = {.addr = addr_v4(0x7f000001)};

    (void)at;
    return __real_sys_listen(&any, backlog, freebind);
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
        if (fake_children_turn())
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
fake_pass(uint64_t ms)
{
    left_ms = ms;
}

void
fake_jump(uint64_t ms)
{
    clock_us += ms * 1000;
}

const char *
fake_log(void)
{
    return lines_text;
}
