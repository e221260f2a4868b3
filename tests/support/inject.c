/*
 * inject PID CALL ARGUMENT...: makes a process that waits in a system call make
 * another one, as somebody would who has taken it over, and go on. CALL is a
 * number. An ARGUMENT is a number, or x and octets in hexadecimal: these are
 * written below the process's stack, and the call gets their address. Prints
 * "= RESULT", or "killed SIGNAL". Built by inside.py; x86-64.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define ARGUMENTS_MAX 6
#define BELOW_STACK 8192 /* beyond the red zone */

static pid_t pid;

static void
fail(const char *what)
{
    perror(what);
    exit(2);
}

/* Returns when it has stopped; prints how it ended where it has. */
static void
await_stop(void)
{
    int status;

    if (waitpid(pid, &status, __WALL) != pid)
        fail("waitpid");
    if (WIFSTOPPED(status))
        return;
    printf("killed %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    exit(0);
}

/* It is stopped behind the instruction of a system call. */
static void
stop_in_call(struct user_regs_struct *regs)
{
    if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0)
        fail("cannot trace it");
    for (int tries = 0; tries < 1000; tries++) {
        if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0)
            fail("cannot stop it");
        await_stop();
        if (ptrace(PTRACE_GETREGS, pid, NULL, regs) != 0)
            fail("cannot read its registers");
        if ((long)regs->orig_rax >= 0)
            return;
        ptrace(PTRACE_CONT, pid, NULL, NULL);
    }
    fputs("it is never in a system call\n", stderr);
    exit(2);
}

static unsigned long
write_octets(const char *hex, unsigned long *at)
{
    size_t len = strlen(hex) / 2;
    unsigned char octets[4096];

    for (size_t i = 0; i < len; i++)
        sscanf(hex + 2 * i, "%2hhx", &octets[i]);
    *at -= (len + 15) & ~15ul;
    struct iovec from = {octets, len}, to = {(void *)*at, len};
    if (process_vm_writev(pid, &from, 1, &to, 1, 0) != (ssize_t)len)
        fail("cannot write to it");
    return *at;
}

int
main(int argc, char **argv)
{
    struct user_regs_struct before, regs;
    unsigned long long values[ARGUMENTS_MAX] = {0};

    if (argc < 3 || argc > 3 + ARGUMENTS_MAX)
        return 2;
    pid = atoi(argv[1]);
    stop_in_call(&before);
    unsigned long at = (before.rsp - BELOW_STACK) & ~15ul;
    for (int i = 3; i < argc; i++)
        values[i - 3] = argv[i][0] == 'x' ? write_octets(argv[i] + 1, &at)
                                          : strtoull(argv[i], NULL, 0);
    regs = before;
    regs.rip -= 2; /* syscall */
    regs.rax = strtoull(argv[2], NULL, 0);
    regs.orig_rax = (unsigned long long)-1; /* nothing to begin anew */
    regs.rdi = values[0];
    regs.rsi = values[1];
    regs.rdx = values[2];
    regs.r10 = values[3];
    regs.r8 = values[4];
    regs.r9 = values[5];
    if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) != 0 ||
        ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) != 0)
        fail("cannot make it call");
    await_stop();
    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0 ||
        ptrace(PTRACE_SETREGS, pid, NULL, &before) != 0) {
        await_stop(); /* somebody kills it meanwhile */
        fail("cannot let it go on");
    }
    printf("= %lld\n", (long long)regs.rax);
    ptrace(PTRACE_DETACH, pid, NULL, NULL); /* likewise */
    return 0;
}
