#include "stall.h"
#include "socks5.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A client that is not served for so long is kept waiting, if it is not served
   before the one that keeps the server busy: the machine may be slow. */
#define STALL_MS 800
#define SLOW_MS 4000
/* What the busy client is answered within this time was nothing to wait for. */
#define HEAD_START_MS 200
#define RECOVERY_MS 30000
#define REQUEST_MAX 64

#define SILENT_NAME "silent.socks4.test"
#define NO_NAME "no-such-name.invalid"

/* One client keeps the server busy, the next one wants to be served. */
struct stall_trial {
    const struct setting *setting;
    struct actor busy;
    struct actor next;
    struct actor server; /* answers */
    struct actor full;   /* does not */
};

static struct stall_trial *
stall_trial_new(const struct setting *setting)
{
    static struct trace trace;
    const struct place *place = &setting->place;
    struct stall_trial *trial = calloc(1, sizeof *trial);

    if (trial == NULL)
        return NULL;
    trial->setting = setting;
    trace.len = 0;
    actor_init(&trial->busy, "client", ROLE_CLIENT, place, &trace);
    actor_init(&trial->next, "client2", ROLE_CLIENT, place, &trace);
    actor_init(&trial->server, "server2", ROLE_SERVER2, place, &trace);
    actor_init(&trial->full, "server", ROLE_SERVER, place, &trace);
    return trial;
}

static void
stall_trial_free(struct stall_trial *trial)
{
    actor_fini(&trial->busy);
    actor_fini(&trial->next);
    actor_fini(&trial->server);
    actor_fini(&trial->full);
    free(trial);
}

static bool
stall_connect(const struct setting *setting, struct actor *client,
              enum identd_manner manner)
{
    struct identd_answer answer = {manner, "tester"};

    if (actor_connect(client, &setting->place.gateway, STALL_MS) < 0)
        return false;
    if (setting->identd != NULL)
        identd_expect(setting->identd, client->at.port, &answer);
    return true;
}

/* A CONNECT there or, if `name` is not NULL, to that name. */
static bool
stall_request(struct actor *client, const struct endpoint *to, const char *name)
{
    uint32_t ip = name != NULL ? 1 : addr_to_v4(to->addr);
    uint8_t request[REQUEST_MAX] = {4,
                                    1,
                                    (uint8_t)(to->port >> 8),
                                    (uint8_t)to->port,
                                    (uint8_t)(ip >> 24),
                                    (uint8_t)(ip >> 16),
                                    (uint8_t)(ip >> 8),
                                    (uint8_t)ip,
                                    't',
                                    'e',
                                    's',
                                    't',
                                    'e',
                                    'r'};
    size_t len = 15;

    if (name != NULL) {
        memcpy(request + len, name, strlen(name) + 1);
        len += strlen(name) + 1;
    }
    return actor_send(client, request, len) == 0;
}

static bool
stall_is_answered(const struct actor *client)
{
    return client->len > client->looked || client->ending != ENDING_NONE;
}

/* The same in the version that the server is tested in. */
static bool
stall_ask(const struct setting *setting, struct actor *client,
          const struct endpoint *to, const char *name, unsigned wait)
{
    uint8_t request[SOCKS4_V5_REQUEST_MAX];
    char why[WHY_MAX];

    if (!setting->socks5)
        return stall_request(client, to, name);
    return socks5_negotiate(setting, client, false, wait, why) &&
           actor_send(client, request,
                      socks5_request(SOCKS4_V5_CONNECT, to, name, request)) ==
               0;
}

/* What a server that serves the client answers. One that serves a single client
   does not even answer a greeting. */
static bool
stall_knock(const struct setting *setting, struct actor *client,
            const struct endpoint *to, unsigned stall, unsigned wait)
{
    static const uint8_t greeting[] = {SOCKS4_V5_VERSION, 2, SOCKS4_V5_NONE,
                                       SOCKS4_V5_PASSWORD};

    if (!setting->socks5)
        return stall_request(client, to, NULL);
    if (stall == STALL_CLIENT)
        return actor_send(client, greeting, sizeof greeting) == 0;
    if (!stall_ask(setting, client, to, NULL, wait))
        client->looked = 0; /* an answer, too, if there is one */
    return true;
}

/* What the server has to wait for, by the busy client. */
static bool
stall_begin(struct stall_trial *trial, unsigned stall)
{
    const struct setting *setting = trial->setting;
    const char *name = setting->dns != NULL ? SILENT_NAME : NO_NAME;

    if (!stall_connect(setting, &trial->busy,
                       stall == STALL_IDENT ? IDENTD_SILENT : IDENTD_SAYS))
        return false;
    switch (stall) {
    case STALL_CLIENT: /* half a request */
        return actor_send(&trial->busy,
                          (const uint8_t *)(setting->socks5 ? "\5\2" : "\4\1"),
                          2) == 0;
    case STALL_CONNECT:
        return stall_ask(setting, &trial->busy, &trial->full.at, NULL, SLOW_MS);
    case STALL_NAME:
        return stall_ask(setting, &trial->busy, &trial->full.at, name, SLOW_MS);
    default:
        return stall_ask(setting, &trial->busy, &trial->server.at, NULL,
                         SLOW_MS);
    }
}

