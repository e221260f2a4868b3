#ifndef BENCH_OPENING_H
#define BENCH_OPENING_H

#include "bench/handshake.h"
#include "bench/poller.h"

/*
 * A session's way from connect to the end of its handshake, for a socket that
 * is watched for OPENING_EVENTS. The caller owns watch and socket; it asks with
 * every event what has become of the opening, and acts on the answer.
 */

#define OPENING_EVENTS (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

enum opening_result {
    OPENING_WAITS,
    OPENING_ASKED,   /* this step's request is sent */
    OPENING_STEPPED, /* answered, but another step follows: opening_ask */
    OPENING_DONE,    /* the next octet is the application's */
    OPENING_REFUSED, /* the answer is not a grant; `why` says so */
    OPENING_BROKEN   /* `why`, with errno; 0: an end of stream */
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

/* Sends what the present step says. */
enum opening_result opening_ask(struct opening *opening, int fd);

#endif
