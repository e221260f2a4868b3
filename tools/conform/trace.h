#ifndef CONFORM_TRACE_H
#define CONFORM_TRACE_H

#include <stddef.h>
#include <stdint.h>

/*
 * What was seen in one case, a line an event: who, which way, the octets in
 * hexadecimal. It has an end; what comes later is not written down.
 */
#define TRACE_MAX 4096

struct trace {
    char text[TRACE_MAX];
    size_t len;
};

/* "client > 04 01 00 50", at most 48 octets of `len`; `way` is '>' for what
   it sent, '<' for what came. */
void trace_octets(struct trace *trace, const char *who, char way,
                  const uint8_t *octets, size_t len);
/* "client < reset" */
void trace_word(struct trace *trace, const char *who, char way,
                const char *word);

#endif