/* Whether the busy client was served before, and so made the next one late.
   What it gets first may be a ticket of TLS. */
static bool
stall_is_first(struct stall_trial *trial)
{
    actor_await(&trial->busy, 1, 0);
    return stall_is_answered(&trial->busy);
}

/* With TLS a client that is kept waiting does not come to its request. */
static bool
stall_keeps_from_tls(struct stall_trial *trial)
{
    const struct place *place = &trial->setting->place;
    int error = -ECONNRESET;

    if (place->tls != NULL)
        error = actor_connect(&trial->next, &place->gateway, SLOW_MS);
    if (error != -ETIMEDOUT && !(error == 0 && stall_is_first(trial)))
        return false;
    actor_close(&trial->busy);
    actor_fini(&trial->full);
    if (error != 0)
        actor_connect(&trial->next, &place->gateway, RECOVERY_MS);
    return true;
}

/* Whether the next client is not served meanwhile. If so this returns when it
   has been: the server is free again. */
static bool
stall_keeps(struct stall_trial *trial, unsigned stall)
{
    struct actor *next = &trial->next;

    if (stall_keeps_from_tls(trial))
        return true;
    if (!stall_connect(trial->setting, next, IDENTD_SAYS) ||
        !stall_knock(trial->setting, next, &trial->server.at, stall, SLOW_MS))
        return false;
    actor_await(next, 1, STALL_MS);
    bool kept = !stall_is_answered(next);
    if (kept) {
        actor_await(next, 1, SLOW_MS);
        kept = !stall_is_answered(next) || stall_is_first(trial);
    }
    actor_close(&trial->busy);
    actor_fini(&trial->full); /* the server's connect fails soon */
    if (kept)
        actor_await(next, 1, RECOVERY_MS);
    return kept;
}

static bool
stall_try(const struct setting *setting, unsigned stall)
{
    struct stall_trial *trial = stall_trial_new(setting);
    bool kept = false;

    if (trial == NULL)
        return false;
    if (actor_listen(&trial->server, 0) == 0 &&
        actor_listen_full(&trial->full) == 0 && stall_begin(trial, stall)) {
        actor_read(&trial->busy, HEAD_START_MS);
        kept = !stall_is_answered(&trial->busy) && stall_keeps(trial, stall);
    }
    stall_trial_free(trial);
    return kept;
}

unsigned
stall_find(const struct setting *setting)
{
    unsigned found = 0;

    /* what it does not answer to one client alone, as tor without its network,
       says nothing of a second one */
    if (setting->socks5 && !stall_is_over(setting, SLOW_MS))
        return 0;
    if (stall_try(setting, STALL_CLIENT))
        return STALL_CLIENT | STALL_CONNECT | STALL_NAME | STALL_IDENT;
    if (stall_try(setting, STALL_CONNECT))
        found |= STALL_CONNECT;
    if ((setting->socks4a || setting->socks5) && stall_try(setting, STALL_NAME))
        found |= STALL_NAME;
    if (setting->ident && setting->identd != NULL &&
        stall_try(setting, STALL_IDENT))
        found |= STALL_IDENT;
    return found;
}

bool
stall_is_over(const struct setting *setting, unsigned wait)
{
    struct stall_trial *trial = stall_trial_new(setting);
    bool over = true;

    if (trial == NULL)
        return true;
    if (actor_listen(&trial->server, 0) == 0 &&
        stall_connect(setting, &trial->next, IDENTD_SAYS) &&
        stall_knock(setting, &trial->next, &trial->server.at, 0, wait)) {
        actor_await(&trial->next, 1, wait);
        over = stall_is_answered(&trial->next);
    }
    stall_trial_free(trial);
    return over;
}

void
stall_say(unsigned stalls)
{
    static const struct {
        unsigned stall;
        const char *meanwhile;
    } waits[] = {
        {STALL_CONNECT, "it connects to an application server"},
        {STALL_NAME, "it looks up a name"},
        {STALL_IDENT, "it asks an ident server"},
    };

    if (stalls & STALL_CLIENT) {
        puts("The server serves one client at a time: the cases are played "
             "one after another, which takes minutes.");
        return;
    }
    for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++)
        if (stalls & waits[i].stall)
            printf("The server serves nobody else while %s: cases that make it "
                   "wait there are played last, one at a time.\n",
                   waits[i].meanwhile);
}
