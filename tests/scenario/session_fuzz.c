/*
 * The session machine under a fuzzer: the input is a scenario of one octet
 * an act, and only the laws are expected. Built for libFuzzer where there
 * is one, and replayed over its corpus everywhere. With FUZZ_TLS it is another
 * target: every client speaks TLS, as the toy has it. With FUZZ_PROXY every
 * client comes through a balancer, and servers get a PROXY header. With
 * FUZZ_PARENT everything goes through parents, and servers are those; of every
 * second input they speak SOCKS5. The seed also chooses limits that a few
 * clients reach.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/scenario/authenticator.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/play.h"
#include "tests/scenario/resolver.h"
#include "tests/scenario/toy_tls.h"

#define ACTORS_MAX 12
#define ACTS_MAX 400

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t
next(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->at++;
}

/* One of those who are there; NULL: nobody. */
static struct actor *
pick(struct play *play, unsigned which)
{
    unsigned count = 0;

    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        count++;
    if (count == 0)
        return NULL;
    which %= count;
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        if (which-- == 0)
            return actor->sock != NULL ? actor : NULL;
    return NULL;
}

/* --- Acts --- */

static bool
actor_is_ending(const struct actor *actor)
{
    return actor->ends || actor->closes || actor->breaks;
}

#ifdef FUZZ_PARENT
#define FUZZ_PARENT_ALWAYS true
#else
#define FUZZ_PARENT_ALWAYS false
#endif

#ifdef FUZZ_PROXY
#define FUZZ_PROXY_ALWAYS true
#else
#define FUZZ_PROXY_ALWAYS false
#endif

/* Of two clients, of the balancer itself, none, and none to be believed. */
static void
begin_with_header(struct actor *actor, struct input *input)
{
    static const struct {
        const char *octets;
        size_t len;
        bool good;
    } headers[] = {
#define HEADER(octets, good) {octets, sizeof(octets) - 1, good}
        HEADER("PROXY TCP4 192.0.2.7 10.0.0.1 40123 1080\r\n", true),
        HEADER("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x13\xc0\0\2\7\xc6\x33\x64\1"
               "\x9c\xbb\4\x38\3\0\4\x36\x18\xad\xba",
               true),
        HEADER("PROXY UNKNOWN\r\n", true),
        HEADER("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", true),
        HEADER("", false),
        HEADER("PROXY TCP4 192.0.2.7 10.0.0.1 ", false),
        HEADER("\r\n\r\n\0\r\nQUIT\n\x21\x11\0", false),
    };
    size_t which = next(input) % (sizeof(headers) / sizeof(headers[0]));

    octets_add(&actor->sent, headers[which].octets, headers[which].len);
    if (headers[which].good)
        actor->head = headers[which].len;
}

static bool
has_small_limits(const struct play *play)
{
    return play->seed >= 240;
}

static void
act_connect(struct play *play, struct input *input)
{
    struct endpoint from = {.addr = addr_v4(0x0a000009)};
    unsigned count = 0;

    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        count++;
    if (count >= ACTORS_MAX || !sim_listening(&play->config->listeners[0].at))
        return;
    uint8_t which = next(input);
    from.port = (uint16_t)(40000 + which);
    if (has_small_limits(play))
        from.addr.lo += which % 3;
    struct actor *actor = play_add_actor(play, "client", true);
    if (FUZZ_PROXY_ALWAYS)
        begin_with_header(actor, input);
    actor->sock = sim_connect(&from, &play->config->listeners[0].at);
    actor->tls = play->config->listeners[0].tls != NULL;
    if (actor->tls)
        octets_add(&actor->hello, "cert=b,sign", next(input) % 2 ? 11 : 6);
}

/* A record that is no data; or a FIN where TLS has not ended; or the signer's
   turn. */
static void
act_tls(struct play *play, struct input *input)
{
    static const enum toy_type types[] = {TOY_RENEW, TOY_HOLD, TOY_RELEASE};
    struct actor *actor = pick(play, next(input));
    uint8_t how = next(input) % 8;

    if (how < 3) {
        toy_tls_sign();
    } else if (actor != NULL && actor->tls && actor->greeted && !actor->tidy &&
               !actor->ended && actor->wrapped == actor->sent.len) {
        if (how < 6)
            toy_put(&actor->out, types[how - 3], "", 0);
        else if (!actor_is_ending(actor))
            actor->cuts = actor->ends = true;
    }
}

