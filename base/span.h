#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>

/* Octets of somebody else's, not terminated; a NUL may be among them. */
struct span {
    const char *at;
    size_t len;
};

#endif
