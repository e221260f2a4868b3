#ifndef GATEWAY_AUTHENTICATOR_PASSWORDS_H
#define GATEWAY_AUTHENTICATOR_PASSWORDS_H

#include <crypt.h>
#include <stdbool.h>

#include "base/must_check.h"
#include "gateway/authentication_proto.h"
#include "gateway/users_file.h"

/*
 * The users file in force, and whether a password is a user's.
 *
 * A name that the file lacks costs as much as a wrong password: another user's
 * hash is computed, chosen by the name, so that one name costs the same each
 * time.
 *
 * A client of SOCKS5 sends its password with each connection, and a hash takes
 * milliseconds on purpose. So a password that was right is remembered until it
 * was not used for some minutes, as a MAC with a key that only this process
 * has; a wrong one always costs its hash.
 */
#define PASSWORDS_REMEMBERED_MS 300000
#define PASSWORDS_MAC 32

struct password_memory {
    uint8_t mac[PASSWORDS_MAC];
    uint64_t until_ms; /* 0: none is remembered */
};

struct passwords {
    char *text; /* the file, mapped; owned, NULL: there is none */
    size_t len;
    struct users_file users;
    struct password_memory *memories; /* one each of users.entries; owned */
    uint8_t secret[PASSWORDS_MAC];
    struct crypt_data scratch;
};

/* Before the process is confined: loads what MACs need. 0 or a negative
   errno. */
MUST_CHECK int passwords_init(struct passwords *passwords);

/* The `len` octets in the memory file fd, which stays the caller's, in place
   of any before. 0; or a negative errno, and there is none. */
MUST_CHECK int passwords_take(struct passwords *passwords, int fd, size_t len);
void passwords_fini(struct passwords *passwords);

/* Whether it is remembered that the password is right: without a hash, in
   microseconds. */
bool passwords_remember(struct passwords *passwords,
                        const struct authentication_question *asked,
                        uint64_t now_ms);

/* ACCEPTED, REFUSED or FAILED. */
enum authentication_outcome
passwords_check(struct passwords *passwords,
                const struct authentication_question *asked, uint64_t now_ms);

#endif