static void
act_send(struct play *play, struct input *input)
{
    struct actor *actor = pick(play, next(input));
    size_t count = next(input) % 32;

    if (actor == NULL || actor_is_ending(actor))
        return;
    if (count > input->left)
        count = input->left;
    octets_add(&actor->sent, input->at, count);
    input->at += count;
    input->left -= count;
}

static void
act_request(struct play *play, struct input *input)
{
    static const uint8_t request[] = {4, 1, 0, 80, 10, 0, 0, 2, 'b', 0};
    struct actor *actor = pick(play, next(input));

    if (actor != NULL && !actor->ends && !actor->closes)
        octets_add(&actor->sent, request, sizeof(request));
}

/* Where a client was told that its peer may come; false: nowhere. */
static bool
find_rendezvous(const struct actor *client, struct endpoint *at)
{
    return actor_granted_at(client, at) && sim_listening(at);
}

/* A BIND, or who comes to it: its peer, or now and then a stranger. */
static void
act_bind(struct play *play, struct input *input)
{
    static const uint8_t request[] = {4, 2, 0, 21, 10, 0, 0, 2, 'b', 0};
    struct actor *actor = pick(play, next(input));
    struct endpoint from = {.port = 2020}, to;
    uint8_t how = next(input) % 4;

    if (actor == NULL || !actor->client || actor_is_ending(actor))
        return;
    if (how == 0)
        octets_add(&actor->sent, request, sizeof(request));
    if (how == 0 || !find_rendezvous(actor, &to))
        return;
    from.addr = addr_v4(how == 1 ? 0x0a000003 : 0x0a000002);
    play_add_actor(play, "peer", false)->sock = sim_connect(&from, &to);
}

#define MESSAGE(octets)                                                        \
    {                                                                          \
        octets, sizeof(octets) - 1                                             \
    }

/* SOCKS5: messages in and out of their order, whole and in part. */
static void
act_request_5(struct play *play, struct input *input)
{
    static const struct {
        const char *octets;
        size_t len;
    } messages[] = {
        MESSAGE("\5\1\0"),
        MESSAGE("\5\1\0\5\1\0\1\12\0\0\2\0\120"),
        MESSAGE("\5\2\0\2"),
        MESSAGE("\5\1\2"),
        MESSAGE("\1\1u\1p"),
        MESSAGE("\5\1\2\1\1u\1p\5\1\0\1\12\0\0\2\0\120"),
        MESSAGE("\5\1\0\1\12\0\0\2\0\120"),
        MESSAGE("\5\1\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\120"),
        MESSAGE("\5\1\0\3\3h.t\0\120"),
        MESSAGE("\5\1\0\3\3::1\0\120"),
        MESSAGE("\5\1\0\5\2\0\1\12\0\0\2\0\25"),
        MESSAGE("\5\2\0\1\12\0\0\2\0\25"),
        MESSAGE("\5\3\0\1\0\0\0\0\0\0"),
        MESSAGE("\5\1\0\2"),
    };
    struct actor *actor = pick(play, next(input));
    size_t which = next(input) % (sizeof(messages) / sizeof(messages[0]));
    size_t less = next(input) % 8u;

    if (actor == NULL || actor_is_ending(actor))
        return;
    octets_add(&actor->sent, messages[which].octets,
               less < messages[which].len && less < 4
                   ? messages[which].len - less
                   : messages[which].len);
}

/* By name: the mark of 4A, USERID, DOMAIN. */
static void
act_request_name(struct play *play, struct input *input)
{
    static const uint8_t request[] = {4, 1,   0, 80,  0,   0,   0,
                                      1, 'b', 0, 'h', '.', 't', 0};
    struct actor *actor = pick(play, next(input));

    if (actor == NULL || actor_is_ending(actor))
        return;
    octets_add(&actor->sent, request, sizeof(request));
    if (next(input) % 4 == 0)
        actor->sent.at[actor->sent.len - sizeof(request) + 1] = 2; /* BIND */
}

/* To the newest question that was looked at: late ones and second answers,
   too. */
