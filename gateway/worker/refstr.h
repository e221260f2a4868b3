#ifndef GATEWAY_WORKER_REFSTR_H
#define GATEWAY_WORKER_REFSTR_H

#include "gateway/series.h"

/*
 * A string with a count of references: the name of a listener, for as long as
 * there is a session that needs it for its record. The listener may be renamed
 * by then.
 */
struct refstr {
    unsigned refs;
    unsigned number; /* by which it is counted: series.h */
    char text[];
};

/* With one reference; NULL: no memory. */
struct refstr *refstr_new(const char *text, const struct series_names *names,
                          enum series_kind kind);
struct refstr *refstr_ref(struct refstr *refstr);
/* NULL is fine. */
void refstr_unref(struct refstr *refstr);

#endif
