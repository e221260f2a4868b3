#ifndef GATEWAY_SIGNING_SCHEME_H
#define GATEWAY_SIGNING_SCHEME_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/signing_proto.h"

/*
 * Which algorithms a key may sign by: one table, a row for each of TLS's
 * SignatureSchemes. The worker finds the row by what OpenSSL wants of the key,
 * the signer by the number in the request.
 */
#define SIGNING_SCHEMES 10

struct signing_scheme {
    uint32_t number;        /* RFC 8446, 4.2.3 */
    const char *key;        /* its type: "RSA", "EC", "ED25519" */
    const char *digests[2]; /* OpenSSL's names for the hash; NULL: none */
    bool pss;               /* RSA: padding with salt, else PKCS #1 */
    bool only_1_2;          /* not in TLS 1.3 */
};

/* Its place in the table, below SIGNING_SCHEMES. */
unsigned signing_scheme_index(const struct signing_scheme *scheme);

/* NULL: there is none. `digest` NULL: none. */
const struct signing_scheme *signing_scheme_find(uint32_t number);
const struct signing_scheme *
signing_scheme_match(const char *key, const char *digest, bool pss);

/* The type of a key as the table has it; NULL: no scheme is for it. */
const char *signing_scheme_key(const EVP_PKEY *key);

/* The name of a key in requests, by its public half. 0 or -EINVAL. */
MUST_CHECK int signing_scheme_key_id(const EVP_PKEY *key,
                                     uint8_t id[SIGNING_KEY_ID]);

#endif