static void
act_resolve(struct play *play, struct input *input)
{
    uint8_t how = next(input);
    struct lookup_answer answer = {.outcome = how % 4u};

    if (next(input) % 4 != 0)
        resolver_next();
    if (resolver_query() == NULL)
        return;
    answer.id = resolver_query()->id;
    answer.count = next(input) % 5u;
    for (unsigned i = 0; i < answer.count; i++)
        answer.addresses[i] =
            how >> (2 + i) & 1 ? (struct addr){UINT64_C(0xfd00) << 48, 2 + i}
                               : addr_v4(i == 3 ? 0x7f000001 : 0x0a000002 + i);
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.lookups.asked.link;
    link->ops->receive(link, &answer);
    heap_watch(false);
}

/* The authenticator's, likewise. */
static void
act_authenticate(struct play *play, struct input *input)
{
    struct authentication_answer answer = {
        .outcome = next(input) % (AUTHENTICATION_OUTCOMES + 1u)};

    if (next(input) % 4 != 0)
        authenticator_next();
    if (authenticator_question() == NULL)
        return;
    answer.id = authenticator_question()->id;
    heap_watch(true);
    struct peer_link *link = &play->worker.sessions.authentications.asked.link;
    link->ops->receive(link, &answer);
    heap_watch(false);
}

/* A parent's reply: each code, one that there is not, and the beginning of
   one. */
static void
act_reply(struct play *play, struct input *input)
{
    uint8_t reply[8] = {0, 90, 0, 21, 0, 0, 0, 0};
    struct actor *actor = pick(play, next(input));
    uint8_t how = next(input);

    if (actor == NULL || actor->client || actor_is_ending(actor))
        return;
    if (how % 2 == 1)
        reply[1] = (uint8_t)(89 + how / 2 % 6);
    reply[4] = how & 64 ? 10 : 0;
    octets_add(&actor->sent, reply, how < 240 ? 8 : how % 8u);
}

/* A parent of SOCKS5: choices, replies, and what is neither. */
static void
act_reply_5(struct play *play, struct input *input)
{
    static const struct {
        const char *octets;
        size_t len;
    } replies[] = {
        MESSAGE("\5\0"),
        MESSAGE("\5\2"),
        MESSAGE("\5\377"),
        MESSAGE("\1\0"),
        MESSAGE("\5\0\0\1\12\0\0\5\22\147"),
        MESSAGE("\5\0\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\120"),
        MESSAGE("\5\0\0\3\3h.t\0\120"),
        MESSAGE("\5\0\0\1\0\0\0\0\0\0"),
        MESSAGE("\5\5\0\1\0\0\0\0\0\0"),
        MESSAGE("\5\0\0\2\0\0\0\0\0\0"),
        MESSAGE("\4\132\0\120\12\0\0\2"),
        MESSAGE("HTTP/1.1 400\r\n"),
    };
    struct actor *actor = pick(play, next(input));
    size_t which = next(input) % (sizeof(replies) / sizeof(replies[0]));
    size_t less = next(input) % 16u;

    if (actor == NULL || actor->client || actor_is_ending(actor))
        return;
    size_t len = replies[which].len;
    octets_add(&actor->sent, replies[which].octets,
               less < len ? len - less : len);
    if (which == 8 && less == 0) /* any code */
        actor->sent.at[actor->sent.len - 9] = next(input);
}

/* An identd's line about the newest client, right or nearly. */
static void
act_identify(struct play *play, struct input *input)
{
    struct actor *actor = pick(play, next(input));
    char line[80];

    if (actor == NULL || actor->client || actor_is_ending(actor))
        return;
    snprintf(line, sizeof(line), "%u, 1080 : USERID : UNIX : %c\r\n",
             40000u + next(input), 'b' + next(input) % 2);
    octets_add(&actor->sent, line, strlen(line) - next(input) % 3);
}

static void
act_send_much(struct play *play, struct input *input)
{
    struct actor *actor = pick(play, next(input));
    /* Octet by octet little is as good as much, and ten thousand times as
       quick. */
    size_t count = (size_t)next(input) * (play->mode->one_octet ? 6u : 600u);

    if (actor == NULL || actor_is_ending(actor))
        return;
    static const char many[] = "octetsoctetsoctetsoctetsoctetsoctetsoctets";
    for (size_t left = count, piece; left > 0; left -= piece) {
        piece = left < sizeof(many) - 1 ? left : sizeof(many) - 1;
        octets_add(&actor->sent, many, piece);
    }
}

