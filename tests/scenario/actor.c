#include "tests/scenario/actor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/toy_tls.h"

/* Where a long text is sent in pieces: single octets as far as here. */
#define SPLIT_FIRST 300
#define SPLIT_PIECE 1999

struct actor *
actor_new(const char *name, bool client)
{
    struct actor *actor = calloc(1, sizeof(*actor));

    if (actor == NULL)
        abort();
    snprintf(actor->name, sizeof(actor->name), "%s", name);
    actor->client = client;
    actor->urgent_at = actor->urgent_seen = ACTOR_NOT_URGENT;
    return actor;
}

void
actor_free(struct actor *actor)
{
    actor_reset(actor);
    octets_free(&actor->sent);
    octets_free(&actor->received);
    octets_free(&actor->hello);
    octets_free(&actor->out);
    octets_free(&actor->in);
    free(actor);
}

void
actor_reset(struct actor *actor)
{
    if (actor->sock == NULL)
        return;
    actor->broke |= sim_sock_stands(actor->sock);
    sim_sock_reset(actor->sock);
    actor->sock = NULL;
    actor->left = actor->cut = true;
}

void
actor_restart(struct actor *actor)
{
    actor->broke |= sim_sock_stands(actor->sock);
    sim_sock_forget(actor->sock);
    actor->sock = NULL;
    actor->left = actor->cut = true;
}

void
actor_lose(struct actor *actor, int error)
{
    actor->broke |= sim_sock_stands(actor->sock);
    sim_sock_kill_far(actor->sock, error);
    actor->cut = true;
}

static bool
note_end(struct actor *actor, ssize_t count)
{
    bool *saw = count == 0 ? &actor->saw_end : &actor->saw_reset;
    bool news = !*saw;

    *saw = true;
    return news;
}

/* ---- TLS, as the toy has it ---- */

static void
take_record(struct actor *actor, enum toy_type type, const uint8_t *octets,
            size_t len)
{
    switch (type) {
    case TOY_HELLO:
        actor->asked = true;
        if (!actor->client)
            break;
        if (!actor->greeted)
            toy_put(&actor->out, TOY_FINISHED, "", 0);
        actor->greeted = true;
        break;
    case TOY_FINISHED:
        actor->greeted = true;
        break;
    case TOY_DATA:
        octets_add(&actor->received, octets, len);
        break;
    case TOY_END:
        actor->saw_end = true;
        break;
    default: /* TOY_RENEWED */
        break;
    }
}

static void
take_records(struct actor *actor)
{
    struct octets *in = &actor->in;
    size_t from = 0;

    while (in->len - from >= TOY_HEAD) {
        const uint8_t *at = in->at + from;
        size_t len = (size_t)at[1] << 8 | at[2];
        if (in->len - from < TOY_HEAD + len)
            break;
        take_record(actor, at[0], at + TOY_HEAD, len);
        from += TOY_HEAD + len;
    }
    memmove(in->at, in->at + from, in->len - from);
    in->len -= from;
}

/* Puts what it wants sent into records. */
static void
wrap_sent(struct actor *actor)
{
    if (actor->hello.len > 0 && (actor->client || actor->asked)) {
        toy_put(&actor->out, TOY_HELLO, actor->hello.at, actor->hello.len);
        actor->hello.len = 0;
    }
    while (actor->greeted && actor->wrapped < actor->sent.len) {
        size_t left = actor->sent.len - actor->wrapped;
        size_t len = left < TOY_RECORD ? left : TOY_RECORD;
        toy_put(&actor->out, TOY_DATA, actor->sent.at + actor->wrapped, len);
        actor->wrapped += len;
    }
}

/* One read; true if it brought something. */
static bool
read_once(struct actor *actor)
{
    uint8_t octets[16384];
    bool urgent = sim_sock_at_mark(actor->sock);
    ssize_t count =
        sim_sock_recv(actor->sock, octets, urgent ? 1 : sizeof(octets));

    if (count == -EAGAIN)
        return false;
    if (count == 0 && actor->tls) {
        actor->saw_cut = !actor->saw_end;
        return false;
    }
    if (count <= 0) {
        note_end(actor, count);
        return false;
    }
    if (actor->tls) {
        octets_add(&actor->in, octets, (size_t)count);
        take_records(actor);
        return true;
    }
    if (urgent)
        actor->urgent_seen = actor->received.len;
    octets_add(&actor->received, octets, (size_t)count);
    return true;
}

void
actor_read_a_little(struct actor *actor)
{
    read_once(actor);
    read_once(actor);
}

