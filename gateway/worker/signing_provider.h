#ifndef GATEWAY_WORKER_SIGNING_PROVIDER_H
#define GATEWAY_WORKER_SIGNING_PROVIDER_H

#include <openssl/core.h>
#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/signing_proto.h"

/*
 * An OpenSSL provider for keys of which this process has the public half alone.
 * What needs no private key it has done by the built-in provider; for a
 * signature it calls the function below.
 */
struct signing;

#define SIGNING_PROVIDER "socks4d-signer"

/* Whose keys the provider that is loaded next has. */
void signing_provider_serve(struct signing *signing);

/* For OSSL_PROVIDER_add_builtin. */
int signing_provider_init(const OSSL_CORE_HANDLE *core,
                          const OSSL_DISPATCH *in, const OSSL_DISPATCH **out,
                          void **context);

/* A key of it, made from the public half. NULL: see signing_key. */
EVP_PKEY *signing_provider_key(struct signing *signing, EVP_PKEY *public);

/*
 * Waits, in an ASYNC job, until the signer has signed `message`. 1 and the
 * signature in `room` octets, *len of them; 0: it failed. (signing.c)
 */
int signing_wait(struct signing *signing, const uint8_t key[SIGNING_KEY_ID],
                 uint32_t scheme, const unsigned char *message,
                 size_t message_len, unsigned char *signature, size_t room,
                 size_t *len);

#endif