static void
act_send_urgent(struct play *play, struct input *input)
{
    struct actor *actor = pick(play, next(input));

    if (actor == NULL || actor_is_ending(actor) ||
        (actor->urgent_at != ACTOR_NOT_URGENT &&
         actor->pushed <= actor->urgent_at))
        return;
    actor->urgent_at = actor->sent.len;
    octets_add(&actor->sent, "!", 1);
}

static void
act_end(struct play *play, struct input *input)
{
    struct actor *actor = pick(play, next(input));
    uint8_t how = next(input) % 5;

    if (actor == NULL)
        return;
    if (how == 0)
        actor->ends = true;
    else if (how == 1)
        actor->closes = true;
    else if (how == 2)
        actor_reset(actor);
    else if (how == 4)
        actor->breaks = true;
    else
        actor->stalled = !actor->stalled;
}

/* Answers a dial, or leaves it for the timer. */
static void
act_answer(struct play *play, struct input *input)
{
    static const int errors[] = {0, 0, 0, ECONNREFUSED, EHOSTUNREACH};
    struct sim_dial dial;
    struct actor *server;
    uint8_t how = next(input) % 6;

    if (!sim_take_dial(&dial) || how == 5)
        return;
    server = play_add_actor(play, "server", false);
    server->sock = sim_far_end(dial.id);
    if (server->sock == NULL)
        server->sock = sim_answer(dial.id, errors[how]);
    if (server->sock != NULL)
        server->met = sim_sock_peer(server->sock);
}

/* Octets of the header that a server gets: version 2, of IPv4. */
#define SENT_HEADER 28

/* The reply to a CONNECT names the gateway's end of the connection to the
   server. */
static bool
is_partner(const struct actor *client, const struct actor *server)
{
    struct endpoint met;

    if (!client->client || actor_command(client) != 1 ||
        !actor_granted_at(client, &met))
        return false;
    return server->met.port == met.port &&
           addr_equal(server->met.addr, met.addr);
}

/* Whose a server was shows in what its client was told. Where two had the
   same port one after the other, nobody knows. */
static void
join_partners(struct play *play)
{
    for (struct actor *client = play->actors; client; client = client->next) {
        unsigned count = 0;
        for (struct actor *server = play->actors; server; server = server->next)
            if (!server->client && is_partner(client, server)) {
                client->partner = server;
                server->met_head = FUZZ_PROXY_ALWAYS ? SENT_HEADER : 0;
                count++;
            }
        /* What a parent has is a request, too. */
        if (count != 1 || FUZZ_PARENT_ALWAYS)
            client->partner = NULL;
    }
}

static void
act_time(struct play *play, struct input *input)
{
    static const uint64_t ms[] = {1,    10,    100,    1000,
                                  5000, 10000, 120000, 300000};
    play_advance(play, ms[next(input) % 8]);
}

static void
act_fault(struct play *play, struct input *input)
{
    static const int errors[] = {EAGAIN,  ECONNRESET, ENOMEM, EMFILE,
                                 ENOBUFS, ETIMEDOUT,  EPIPE};
    struct sim_fault fault = {.times = 1};

    fault.call = next(input) % SIM_CALL_COUNT;
    if (fault.call == SIM_CALL_poll_open)
        return;
    fault.at = 1u + next(input) % 4;
    fault.error = errors[next(input) % 7];
    sim_heal();
    sim_fail(&fault);
    play->spoilt = true;
}

static void
act_drain(struct play *play, struct input *input)
{
    if (next(input) != 1) /* rarely: not much happens behind it */
        return;
    heap_watch(true);
    worker_drain(&play->worker);
    heap_watch(false);
}

/* --- Datagrams --- */

/* What may come through, whole or its beginning, and what may not. */
#define SENT "data"
#define ANSWERED "answer"
#define NOT "never"

/* To which of the gateway's sockets a peer may answer, and who. */
static struct endpoint answer_from, answer_to;

