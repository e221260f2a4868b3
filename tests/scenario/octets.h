#ifndef SCENARIO_OCTETS_H
#define SCENARIO_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string of octets that grows. Zeroed memory is an empty one. */
struct octets {
    uint8_t *at; /* owned */
    size_t len;
    size_t room;
};

void octets_add(struct octets *octets, const void *more, size_t len);
void octets_free(struct octets *octets);

/* Those from that place on, also where there is none yet. */
const uint8_t *octets_from(const struct octets *octets, size_t place);

/*
 * What a script writes for octets, appended: hexadecimal pairs, "text"
 * (with \n, \\, \" and \xNN), either with *N behind it, and
 *
 *   CONNECT 10.0.0.2:80 "bob"   the request, USERID and NUL included
 *   BIND 10.0.0.2:80 "bob"
 *   REPLY 91 10.0.0.2:80        eight octets
 *   PATTERN 100000              the first octets of a long pattern
 *
 * False: not understood.
 */
bool octets_parse(struct octets *octets, const char *text);

/* For messages: hex and text of at most the first 24. */
char *octets_show(const uint8_t *at, size_t len, char *text, size_t room);

#endif
