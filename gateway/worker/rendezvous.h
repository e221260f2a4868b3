#ifndef GATEWAY_WORKER_RENDEZVOUS_H
#define GATEWAY_WORKER_RENDEZVOUS_H

#include "base/addr.h"
#include "base/loop.h"
#include "base/netset.h"
#include "gateway/config/config.h"

/*
 * Where a BIND waits for the application server [V4-4.2-4]: a listening socket,
 * and the peers that may connect to it. A closed rendezvous has no socket.
 */
struct rendezvous {
    struct watch watch; /* owns watch.fd; -1: closed */
    struct addr to;     /* DSTIP */
    enum rule_peer peer;
    const struct netset *peers; /* with RULE_PEER_NETS; borrowed */
};

/* Closed; whom to expect is the caller's to fill in. */
void rendezvous_init(struct rendezvous *rendezvous);

/*
 * Listens, towards DSTIP, as config->bind says; `seed` says in
 * which order the ports of the range are tried. `local` is where it listens:
 * the port, and the address of the interface. `at` is what to tell the client:
 * the same, or the advertised address [V4-4.2-5, V4-4.2-6]. `ready` is called
 * when somebody comes. 0, -EADDRINUSE when no port of the range is free, or
 * another errno.
 */
int rendezvous_open(struct rendezvous *rendezvous, struct loop *loop,
                    const struct config *config, uint64_t seed,
                    struct endpoint *local, struct endpoint *at,
                    watch_fn *ready);

/* Whether a connection from there is the one expected [V4-4.1-5]: the address
   alone decides, never the port [V4-4.3-3, V4-B.1-2, V4-B.1-4]. It is a weak
   check, so that it is exact [V4-C.3-1] unless a rule widens it, as it must
   for an application server behind NAT [V4-B.1-3]. */
bool rendezvous_expects(const struct rendezvous *rendezvous, struct addr peer);

/* Takes a connection: its descriptor, -EAGAIN, or another errno. It keeps
   listening. */
int rendezvous_accept(struct rendezvous *rendezvous, struct endpoint *peer);

/* Also one that is closed. */
void rendezvous_close(struct rendezvous *rendezvous);

#endif
