#ifndef GATEWAY_MONITOR_EDITION_H
#define GATEWAY_MONITOR_EDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gateway/config/config.h"

/*
 * A configuration as the monitor hands it out: its effective text, in a
 * sealed memory file, so that every worker parses the same; and a number
 * that says which one it is.
 */
#define EDITION_ID_MAX 9 /* eight hexadecimal digits, NUL */

struct edition {
    struct config *config; /* reference */
    uint32_t number;       /* counted from 0 since the start */
    char *text;            /* owned */
    size_t len;
    int fd;                  /* owned; the text again, sealed */
    char id[EDITION_ID_MAX]; /* of the text: a hash, for people */
};

/* Takes over `config` by reference, if it returns 0; else a negative errno. */
int edition_make(struct edition *edition, struct config *config,
                 uint32_t number);

/* From the text of another one, which stays the caller's. 0, -EBADMSG where it
   is no configuration, or another negative errno. */
int edition_take(struct edition *edition, int fd, uint32_t number);
void edition_free(struct edition *edition);

/* Whether both mean the same. */
bool edition_equal(const struct edition *a, const struct edition *b);

/* What differs and can be changed by a restart only: the option's name, or
   NULL. */
const char *edition_fixed(const struct edition *a, const struct edition *b);

#endif
