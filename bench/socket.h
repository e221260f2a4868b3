#ifndef BENCH_SOCKET_H
#define BENCH_SOCKET_H

#include <stdint.h>

#include "base/must_check.h"
#include "bench/poller.h"

/* TCP and UDP over IPv4, addresses and ports in host order. Errors are negative
   errnos. */

/* A socket from `source` (0: any) that connects. `buffer` is its SO_RCVBUF and
   SO_SNDBUF; 0: the system's. */
MUST_CHECK int socket_connect(uint32_t source, uint32_t ip, uint16_t port,
                              int buffer);

/* A socket for datagrams at `ip` (0: any) and `port` (0: any), and, if
   `to_port` is not 0, to and from there alone. */
MUST_CHECK int socket_datagrams(uint32_t ip, uint16_t port, uint32_t to_ip,
                                uint16_t to_port);

/* Raises the soft limit on descriptors to the hard one. */
void socket_raise_limit(void);

/* A listening socket on every address of this host. `accepted` is called for
   each connection and owns its descriptor. */
struct acceptor {
    struct watch watch; /* first */
    void (*accepted)(struct acceptor *acceptor, int fd);
};

MUST_CHECK int acceptor_open(struct acceptor *acceptor, int poller,
                             uint16_t port, int buffer);

#endif