static bool
read_all(struct actor *actor)
{
    bool before = actor->saw_end || actor->saw_reset;
    bool moved = false;

    while (!actor->stalled && read_once(actor))
        moved = true;
    return moved || before != (actor->saw_end || actor->saw_reset);
}

static size_t
piece(const struct actor *actor, bool split)
{
    size_t left = actor->sent.len - actor->pushed;

    if (actor->pushed <= actor->urgent_at &&
        actor->urgent_at - actor->pushed < left)
        left = actor->urgent_at - actor->pushed; /* as far as the mark */
    if (!split)
        return left;
    if (actor->pushed < SPLIT_FIRST || left < SPLIT_PIECE)
        return left > 0 ? 1 : 0;
    return SPLIT_PIECE;
}

static ssize_t
push_once(struct actor *actor, bool split)
{
    if (actor->pushed == actor->sent.len)
        return -EAGAIN;

    const uint8_t *at = actor->sent.at + actor->pushed;
    if (actor->pushed == actor->urgent_at)
        return sim_sock_send_urgent(actor->sock, *at);
    return sim_sock_send(actor->sock, at, piece(actor, split));
}

/* Half a record is nothing yet to whoever reads. */
static void
note_pushed(struct actor *actor)
{
    while (actor->out_pushed >= actor->out_whole + TOY_HEAD) {
        const uint8_t *at = actor->out.at + actor->out_whole;
        size_t len = (size_t)at[1] << 8 | at[2];
        if (actor->out_pushed - actor->out_whole < TOY_HEAD + len)
            break;
        if (at[0] == TOY_DATA)
            actor->pushed += len;
        actor->out_whole += TOY_HEAD + len;
    }
}

/* False: the connection is reset, and the rest is lost. */
static bool
push_records(struct actor *actor, bool split, bool *moved)
{
    wrap_sent(actor);
    while (actor->out_pushed < actor->out.len) {
        size_t left = actor->out.len - actor->out_pushed;
        ssize_t count =
            sim_sock_send(actor->sock, actor->out.at + actor->out_pushed,
                          split && left > 1 ? 1 + left / 7 : left);
        if (count == -EAGAIN)
            break;
        if (count < 0)
            return false;
        actor->out_pushed += (size_t)count;
        *moved = true;
        if (split)
            break;
    }
    note_pushed(actor);
    return true;
}

static bool
push(struct actor *actor, bool split)
{
    if (actor->tls) {
        bool some = false;
        if (push_records(actor, split, &some))
            return some;
        note_end(actor, -ECONNRESET);
        actor->cut = true;
        actor->out_pushed = actor->out.len;
        actor->wrapped = actor->pushed = actor->sent.len;
        return true;
    }
    bool moved = false;

    do {
        ssize_t count = push_once(actor, split);
        if (count == -EAGAIN)
            break;
        if (count < 0) { /* reset: the rest is lost */
            note_end(actor, count);
            actor->cut = true;
            actor->pushed = actor->sent.len;
            return true;
        }
        actor->pushed += (size_t)count;
        moved = true;
    } while (!split);
    return moved;
}

static bool
finish(struct actor *actor)
{
    if (actor->pushed < actor->sent.len || actor->out_pushed < actor->out.len ||
        !(actor->ends || actor->closes || actor->breaks))
        return false;
    if (actor->tls && actor->greeted && !actor->tidy && !actor->cuts &&
        !actor->breaks) {
        actor->tidy = true;
        toy_put(&actor->out, TOY_END, "", 0);
        return true;
    }
    if (actor->breaks) {
        actor_reset(actor);
        return true;
    }
    if (actor->closes) {
        sim_sock_close(actor->sock);
        actor->sock = NULL;
        actor->left = true;
        return true;
    }
    if (actor->ended)
        return false;
    if (actor->cuts) {
        actor->broke = sim_sock_stands(actor->sock);
        actor->cut = true;
    }
    sim_sock_shutdown(actor->sock);
    actor->ended = true;
    return true;
}

bool
actor_waits(const struct actor *actor)
{
    return actor->sock != NULL && actor->pushed < actor->sent.len;
}

bool
actor_move(struct actor *actor, bool split)
{
    bool moved;

    if (actor->sock == NULL)
        return false;
    moved = read_all(actor);
    moved |= push(actor, split);
    moved |= finish(actor);
    return moved;
}

/* What stands before the next NUL, and it; 0: there is none. */
static size_t
behind_nul(const struct octets *octets, size_t from)
{
    const uint8_t *nul = octets->len > from
                             ? memchr(octets->at + from, 0, octets->len - from)
                             : NULL;
    return nul != NULL ? (size_t)(nul - octets->at) + 1 : 0;
}

