#ifndef CONFORM_WRONG_WRONG_H
#define CONFORM_WRONG_WRONG_H

#include <stdbool.h>

#include "base/addr.h"
#include "tools/stream/tls.h"

/* What the server is beside its defect. */
struct wrong_manner {
    bool socks4a;
    bool socks5; /* version 5 alone */
    bool ident;
    const char *user; /* version 5: NULL: it asks for no password */
    const char *password;
    const struct tls_options *tls;
};

/*
 * Runs a SOCKS server with that defect until it is killed, to test the tester
 * and for authors of clients. "right" has no defect, "list" prints the table.
 * Its timers are 2.5 s, 1.5 s for ident. With tls->on it speaks TLS. A
 * defect of version 5 alone makes it speak that.
 *
 * Prints on stdout where it listens, then a line for each session. Returns the
 * program's exit status if the defect is unknown or the address unavailable.
 */
int wrong_serve(const char *name, const struct endpoint *at,
                const struct wrong_manner *manner);

#endif
