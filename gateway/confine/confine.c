#include "gateway/confine/confine.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "gateway/confine/landlock.h"
#include "gateway/confine/privilege.h"
#include "gateway/confine/role.h"
#include "gateway/confine/seccomp.h"

const char *const confine_layer_names[] = {
#define X(name, text) text,
    CONFINE_LAYERS(X)
#undef X
};

static const struct role *const roles[] = {
    [CONFINE_WORKER] = &role_worker,
    [CONFINE_LOGWRITER] = &role_logwriter,
    [CONFINE_RESOLVER] = &role_resolver,
};

/* Hard and soft: without privileges they cannot be raised again. */
static int
lower_limits(const struct role *role)
{
    for (size_t i = 0; i < role->ceiling_count; i++) {
        rlim_t most = role->ceilings[i].most;
        struct rlimit limit = {most, most};
        if (setrlimit((unsigned)role->ceilings[i].resource, &limit) != 0)
            return -errno;
    }
    return 0;
}

/* 0; 1: cannot be had here; or a negative errno. */
static int
put_on(enum confine_layer layer, const struct role *role, uid_t uid, gid_t gid)
{
    switch (layer) {
    case CONFINE_BOUNDING:
        return privilege_empty_bounding();
    case CONFINE_GROUPS:
        return privilege_leave_groups(gid);
    case CONFINE_USER:
        return privilege_become(uid, gid);
    case CONFINE_CAPABILITIES:
        return privilege_drop_capabilities();
    case CONFINE_PRIVILEGES:
        return privilege_gain_none();
    case CONFINE_LIMITS:
        return lower_limits(role);
    case CONFINE_HIDING:
        return privilege_hide();
    case CONFINE_LANDLOCK:
        return landlock_confine(role);
    case CONFINE_SECCOMP:
        return seccomp_confine(role);
    case CONFINE_LAYER_COUNT:
        break;
    }
    return -EINVAL;
}

/* Those without which no child runs. */
static bool
is_vital(enum confine_layer layer)
{
    return layer == CONFINE_GROUPS || layer == CONFINE_USER ||
           layer == CONFINE_PRIVILEGES;
}

int
confine(enum confine_role role, enum confine_mode mode, uid_t uid, gid_t gid,
        struct confinement *had)
{
    *had = (struct confinement){0};
    for (enum confine_layer i = 0; i < CONFINE_LAYER_COUNT; i++) {
        if (mode == CONFINE_OFF && !is_vital(i))
            continue;
        int result = put_on(i, roles[role], uid, gid);
        if (result < 0 && (mode == CONFINE_REQUIRE || is_vital(i))) {
            had->failed = i;
            return result;
        }
        if (result != 0 && mode != CONFINE_OFF)
            had->missing |= 1u << i;
    }
    return 0;
}
