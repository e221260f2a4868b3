#ifndef GATEWAY_WORKER_REQUEST_H
#define GATEWAY_WORKER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/worker/stream.h"
#include "gateway/worker/verdict.h"
#include "socks4/server.h"

/*
 * A request on its way in. It is read into the worker's buffer; only what
 * is still unfinished is kept, no larger than it is. Each read looks at all
 * octets so far, so that the answer does not depend on how they were split
 * [V4-3.1-1].
 */
struct request {
    uint8_t *unread; /* owned; as far as it has come; NULL mostly */
    char *userid;    /* owned, unless both are empty; not terminated; DOMAIN is
                        behind its NUL;    NULL: not known */
    uint32_t unread_len;
    uint32_t userid_len;
    struct socks4_server server; /* what was asked, what was replied */
    uint8_t domain_len;          /* 0: no DOMAIN */
    bool stream_ended;           /* the client's FIN was read */
};

/* Octets read at once. What lies behind the request's last NUL is the
   application's: `rest` in the buffer it was read into. */
#define REQUEST_READ 4096

struct request_rest {
    const uint8_t *octets;
    size_t count;
};

enum request_news {
    REQUEST_WAITS,    /* for an event of the stream */
    REQUEST_COMPLETE, /* all fields are known, `rest` is set */
    REQUEST_WRONG,    /* *verdict says what is wrong */
    REQUEST_ENDED,    /* the stream ended inside it: see request_give_up */
};

/*
 * Reads while there is something to read. `buffer` has room for the longest
 * request that framing allows and REQUEST_READ octets. The fields hold what
 * could be understood, whatever the answer.
 */
enum request_news request_read(struct request *request, struct stream *stream,
                               const struct socks4_framing *framing,
                               uint8_t *buffer, struct request_rest *rest,
                               enum verdict *verdict);

/* No more of it will come: fills in what can be understood of the part. */
void request_give_up(struct request *request);

/* DOMAIN, domain_len octets, not terminated; NULL where there is none. */
const char *request_domain(const struct request *request);

void request_fini(struct request *request);

#endif
