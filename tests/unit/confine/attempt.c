#include "tests/unit/confine/attempt.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t attempt_parent;

uid_t
attempt_uid(void)
{
    return geteuid() == 0 ? 65534 : geteuid();
}

gid_t
attempt_gid(void)
{
    return geteuid() == 0 ? 65534 : getegid();
}

static int
outcome(pid_t pid)
{
    int status;
    if (waitpid(pid, &status, 0) != pid)
        return OUTCOME_DIED;
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? OUTCOME_KILLED : OUTCOME_DIED;
    int code = WEXITSTATUS(status);
    return code == 255 ? OUTCOME_UNCONFINED : code;
}

int
attempt_apart(attempt_fn *attempt)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(attempt());
    return outcome(pid);
}

int
attempt_as(const struct confine_table *table, attempt_fn *attempt)
{
    struct confinement had;
    attempt_parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        if (confine(table, CONFINE_REQUIRE, attempt_uid(), attempt_gid(),
                    &had) != 0)
            _exit(255);
        _exit(attempt());
    }
    return outcome(pid);
}
