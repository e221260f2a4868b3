#ifndef GATEWAY_TLS_FILES_H
#define GATEWAY_TLS_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/must_check.h"

/*
 * The files of a configuration's TLS listeners and parents, as the monitor
 * hands them to the workers: one sealed memory file for a config version, which
 * holds the certificates, CAs and CRLs of all listeners as they were when they
 * were read, the keys of session tickets, and the passwords that parents are
 * told. Private keys are never in it.
 *
 * It is a row of blocks, each with a head and its octets, in no certain order.
 * Without any of these it is empty.
 */
enum tls_file_kind {
    TLS_FILE_CERTIFICATE = 1, /* PEM, as in the file: the chain */
    TLS_FILE_KEY,             /* only to name it: it is never in here */
    TLS_FILE_CA,              /* PEM */
    TLS_FILE_CRL,             /* PEM */
    TLS_FILE_TICKETS,         /* struct tls_ticket_keys, for all listeners */
    TLS_FILE_SYSTEM_CA,       /* PEM: the machine's, which nobody here checks */
    TLS_FILE_PASSWORD,        /* a parent's password_file */
};

/* "tls.certificate", "tls.key" and so on, "password_file": as the option is
   called; of tickets there is none. */
extern const char *const tls_file_names[];

/* No file may be larger. */
#define TLS_FILE_MAX (1u << 20)

struct tls_block {
    uint32_t kind;     /* enum tls_file_kind */
    uint32_t listener; /* config_tls_at; tickets: 0 */
    uint64_t len;      /* of the octets that follow */
};

/* All workers of a config version have the same; a session ticket is made with
   the current key, and taken with either. */
struct tls_ticket_key {
    uint8_t name[16], aes[32], hmac[32];
};

struct tls_ticket_keys {
    struct tls_ticket_key current, previous;
};

/* A memory file that is mapped; octets NULL: there are no files. */
struct tls_files {
    const uint8_t *octets;
    size_t len;
};

/* Maps the `len` octets that are in `fd`, which stays the caller's. 0 or a
   negative errno. */
MUST_CHECK int tls_files_map(struct tls_files *files, int fd, uint64_t len);
/* The same, all that is in it: for processes that may call fstat. */
MUST_CHECK int tls_files_map_all(struct tls_files *files, int fd);
void tls_files_unmap(struct tls_files *files);

/* The octets of a file, borrowed from the map, and `len` of them; NULL: there
   is none, or the blocks make no sense. */
const uint8_t *tls_files_find(const struct tls_files *files,
                              enum tls_file_kind kind, uint32_t listener,
                              size_t *len);

/* What RFC 1929 has room for. */
#define TLS_PASSWORD_MAX 255

/* The password in a password_file: its first line, of which `octets` is cut to
   `len`. NULL, or why that is not a password, and what to do. */
const char *tls_files_password(const uint8_t *octets, size_t *len);

#endif
