#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/futex.h>

/*
 * The authenticator: it takes the users file as a memory file from the monitor
 * and questions from workers, computes, and answers. It opens nothing: neither
 * a file nor a socket. crypt(3) asks for nothing but memory.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    {CALL(epoll_wait)},
    {CALL(epoll_pwait)}, /* what epoll_wait is on some machines */
    {CALL(epoll_ctl)},

    /* messages, questions, answers */
    /* never sendmsg: no descriptor leaves a child */
    {CALL(recvmsg)},
    {CALL(recvfrom)},
    {CALL(sendto), {WITHOUT(3, MSG_FASTOPEN)}},

    {CALL(fstat)},
    {CALL(newfstatat), {IS(3, AT_EMPTY_PATH)}}, /* what fstat has become */

    /* OpenSSL */
    {CALL(getrandom)},
    /* pthread_once, with which OpenSSL loads what it has not needed before */
    {CALL(futex), {IS(1, FUTEX_WAKE_PRIVATE)}},
};
/* clang-format on */

const struct confine_table confine_authenticator = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    /* a hash of 128 MiB, and two users files of 16 MiB with their tables */
    .ceilings = {{RLIMIT_CORE, 0},
                 {RLIMIT_NPROC, 0},
                 {RLIMIT_FSIZE, 0},
                 CONFINE_MEMORY(1024)},
    .ceiling_count = 4,
};
