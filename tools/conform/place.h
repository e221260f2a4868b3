#ifndef CONFORM_PLACE_H
#define CONFORM_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"

/*
 * Where everybody stands. In loopback mode the server under test runs on
 * this machine already and the others are addresses of 127.0.0.0/8; in
 * namespace mode each host is a network namespace of its own and the server
 * is started by us in the middle one:
 *
 *     client 10.1.0.2 ---- 10.1.0.1 [server under test] 10.2.0.1
 *     lonely 10.1.0.5                   10.4.0.1            |
 *                                          |        10.2.0.3 server
 *                              stranger 10.4.0.4    10.2.0.7 server2
 *
 * The application servers know no way to the client's network, so that an
 * address of the wrong side in a reply to BIND is of no use to them.
 */

enum role {
    ROLE_CLIENT,
    ROLE_LONELY, /* a client whose host has no identd */
    ROLE_SERVER,
    ROLE_SERVER2,
    ROLE_STRANGER,
    ROLE_NAMED, /* the application server that place.name leads to */
    ROLE_FAR,   /* two whose addresses are each other's, backwards */
    ROLE_RAF,
    ROLE_DNS, /* where our name server listens */
    ROLE_COUNT
};

struct place {
    bool namespaces;
    struct endpoint gateway; /* the server under test */
    struct addr addr[ROLE_COUNT];
    struct addr outside; /* its address that application servers can reach */
    int network[ROLE_COUNT]; /* namespaces: one each; else -1 */
    int home;                /* the namespace of the server under test */
    const char *name;        /* a name it can resolve; static */
    pid_t server;            /* what we started; 0: nothing */
};

/* The loopback addresses; nothing is opened. */
void place_init(struct place *place, const struct endpoint *gateway);

/*
 * Makes the namespaces and moves this process into that of the server under
 * test. To be called before there is a second thread. 0 or a negative errno,
 * said on stderr.
 */
int place_make_namespaces(struct place *place);

/* Starts the server under test, with our name server in its resolv.conf.
   0 or a negative errno. */
int place_start_server(struct place *place, const char *command);
/* Ends what was started. */
void place_fini(struct place *place);

/* A blocking socket of that host; `type` as for socket(). Or an errno. */
int place_socket(const struct place *place, enum role role, int type);

#endif
