#ifndef BENCH_OPENING_H
#define BENCH_OPENING_H

#include "bench/handshake.h"
#include "bench/poller.h"

/*
 * Opens a session: connect and handshake, for a socket that is watched for
 * OPENING_EVENTS. The caller owns watch and socket, passes every event to
 * opening_turn and acts on the result.
 */

#define OPENING_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

enum opening_result {
    OPENING_WAITS,
    OPENING_ASKED,   /* the request of this step was sent */
    OPENING_STEPPED, /* answered, and another step follows: call opening_ask */
    OPENING_DONE,    /* the next octet is the application's */
    OPENING_REFUSED, /* the answer is not a grant; see `why` */
    OPENING_BROKEN   /* see `why` and errno; errno 0: end of stream */
};

struct opening {
    struct handshake handshake;
    bool connected;
    bool withholds; /* the request's last octet is not sent */
    const char *why;
};

void opening_init(struct opening *opening, enum protocol protocol,
                  enum handshake_command command, uint32_t ip, uint16_t port);

enum opening_result opening_turn(struct opening *opening, int fd,
                                 uint32_t events);

/* Sends the request of the current step. */
enum opening_result opening_ask(struct opening *opening, int fd);

#endif
