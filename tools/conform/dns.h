#ifndef CONFORM_DNS_H
#define CONFORM_DNS_H

#include <pthread.h>
#include <stdbool.h>

#include "place.h"

/*
 * A name server for socks4.test, on port 53 over UDP:
 *
 *     one      the application server
 *     two      server2, then the application server
 *     none     NXDOMAIN
 *     empty    no address
 *     broken   SERVFAIL
 *     silent   never answered
 *
 * Other names do not exist.
 */
#define DNS_ASKED_MAX 64

struct dns {
    pthread_mutex_t lock;
    const struct place *place; /* borrowed */
    int fd;
    unsigned count;
    char asked[DNS_ASKED_MAX][64]; /* the last ones, as a ring */
};

/* 0 or a negative errno. It lives as long as the process. */
int dns_start(struct dns *dns, const struct place *place);

/* Whether the name is asked for within `wait` ms, or was before. */
bool dns_asked(struct dns *dns, const char *name, unsigned wait);

#endif
