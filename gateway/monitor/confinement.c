#include "gateway/monitor/confinement.h"

#include <stdio.h>
#include <string.h>

#include "gateway/confine/confine.h"

/* "bounding-set groups" */
static void
confinement_name_layers(unsigned layers, char *text, size_t room)
{
    size_t len = 0;
    text[0] = '\0';
    for (enum confine_layer i = 0; i < CONFINE_LAYER_COUNT; i++) {
        if ((layers & 1u << i) == 0 || len >= room)
            continue;
        len += (size_t)snprintf(text + len, room - len, "%s%s",
                                len > 0 ? " " : "", confine_layer_names[i]);
    }
}

static void
confinement_report_missing(struct sink *sink, unsigned missing, const char *why)
{
    struct log_line line;
    char text[256];
    if (missing == 0)
        return;
    confinement_name_layers(missing, text, sizeof(text));
    sink_begin(sink, &line, "sandbox", LOG_LEVEL_WARNING);
    log_text(&line, "missing", text);
    log_text(&line, "message", why);
    sink_say(sink, &line);
}

void
confinement_report(struct sink *sink, unsigned missing, const char *user)
{
    const unsigned user_layer = 1u << CONFINE_USER;
    confinement_report_missing(
        sink, missing & user_layer,
        user != NULL
            ? "the workers run as root, though without its capabilities, "
              "since the configuration says so; write `user: auto'"
            : "the workers run as root, though without its capabilities: "
              "no other user is available; see event=user");
    confinement_report_missing(sink, missing & ~user_layer,
                               "not available: unsupported by the kernel or "
                               "not permitted to the starting user");
}

static const char *
confinement_layer_name(const struct channel_message *unconfined)
{
    if (unconfined->arg == CONFINE_NOT_EXECUTED)
        return "exec";
    return unconfined->arg < CONFINE_LAYER_COUNT
               ? confine_layer_names[unconfined->arg]
               : "unknown";
}

void
confinement_report_failure(struct sink *sink,
                           const struct channel_message *unconfined)
{
    struct log_line line;
    sink_begin(sink, &line, "sandbox", LOG_LEVEL_ERROR);
    log_text(&line, "failed", confinement_layer_name(unconfined));
    log_text(&line, "message", strerror((int)unconfined->id));
    sink_say(sink, &line);
}

/* `sandbox: try' does without any layer but these. */
static const char *
confinement_remedy(uint64_t layer)
{
    switch (layer) {
    case CONFINE_GROUPS:
    case CONFINE_USER:
        return "start socks4d as an ordinary user, or leave root its "
               "capabilities CAP_SETUID and CAP_SETGID";
    case CONFINE_PRIVILEGES:
        return "let socks4d call prctl(PR_SET_NO_NEW_PRIVS)";
    default:
        return "with `sandbox: try' the gateway starts without it";
    }
}

void
confinement_refuse(const struct channel_message *unconfined)
{
    if (unconfined->arg == CONFINE_NOT_EXECUTED)
        fprintf(stderr,
                "socks4d: cannot execute itself for a child: %s; leave the "
                "program's file where it is, or mount /proc and link /dev/fd "
                "to /proc/self/fd\n",
                strerror((int)unconfined->id));
    else
        fprintf(stderr, "socks4d: a child cannot be confined (%s: %s); %s\n",
                confinement_layer_name(unconfined),
                strerror((int)unconfined->id),
                confinement_remedy(unconfined->arg));
}
