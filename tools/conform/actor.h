#ifndef CONFORM_ACTOR_H
#define CONFORM_ACTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "place.h"
#include "trace.h"

/* How the stream towards an actor ended. */
enum ending {
    ENDING_NONE,
    ENDING_FIN,
    ENDING_RESET,
    ENDING_CUT, /* TLS: a FIN without close_notify before it */
};

#define ACTOR_ROOM 65536

/*
 * One party of a case: an address, a listener or a connection, and what has
 * come over it. All waits have a bound; times are milliseconds.
 */
struct actor {
    const char *name; /* as cases call it; static */
    enum role role;
    const struct place *place; /* borrowed */
    struct trace *trace;       /* borrowed */
    struct endpoint at;        /* its address, and its port once it has one */
    int listener;              /* owned; -1: none */
    int held;                  /* owned: keeps the port; -1: none */
    int datagrams;             /* owned: its socket for UDP; -1: none */
    struct endpoint datagrams_at;
    struct endpoint peer;   /* who connected or sent a datagram last */
    struct stream stream;   /* owned: the connection; fd -1: none */
    struct tls_fault fault; /* of its last handshake of TLS that failed */
    int fillers[3];         /* owned: what a full queue is full of */
    enum ending ending;
    size_t len;    /* octets in `octets` */
    size_t looked; /* how many of them a case has looked at */
    uint8_t octets[ACTOR_ROOM];
};

void actor_init(struct actor *actor, const char *name, enum role role,
                const struct place *place, struct trace *trace);
void actor_fini(struct actor *actor);

/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t actor_now(void);

/* Each returns 0 or a negative errno and closes the actor's former connection.
   Connections to the server under test wait their turn: 125 a second. With
   place->tls they are TLS, and -EBADMSG has its reason in actor->fault. */
int actor_connect(struct actor *actor, const struct endpoint *to,
                  unsigned wait);
/* The same without TLS. */
int actor_connect_plain(struct actor *actor, const struct endpoint *to,
                        unsigned wait);
/* From the port that actor_hold keeps. */
int actor_connect_held(struct actor *actor, const struct endpoint *to,
                       unsigned wait);
/* `port` 0: any port. -EADDRINUSE: that port is taken. */
int actor_listen(struct actor *actor, uint16_t port);
/* Listens, with a queue so full that further SYNs are dropped. */
int actor_listen_full(struct actor *actor);
/* Takes a port without listening on it. */
int actor_hold(struct actor *actor);
/* Whether somebody listens on that port of its address, on this machine. */
bool actor_port_is_taken(const struct actor *actor, uint16_t port);
int actor_accept(struct actor *actor, unsigned wait);
int actor_send(struct actor *actor, const uint8_t *octets, size_t len);
int actor_send_urgent(struct actor *actor, uint8_t octet);

/*
 * Reads what there is, waiting for at most `wait` for the first of it.
 * Whether anything came: octets, or the end.
 */
bool actor_read(struct actor *actor, unsigned wait);
/* Until `count` octets are there that were not looked at, the stream has
   ended or `wait` is over; how many there are, at most `count`. */
size_t actor_await(struct actor *actor, size_t count, unsigned wait);
/* Drops what comes until the stream ends. Whether it did within `wait`. */
bool actor_await_end(struct actor *actor, unsigned wait);

/* Waits until `count` octets have come; none of them is read. How many have;
   with TLS its own count, too. */
size_t actor_await_unread(struct actor *actor, size_t count, unsigned wait);

/* Whether the peer has ended or reset the connection. */
bool actor_is_hung_up(const struct actor *actor);

/* Takes a port for datagrams: datagrams_at. */
int actor_open_datagrams(struct actor *actor);
int actor_send_datagram(struct actor *actor, const struct endpoint *to,
                        const uint8_t *octets, size_t len);
/* The next datagram, which `peer` has sent; its length or -errno. */
ssize_t actor_receive_datagram(struct actor *actor, uint8_t *octets,
                               size_t room, unsigned wait);

void actor_finish(struct actor *actor); /* FIN, or close_notify */
void actor_cut(struct actor *actor);    /* FIN, without close_notify */
/* Both wait until the kernel has sent everything. A close with octets unread is
   a reset: the kernel makes it one, and with TLS we do. */
void actor_close(struct actor *actor);
void actor_reset(struct actor *actor);

#endif
