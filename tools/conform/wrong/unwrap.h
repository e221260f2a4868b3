#ifndef CONFORM_WRONG_UNWRAP_H
#define CONFORM_WRONG_UNWRAP_H

#include "tools/stream/tls.h"

/*
 * Makes the handshake of TLS as a server and lets a thread of its own relay.
 * Returns a plain connection in place of `fd`, which it takes; or a negative
 * errno.
 */
int unwrap(int fd, const struct tls_context *tls);

#endif
