#ifndef GATEWAY_USERS_FILE_H
#define GATEWAY_USERS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"

/*
 * The users file: a line name:hash each, the hash as crypt(3) knows it. Empty
 * lines and lines that begin with # mean nothing. A hash that begins with ! or
 * * matches no password: the user is locked.
 *
 *     # the office
 *     ann:$y$j9T$PtVzgz…$k3…
 *     bob:!$6$rounds=5000$…
 *
 * Three read it by the same code: the monitor, which reports what is wrong, the
 * authenticator, and `socks4d passwd'. Pure: octets in, values out.
 */

/* No file may be larger. */
#define USERS_FILE_MAX (16u << 20)
/* A name is what RFC 1929 can carry, a hash what crypt(3) can make. */
#define USERS_FILE_NAME_MAX 255
#define USERS_FILE_HASH_MAX 255

/* Not terminated, borrowed from the text. */
struct users_file_entry {
    const char *name, *hash;
    uint8_t name_len, hash_len;
    bool locked;
    unsigned line;
};

/* Sorted by name. */
struct users_file {
    struct users_file_entry *entries; /* owned */
    size_t count;
};

/* What is wrong at a place of the file, or, with `is_error' false, probably not
   intended: a sentence that has no octet of a hash. */
typedef void users_file_fault_fn(void *context, bool is_error, unsigned line,
                                 unsigned column, const char *why);

/*
 * 0; -EINVAL: it has errors, each of which was reported; -ENOMEM. Then there
 * is nothing in `users`. The text must outlive it. `fault` NULL: the errors are
 * not reported.
 */
MUST_CHECK int users_file_parse(struct users_file *users, const char *text,
                                size_t len, users_file_fault_fn *fault,
                                void *context);
void users_file_free(struct users_file *users);

/* NULL: there is no such user. */
const struct users_file_entry *users_file_find(const struct users_file *users,
                                               const char *name, size_t len);

/* Whether a name begins so. */
bool users_file_has_prefix(const struct users_file *users, const char *prefix,
                           size_t len);

/* Why a name cannot stand in the file, or NULL. */
const char *users_file_bad_name(const char *name, size_t len);

#endif
