#include "gateway/readiness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/channel.h"
#include "gateway/confine/confine.h"
#include "gateway/confine/table.h"

static int
readiness_fail(enum confine_layer layer, int error)
{
    struct channel_message message = {
        .kind = CHANNEL_UNCONFINED, .arg = layer, .id = (uint64_t)-error};
    fprintf(stderr, "socks4d: cannot be confined: %s: %s\n",
            confine_layer_names[layer], strerror(-error));
    channel_tell(CHANNEL_FD_CONTROL, &message);
    return error;
}

static int
readiness_confine(const struct confine_table *table, char **argv)
{
    enum confine_mode mode =
        (enum confine_mode)strtoul(argv[ROLE_MODE], NULL, 10);
    uid_t uid = (uid_t)strtoul(argv[ROLE_UID], NULL, 10);
    gid_t gid = (gid_t)strtoul(argv[ROLE_GID], NULL, 10);
    struct confinement had;
    struct channel_message ready = {.kind = CHANNEL_READY};

    int error = confine(table, mode, uid, gid, &had);
    if (error != 0)
        return readiness_fail(had.failed, error);
    ready.arg = had.missing;
    error = channel_send(CHANNEL_FD_CONTROL, &ready, -1);
    if (error != 0)
        fprintf(stderr, "socks4d: cannot say ready: %s\n", strerror(-error));
    return error;
}

int
readiness_reach(const struct role *role, char **argv,
                const struct confine_tcp *ports)
{
    struct confine_table table = *role->confinement;

    table.ports = ports;
    return readiness_confine(&table, argv);
}

int
readiness_reach_within(const struct role *role, char **argv, uint64_t mib)
{
    struct confine_table table = *role->confinement;

    table.ceilings[table.ceiling_count++] =
        (struct confine_ceiling)CONFINE_MEMORY(mib);
    return readiness_confine(&table, argv);
}
