#ifndef GATEWAY_MONITOR_LEDGER_H
#define GATEWAY_MONITOR_LEDGER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * One description of what goes into a file, for both ways: each call names
 * the next thing there, and writes it out or fills it in. So writer and
 * reader cannot disagree about what comes where. A third way does nothing
 * but visit the descriptors that are named.
 *
 * Reading believes nothing: the first thing that is cut off or out of its
 * range is the ledger's error, and everything after it is left as it was.
 */
typedef int ledger_visit_fn(int fd);

struct ledger {
    FILE *out;              /* writing; borrowed */
    const char *in;         /* reading: what is left; borrowed */
    size_t left;            /* of it */
    ledger_visit_fn *visit; /* visiting: 0 or a negative errno */
    int error;              /* 0, or the first negative errno */
};

/* Octets of any length, in one piece. */
struct ledger_piece {
    char *octets; /* owned by whoever reads */
    size_t len;
};

struct ledger ledger_writing(FILE *out);
struct ledger ledger_reading(const char *octets, size_t len);
struct ledger ledger_visiting(ledger_visit_fn *visit);

/* So many octets, as they are. */
void ledger_octets(struct ledger *ledger, void *octets, size_t len);

/* From 0 to `most`. */
void ledger_number(struct ledger *ledger, uint64_t *number, uint64_t most);

/* With its NUL it fits in `room`. */
void ledger_text(struct ledger *ledger, char *text, size_t room);

/* A descriptor behind the standard ones, or -1. */
void ledger_fd(struct ledger *ledger, int *fd);

/* At most `most` octets, a multiple of `size`; allocated when read. */
void ledger_piece(struct ledger *ledger, struct ledger_piece *piece,
                  size_t size, size_t most);

/* Reading: that nothing is left. 0 or the error. */
int ledger_end(struct ledger *ledger);

#endif
