#ifndef GATEWAY_WORKER_PARENT_CHOICE_H
#define GATEWAY_WORKER_PARENT_CHOICE_H

#include "gateway/worker/parents.h"

/*
 * Which parent a session tries, and at which address: the parents of the rule's
 * `via', each with its addresses, and of a name each address that it has. They
 * are tried in this order; those that rest (parents.h) come last.
 */
struct parent_choice {
    struct parents *parents;     /* borrowed, as the next two */
    const struct config *config; /* of the session */
    const struct rule *rule;
    struct addr addresses[LOOKUP_ADDRESSES_MAX]; /* of the name */
    uint16_t tried[RULE_VIA_MAX];                /* a bit for each address */
    uint8_t count, at;                           /* in `addresses` */
    struct parent_place {
        uint8_t parent, address;
        bool begun; /* false: before the first */
    } place;
    bool all : 1;    /* all that do not rest have been tried */
    bool again : 1;  /* the next one is the present one */
    bool probes : 1; /* it tries one after its rest: see parents.h */
};

/* Before the first. */
void parent_choice_init(struct parent_choice *choice, struct parents *parents,
                        const struct config *config, const struct rule *rule);

/* To the next address of the present name, else to the next of the
   configuration. False: there is none. */
bool parent_choice_next(struct parent_choice *choice);
/* The next one is to be the present one once more. */
void parent_choice_repeat(struct parent_choice *choice);
/* The other addresses of the present name are not tried. */
void parent_choice_skip_name(struct parent_choice *choice);
/* How many are left to try, the present one included; a name that is not
   resolved counts as one. */
unsigned parent_choice_left(const struct parent_choice *choice);

/* The present one. */
const struct config_parent *
parent_choice_parent(const struct parent_choice *choice);
const struct config_parent_address *
parent_choice_address(const struct parent_choice *choice);
/* Whether it is a name whose addresses are not known yet. */
bool parent_choice_wants_lookup(const struct parent_choice *choice);
/* Where to connect, of any other. */
struct endpoint parent_choice_endpoint(const struct parent_choice *choice);

/* What has come of it, for the sessions after this one. The lookup of its name:
   if it was found, its first address is the next one. */
void parent_choice_resolved(struct parent_choice *choice,
                            enum lookup_outcome outcome,
                            const struct addr *addresses, size_t count);
/* `dialled_us`: when the connection to it began; 0: it has answered this
   session before. */
void parent_choice_answered(struct parent_choice *choice, uint64_t dialled_us);
/* Of a name, all addresses must have failed. */
void parent_choice_failed(struct parent_choice *choice, const char *why);
/* It is tried no longer, and nothing was learnt of it. */
void parent_choice_leave(struct parent_choice *choice);
/* Whether any session has had a reply from it since then. */
bool parent_choice_answered_since(const struct parent_choice *choice,
                                  uint64_t since_us);

#endif
