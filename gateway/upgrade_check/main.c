#include "gateway/upgrade_check/main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/arguments.h"
#include "gateway/channel.h"
#include "gateway/monitor/config_version.h"
#include "gateway/monitor/handover.h"
#include "gateway/monitor/reload.h"
#include "gateway/role.h"
#include "gateway/segment.h"
#include "gateway/worker/main.h"

/* Where the descriptors of an upgrade check stand. */
enum { MEMORY = CHANNEL_FD_LOG, SEGMENT, TEXT };

static int
upgrade_check_fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, strerror(-error));
    return -1;
}

static void
upgrade_check_say_version(void)
{
    struct channel_message message = {.kind = CHANNEL_UPGRADE_CHECK,
                                      .arg = HANDOVER_VERSION,
                                      .id = handover_shape()};
    channel_tell(CHANNEL_FD_CONTROL, &message);
}

static int
upgrade_check_read_memory(void)
{
    struct handover *handover = handover_new();
    int error = handover == NULL ? -ENOMEM : handover_read(handover, MEMORY);
    handover_free(handover);
    return error == 0 ? 0
                      : upgrade_check_fail("cannot read what it is handed over",
                                           error);
}

static int
upgrade_check_read_segment(void)
{
    struct segment *segment;
    int error = segment_map(SEGMENT, &segment);
    if (error != 0)
        return upgrade_check_fail("cannot use the shared segment", error);
    munmap(segment, sizeof(*segment));
    return 0;
}

static int
upgrade_check_read_in_force(struct config_version *now)
{
    int error = config_version_take(now, TEXT, 0);
    return error == 0 ? 0
                      : upgrade_check_fail(
                            "cannot read the configuration in force", error);
}

/* As at a reload. */
static int
upgrade_check_read_next(const struct config_source *source,
                        struct config_version *next)
{
    struct config_error why;
    struct config *config = config_open(source, true, &why, NULL);
    if (config == NULL) {
        fprintf(stderr, "%s\n", why.text);
        return -1;
    }
    int error = config_version_make(next, config, 1);
    if (error != 0) {
        config_unref(config);
        return upgrade_check_fail("cannot keep the configuration", error);
    }
    if (certificates_read(&next->certificates, config, NULL, &why) == 0)
        return 0;
    fprintf(stderr, "%s\n", why.text);
    config_version_free(next);
    return -1;
}

static int
upgrade_check_compare_config_versions(const struct config_version *now,
                                      const struct config_version *next)
{
    const char *fixed = config_version_fixed(now, next);
    if (fixed == NULL)
        return 0;
    fprintf(stderr, "%s: cannot be changed by an upgrade; restart to apply\n",
            fixed);
    return -1;
}

/* Where a worker expects its descriptors, with a segment of its own. */
static int
upgrade_check_place_descriptors(const struct config_version *next)
{
    int log[2];
    struct segment *segment;
    int error = channel_pair(log);
    if (error != 0)
        return upgrade_check_fail("cannot make a channel", error);
    int own = segment_create(&segment);
    if (own < 0)
        return upgrade_check_fail("cannot make a segment", own);
    if (dup2(log[0], CHANNEL_FD_LOG) < 0 || dup2(own, CHANNEL_FD_SEGMENT) < 0 ||
        dup2(next->fd, CHANNEL_FD_CONFIG) < 0 ||
        dup2(next->certificates.fd, CHANNEL_FD_TLS) < 0)
        return upgrade_check_fail("cannot place descriptors", -errno);
    return 0;
}

/* Everything but the worker. */
static int
upgrade_check_prepare(const struct config_source *source)
{
    struct config_version now, next;
    /* No other descriptor gets this number. */
    if (dup2(STDIN_FILENO, CHANNEL_FD_TLS) < 0)
        return upgrade_check_fail("cannot place descriptors", -errno);
    if (upgrade_check_read_memory() != 0 || upgrade_check_read_segment() != 0 ||
        upgrade_check_read_in_force(&now) != 0)
        return -1;
    int failed = upgrade_check_read_next(source, &next);
    if (failed == 0) {
        failed = upgrade_check_compare_config_versions(&now, &next);
        if (failed == 0)
            failed = upgrade_check_place_descriptors(&next);
        config_version_free(&next);
    }
    config_version_free(&now);
    return failed;
}

int
upgrade_check_refuse_former(void)
{
    struct {
        uint32_t kind, arg;
        uint64_t id;
        char rest[24];
    } message = {.kind = CHANNEL_UPGRADE_CHECK, .arg = HANDOVER_VERSION};
    _Static_assert(sizeof(message) == 40, "of version 1");
    ssize_t sent =
        send(CHANNEL_FD_CONTROL, &message, sizeof(message), MSG_NOSIGNAL);
    return sent == sizeof(message) ? 1 : EXIT_USAGE;
}

int
upgrade_check_main(int argc, char **argv)
{
    struct arguments arguments = {0};

    prctl(PR_SET_NAME, "socks4d");
    upgrade_check_say_version();
    if (argc <= ROLE_OWN ||
        arguments_read(&arguments, argc - ROLE_OWN, argv + ROLE_OWN) != 0)
        return EXIT_USAGE;
    struct config_source source = arguments_source(&arguments);
    if (upgrade_check_prepare(&source) != 0)
        return 1;
    return worker_check(argv);
}
