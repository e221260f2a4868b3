#ifndef GATEWAY_NAMES_H
#define GATEWAY_NAMES_H

#include <stdint.h>

/*
 * What a worker and the resolver say to each other about names: one fixed
 * message a question, one an answer, on a seqpacket pair of their own.
 * Neither trusts the other's.
 */

/* A DOMAIN without its NUL; a resolver's word on it. */
#define LOOKUP_NAME_MAX 255
#define LOOKUP_ADDRESSES_MAX 64

enum lookup_outcome {
    LOOKUP_FOUND,
    LOOKUP_NO_SUCH_NAME, /* there is no such name, or it has no address */
    LOOKUP_FAILED,       /* nobody could tell: server failure, silence, a name
                            that cannot be asked for, too many questions */
};

enum lookup_kind {
    LOOKUP_ASK = 1,
    LOOKUP_CANCEL, /* nobody waits for question `id` any more */
};

struct lookup_question {
    uint32_t kind;
    uint32_t patience_ms;       /* after so long nobody waits any more */
    uint64_t id;                /* the worker's own */
    uint8_t len;                /* 1 to 255; the octets behind are zero */
    char name[LOOKUP_NAME_MAX]; /* opaque octets [4A-A.2.3-1, 4A-B.6-2] */
};

struct lookup_answer {
    uint64_t id;
    uint32_t outcome;
    uint32_t count;                           /* LOOKUP_FOUND: 1 to 64 */
    uint32_t addresses[LOOKUP_ADDRESSES_MAX]; /* IPv4, host order */
};

#endif
