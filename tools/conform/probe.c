#include "probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REACH_MS 5000
#define AT_ONCE_MS 800u
#define SOCKS4A_TRIES 3
#define ANSWER_MS 8000
#define GONE_TRIES 4
#define GONE_US 100000
#define ENDED_MS 20

bool
probe_reach(const struct place *place, unsigned wait, struct tls_fault *fault)
{
    static struct actor actor;
    static struct trace trace;
    uint64_t end = actor_now() + wait;
    int error;

    actor_init(&actor, "client", ROLE_CLIENT, place, &trace);
    do {
        uint64_t now = actor_now();
        error = actor_connect(&actor, &place->gateway,
                              now + REACH_MS < end ? (unsigned)(end - now)
                                                   : REACH_MS);
        if (error < 0)
            usleep(20000);
    } while (error < 0 && error != -EBADMSG && actor_now() < end);
    if (error == -EBADMSG)
        *fault = actor.fault;
    actor_fini(&actor);
    return error == 0;
}

bool
probe_is_gone(const struct place *place)
{
    struct trace trace = {.len = 0};
    struct actor actor;
    int error = -ECONNREFUSED;

    actor_init(&actor, "client", ROLE_CLIENT, place, &trace);
    for (unsigned i = 0; i < GONE_TRIES; i++) {
        error = actor_connect(&actor, &place->gateway, 1000);
        /* a kernel may close the connections of a process that died before it
           closes its listener */
        if (error == 0)
            actor_read(&actor, ENDED_MS);
        if (error == 0 && actor.ending == ENDING_NONE)
            break;
        usleep(GONE_US);
    }
    actor_fini(&actor);
    return error == -ECONNREFUSED;
}

/* What a server makes of a name behind a request. */
enum probe_name {
    PROBE_NOT_READ,
    PROBE_REFUSED, /* or the answer to the request was late */
    PROBE_USED,
};

/* The rest of a 4A request; whether it leads to an answer, or somewhere. */
static enum probe_name
probe_send_name(struct actor *client, struct actor *named, const char *name)
{
    if (actor_send(client, (const uint8_t *)name, strlen(name) + 1) < 0)
        return PROBE_NOT_READ;
    actor_await(client, 8, ANSWER_MS);
    bool granted = client->len > 1 && client->octets[1] == 90;
    if (granted || actor_accept(named, 0) == 0)
        return PROBE_USED;
    return client->len > 0 ? PROBE_REFUSED : PROBE_NOT_READ;
}

/* A server that has not answered after `wait` waits for the name. */
static enum probe_name
probe_name(const struct setting *setting, struct actor *client,
           struct actor *named, unsigned wait)
{
    static const struct identd_answer tester = {IDENTD_SAYS, "tester"};
    uint8_t request[] = {4,   1,   0,   9,   0,   0,   0, 1,
                         't', 'e', 's', 't', 'e', 'r', 0};

    if (actor_listen(named, 0) < 0 ||
        actor_connect(client, &setting->place.gateway, ANSWER_MS) < 0)
        return PROBE_NOT_READ;
    if (setting->identd != NULL)
        identd_expect(setting->identd, client->at.port, &tester);
    request[2] = (uint8_t)(named->at.port >> 8);
    request[3] = (uint8_t)named->at.port;
    actor_send(client, request, sizeof request);
    actor_await(client, 1, wait);
    return client->len == 0 && client->ending == ENDING_NONE
               ? probe_send_name(client, named, setting->place.name)
               : PROBE_NOT_READ;
}

bool
probe_socks4a(const struct setting *setting)
{
    static struct actor client, named;
    static struct trace trace;
    enum probe_name found = PROBE_NOT_READ;
    unsigned refused = 0;

    /* On a busy machine the server's timer may pass before the name is sent,
       and a server that knows no names may answer late. */
    for (unsigned i = 0; i < SOCKS4A_TRIES && found != PROBE_USED; i++) {
        actor_init(&client, "client", ROLE_CLIENT, &setting->place, &trace);
        actor_init(&named, "named", ROLE_NAMED, &setting->place, &trace);
        found = probe_name(setting, &client, &named, AT_ONCE_MS << i);
        refused += found == PROBE_REFUSED;
        actor_fini(&client);
        actor_fini(&named);
    }
    return found == PROBE_USED || refused > SOCKS4A_TRIES / 2;
}
