#ifndef GATEWAY_WORKER_PARENT_H
#define GATEWAY_WORKER_PARENT_H

#include "gateway/worker/request.h"
#include "socks4/client.h"
#include "socks4/v5_client.h"

/*
 * What a parent is asked for and what it answers, in version 4 or 5: this
 * gateway is its client, by libsocks4. A reply is read octet by octet as far
 * as it goes and no further: what lies behind the last one is the
 * application's. In version 5 it signs in by a password if it has one and the
 * parent asks for it.
 */
struct parent {
    union {
        struct socks4_client v4;
        struct socks4_v5_client v5;
    };
    struct socks4_v5_request request; /* of version 5, while it is sent */
    struct socks4_v5_password login;  /* likewise; borrowed octets */
    uint8_t *room;  /* owned; of version 5, and of a request that was not sent
                       at once */
    struct addr at; /* its address: what 0.0.0.0 or :: in a reply means */
    bool socks5;
    bool bound;   /* the first reply of a BIND has come */
    bool refused; /* it has refused */
};

enum parent_event {
    PARENT_WAITS,
    PARENT_BOUND,     /* of a BIND: it listens at `at` */
    PARENT_GRANTED,   /* the connection stands; of a BIND, the peer is `at` */
    PARENT_REFUSED,   /* parent_refusal says how */
    PARENT_MALFORMED, /* it has sent what is not a reply */
    PARENT_CLOSED, /* it has ended the connection, or reset it, before that */
    PARENT_NO_MEMORY
};

/* What to ask for. */
struct parent_question {
    const struct request *request; /* valid until it has answered */
    uint32_t dstip;     /* of a client of version 4: as it was sent */
    const char *userid; /* NULL: that of the request; version 5 has none */
    const struct config_parent *login; /* whose user and password it is told if
                                          it asks for them; borrowed while it
                                          is asked; NULL: none */
    bool socks5;        /* in which version */
    bool passes_name;   /* as the client has sent it; else request->to, which
                           in version 4 is of IPv4 */
    struct addr parent; /* its address */
};

/* The connection to it stands: sends the first message. `buffer` has room for
   REQUEST_MAX octets. PARENT_WAITS, or why not. */
enum parent_event parent_ask(struct parent *parent,
                             const struct parent_question *question,
                             struct stream *stream, uint8_t *buffer);

/* After an event: sends what is due, and reads its answer. `at` is set with
   PARENT_BOUND, after which it is called for the second reply, and with
   PARENT_GRANTED; 0.0.0.0 with a port where the reply has no address. */
enum parent_event parent_step(struct parent *parent, struct stream *stream,
                              struct endpoint *at);

/* Of PARENT_REFUSED. */
enum verdict parent_refusal(const struct parent *parent);

void parent_fini(struct parent *parent);

#endif
