#ifndef GATEWAY_WORKER_CERTIFICATE_H
#define GATEWAY_WORKER_CERTIFICATE_H

#include <stddef.h>

#include "base/span.h"

/*
 * The names of a client certificate that was verified: the DNS names (in lower
 * case, without a dot at the end), e-mail addresses and URIs of its subject
 * alternative name, or the subject's common names where it has no such
 * extension. One piece of memory, freed by free().
 */
struct certificate {
    size_t count;
    size_t matched;      /* the one that the decision was about */
    struct span names[]; /* their octets are behind them */
};

/* A certificate with more names, a longer one, more octets in all, or a name
   with an octet that is no text, is refused: what a rule says of its names
   would be uncertain. */
#define CERTIFICATE_NAMES_MAX 64
#define CERTIFICATE_NAME_MAX 1024
#define CERTIFICATE_OCTETS_MAX 8192

#endif
