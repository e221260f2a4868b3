#ifndef BASE_MUST_CHECK_H
#define BASE_MUST_CHECK_H

/* The result is an error, or what the caller owns: it must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))

#endif
