#ifndef GATEWAY_WORKER_RULE_COPY_H
#define GATEWAY_WORKER_RULE_COPY_H

#include "base/sys.h"
#include "gateway/config/config.h"
#include "gateway/series.h"

/*
 * What a session needs of the rule that has decided it when the snapshot is
 * gone: while it relays, and for its record. All sessions that the rule
 * decides share one copy, with a count of references.
 */
struct rule_copy {
    unsigned refs;
    unsigned number;                  /* by which it is counted: series.h */
    uint32_t idle_ms, half_closed_ms; /* 0: no such timer */
    struct sys_keepalive keepalive;   /* of the connection to the server */
    uint8_t log_level;                /* 1 + enum log_level; 0: log.level */
    char name[];
};

/* NULL is fine. */
void rule_copy_unref(struct rule_copy *copy);

/* Those of one snapshot: sessions keep references. */
struct rule_copies {
    const struct series_names *names; /* borrowed */
    const struct config *config;      /* borrowed: whose rules */
    struct rule_copy **table; /* owned: one a rule, filled when it is first
                                 asked for; the last is `default' */
};

/* All zeros at first, but for `names'. From now on those of `config`; what was
   taken stays. */
void rule_copies_set(struct rule_copies *copies, const struct config *config);
void rule_copies_fini(struct rule_copies *copies);

/*
 * A reference to the copy of `rule` of `config`; NULL as a rule: none matched.
 * Of a rule of another snapshot it is a copy of its own. NULL: no memory.
 */
struct rule_copy *rule_copies_take(struct rule_copies *copies,
                                   const struct config *config,
                                   const struct rule *rule);

_Static_assert(RULE_TIMEOUT_NONE == CONFIG_AUTO, "auto: as for all");

/* What is so for all, unless the rule says something else. */
static inline uint64_t
rule_or_all_ms(uint64_t rule_ms, uint64_t all_ms)
{
    return rule_ms != RULE_TIMEOUT_NONE ? rule_ms : all_ms;
}

#endif
