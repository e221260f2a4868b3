#ifndef GATEWAY_LINK_MESSAGE_H
#define GATEWAY_LINK_MESSAGE_H

#include <stddef.h>

#include "base/must_check.h"

/*
 * The messages on a link, the seqpacket pair between a worker and the resolver
 * or the signer: each is one struct of fixed size.
 */

/* Sends one message. 0, -EAGAIN, or another negative errno. */
MUST_CHECK int link_message_send(int fd, const void *message, size_t size);

/* 1 and a message, 0 at end of stream, -EAGAIN, or another negative errno;
   -EBADMSG where the message, which is consumed, has another size. */
MUST_CHECK int link_message_receive(int fd, void *message, size_t size);

#endif
