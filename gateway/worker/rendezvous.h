#ifndef GATEWAY_WORKER_RENDEZVOUS_H
#define GATEWAY_WORKER_RENDEZVOUS_H

#include "base/addr.h"
#include "base/loop.h"
#include "base/netset.h"
#include "gateway/config/config.h"
#include "gateway/worker/stream.h"

/*
 * Where the application server is awaited [V4-4.2-4]. Until it comes the
 * listening socket stands in the stream that will be the server's leg, so
 * that a waiting BIND costs one descriptor and no memory of its own.
 */

/* Whom to expect, and on what: values of one BIND. */
struct rendezvous {
    struct addr to; /* DSTIP */
    enum rule_peer peer;
    const struct netset *peers; /* with RULE_PEER_NETS; borrowed */
};

/*
 * Listens, towards DSTIP, as config->bind says; `from` is the port of the
 * range to try first. `local` is where it listens: the port, and the address
 * of the interface. `at` is what to tell the client: the same, or the
 * advertised address [V4-4.2-5, V4-4.2-6].
 * 0, -EADDRINUSE when no port of the range is free, or another errno.
 */
int rendezvous_open(struct stream *stream, struct loop *loop,
                    const struct rendezvous *rendezvous,
                    const struct config *config, uint16_t from,
                    struct endpoint *local, struct endpoint *at,
                    watch_fn *ready);

/* Whether a connection from there is the one expected [V4-4.1-5]: the address
   alone decides, never the port [V4-4.3-3, V4-B.1-2, V4-B.1-4]. It is a weak
   check, so that it is exact [V4-C.3-1] unless a rule widens it, as it must
   for an application server behind NAT [V4-B.1-3]. */
bool rendezvous_expects(const struct rendezvous *rendezvous, struct addr peer);

/*
 * Takes a connection from the listening socket: its descriptor, -EAGAIN, or
 * another errno. The stream keeps listening.
 */
int rendezvous_accept(struct stream *stream, struct endpoint *peer);

#endif
