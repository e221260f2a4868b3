#ifndef GATEWAY_SIGNER_KEYS_H
#define GATEWAY_SIGNER_KEYS_H

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"
#include "gateway/signing_scheme.h"

/*
 * The private keys, and what is signed with them. A key stays as long as a
 * config version may be in use that has it.
 */
#define KEYS_MAX 256

struct private_key {
    uint8_t id[SIGNING_KEY_ID];
    uint32_t version; /* the newest config version that has it */
    unsigned uses;    /* enum key_use, by bit */
    const char *type; /* of signing_scheme.h */
    EVP_PKEY *key;    /* owned */
    /* What signs, by scheme: made once, since that costs as much as half a
       signature; owned, NULL. */
    EVP_PKEY_CTX *operations[SIGNING_SCHEMES];
};

struct keys {
    struct private_key table[KEYS_MAX];
    size_t count;
};

/* Loads what signatures need, before the process is confined. 0 or -ENOMEM. */
MUST_CHECK int keys_prepare(void);

/* A key of that config version, as PEM. One that is there already has these
   uses, too, if that is of the same version. Where there is no room the oldest
   goes. 0; -EINVAL: it is none that can be used. */
MUST_CHECK int keys_add(struct keys *keys, uint32_t version, unsigned uses,
                        const void *pem, size_t len);

/* No config version before this one is in use any more. */
void keys_drop_before(struct keys *keys, uint32_t version);

/* Signs, or says why not. */
void keys_sign(struct keys *keys, const struct signing_request *request,
               struct signing_answer *answer);

#endif
