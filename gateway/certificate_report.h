#ifndef GATEWAY_CERTIFICATE_REPORT_H
#define GATEWAY_CERTIFICATE_REPORT_H

#include <stdint.h>

/*
 * What the certificate check finds, a message each: a line about a file of a
 * listener. It ends with CERTIFICATE_DONE; without that it has failed.
 */
enum certificate_finding {
    CERTIFICATE_ERROR = 1, /* `text` says what is wrong, and what to do */
    CERTIFICATE_WARNING,   /* likewise */
    CERTIFICATE_EXPIRES,   /* at `expires_s`, the first of the chain */
    CERTIFICATE_DONE,
};

#define CERTIFICATE_TEXT_MAX 256

struct certificate_report {
    uint32_t finding;  /* enum certificate_finding */
    uint32_t kind;     /* enum tls_file_kind */
    uint32_t listener; /* its number: config_tls_at */
    uint32_t unused;
    uint64_t expires_s; /* since 1970 */
    char text[CERTIFICATE_TEXT_MAX];
};

/* Behind a number in argv: it has no key, and no descriptor; it is a parent. */
#define CERTIFICATE_CHECK_NO_KEY '-'
#define CERTIFICATE_CHECK_PARENT 'p'

/* What the check is given besides what every child is, from CHANNEL_FD_LOG on;
   in argv stand the numbers of the listeners and parents (config_tls_at), in
   the order of their keys. */
enum certificate_check_fd {
    CERTIFICATE_CHECK_REPORTS = 4, /* struct certificate_report goes here */
    CERTIFICATE_CHECK_FILES,       /* tls_files.h */
    CERTIFICATE_CHECK_FIRST_KEY,
};

/* How long before its end a certificate is warned of. */
#define CERTIFICATE_WARN_S (30 * 86400)

#endif
