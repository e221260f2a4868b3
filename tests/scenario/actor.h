#ifndef SCENARIO_ACTOR_H
#define SCENARIO_ACTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/scenario/octets.h"
#include "tests/scenario/sim.h"

/*
 * A client or an application server: somebody outside the gateway's machine
 * with one end of a connection. It reads whatever comes unless told to
 * stop, sends as fast as the network takes it, and notes what it saw.
 */
struct actor {
    struct actor *next;
    char name[24];
    bool client;
    bool parent;           /* a server that is asked by SOCKS in its turn */
    struct sim_sock *sock; /* owned; NULL: not connected, or gone */
    struct sim_dial dial;  /* a server's */
    struct actor *partner; /* the other one of its session, or NULL */
    struct endpoint met;   /* a server's: the gateway's end, where it matters */

    struct octets sent;        /* all it wants sent */
    size_t head;               /* the first so many are a PROXY header */
    size_t pushed;             /* as much of that the network has taken */
    size_t urgent_at;          /* the octet of `sent` that is urgent */
    bool ends, closes, breaks; /* ... once all is pushed */
    bool ended, left;          /* has sent its FIN; has closed or reset */
    bool cut;                  /* not all of `sent` will arrive */
    bool broke; /* it has reset, or the way to it was lost, while the
                   connection stood: all of `pushed` was there before */

    bool tls;            /* speaks it: toy_tls.h. `sent' and `received' are
                            what is in the records of data */
    struct octets hello; /* words of its hello; empty: sent, or none */
    bool asked;          /* the gateway has sent its own hello first: a parent
                            answers it */
    struct octets out;   /* records */
    size_t out_pushed;
    size_t out_whole; /* so far the records in it are pushed whole */
    size_t wrapped;   /* octets of `sent' that are in `out' */
    struct octets in; /* records, or the beginning of one */
    bool greeted;     /* the gateway's hello was answered; of a parent: it
                         has finished the handshake */
    bool tidy;        /* TOY_END is in `out' */
    bool cuts;        /* its FIN is to have no TOY_END before it */
    bool saw_cut;     /* a FIN came without TOY_END before it */

    struct octets received;
    size_t met_head;    /* so many of the first were a PROXY header */
    size_t seen;        /* as much of that the script has asked for */
    size_t urgent_seen; /* which octet of `received` was urgent */
    bool stalled;       /* does not read */
    bool saw_end;       /* a FIN came */
    bool saw_reset;     /* a reset came */
};

#define ACTOR_NOT_URGENT SIZE_MAX

struct actor *actor_new(const char *name, bool client);
void actor_free(struct actor *actor);

/* Reads and sends what it can; `split`: at most an octet or a small piece
   at a time. True: something moved. */
bool actor_move(struct actor *actor, bool split);

/* Whether something waits to be sent, and the network takes it or not. */
bool actor_waits(const struct actor *actor);

/* 32 KiB at most, though it does not read otherwise. */
void actor_read_a_little(struct actor *actor);

void actor_reset(struct actor *actor);

/* Its host restarts: the next octets that come are answered by a reset. */
void actor_restart(struct actor *actor);

/* The gateway learns that the way to this actor is lost. */
void actor_lose(struct actor *actor, int error);

/* Octets of a client's that are its request, with the PROXY header in front of
   it, as far as it is complete; 0: it is not. */
size_t actor_request_size(const struct actor *client);
/* Where the reply begins in what a client has received, and where it ends; 0:
   it is not whole. */
size_t actor_reply_at(const struct actor *client);
size_t actor_reply_size(const struct actor *client);
/* Whether it is whole and grants. */
bool actor_is_granted(const struct actor *client);
/* What a grant says, of IPv4; false: there is none. */
bool actor_granted_at(const struct actor *client, struct endpoint *at);
/* CD or CMD of its request; 0: it is not complete. */
unsigned actor_command(const struct actor *client);
/* The same of the request that a parent has received. */
size_t actor_asked_size(const struct actor *parent);
/* And of its own that are in front of the data: its reply, of SOCKS5 behind the
   choice of a method and what became of the password. */
size_t actor_answered_size(const struct actor *parent);
bool actor_is_asked_in_5(const struct actor *parent);

#endif
