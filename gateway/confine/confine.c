#include "gateway/confine/confine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "gateway/confine/landlock.h"
#include "gateway/confine/privilege.h"
#include "gateway/confine/seccomp.h"
#include "gateway/confine/table.h"

const char *const confine_layer_names[] = {
#define X(name, text) text,
    CONFINE_LAYERS(X)
#undef X
};

/* Hard and soft: without privileges they cannot be raised again, nor where
   whoever started the gateway has set them lower. */
static int
confine_lower_limits(const struct confine_table *table)
{
    for (size_t i = 0; i < table->ceiling_count; i++) {
        const struct confine_ceiling *ceiling = &table->ceilings[i];
        struct rlimit limit;
        if (getrlimit(ceiling->resource, &limit) != 0)
            return -errno;
        if (limit.rlim_max > ceiling->most)
            limit.rlim_max = ceiling->most;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(ceiling->resource, &limit) != 0)
            return -errno;
    }
    return 0;
}

/* 0; 1: cannot be had here; or a negative errno. */
static int
confine_put_on(enum confine_layer layer, const struct confine_table *table,
               uid_t uid, gid_t gid)
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
        return confine_lower_limits(table);
    case CONFINE_HIDING:
        return privilege_hide();
    case CONFINE_LANDLOCK:
        return landlock_confine(table);
    case CONFINE_SECCOMP:
        return seccomp_confine(table);
    case CONFINE_LAYER_COUNT:
        break;
    }
    return -EINVAL;
}

/* Those without which no child runs. */
static bool
confine_is_vital(enum confine_layer layer)
{
    return layer == CONFINE_GROUPS || layer == CONFINE_USER ||
           layer == CONFINE_PRIVILEGES;
}

static int
confine_cmp(const void *a, const void *b)
{
    return memcmp(a, b, 1);
}

/* The first time that it sorts more than 1 KiB, qsort of glibc finds out how
   much memory the machine has, by a system call or a file, and remembers it.
   In a confined process, one that takes a new configuration, that would be the
   end. */
static void
confine_sort_once(void)
{
    char octets[4096] = "";

    qsort(octets, sizeof(octets), 1, confine_cmp);
}

int
confine(const struct confine_table *table, enum confine_mode mode, uid_t uid,
        gid_t gid, struct confinement *had)
{
    confine_sort_once();
    *had = (struct confinement){0};
    for (enum confine_layer i = 0; i < CONFINE_LAYER_COUNT; i++) {
        if (mode == CONFINE_OFF && !confine_is_vital(i))
            continue;
        int result = confine_put_on(i, table, uid, gid);
        if (result < 0 && (mode == CONFINE_REQUIRE || confine_is_vital(i))) {
            had->failed = i;
            return result;
        }
        if (result != 0 && mode != CONFINE_OFF)
            had->missing |= 1u << i;
    }
    return 0;
}