/* What a client sends to its association, or a stranger. */
static void
send_to_association(const struct actor *client, struct input *input)
{
    static const struct {
        const char *octets;
        size_t len;
    } datagrams[] = {
        MESSAGE("\0\0\0\1\12\0\0\2\0\65" SENT),
        MESSAGE("\0\0\0\4\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\65" SENT),
        MESSAGE("\0\0\0\3\3h.t\0\65" SENT),
        MESSAGE("\0\0\0\3\10"
                "10.0.0.2"
                "\0\65" SENT),
        MESSAGE("\0\0\1\1\12\0\0\2\0\65" NOT),
        MESSAGE("\0\0\0\1\12\0\0\1\4\70" NOT),
        MESSAGE("\0\0\0\1\177\0\0\1\0\65" NOT),
        MESSAGE("\0\0\0\3\3::1\0\65" NOT),
        MESSAGE("\0\0\0\1\12\0\0\2\0\65"),
        MESSAGE("\0\0\0\3\0\0\65" NOT),
    };
    size_t which = next(input) % (sizeof(datagrams) / sizeof(datagrams[0]));
    uint8_t who = next(input), less = next(input), octets[64];
    struct endpoint from = {.addr = addr_v4(0x0a000009), .port = 5000}, to;
    size_t len = datagrams[which].len;

    if (!actor_granted_at(client, &to))
        return;
    memcpy(octets, datagrams[which].octets, len);
    len = less < 16 && less < len ? len - less : len;
    if (who % 8 == 7) {
        from.addr = addr_v4(0x0a000008);
        memcpy(octets + len, NOT, sizeof(NOT) - 1);
        len += sizeof(NOT) - 1;
    }
    sim_datagram_arrives(&from, &to, octets, len);
}

static void
act_datagram(struct play *play, struct input *input)
{
    uint8_t how = next(input);
    const struct actor *actor;
    struct endpoint from = answer_from;

    if (how % 4 != 3) {
        actor = pick(play, next(input));
        if (actor != NULL && actor->client && actor_command(actor) == 3)
            send_to_association(actor, input);
    } else if (answer_to.port != 0) {
        bool stranger = how / 4 % 8 == 7;
        from.port = (uint16_t)(from.port + stranger);
        sim_datagram_arrives(&from, &answer_to, stranger ? NOT : ANSWERED,
                             strlen(stranger ? NOT : ANSWERED));
    }
}

/* To a client: a header that says from where, and what was answered. */
static bool
is_answer(const struct sim_datagram *datagram)
{
    const uint8_t *octets = datagram->octets;
    size_t head = datagram->len > 3 && octets[3] == 4 ? 22 : 10;

    return datagram->len == head + sizeof(ANSWERED) - 1 &&
           memcmp(octets, "\0\0\0", 3) == 0 && octets[head - 2] == 0 &&
           octets[head - 1] == 53 &&
           memcmp(octets + head, ANSWERED, sizeof(ANSWERED) - 1) == 0;
}

/* To others: what a client has sent, or the beginning of it. */
static bool
is_sent(const struct sim_datagram *datagram)
{
    return datagram->len < sizeof(SENT) && datagram->to.port == 53 &&
           memcmp(datagram->octets, SENT, datagram->len) == 0;
}

static void
check_datagrams(struct play *play)
{
    struct sim_datagram *datagram;
    char text[ENDPOINT_TEXT_MAX];

    while ((datagram = sim_take_datagram()) != NULL) {
        bool to_client = datagram->to.port == 5000;
        if (to_client ? !is_answer(datagram) : !is_sent(datagram))
            play_fail(play, "it sends to %s what nobody has sent",
                      endpoint_format(&datagram->to, text));
        if (!to_client) {
            answer_from = datagram->to;
            answer_to = datagram->from;
        }
        free(datagram);
    }
}

/* --- Another configuration --- */

static const char *config_base(uint64_t seed);

static void
act_reload(struct play *play, struct input *input)
{
    static const char *const more[] = {
        "", "timeouts: {request: 2s, connect: 1s, idle: 30s, drain: 3s}\n",
        "relay: {splice: always}\n", "log: {start: true}\n",
        "bind: {ports: 60000-60001}\n"};
    char text[2048];
    uint8_t how = next(input) % 8;

    if (how == 7)
        snprintf(text, sizeof(text),
                 "listen: [{address: \"10.0.0.1:%u\", socks5: true, "
                 "insecure_plaintext: true}]\nrules: []\nworkers: 1\n",
                 1080u + next(input) % 2);
    else
        snprintf(text, sizeof(text), "%s%s", config_base(play->seed),
                 more[how % (sizeof(more) / sizeof(more[0]))]);
    reload_try(play, text);
}