static size_t
request_size(const struct octets *sent, size_t head)
{
    size_t size = behind_nul(sent, head + 8);

    if (size == 0 || memcmp(sent->at + head + 4, "\0\0\0", 3) != 0 ||
        sent->at[head + 7] == 0)
        return size;
    return behind_nul(sent, size); /* SOCKS 4A */
}

/* The end of a message of SOCKS5 that has `len` octets behind `from`; 0: they
   are not there. */
static size_t
behind_message(const struct octets *octets, size_t from, size_t len)
{
    return octets->len >= from + len ? from + len : 0;
}

/* Of a request or a reply, by its ATYP. */
static size_t
behind_address(const struct octets *octets, size_t from)
{
    if (octets->len < from + 5)
        return 0;
    switch (octets->at[from + 3]) {
    case 1:
        return behind_message(octets, from, 10);
    case 4:
        return behind_message(octets, from, 22);
    default:
        return behind_message(octets, from, 7u + octets->at[from + 4]);
    }
}

/* Greeting, user and password where the client sends them; behind them is the
   request. 0: they are not whole. */
static size_t
request_at_5(const struct octets *sent, size_t head)
{
    size_t from = head + 2;

    if (sent->len < from)
        return 0;
    from = behind_message(sent, from, sent->at[head + 1]);
    if (from == 0 || sent->len < from + 2 || sent->at[from] != 1)
        return from;
    size_t user = sent->at[from + 1];
    if (sent->len < from + user + 3)
        return 0;
    return behind_message(sent, from, user + 3 + sent->at[from + 2 + user]);
}

static bool
actor_speaks_5(const struct actor *client)
{
    return client->sent.len > client->head &&
           client->sent.at[client->head] == 5;
}

size_t
actor_request_size(const struct actor *client)
{
    const struct octets *sent = &client->sent;

    if (!actor_speaks_5(client))
        return request_size(sent, client->head);
    size_t at = request_at_5(sent, client->head);
    return at > 0 ? behind_address(sent, at) : 0;
}

unsigned
actor_command(const struct actor *client)
{
    size_t at = actor_speaks_5(client)
                    ? request_at_5(&client->sent, client->head)
                    : client->head;

    return actor_request_size(client) > 0 ? client->sent.at[at + 1] : 0;
}

/* Of SOCKS5 the choice of a method comes first, and what became of the
   password. */
size_t
actor_reply_at(const struct actor *client)
{
    const struct octets *received = &client->received;

    if (received->len < 2 || received->at[0] != 5 || received->at[1] == 0xff)
        return 0;
    return received->at[1] == 2 ? 4 : 2;
}

size_t
actor_reply_size(const struct actor *client)
{
    const struct octets *received = &client->received;

    if (received->len == 0 || received->at[0] != 5)
        return behind_message(received, 0, 8);
    return behind_address(received, actor_reply_at(client));
}

bool
actor_is_granted(const struct actor *client)
{
    const struct octets *received = &client->received;
    size_t at = actor_reply_at(client);

    return actor_reply_size(client) > 0 &&
           received->at[at + 1] == (received->at[0] == 5 ? 0 : 90);
}

bool
actor_granted_at(const struct actor *client, struct endpoint *at)
{
    const uint8_t *reply =
        octets_from(&client->received, actor_reply_at(client));

    if (!actor_is_granted(client))
        return false;
    if (reply[0] == 5 && reply[3] != 1)
        return false;
    const uint8_t *port = reply[0] == 5 ? reply + 8 : reply + 2;
    at->port = (uint16_t)(port[0] << 8 | port[1]);
    at->addr = addr_v4((uint32_t)reply[4] << 24 | (uint32_t)reply[5] << 16 |
                       (uint32_t)reply[6] << 8 | reply[7]);
    return true;
}

bool
actor_is_asked_in_5(const struct actor *parent)
{
    return parent->received.len > 0 && parent->received.at[0] == 5;
}

size_t
actor_asked_size(const struct actor *parent)
{
    const struct octets *asked = &parent->received;
    size_t at = actor_is_asked_in_5(parent) ? request_at_5(asked, 0) : 0;

    if (!actor_is_asked_in_5(parent))
        return request_size(asked, 0);
    return at > 0 ? behind_address(asked, at) : 0;
}

size_t
actor_answered_size(const struct actor *parent)
{
    bool password = parent->sent.len > 1 && parent->sent.at[1] == 2;

    return actor_is_asked_in_5(parent)
               ? behind_address(&parent->sent, password ? 4 : 2)
               : 8;
}
