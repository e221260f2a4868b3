#ifndef FAULT_PLAN_H
#define FAULT_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/handshake.h"

/*
 * What a session of the load does. Client and server get the same text, words
 * separated by commas.
 *
 *   name=WORD        for the report
 *   command=bind     else CONNECT
 *   version=5        else SOCKS 4
 *   up=N down=N      octets from the client, and from the server
 *   first=client     the server sends only when the client's stream has
 *   first=server     ended; or the other way round. Else both at once
 *   slow=client      reads little, and seldom; or slow=server
 *   piece=N          octets a write, both sides
 *   gap=N            milliseconds between a side's writes
 *   buffer=N         SO_RCVBUF and SO_SNDBUF of both sides
 *   resets=yes       one side resets it at a moment that follows from the seed
 *   cuts=yes         the client ends it after an octet that follows from the
 *                    seed, by a FIN without TLS's own end, amid a record
 *   share=N          how often, among the plans of a run
 *
 * Both streams are patterns of the seed, which is the server's address as each
 * side sees it. Nothing but the pattern is ever sent.
 */

#define PLAN_NAME_MAX 31
#define PLANS_MAX 32

/* What one side does. */
struct side {
    uint64_t octets;
    bool second; /* sends after the other side's stream has ended */
    uint64_t write_most;
    uint64_t read_most;
    unsigned write_gap_ms;
    unsigned read_gap_ms;
};

enum { PLAN_CLIENT, PLAN_SERVER };

struct plan {
    char name[PLAN_NAME_MAX + 1];
    enum handshake_command command;
    enum protocol protocol;
    struct side sides[2];
    bool resets, cuts;
    unsigned share;
    int buffer;
};

/* False if a word is malformed; prints that word. */
bool plan_parse(struct plan *plan, const char *text);

/* When a session of this seed is reset, and by which side. */
enum break_moment { BREAK_NEVER, BREAK_AT_OCTET, BREAK_AT_TIME };

struct plan_break {
    enum break_moment moment;
    int side;
    uint64_t octet;   /* of those it sends */
    uint64_t time_ns; /* from its connect */
};

struct plan_break plan_break_of(const struct plan *plan, uint64_t seed);

#endif