static void
act(struct play *play, struct input *input)
{
    static void (*const acts[])(struct play *, struct input *) = {
        act_connect,     act_request,  act_send,   act_send_much,
        act_send_urgent, act_end,      act_answer, act_answer,
        act_time,        act_fault,    act_drain,  act_request_name,
        act_resolve,     act_identify,
    };
    uint8_t octet = next(input);

    /* From 128 on the gateway does not run before the next act. BIND and SOCKS5
       have numbers of their own: those of the others stay what the corpus
       knows. */
    if ((octet & 127) == 126)
        act_bind(play, input);
    else if ((octet & 127) == 125)
        act_request_5(play, input);
    else if ((octet & 127) == 124)
        act_authenticate(play, input);
    else if ((octet & 127) == 123)
        act_datagram(play, input);
    else if ((octet & 127) == 122)
        act_reload(play, input);
    else if ((octet & 127) >= 112 && FUZZ_PARENT_ALWAYS && play->seed % 2 == 1)
        act_reply_5(play, input);
    else if ((octet & 127) >= 112 && FUZZ_PARENT_ALWAYS)
        act_reply(play, input);
    else if ((octet & 127) >= 112 && play->config->listeners[0].tls != NULL)
        act_tls(play, input);
    else
        acts[(octet & 127) % (sizeof(acts) / sizeof(acts[0]))](play, input);
    if (octet < 128)
        play_settle(play);
    check_datagrams(play);
}

/* --- The whole --- */

static const struct play_mode modes[] = {
    {.name = "plain"},
    {.name = "splice", .splice = "always"},
    {.name = "narrow", .room = 100},
    {.name = "racy", .racy = true, .splice = "always"},
    {.name = "flaky", .flaky = 3, .splice = "always"},
    {.name = "one octet", .one_octet = true},
};

static void
leave(struct play *play)
{
    struct sim_dial dial;

    sim_heal();
    for (struct actor *actor = play->actors; actor != NULL; actor = actor->next)
        actor_reset(actor);
    play_settle(play);
    play_advance(play, 700000);
    while (sim_take_dial(&dial))
        if (sim_far_end(dial.id) != NULL)
            sim_sock_reset(sim_far_end(dial.id));
    play_settle(play);
}

/* Everybody may go anywhere. */
static char open_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, insecure_plaintext: true, socks5: true}\n"
    "workers: 1\n"
    "rules:\n"
    "  - {name: open, action: allow, from: [any], to: [any],\n"
    "     command: [connect, bind]}\n";

/* A few clients of three sources reach each of them. */
static char limits_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, insecure_plaintext: true, socks5: true}\n"
    "workers: 1\n"
    "limits: {sessions: 5, pending: 3, per_source: {sessions: 3, pending: 2,\n"
    "  rate: 20, binds: 1}}\n"
    "rules:\n"
    "  - {action: allow, from: [any], to: [any],\n"
    "     command: [connect, bind, udp]}\n";

/* Names, identd for some, and passwords for clients of SOCKS5 that offer
   nothing else. */
static char asking_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, insecure_plaintext: true, socks4a: true}\n"
    "workers: 1\n"
    "auth: {users: u}\n"
    "rules:\n"
    "  - {action: deny, from: [10.0.0.10], to: [any], auth: [password]}\n"
    "  - {action: allow, from: [any], to: [10.0.0.2, \"fd00::/8\", .t],\n"
    "     command: [udp]}\n"
    "  - {action: allow, from: [any], to: [.t], command: [connect, bind],\n"
    "     ident: log}\n"
    "  - {action: allow, from: [any], to: [any], command: [connect, bind],\n"
    "     ident: require}\n";

static char tls_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, socks4a: true,\n"
    "     tls: {certificate: c, key: k, client: request, ca: c}}\n"
    "workers: 1\n"
    "rules:\n"
    "  - {action: allow, from: [any], to: [any, .t],\n"
    "     command: [connect, bind]}\n";

static char proxy_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, socks4a: true, insecure_plaintext: true,\n"
    "     proxy_protocol: [10.0.0.9]}\n"
    "workers: 1\n"
    "limits: {per_source: {sessions: 4}}\n"
    "rules:\n"
    "  - {action: allow, from: [any], to: [any, .t],\n"
    "     command: [connect, bind], send_proxy: v2}\n";

