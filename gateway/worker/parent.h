#ifndef GATEWAY_WORKER_PARENT_H
#define GATEWAY_WORKER_PARENT_H

#include "gateway/worker/request.h"
#include "socks4/client.h"

/*
 * What a parent is asked for and what it answers: this gateway is its client,
 * by libsocks4. A reply is read octet by octet as far as it goes and no
 * further: what lies behind the last one is the application's.
 */
struct parent {
    struct socks4_client client;
    uint8_t *room; /* owned; of a request that was not sent at once */
};

enum parent_event {
    PARENT_WAITS,
    PARENT_BOUND,     /* of a BIND: it listens at `at` */
    PARENT_GRANTED,   /* the connection stands; of a BIND, the peer is `at` */
    PARENT_REFUSED,   /* parent->client.code says how: 91 to 93 */
    PARENT_MALFORMED, /* it has sent what is not a reply */
    PARENT_CLOSED,    /* it has ended the connection, or reset it, before that */
    PARENT_NO_MEMORY
};

/* What to ask for. */
struct parent_question {
    const struct request *request;
    const char *userid; /* NULL: that of the request */
    bool passes_name;   /* as the client has sent it; else request->to */
    struct addr parent; /* its address: what 0.0.0.0 in a reply means */
};

/* The connection to it stands: sends the request. `buffer` has room for
   REQUEST_MAX octets. PARENT_WAITS, or why not. */
enum parent_event parent_ask(struct parent *parent,
                             const struct parent_question *question,
                             struct stream *stream, uint8_t *buffer);

/* After an event: sends the rest, and reads its reply. `at` is set with
   PARENT_BOUND, after which it is called for the second reply, and with
   PARENT_GRANTED. */
enum parent_event parent_step(struct parent *parent, struct stream *stream,
                              struct endpoint *at);

void parent_fini(struct parent *parent);

#endif
