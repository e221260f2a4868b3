#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

/* Whatever it may be when it is made. */
#define KIND ((uint32_t) ~(SOCK_NONBLOCK | SOCK_CLOEXEC))

/* Reading, and nothing that makes or cuts a file. */
#define TO_WRITE (O_ACCMODE | O_CREAT | O_TRUNC | O_TMPFILE)

/*
 * The resolver: c-ares, driven by a loop of ours. Each query has a channel of
 * its own, whose sockets are opened while the process is confined. So are the
 * files of the system, which are read when they change.
 */
/* clang-format off */
static const struct confine_permission calls[] = {
    {CALL(epoll_wait)},
    {CALL(epoll_pwait)}, /* what epoll_wait is on some machines */
    {CALL(epoll_ctl)},

    /* queries from the workers, answers to them */
    /* never sendmsg: no descriptor leaves a child */
    {CALL(recvmsg)},

    /* its files */
    {CALL(openat), {WITHOUT(2, TO_WRITE)}},
    {CALL(fstat)},
    {CALL(newfstatat), {IS(3, AT_EMPTY_PATH)}}, /* what fstat has become */
    {CALL(lseek)},
    {CALL(read)},
    {CALL(uname)}, /* the name of this machine may hold a domain */
    {CALL(getrandom)},

    /* DNS over UDP, and over TCP where an answer was cut: the family's own
       protocols, neither MPTCP, to which landlock's ports do not apply, nor
       another */
    {CALL(socket), {IS(0, AF_INET), {1, KIND, SOCK_DGRAM}, IS(2, 0)}},
    {CALL(socket), {IS(0, AF_INET), {1, KIND, SOCK_STREAM}, IS(2, 0)}},
    {CALL(socket), {IS(0, AF_INET6), {1, KIND, SOCK_DGRAM}, IS(2, 0)}},
    {CALL(socket), {IS(0, AF_INET6), {1, KIND, SOCK_STREAM}, IS(2, 0)}},
    {CALL(fcntl), {IS(1, F_GETFL)}},
    {CALL(fcntl), {IS(1, F_SETFL)}},
    {CALL(fcntl), {IS(1, F_SETFD), IS(2, FD_CLOEXEC)}},
    {CALL(setsockopt), {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}},
    {CALL(getsockopt), {IS(1, SOL_SOCKET), IS(2, SO_ERROR)}},
    {CALL(connect)},
    {CALL(ioctl), {IS(1, SIOCGIFINDEX)}}, /* of fe80::1%eth0 */
    /* never as a connect, which landlock would not see */
    {CALL(sendto), {WITHOUT(3, MSG_FASTOPEN)}},
    {CALL(recvfrom)},
    {CALL(write)},
    {CALL(writev)},
};
/* clang-format on */

/*
 * Folders, since a rule holds for the file that is there now and these files
 * are replaced by rename. They are often links into the folder of the program
 * that keeps them: where that is not one of these, the very file that they lead
 * to now is allowed, and the resolver is started again when it is another one
 * (gateway/resolver/system_file.h).
 */
static const struct confine_folder folders[] = {
    {.path = "/etc"},
    {.path = "/run/systemd/resolve"},
    {.path = "/run/resolvconf"},
    {.path = "/run/NetworkManager"},
    {.path = "/run/connman"},
    {.path = "/etc/hosts", .is_file = true},
    {.path = "/etc/resolv.conf", .is_file = true},
    {.path = "/dev/urandom", .is_file = true},
};

const struct confine_table confine_resolver = {
    .calls = calls,
    .call_count = sizeof(calls) / sizeof(calls[0]),
    .folders = folders,
    .folder_count = sizeof(folders) / sizeof(folders[0]),
    .tcp = true,
    /* 1024 queries, each a c-ares channel; and the hosts file twice, when it is
       another one */
    .ceilings = {{RLIMIT_CORE, 0},
                 {RLIMIT_NPROC, 0},
                 {RLIMIT_FSIZE, 0},
                 CONFINE_MEMORY(1024)},
    .ceiling_count = 4,
};
