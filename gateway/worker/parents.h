#ifndef GATEWAY_WORKER_PARENTS_H
#define GATEWAY_WORKER_PARENTS_H

#include "base/loop.h"
#include "base/must_check.h"
#include "gateway/config/config.h"
#include "gateway/segment.h"
#include "gateway/tls_files.h"
#include "gateway/worker/lookup.h"
#include "gateway/worker/record.h"

/*
 * What a worker has learnt of the parents by using them. An address of a parent
 * that failed rests: sessions try it only after all others. It rests for 5
 * seconds, and for twice as long each time up to a minute. When the rest is
 * over one session tries it in its turn, and for the others it still rests
 * until that one has had an answer.
 *
 * Each worker learns by itself, and a new configuration begins anew.
 */
struct parent_state {
    struct lookup lookup; /* of its name, when the configuration is taken */
    struct parents *parents;
    const struct config_parent *parent;
    const struct config_parent_address *address;
    unsigned number; /* of the parent's name: series.h */
    uint64_t rests_until_us;
    uint64_t answered_us; /* when a session last had a reply from it */
    uint32_t rest_ms;     /* 0: it has not failed since it answered */
    bool tried;           /* one session tries it after its rest */
    bool nameless;        /* it was said that its name has no address */
};

struct parents {
    struct loop *loop;          /* borrowed */
    struct lookups *lookups;    /* borrowed */
    struct record_log *records; /* borrowed */
    struct segment *segment;    /* borrowed */
    unsigned slot;
    const struct config *config; /* borrowed: whose these are */
    struct parent_state *states; /* owned: by config_parent_address.number */
    size_t count;                /* 0: also where there is no memory for them */
};

void parents_init(struct parents *parents, struct loop *loop,
                  struct lookups *lookups, struct record_log *records,
                  struct segment *segment, unsigned slot);
/* From now on those of `config`. Looks up their names, so that the log says at
   once which have no address. */
void parents_set(struct parents *parents, const struct config *config);
void parents_fini(struct parents *parents);

/* Puts the passwords that parents are told from the monitor's `files` (NULL:
   there are none) into the configuration, which wipes them at its end. 0 or
   -ENOMEM. */
MUST_CHECK int parents_take_passwords(struct config *config,
                                      const struct tls_files *files);

/* Whether sessions are to try the address last. `config` is that of the
   session: nothing is known of another configuration's parents. */
bool parents_rests(const struct parents *parents, const struct config *config,
                   const struct config_parent_address *address);

/* A session is about to connect to this address. True if it is the one session
   that tries the address after its rest: then parents_answered, parents_failed
   or parents_leave must follow. */
bool parents_try(struct parents *parents, const struct config *config,
                 const struct config_parent_address *address);
void parents_leave(struct parents *parents, const struct config *config,
                   const struct config_parent_address *address);

/* parents_answered: the address has sent a reply, a grant or a refusal, to a
   session that began to connect at `dialled_us` (0: the session had a reply
   from it before). parents_failed: the address could not be reached or did not
   answer; `why` says how. */
void parents_answered(struct parents *parents, const struct config *config,
                      const struct config_parent_address *address,
                      uint64_t dialled_us);
void parents_failed(struct parents *parents, const struct config *config,
                    const struct config_parent_address *address,
                    const char *why);
/* Whether any session has had a reply from it since then. */
bool parents_answered_since(const struct parents *parents,
                            const struct config *config,
                            const struct config_parent_address *address,
                            uint64_t since_us);

/* Whether its name has an address, as a lookup has shown. */
void parents_found_name(struct parents *parents, const struct config *config,
                        const struct config_parent_address *address,
                        bool found);

#endif
