#ifndef GATEWAY_WORKER_RULE_NAMES_H
#define GATEWAY_WORKER_RULE_NAMES_H

#include "gateway/config/config.h"
#include "gateway/worker/nameplate.h"

/*
 * The names of a snapshot's rules, one copy each, for the records of sessions
 * that outlive the snapshot: a session keeps a reference, not a copy.
 */
struct rule_names {
    const struct config *config; /* borrowed: whose rules */
    struct nameplate **table;    /* owned: one a rule, filled when it is first
                                    asked for; the last is `default' */
};

/* All zeros at first. From now on those of `config`; what was taken stays. */
void rule_names_set(struct rule_names *names, const struct config *config);
void rule_names_fini(struct rule_names *names);

/*
 * A reference to the name of `rule` of `config`; NULL as a rule: none matched.
 * A snapshot that is not the present one's costs a copy. NULL: no memory.
 */
struct nameplate *rule_names_take(struct rule_names *names,
                                  const struct config *config,
                                  const struct rule *rule);

#endif
