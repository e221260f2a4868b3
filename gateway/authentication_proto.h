#ifndef GATEWAY_AUTHENTICATION_PROTO_H
#define GATEWAY_AUTHENTICATION_PROTO_H

#include <stdint.h>

/*
 * The messages between a worker and the authenticator: one fixed struct a
 * question and one an answer, on a seqpacket pair (a link) of their own.
 * Neither side trusts what the other one sends. A question has a password, so
 * both sides overwrite theirs after use.
 */

/* RFC 1929: the length of either is one octet. */
#define AUTHENTICATION_USER_MAX 255
#define AUTHENTICATION_PASSWORD_MAX 255

enum authentication_outcome {
    AUTHENTICATION_ACCEPTED,
    AUTHENTICATION_REFUSED, /* there is no such user, or it has another
                               password: nothing says which */
    AUTHENTICATION_FAILED,  /* the authenticator could not tell: it has no users
                               file, or crypt(3) failed */
    AUTHENTICATION_LIMITED, /* the source has sent too many wrong passwords, and
                               this one was not looked at */
    AUTHENTICATION_OVERLOADED, /* there is no room, and this source asks most */
    AUTHENTICATION_OUTCOMES
};

enum authentication_kind {
    AUTHENTICATION_ASK = 1,
    AUTHENTICATION_CANCEL, /* the session of question `id` waits no more */
};

struct authentication_question {
    uint32_t kind;
    uint32_t timeout_ms; /* how long the session waits */
    uint64_t id;         /* the worker's own */
    uint64_t source;     /* opaque: clients of one source have the same, in all
                            workers */
    uint8_t user_len;    /* octets behind the last are zero, in both */
    uint8_t password_len;
    char user[AUTHENTICATION_USER_MAX];
    char password[AUTHENTICATION_PASSWORD_MAX];
};

struct authentication_answer {
    uint64_t id;
    uint32_t outcome;
    uint32_t zero;
};

#endif
