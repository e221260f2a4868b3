#include "gateway/worker/footprint.h"

#include <inttypes.h>
#include <string.h>

#include "gateway/worker/session.h"

/* A connection's socket, file and place in epoll: 4180 octets of slab, measured
   over 4000 of them on Linux 6.18. */
#define KERNEL_CONNECTION 4200

/* With what malloc takes for itself, and rounded as it does. */
static size_t
footprint_allocated(size_t octets)
{
    return (octets + sizeof(size_t) + 15) / 16 * 16;
}

/* All of a request but its last octet. */
static size_t
footprint_request(const struct config *config)
{
    return footprint_allocated(request_unfinished_max(config));
}

/* USERID is kept for the record; the rule's name is all sessions'. */
static size_t
footprint_decided(const struct config *config)
{
    return footprint_allocated((size_t)config->limits.userid + 1);
}

struct footprint
footprint_of(const struct config *config, enum footprint_state state)
{
    const size_t request = footprint_request(config);
    const size_t decided = footprint_decided(config);
    const size_t bind = footprint_allocated(sizeof(struct bind));
    const size_t held =
        2 * footprint_allocated(sizeof(struct relay_held) + RELAY_BUFFER);
    const struct footprint rows[] = {
        [FOOTPRINT_UNFINISHED] = {"unfinished request", 1, 0, request},
        [FOOTPRINT_CONNECT] = {"waiting for a server", 2, 0, decided},
        [FOOTPRINT_BIND] = {"waiting BIND", 2, bind, bind + decided},
        [FOOTPRINT_RELAY] = {"relaying", 2, 0, bind + decided},
        [FOOTPRINT_STALLED] = {"stalled both ways", 2, held,
                               held + bind + decided},
    };
    struct footprint footprint = rows[state];
    const size_t session = footprint_allocated(sizeof(struct session));
    const size_t setup = footprint_allocated(sizeof(struct session_setup));
    bool relays = state == FOOTPRINT_RELAY || state == FOOTPRINT_STALLED;

    footprint.least += session + (relays ? 0 : setup);
    footprint.most += session + setup; /* of a BIND it may stay */
    return footprint;
}

static void
footprint_print_budget(const struct config *config, FILE *to)
{
    struct config_budget budget = config_budget(config);

    fprintf(to,
            "# Descriptors of a worker: %" PRIu64 ". Its own are %" PRIu64
            ", eight for messages and one in\n"
            "# reserve among them; %" PRIu64 " pipes take %" PRIu64
            ", a session %" PRIu64 ": enough for %" PRIu64 " sessions,\n"
            "# where accepting pauses.\n",
            budget.descriptors, budget.fixed, budget.pipes, 2 * budget.pipes,
            budget.session, budget.sessions);
    uint64_t needed = config_descriptors_needed(config);
    if (budget.descriptors < needed)
        fprintf(
            to,
            "# With this limit of open files socks4d does not start: %" PRIu64
            " are needed at least.\n"
            "# Raise it (ulimit -n, LimitNOFILE).\n",
            needed);
    else
        fprintf(to, "# socks4d starts with %" PRIu64 " or more.\n", needed);
}

void
footprint_print(const struct config *config, FILE *to)
{
    footprint_print_budget(config, to);
    fprintf(to, "# Memory of a session, in octets:\n"
                "#                         ours, to at most   connections\n");
    for (int i = 0; i < FOOTPRINT_COUNT; i++) {
        struct footprint footprint =
            footprint_of(config, (enum footprint_state)i);
        fprintf(to, "#   %-20s %6zu     %6zu             %u\n", footprint.name,
                footprint.least, footprint.most, footprint.connections);
    }
    fprintf(to,
            "# The kernel takes about %d a connection, and what waits in it.\n"
            "# All are reckoned at %d. Slow readers make a worker hold %" PRIu64
            ",\n# and %d a direction from then on.\n",
            KERNEL_CONNECTION, CONFIG_SESSION_OCTETS,
            config_budget(config).held, RELAY_TIGHT);
}
