#ifndef GATEWAY_CONFINE_CONFINE_H
#define GATEWAY_CONFINE_CONFINE_H

#include <sys/types.h>

#include "base/must_check.h"

/*
 * What a child gives up before it meets the first octet that is not ours,
 * layer by layer in this order. Each stands alone: where one is missing,
 * the others hold.
 */
/* name, what the log calls it */
#define CONFINE_LAYERS(X)                                                      \
    X(BOUNDING, "bounding-set") /* exec gives no capability */                 \
    X(GROUPS, "groups")         /* no supplementary groups */                  \
    X(USER, "user")             /* not root */                                 \
    X(CAPABILITIES, "capabilities")                                            \
    X(PRIVILEGES, "no-new-privileges")                                         \
    X(LIMITS, "limits")       /* no core, no child; no file grows */           \
    X(HIDING, "not-dumpable") /* its user cannot trace it */                   \
    X(LANDLOCK, "landlock")   /* the files it may see */                       \
    X(SECCOMP, "seccomp")     /* the system calls it may make */

enum confine_layer {
#define X(name, text) CONFINE_##name,
    CONFINE_LAYERS(X)
#undef X
        CONFINE_LAYER_COUNT,
    /* in messages: it was not even executed */
    CONFINE_NOT_EXECUTED = CONFINE_LAYER_COUNT
};

extern const char *const confine_layer_names[];

/* What a role may still do (table.h): each table in a file of its own. */
struct confine_table;
extern const struct confine_table confine_worker, confine_logwriter,
    confine_resolver, confine_signer, confine_authenticator, confine_observer;

/*
 * TRY: as much as can be had. REQUIRE: all that the kernel and the user who
 * started us can give. OFF: the user is changed, and nothing is gained by
 * exec; no more.
 */
enum confine_mode { CONFINE_TRY, CONFINE_REQUIRE, CONFINE_OFF };

struct confinement {
    unsigned missing; /* bit 1 << layer: asked for and not had */
    enum confine_layer failed;
};

/*
 * Confines the calling process, which has one thread, for good. What it
 * needs besides what `table` allows must be open already.
 *
 * 0 and what is missing; or a negative errno, the layer in `failed`, and
 * the process must end: the mode is REQUIRE and the layer could have been
 * had, or, in any mode, it could not become uid and gid.
 */
MUST_CHECK int confine(const struct confine_table *table,
                       enum confine_mode mode, uid_t uid, gid_t gid,
                       struct confinement *had);

#endif
