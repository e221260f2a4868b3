#ifndef GATEWAY_WORKER_REFSTR_H
#define GATEWAY_WORKER_REFSTR_H

#include "gateway/config/config.h"
#include "gateway/series.h"

/*
 * Strings with a count of references: the name of a listener or of a rule, for
 * as long as there is a session that needs it for its record. The listener may
 * be renamed by then, and the snapshot of the rule gone.
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

/* The names of a snapshot's rules, one copy each: sessions keep references. */
struct refstr_rules {
    const struct series_names *names; /* borrowed */
    const struct config *config;      /* borrowed: whose rules */
    struct refstr **table; /* owned: one a rule, filled when it is first
                              asked for; the last is `default' */
};

/* All zeros at first, but for `names'. From now on those of `config`; what was
   taken stays. */
void refstr_rules_set(struct refstr_rules *rules, const struct config *config);
void refstr_rules_fini(struct refstr_rules *rules);

/*
 * A reference to the name of `rule` of `config`; NULL as a rule: none matched.
 * The name of a rule of another snapshot is copied. NULL: no memory.
 */
struct refstr *refstr_rules_take(struct refstr_rules *rules,
                                 const struct config *config,
                                 const struct rule *rule);

#endif