static char parent_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, socks4a: true, insecure_plaintext: true}\n"
    "workers: 1\n"
    "parents:\n"
    "  - {name: a, address: [10.0.0.5:1, 10.0.0.6:1], retry: refused,\n"
    "     insecure_plaintext: true}\n"
    "  - {name: b, address: \"h.t:1\", userid: x, protocol: socks4a,\n"
    "     insecure_plaintext: true}\n"
    "rules:\n"
    "  - {action: allow, from: [any], to: [10.0.0.3], command: [bind],\n"
    "     require_connect: true, via: [b]}\n"
    "  - {action: allow, from: [any], to: [any, .t], via: [a, b],\n"
    "     command: [connect, bind]}\n";

static char parent_5_config[] =
    "listen:\n"
    "  - {address: 10.0.0.1:1080, socks4a: true, socks5: true,\n"
    "     insecure_plaintext: true}\n"
    "workers: 1\n"
    "parents:\n"
    "  - {name: a, address: [10.0.0.5:1, 10.0.0.6:1], retry: refused,\n"
    "     insecure_plaintext: true}\n"
    "  - {name: b, address: \"h.t:1\", protocol: socks5,\n"
    "     insecure_plaintext: true}\n"
    "rules:\n"
    "  - {action: allow, from: [any], to: [any, .t], via: [b, a],\n"
    "     command: [connect, bind]}\n";

#ifdef FUZZ_TLS
#define FUZZ_TLS_ALWAYS true
#else
#define FUZZ_TLS_ALWAYS false
#endif

enum { CONFIG_OPEN, CONFIG_ASKING, CONFIG_LIMITS, CONFIG_PARENT_5, CONFIGS };

static char *const configs[CONFIGS] = {open_config, asking_config,
                                       limits_config, parent_5_config};

static unsigned
config_number(uint64_t seed)
{
    if (FUZZ_PARENT_ALWAYS && seed % 2 == 1)
        return CONFIG_PARENT_5;
    if (seed >= 240)
        return CONFIG_LIMITS;
    return seed % 2 == 0 ? CONFIG_OPEN : CONFIG_ASKING;
}

static const char *
config_base(uint64_t seed)
{
    unsigned number = config_number(seed);

    if (number == CONFIG_PARENT_5)
        return configs[number];
    return FUZZ_TLS_ALWAYS      ? tls_config
           : FUZZ_PROXY_ALWAYS  ? proxy_config
           : FUZZ_PARENT_ALWAYS ? parent_config
                                : configs[number];
}

/* What play parsed once for this mode and text serves all that come after. */
static struct config **
config_place(const struct play *play)
{
    static struct config *parsed[sizeof(modes) / sizeof(modes[0])][CONFIGS];

    return &parsed[play->mode - modes][config_number(play->seed)];
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t len)
{
    static struct script script = {.file = "input"};
    static struct script_scenario scenario = {.title = "fuzz",
                                              .version_5 = true};
    static struct play play;
    struct input input = {octets, len};
    bool good;

    memset(&play, 0, sizeof(play));
    play.script = &script;
    play.scenario = &scenario;
    play.mode = &modes[next(&input) % (sizeof(modes) / sizeof(modes[0]))];
    play.seed = next(&input);
    scenario.config = (char *)config_base(play.seed);
    answer_to.port = 0;
    play.tolerant = true;
    play.lent = *config_place(&play);
    heap_start(0, 0);
    good = play_open(&play);
    if (play.lent == NULL && play.config != NULL)
        play.lent = *config_place(&play) = config_ref(play.config);
    for (unsigned i = 0; good && input.left > 0 && i < ACTS_MAX; i++)
        act(&play, &input);
    if (good)
        leave(&play);
    check_datagrams(&play);
    join_partners(&play);
    good = good && law_check(&play);
    play_close(&play);
    if (good && heap_live() > 0)
        good = play_fail(&play, "%zu allocations are left", heap_live());
    if (!good) {
        fprintf(stderr, "%s\n", play.failure);
        for (size_t i = 0; i < len; i++)
            fprintf(stderr, "%02x", octets[i]);
        fputs("\n", stderr);
        abort();
    }
    return 0;
}
