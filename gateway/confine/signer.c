#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <linux/futex.h>

/*
 * The signer, and the certificate check: they take memory files from the monitor
 * and requests from workers, compute, and answer. They open nothing: neither a
 * file nor a socket.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    {CALL(epoll_wait)},
    {CALL(epoll_pwait)}, /* what epoll_wait is on some machines */
    {CALL(epoll_ctl)},

    /* messages, requests, answers */
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

const struct confine_table confine_signer = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    /* every certificate file of a configuration, 1 MiB each, when they are
       checked */
    .ceilings = {{RLIMIT_CORE, 0},
                 {RLIMIT_NPROC, 0},
                 {RLIMIT_FSIZE, 0},
                 CONFINE_MEMORY(2048)},
    .ceiling_count = 4,
};
