#include "probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE_MS 800
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
        error = actor_connect(&actor, &place->gateway, 1000);
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

/* The rest of a 4A request; whether it leads to an answer, or somewhere. */
static bool
probe_send_name(struct actor *client, struct actor *named, const char *name)
{
    if (actor_send(client, (const uint8_t *)name, strlen(name) + 1) < 0)
        return false;
    actor_await(client, 8, ANSWER_MS);
    return client->len > 0 || actor_accept(named, 0) == 0;
}

static bool
probe_waits_for_name(const struct setting *setting, struct actor *client,
                     struct actor *named)
{
    static const struct identd_answer tester = {IDENTD_SAYS, "tester"};
    uint8_t request[] = {4,   1,   0,   9,   0,   0,   0, 1,
                         't', 'e', 's', 't', 'e', 'r', 0};

    if (actor_listen(named, 0) < 0 ||
        actor_connect(client, &setting->place.gateway, ANSWER_MS) < 0)
        return false;
    if (setting->identd != NULL)
        identd_expect(setting->identd, client->at.port, &tester);
    request[2] = (uint8_t)(named->at.port >> 8);
    request[3] = (uint8_t)named->at.port;
    actor_send(client, request, sizeof request);
    actor_await(client, 1, AT_ONCE_MS);
    return client->len == 0 && client->ending == ENDING_NONE &&
           probe_send_name(client, named, setting->place.name);
}

bool
probe_socks4a(const struct setting *setting)
{
    static struct actor client, named;
    static struct trace trace;
    bool speaks = false;

    /* On a busy machine the server's timer may pass before the name is sent. */
    for (unsigned i = 0; i < SOCKS4A_TRIES && !speaks; i++) {
        actor_init(&client, "client", ROLE_CLIENT, &setting->place, &trace);
        actor_init(&named, "named", ROLE_NAMED, &setting->place, &trace);
        speaks = probe_waits_for_name(setting, &client, &named);
        actor_fini(&client);
        actor_fini(&named);
    }
    return speaks;
}
