#include "gateway/monitor/child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/confine/confine.h"
#include "gateway/monitor/program.h"
#include "gateway/monitor/signals.h"

/* Where descriptors are parked, above every number that will be used. */
#define PARKED (CHANNEL_FD_CONTROL + 1 + CHILD_FDS_MAX)

void
child_init(struct child *child)
{
    *child = (struct child){.pid = 0, .control = -1, .stderr_fd = -1};
}

static int
child_park(int fd)
{
    return fcntl(fd, F_DUPFD_CLOEXEC, PARKED);
}

/* dup2 clears close-on-exec; everything else is closed by the exec. */
static int
child_place(int control, int stderr_fd, const struct child_plan *plan)
{
    int parked[CHILD_FDS_MAX];
    int control_parked = child_park(control),
        stderr_parked = child_park(stderr_fd);
    for (size_t i = 0; i < plan->fd_count; i++)
        parked[i] = child_park(plan->fds[i]);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(stderr_parked, 2) < 0 ||
        dup2(control_parked, CHANNEL_FD_CONTROL) < 0)
        return -errno;
    for (size_t i = 0; i < plan->fd_count; i++) {
        if (dup2(parked[i], CHANNEL_FD_CONTROL + 1 + (int)i) < 0)
            return -errno;
    }
    return 0;
}

/* Ambient capabilities would survive the exec of an ordinary user. */
_Noreturn static void
child_become(int control, int stderr_fd, const struct child_plan *plan)
{
    int program = child_park(plan->program), monitor = child_park(control);
    signals_leave();
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    int error = child_place(control, stderr_fd, plan);
    if (error == 0)
        error =
            program_execute(program, plan->path, plan->argv, plan->environment);
    struct channel_message message = {.kind = CHANNEL_UNCONFINED,
                                      .arg = CONFINE_NOT_EXECUTED,
                                      .id = (uint64_t)-error};
    channel_tell(monitor, &message);
    _exit(127);
}

static void
child_close_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static int
child_fork(struct child *child, const struct child_plan *plan,
           const int control[2], const int stderr_pipe[2])
{
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        child_become(control[1], stderr_pipe[1], plan);
    close(control[1]);
    close(stderr_pipe[1]);
    *child = (struct child){pid, control[0], stderr_pipe[0]};
    return 0;
}

int
child_start(struct child *child, const struct child_plan *plan)
{
    int control[2], stderr_pipe[2];
    assert(child->pid == 0 && plan->fd_count <= CHILD_FDS_MAX);
    int error = channel_pair(control);
    if (error != 0)
        return error;
    if (pipe2(stderr_pipe, O_CLOEXEC) != 0) {
        error = -errno;
        child_close_pair(control);
        return error;
    }
    fcntl(stderr_pipe[0], F_SETFL, O_NONBLOCK);
    channel_refuse_fds(control[0]); /* where this kernel can */
    error = child_fork(child, plan, control, stderr_pipe);
    if (error != 0) {
        child_close_pair(control);
        child_close_pair(stderr_pipe);
    }
    return error;
}

void
child_close(struct child *child)
{
    if (child->control != -1)
        close(child->control);
    if (child->stderr_fd != -1)
        close(child->stderr_fd);
    child_init(child);
}

void
child_kill(const struct child *child)
{
    if (child->pid != 0)
        kill(child->pid, SIGKILL);
}
