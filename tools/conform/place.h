#ifndef CONFORM_PLACE_H
#define CONFORM_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "tools/stream/tls.h"

/*
 * The address of each role. In loopback mode the server under test already
 * runs on this machine, and the other roles are addresses of 127.0.0.0/8. In
 * namespace mode each host is a network namespace, and the tester starts the
 * server in the middle one:
 *
 *     client 10.1.0.2 ---- 10.1.0.1 [server under test] 10.2.0.1
 *     lonely 10.1.0.5                   10.4.0.1            |
 *                                          |        10.2.0.3 server
 *                              stranger 10.4.0.4    10.2.0.7 server2
 *                                                   fd00:2::3 six
 *
 * The application servers have no route to the client's network, so an address
 * of the wrong side in a reply to BIND does not work for them.
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
    ROLE_SIX, /* an application server that has an IPv6 address alone */
    ROLE_DNS, /* where the tester's name server listens */
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
    pid_t server;            /* what the tester started; 0: nothing */
    struct tls_context *tls; /* owned: for the server under test; NULL: plain */
};

/* Fills in the loopback addresses; opens nothing. */
void place_init(struct place *place, const struct endpoint *gateway);

/*
 * Makes the namespaces and moves this process into that of the server under
 * test. Call it before there is a second thread. 0 or a negative errno,
 * printed on stderr.
 */
int place_make_namespaces(struct place *place);

/* Starts the server under test, with the tester's name server in its
   resolv.conf.
   0 or a negative errno. */
int place_start_server(struct place *place, const char *command);
/* Ends the server that was started, and frees the rest. */
void place_fini(struct place *place);

/* A blocking socket of that host; `type` as for socket(). Or an errno. */
int place_socket(const struct place *place, enum role role, int type);

#endif
