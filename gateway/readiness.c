#include "gateway/readiness.h"

#include <stdio.h>
#include <string.h>

#include "gateway/channel.h"

static int
tell_unconfined(enum confine_layer layer, int error)
{
    struct channel_message message = {
        .kind = CHANNEL_UNCONFINED, .arg = layer, .id = (uint64_t)-error};
    fprintf(stderr, "socks4d: cannot be confined: %s: %s\n",
            confine_layer_names[layer], strerror(-error));
    channel_tell(CHANNEL_FD_CONTROL, &message);
    return error;
}

int
readiness_reach(const struct confine_table *table, enum confine_mode mode,
                uid_t uid, gid_t gid)
{
    struct confinement had;
    struct channel_message ready = {.kind = CHANNEL_READY};
    int error = confine(table, mode, uid, gid, &had);
    if (error != 0)
        return tell_unconfined(had.failed, error);
    ready.arg = had.missing;
    error = channel_send(CHANNEL_FD_CONTROL, &ready, -1);
    if (error != 0)
        fprintf(stderr, "socks4d: cannot say ready: %s\n", strerror(-error));
    return error;
}
