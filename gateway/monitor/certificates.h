#ifndef GATEWAY_MONITOR_CERTIFICATES_H
#define GATEWAY_MONITOR_CERTIFICATES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/monitor/user.h"
#include "gateway/tls_files.h"

/*
 * The files of a configuration's TLS listeners and parents, as they were when
 * they were read: certificates, CAs, CRLs and the passwords that parents are
 * told in one memory file for the workers, each private key in a memory file of
 * its own for the signer.
 *
 *   file ──► memory file ──► certificate check, a child: is it a good pair?
 *   (kernel only)    ├─────► workers: all but keys
 *                    └─────► signer: keys
 *
 * The octets of a key or of a password are in no memory of this process, not
 * for a moment: the kernel copies them from file to file (memory_copy), and the
 * monitor passes descriptors on. But where keys of tickets are renewed it
 * copies the workers' file as a whole.
 */

struct sink;

struct certificates {
    int fd;                         /* tls_files.h, sealed; owned, -1 */
    int keys[CONFIG_TLS_MAX];       /* PEM, sealed; owned, -1; config_tls_at */
    uint64_t identity; /* a hash of what tells the files from others that have
                      their names later: inode, size, times */
    uint8_t exposed[CONFIG_TLS_MAX]; /* bits, 1 << enum tls_file_kind: a key or
                                        a password that everybody may read */
    uint64_t expires_s[CONFIG_TLS_MAX]; /* the first of the chain; 0: not
                                                 known */
};

void certificates_init(struct certificates *certificates);
void certificates_free(struct certificates *certificates);

/*
 * Reads the files that `config` names, paths relative to its own. Nothing is
 * waited for: they must be regular files. The keys of session tickets are new;
 * those of `before` (or NULL) become the previous ones. 0, or -1 with a whole
 * line in `error`; then nothing is left open.
 */
MUST_CHECK int certificates_read(struct certificates *certificates,
                                 const struct config *config,
                                 const struct certificates *before,
                                 struct config_error *error);

/*
 * Has a child check them, `program` executed as `user` (certificate_check): a
 * bad pair, one that is not valid now, a weak key. Waits for it, at most
 * `wait_ms`. Notes when they expire, and warns of a good key that
 * everybody may read. 0, or -1 with the first error
 * in `error`, the others and the warnings as lines in `warnings`.
 */

/* The check takes milliseconds; the limit is for one that hangs. At the start
   nobody is served yet, and a machine that boots may be busy for long: only the
   service manager must not lose its patience first (systemd: 90 s). At a reload
   the monitor does nothing else meanwhile: it answers no worker and writes no
   record, and its unit's watchdog (30 s) hears of it every 15 s alone. */
#define CERTIFICATES_START_MS 60000
#define CERTIFICATES_RELOAD_MS 5000
MUST_CHECK int certificates_check(struct certificates *certificates,
                                  const struct config *config, int program,
                                  const struct user *user, unsigned wait_ms,
                                  struct config_error *error, FILE *warnings);

/* Whether both were read from the same files, unchanged. */
bool certificates_equal(const struct certificates *a,
                        const struct certificates *b);

/* The same files with new keys of session tickets, the current ones being the
   previous. 0 or a negative errno: all is as before. */
MUST_CHECK int certificates_renew_tickets(struct certificates *certificates);
/* Whether there are any. */
bool certificates_have_tickets(const struct config *config);

/* A line in the log for each that ends within CERTIFICATE_WARN_S. */
void certificates_report_expiry(const struct certificates *certificates,
                                const struct config *config, struct sink *sink);

/* The line of `config` about a file: "gw.yaml:4:20: tls.certificate: PATH: ",
   in `text`; NULL: there is no such file. */
#define CERTIFICATES_PLACE_MAX 400
char *certificates_place(const struct config *config, enum tls_file_kind kind,
                         uint32_t listener, char text[CERTIFICATES_PLACE_MAX]);

#endif
