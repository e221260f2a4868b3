#include "gateway/upgrade_check/main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/reload.h"
#include "gateway/segment.h"
#include "gateway/worker/main.h"

/* Where the descriptors of an upgrade check stand. */
enum { MEMORY = CHANNEL_FD_LOG, SEGMENT, TEXT };

static int
fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-error));
    return -1;
}

static void
say_version(void)
{
    struct channel_message message = {.kind = CHANNEL_UPGRADE_CHECK,
                                      .arg = HANDOVER_VERSION,
                                      .id = handover_shape()};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

static int
read_memory(struct handover *handover)
{
    int error = handover_read(handover, MEMORY);
    return error == 0 ? 0 : fail("cannot read what it is handed over", error);
}

static int
look_at_segment(void)
{
    struct segment *segment;
    int error = segment_map(SEGMENT, &segment);
    if (error != 0)
        return fail("cannot use the shared segment", error);
    munmap(segment, sizeof(*segment));
    return 0;
}

static int
read_in_force(struct config_version *now)
{
    int error = config_version_take(now, TEXT, 0);
    return error == 0 ? 0
                      : fail("cannot read the configuration in force", error);
}

/* As at a reload. */
static int
read_next(const struct config_source *source, struct config_version *next)
{
    struct config_error why;
    struct config *config = NULL;
    if (reload_check(source->file, &why) == 0)
        config = config_open(source, &why, NULL);
    if (config == NULL) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    int error = config_version_make(next, config, 1);
    if (error == 0)
        return 0;
    config_unref(config);
    return fail("cannot keep the configuration", error);
}

static int
compare_config_versions(const struct config_version *now,
                        const struct config_version *next)
{
    const char *fixed = config_version_fixed(now, next);
    if (fixed == NULL)
        return 0;
    fprintf(stderr, "%s: is another one, which needs a restart\n", fixed);
    return -1;
}

/* What a worker finds where it looks, none of it anybody else's. */
static int
set_stage(const struct config_version *next)
{
    int log[2];
    struct segment *segment;
    int error = channel_pair(log);
    if (error != 0)
        return fail("cannot make a channel", error);
    int own = segment_create(&segment);
    if (own < 0)
        return fail("cannot make a segment", own);
    if (dup2(log[0], CHANNEL_FD_LOG) < 0 || dup2(own, CHANNEL_FD_SEGMENT) < 0 ||
        dup2(next->fd, CHANNEL_FD_CONFIG) < 0)
        return fail("cannot place descriptors", -errno);
    return 0;
}

/* Everything but the worker: whose worker it is to be in `handover`. */
static int
prepare(const struct config_source *source, struct handover *handover)
{
    struct config_version now, next;
    if (read_memory(handover) != 0 || look_at_segment() != 0 ||
        read_in_force(&now) != 0)
        return -1;
    int failed = read_next(source, &next);
    if (failed == 0) {
        failed = compare_config_versions(&now, &next);
        if (failed == 0)
            failed = set_stage(&next);
        config_version_free(&next);
    }
    config_version_free(&now);
    return failed;
}

int
upgrade_check_main(const struct config_source *source)
{
    struct handover *handover = handover_new();
    prctl(PR_SET_NAME, "socks4d");
    say_version();
    if (handover == NULL)
        return 1;
    int failed = prepare(source, handover);
    uid_t uid = (uid_t)handover->uid;
    gid_t gid = (gid_t)handover->gid;
    handover_free(handover);
    return failed == 0 ? worker_check(uid, gid) : 1;
}
