#ifndef GATEWAY_SIGNING_PROTO_H
#define GATEWAY_SIGNING_PROTO_H

#include <stdint.h>

/*
 * The messages between a worker and the signer: one fixed struct a request and
 * one an answer, on a seqpacket pair (a link) of their own. Neither side trusts
 * what the other one sends.
 *
 * A request has the whole message that TLS wants signed, not a digest of it: so
 * the signer can tell that it is a handshake's, and a worker that was taken
 * over gets no signature under anything else.
 */

/* A key is named by the SHA-256 of its public half (SubjectPublicKeyInfo). */
#define SIGNING_KEY_ID 32
/* TLS 1.3: 98 octets and a hash; 1.2: two randoms and a curve's point. */
#define SIGNING_MESSAGE_MAX 256
#define SIGNING_SIGNATURE_MAX 1024 /* RSA of 8192 bits */

/* Whose handshakes a key signs: those of a listener's clients, or those with a
   parent. The monitor tells the signer by message, and no worker can. */
enum key_use { KEY_SERVER = 1, KEY_CLIENT = 2 };

struct signing_request {
    uint64_t id;     /* the worker's own */
    uint32_t scheme; /* TLS's SignatureScheme: which algorithm and hash */
    uint32_t len;    /* of the message; the octets after it are zero */
    uint8_t key[SIGNING_KEY_ID];
    uint8_t message[SIGNING_MESSAGE_MAX];
};

enum signing_outcome {
    SIGNING_DONE,
    SIGNING_NO_KEY,  /* the signer does not have it */
    SIGNING_REFUSED, /* the key may not sign by that scheme, or the message is
                        no handshake's */
    SIGNING_FAILED,
};

struct signing_answer {
    uint64_t id;
    uint32_t outcome;
    uint32_t len; /* of the signature */
    uint8_t signature[SIGNING_SIGNATURE_MAX];
};

#endif
