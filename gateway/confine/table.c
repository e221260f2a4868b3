#include "gateway/confine/table.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the C library needs in any process: memory that is never code, a
   failed assert that is heard, and the end. */
/* clang-format off */
const struct confine_permission confine_common[] = {
    {CALL(brk)},
    {CALL(mmap), {WITHOUT(2, PROT_EXEC)}},
    {CALL(mprotect), {WITHOUT(2, PROT_EXEC)}},
    {CALL(mremap)},
    {CALL(munmap)},
    {CALL(madvise)},

    {CALL(close)},
    /* vDSO, unless the machine's clock is one that only the kernel reads */
    {CALL(clock_gettime)},
    /* SIGSTOP and SIGCONT: the kernel goes on with what they interrupted */
    {CALL(restart_syscall)},

    /* assert, abort, the stack protector: a line on stderr, and SIGABRT */
    {CALL(write), {IS(0, STDERR_FILENO)}},
    {CALL(writev), {IS(0, STDERR_FILENO)}},
    {CALL(rt_sigprocmask)},
    {CALL(getpid)},
    {CALL(gettid)},
    {CALL(tgkill), {IS(0, CONFINE_SELF), IS(2, SIGABRT)}},

    {CALL(exit)},
    {CALL(exit_group)},
};
/* clang-format on */

const size_t confine_common_count =
    sizeof(confine_common) / sizeof(confine_common[0]);
