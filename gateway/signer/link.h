#ifndef GATEWAY_SIGNER_LINK_H
#define GATEWAY_SIGNER_LINK_H

#include <stdbool.h>

#include "base/loop.h"
#include "gateway/signing_proto.h"

/*
 * A worker's link: requests come in, signatures go out. No request is read while
 * an answer waits for room. Nothing that a worker sends is trusted.
 */
struct signer_link;
typedef void signer_link_sign_fn(struct signer_link *link,
                                 const struct signing_request *request,
                                 struct signing_answer *answer);

struct signer_link {
    struct loop *loop; /* borrowed */
    signer_link_sign_fn *sign;
    struct watch watch;           /* owns its descriptor, -1 */
    struct signing_answer answer; /* for which there was no room, */
    bool waits;                   /* if so */
    struct task again;
    unsigned opened; /* how often */
};

void signer_link_init(struct signer_link *link, struct loop *loop,
                      signer_link_sign_fn *sign);

/* Serves on fd, which is taken, in place of any before. */
void signer_link_open(struct signer_link *link, int fd);

#endif
