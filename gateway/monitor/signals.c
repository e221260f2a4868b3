#include "gateway/monitor/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const int signals_handled[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1,
                                      SIGUSR2};
#define SIGNALS_HANDLED (sizeof(signals_handled) / sizeof(signals_handled[0]))

int
signals_open(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGCHLD);
    for (size_t i = 0; i < SIGNALS_HANDLED; i++)
        sigaddset(&mask, signals_handled[i]);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) != 0)
        return -errno;
    /* Whoever started us (nohup, a shell's `&') may have had them ignored;
       then they would not come. */
    signal(SIGCHLD, SIG_DFL);
    for (size_t i = 0; i < SIGNALS_HANDLED; i++)
        signal(signals_handled[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int
signals_next(int fd)
{
    struct signalfd_siginfo came;
    if (read(fd, &came, sizeof(came)) != sizeof(came))
        return 0;
    return (int)came.ssi_signo;
}

void
signals_leave(void)
{
    sigset_t none;
    sigemptyset(&none);
    for (size_t i = 0; i < SIGNALS_HANDLED; i++)
        signal(signals_handled[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

bool
signals_terminal_is_gone(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (!isatty(fd) && errno == EIO)
            return true;
    return false;
}
