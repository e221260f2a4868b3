#ifndef GATEWAY_WORKER_SIGNING_ALGORITHMS_H
#define GATEWAY_WORKER_SIGNING_ALGORITHMS_H

#include <openssl/types.h>

#include "base/must_check.h"

/*
 * What a worker's handshakes use of OpenSSL's built-in provider, and nothing
 * else. To parse the key of a client's certificate, OpenSSL 3.0 tries all
 * decoders of a library context on all its kinds of keys, which costs as much
 * as two signatures. Here are the few that can be meant, so it takes a fifth of
 * that; and a client's octets reach no parser of keys that no handshake takes.
 */

/* Into a library context that has no provider yet. One a process. 0 or
   -ENOMEM. */
MUST_CHECK int signing_algorithms_load(OSSL_LIB_CTX *library);
/* Frees that library context, too; also if the above failed. */
void signing_algorithms_unload(OSSL_LIB_CTX *library);

#endif
