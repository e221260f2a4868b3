#include "probe.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_ONCE_MS 800
#define ANSWER_MS 8000

bool
probe_reach(const struct place *place, unsigned wait)
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
    } while (error < 0 && actor_now() < end);
    actor_fini(&actor);
    return error == 0;
}

/* The rest of a 4A request; whether it is answered. */
static bool
send_name(struct actor *client, const char *name)
{
    if (actor_send(client, (const uint8_t *)name, strlen(name) + 1) < 0)
        return false;
    actor_await(client, 8, ANSWER_MS);
    return client->len > 0;
}

bool
probe_socks4a(const struct setting *setting)
{
    static const uint8_t request[] = {4,   1,   0,   9,   0,   0,   0, 1,
                                      't', 'e', 's', 't', 'e', 'r', 0};
    static const struct identd_answer tester = {IDENTD_SAYS, "tester"};
    static struct actor client;
    static struct trace trace;
    bool speaks = false;

    actor_init(&client, "client", ROLE_CLIENT, &setting->place, &trace);
    if (actor_connect(&client, &setting->place.gateway, ANSWER_MS) == 0) {
        if (setting->identd != NULL)
            identd_expect(setting->identd, client.at.port, &tester);
        actor_send(&client, request, sizeof request);
        actor_await(&client, 1, AT_ONCE_MS);
        if (client.len == 0 && client.ending == ENDING_NONE)
            speaks = send_name(&client, setting->place.name);
    }
    actor_fini(&client);
    return speaks;
}
