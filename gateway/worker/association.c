#include "gateway/worker/association.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/request_socks5.h"

/* Room for the longest header of an answer, in front of each datagram that is
   received: the header is written there, and no datagram is copied. */
#define HEADER_ROOM 24 /* 22 octets for IPv6 */
#define DATAGRAM_ROOM 65536
#define SLOT (HEADER_ROOM + DATAGRAM_ROOM)

/* How long a decision about an address is used, since the address may become
   this machine's own; how long the addresses of a name are used, which the
   resolver caches, too; and how long a name that was not found is not looked up
   again. */
#define DECISION_MS 10000
#define NAME_MS DECISION_MS
#define NAME_FAILED_MS 1000

/* So long the kernel asks for a neighbour that does not answer, and has a place
   for it. */
#define UNANSWERED_MS 3000

enum name_state { NAME_FREE, NAME_ASKED, NAME_KNOWN, NAME_FAILED };

/* A datagram that waits for the address of its name. */
struct association_held {
    struct association_held *next;
    size_t len;
    uint8_t octets[];
};

struct association_name {
    struct lookup lookup;
    struct association *association;
    struct association_held *held; /* owned; the oldest first */
    uint64_t until_ms;             /* what the state says is good until then */
    uint64_t used;
    struct addr addr; /* KNOWN */
    uint16_t port;
    uint8_t len;
    uint8_t state; /* enum name_state */
    uint8_t why;   /* FAILED: enum datagram */
    char text[LOOKUP_NAME_MAX];
};

_Static_assert(sizeof(struct association) +
                       ASSOCIATION_NAMES * sizeof(struct association_name) +
                       ASSOCIATION_WAITING_MAX <=
                   ASSOCIATION_OCTETS,
               "what it is reckoned at is enough");

static void
association_count(struct association *association, enum datagram outcome)
{
    series_add(&association->pool->datagrams[outcome], 1);
}

/* ---- Where it has sent to ---- */

static struct association_peer *
association_find_peer(struct association *association,
                      const struct endpoint *at)
{
    for (size_t i = 0; i < ASSOCIATION_PEERS; i++) {
        struct association_peer *peer = &association->peers[i];
        if (peer->used > 0 && endpoint_equal(&peer->at, at))
            return peer;
    }
    return NULL;
}

/* A new destination replaces the one to which the client has not sent for the
   longest time. */
static struct association_peer *
association_use_peer(struct association *association, const struct endpoint *at)
{
    struct association_peer *peer = association_find_peer(association, at);
    struct association_peer *oldest = association->peers;

    for (size_t i = 0; i < ASSOCIATION_PEERS && peer == NULL; i++)
        if (association->peers[i].used < oldest->used)
            oldest = &association->peers[i];
    if (peer == NULL) {
        peer = oldest;
        *peer = (struct association_peer){.at = *at};
    }
    peer->used = ++association->clock;
    return peer;
}

static watch_fn association_outer_ready;

/* Watches the socket, or closes it. */
static int
association_watch(struct association *association, struct watch *watch, int fd,
                  watch_fn *ready)
{
    const struct association_pool *pool = association->pool;

    if (pool->in_max > 0)
        sys_lower_in(fd, pool->in_max);
    int error = loop_watch(pool->loop, watch, fd, EPOLLIN, ready);
    if (error < 0)
        sys_close(fd);
    return error;
}

/* The socket towards that family, which is made when it is needed. */
static int
association_outer(struct association *association, struct addr to)
{
    bool v4 = addr_is_v4(to);
    struct watch *watch = &association->outer[v4 ? 0 : 1];
    struct endpoint at = {.addr = {0, 0}};

    if (watch->fd >= 0)
        return watch->fd;
    if (v4)
        at.addr = association->source;
    int fd = sys_datagrams_within(&at, 0, 0, 0);
    if (fd < 0)
        return fd;
    int error =
        association_watch(association, watch, fd, association_outer_ready);
    return error < 0 ? error : fd;
}

/* What became of a datagram with `len` octets of data: 0 or a negative errno.
 */
static void
association_sent(struct association *association, int error, bool up,
                 size_t len)
{
    if (error < 0) {
        association_count(association, error == -EMSGSIZE ? DATAGRAM_LARGE
                                                          : DATAGRAM_UNSENT);
        return;
    }
    association_count(association, DATAGRAM_PASSED);
    association->ops->moved(association, up, len);
}

/* Whether a destination is within the client's rate: one that is new, and again
   and again one that does not answer, since each may take a place in the
   kernel's table of neighbours. */
static bool
association_is_on_time(struct association *association,
                       struct association_peer *peer)
{
    uint64_t now_ms = loop_now_ms(association->pool->loop);

    if (now_ms < peer->paid_ms)
        return true;
    if (!peer->answered && !association->ops->on_time(association))
        return false;
    peer->paid_ms = now_ms + (peer->answered ? DECISION_MS : UNANSWERED_MS);
    peer->answered = false;
    return true;
}

/* Sends a datagram that is allowed, by the address of `to` or by a name that
   led to it. A datagram that is allowed by its name does not allow later ones
   that give the address. */
static void
association_send(struct association *association, struct association_peer *to,
                 const uint8_t *octets, size_t len)
{
    int fd = association_outer(association, to->at.addr);

    to->sent = true;
    association_sent(association,
                     fd < 0 ? fd : sys_send_datagram(fd, &to->at, octets, len),
                     true, len);
}

static void
association_send_on_time(struct association *association,
                         struct association_peer *to, const uint8_t *octets,
                         size_t len)
{
    if (association_is_on_time(association, to))
        association_send(association, to, octets, len);
    else
        association_count(association, DATAGRAM_LIMITED);
}

static void
association_send_to_address(struct association *association,
                            const struct endpoint *to, const uint8_t *octets,
                            size_t len)
{
    struct association_peer *peer = association_use_peer(association, to);
    uint64_t now_ms = loop_now_ms(association->pool->loop);
    enum datagram outcome = DATAGRAM_PASSED;

    if (now_ms >= peer->until_ms)
        peer->decision = PEER_UNDECIDED;
    if (peer->decision == PEER_UNDECIDED) {
        peer->until_ms = now_ms + DECISION_MS;
        outcome = association->ops->decide(association, to);
        if (outcome == DATAGRAM_PASSED)
            peer->decision = PEER_ALLOWED;
        else if (outcome == DATAGRAM_DENIED)
            peer->decision = PEER_DENIED;
    } else if (peer->decision == PEER_DENIED) {
        outcome = DATAGRAM_DENIED;
    }
    if (outcome == DATAGRAM_PASSED)
        association_send_on_time(association, peer, octets, len);
    else
        association_count(association, outcome);
}

/* ---- Names ---- */

static struct association_held *
name_take_held(struct association_name *name)
{
    struct association_held *held = name->held;

    name->held = held->next;
    name->association->waiting -= held->len;
    return held;
}

static void
name_drop_held(struct association_name *name, enum datagram why)
{
    while (name->held != NULL) {
        free(name_take_held(name));
        association_count(name->association, why);
    }
}

static void
name_forget(struct association_name *name)
{
    lookup_cancel(name->association->pool->lookups, &name->lookup);
    name_drop_held(name, DATAGRAM_NAME);
    name->state = NAME_FREE;
    name->used = 0;
}

static void
name_hold(struct association_name *name, const uint8_t *octets, size_t len)
{
    struct association *association = name->association;
    struct association_held **end = &name->held;
    struct association_held *held = NULL;
    int count = 0;

    for (; *end != NULL; end = &(*end)->next)
        count++;
    if (count < ASSOCIATION_WAITING &&
        association->waiting + len <= ASSOCIATION_WAITING_MAX)
        held = malloc(sizeof(*held) + len);
    if (held == NULL) {
        association_count(association, DATAGRAM_NAME);
        return;
    }
    held->next = NULL;
    held->len = len;
    memcpy(held->octets, octets, len);
    association->waiting += len;
    *end = held;
}

static void
name_answered(struct lookup *lookup, enum lookup_outcome outcome,
              const struct addr *addresses, size_t count)
{
    struct association_name *name =
        container_of(lookup, struct association_name, lookup);
    struct association *association = name->association;
    uint64_t now_ms = loop_now_ms(association->pool->loop);
    enum datagram why = DATAGRAM_NAME;

    if (outcome == LOOKUP_FOUND)
        why = association->ops->decide_name(association, name->text, name->len,
                                            name->port, addresses, count,
                                            &name->addr);
    if (why != DATAGRAM_PASSED) {
        name->state = NAME_FAILED;
        name->why = (uint8_t)why;
        name->until_ms = now_ms + NAME_FAILED_MS;
        name_drop_held(name, why);
        return;
    }
    name->state = NAME_KNOWN;
    name->until_ms = now_ms + NAME_MS;
    if (name->held == NULL)
        return;
    const struct endpoint to = {name->addr, name->port};
    struct association_peer *peer = association_use_peer(association, &to);
    if (peer->paid_ms < now_ms + UNANSWERED_MS)
        peer->paid_ms = now_ms + UNANSWERED_MS; /* by the question */
    while (name->held != NULL) {
        struct association_held *held = name_take_held(name);
        association_send(association, peer, held->octets, held->len);
        free(held);
    }
}

static struct association_name *
association_find_name(struct association *association,
                      const struct socks4_v5_address *to)
{
    for (size_t i = 0; i < ASSOCIATION_NAMES && association->names; i++) {
        struct association_name *name = &association->names[i];
        if (name->state != NAME_FREE && name->port == to->port &&
            name->len == to->name_len &&
            memcmp(name->text, to->name, name->len) == 0)
            return name;
    }
    return NULL;
}

/* The entry of this name, or else the one to use for it: that of the name to
   which the client has not sent for the longest time. NULL: no memory. */
static struct association_name *
association_use_name(struct association *association,
                     const struct socks4_v5_address *to)
{
    struct association_name *name = association_find_name(association, to);

    if (association->names == NULL) {
        association->names =
            calloc(ASSOCIATION_NAMES, sizeof(*association->names));
        if (association->names == NULL)
            return NULL;
        for (size_t i = 0; i < ASSOCIATION_NAMES; i++) {
            association->names[i].association = association;
            lookup_init(&association->names[i].lookup);
        }
    }
    for (size_t i = 0; i < ASSOCIATION_NAMES && name == NULL; i++)
        if (association->names[i].state == NAME_FREE)
            name = &association->names[i];
    if (name != NULL)
        return name;
    name = association->names;
    for (size_t i = 1; i < ASSOCIATION_NAMES; i++)
        if (association->names[i].used < name->used)
            name = &association->names[i];
    return name;
}

static void
association_ask(struct association *association,
                const struct socks4_v5_address *to, const uint8_t *octets,
                size_t len)
{
    struct association_pool *pool = association->pool;
    bool on_time = association->ops->on_time(association);
    struct association_name *name =
        on_time ? association_use_name(association, to) : NULL;

    if (name == NULL) {
        association_count(association,
                          on_time ? DATAGRAM_NAME : DATAGRAM_LIMITED);
        return;
    }
    name_forget(name);
    name->state = NAME_ASKED;
    name->until_ms = loop_now_ms(pool->loop) + pool->resolve_ms;
    name->used = ++association->clock;
    name->port = to->port;
    name->len = (uint8_t)to->name_len;
    memcpy(name->text, to->name, to->name_len);
    name_hold(name, octets, len);
    lookup_start(pool->lookups, &name->lookup, association->source_hash,
                 name->text, name->len, LOOKUP_BOTH, pool->resolve_ms,
                 name_answered);
}

static void
association_send_to_name(struct association *association,
                         const struct socks4_v5_address *to,
                         const uint8_t *octets, size_t len)
{
    struct association_name *name = association_find_name(association, to);
    struct endpoint at = {.port = to->port};
    enum datagram why = DATAGRAM_NAME;

    if (name != NULL && loop_now_ms(association->pool->loop) < name->until_ms) {
        name->used = ++association->clock;
        at.addr = name->addr;
        if (name->state == NAME_KNOWN)
            association_send_on_time(association,
                                     association_use_peer(association, &at),
                                     octets, len);
        else if (name->state == NAME_ASKED)
            name_hold(name, octets, len);
        else
            association_count(association, (enum datagram)name->why);
        return;
    }
    switch (association->ops->read(association, to->name, to->name_len,
                                   to->port, &at.addr, &why)) {
    case ASSOCIATION_ADDRESS:
        association_send_to_address(association, &at, octets, len);
        break;
    case ASSOCIATION_NAME:
        association_ask(association, to, octets, len);
        break;
    case ASSOCIATION_BAD:
        association_count(association, why);
        break;
    }
}

/* ---- Datagrams ---- */

static bool
association_is_client(const struct association *association,
                      const struct endpoint *from)
{
    return addr_equal(from->addr, association->client.addr) &&
           (association->client.port == 0 ||
            association->client.port == from->port);
}

static void
association_from_client(struct association *association,
                        const struct sys_datagram *datagram)
{
    struct socks4_v5_udp header;
    struct endpoint to;

    if (!association_is_client(association, &datagram->from)) {
        association_count(association, DATAGRAM_STRANGER);
        return;
    }
    if (datagram->cut) {
        association_count(association, DATAGRAM_LARGE);
        return;
    }
    ssize_t used =
        socks4_v5_udp_decode(datagram->octets, datagram->len, &header);
    if (used <= 0) {
        association_count(association, DATAGRAM_MALFORMED);
        return;
    }
    association->client.port = datagram->from.port;
    if (header.fragment != 0) {
        association_count(association, DATAGRAM_FRAGMENT);
        return;
    }
    const uint8_t *data = datagram->octets + used;
    size_t len = datagram->len - (size_t)used;
    if (request_socks5_address(&header.address, &to.addr)) {
        to.port = header.address.port;
        association_send_to_address(association, &to, data, len);
    } else {
        association_send_to_name(association, &header.address, data, len);
    }
}

/* The header says from where it comes, and goes right in front of it. */
static void
association_from_peer(struct association *association,
                      const struct sys_datagram *datagram)
{
    struct association_peer *peer =
        association_find_peer(association, &datagram->from);

    if (peer == NULL || !peer->sent) {
        association_count(association, DATAGRAM_UNASKED);
        return;
    }
    peer->answered = true;
    if (datagram->cut) {
        association_count(association, DATAGRAM_LARGE);
        return;
    }
    const struct socks4_v5_udp header = {
        .address = request_socks5_endpoint(&datagram->from)};
    uint8_t octets[SOCKS4_V5_UDP_MAX];
    ssize_t size = socks4_v5_udp_encode(&header, octets, sizeof(octets));
    uint8_t *start = datagram->octets - size;
    memcpy(start, octets, (size_t)size);
    association_sent(association,
                     sys_send_datagram(association->inner.fd,
                                       &association->client, start,
                                       (size_t)size + datagram->len),
                     false, datagram->len);
}

/* The rules have changed: decisions are void, and so is what answers. */
static void
association_forget(struct association *association)
{
    memset(association->peers, 0, sizeof(association->peers));
    for (size_t i = 0; i < ASSOCIATION_NAMES && association->names; i++)
        name_forget(&association->names[i]);
    association->version = association->pool->version;
}

typedef void association_take_fn(struct association *association,
                                 const struct sys_datagram *datagram);

/* Receives at most SYS_DATAGRAMS_MAX datagrams a turn; epoll reports the socket
   again if more are queued. */
static void
association_receive(struct association *association, int fd,
                    association_take_fn *take)
{
    struct sys_datagram datagrams[SYS_DATAGRAMS_MAX];
    uint8_t *octets = association->pool->octets;

    for (size_t i = 0; i < SYS_DATAGRAMS_MAX; i++)
        datagrams[i] = (struct sys_datagram){
            .octets = octets + i * SLOT + HEADER_ROOM, .room = DATAGRAM_ROOM};
    int count = sys_recv_datagrams(fd, datagrams, SYS_DATAGRAMS_MAX);
    if (association->version != association->pool->version)
        association_forget(association);
    for (int i = 0; i < count; i++)
        take(association, &datagrams[i]);
}

static void
association_inner_ready(struct watch *watch, uint32_t events)
{
    (void)events;
    association_receive(container_of(watch, struct association, inner),
                        watch->fd, association_from_client);
}

static void
association_outer_ready(struct watch *watch, uint32_t events)
{
    struct association *association =
        watch->notes == 0 ? container_of(watch, struct association, outer[0])
                          : container_of(watch, struct association, outer[1]);

    (void)events;
    association_receive(association, watch->fd, association_from_peer);
}

/* ---- Its life ---- */

struct association *
association_new(struct association_pool *pool,
                const struct association_ops *ops, void *owner,
                struct addr client, struct addr source, uint64_t source_hash)
{
    struct association *association = calloc(1, sizeof(*association));

    if (association == NULL)
        return NULL;
    if (pool->octets == NULL)
        pool->octets = malloc((size_t)SYS_DATAGRAMS_MAX * SLOT);
    if (pool->octets == NULL) {
        free(association);
        return NULL;
    }
    pool->count++;
    association->ops = ops;
    association->owner = owner;
    association->pool = pool;
    association->inner.fd = -1;
    association->outer[0].fd = -1;
    association->outer[1].fd = -1;
    association->outer[1].notes = 1;
    association->client.addr = client;
    association->source = source;
    association->source_hash = source_hash;
    association->version = pool->version;
    association->open = true;
    return association;
}

int
association_bind(struct association *association, struct endpoint *at,
                 uint16_t first, uint16_t last, uint64_t seed)
{
    int fd = sys_datagrams_within(at, first, last, seed);

    if (fd < 0)
        return fd;
    return association_watch(association, &association->inner, fd,
                             association_inner_ready);
}

static void
association_close_socket(struct watch *watch)
{
    if (watch->fd < 0)
        return;
    sys_close(watch->fd);
    loop_forget(watch);
}

bool
association_close(struct association *association)
{
    bool was_open = association->open;

    if (!was_open)
        return false;
    association_close_socket(&association->inner);
    association_close_socket(&association->outer[0]);
    association_close_socket(&association->outer[1]);
    for (size_t i = 0; i < ASSOCIATION_NAMES && association->names; i++)
        name_forget(&association->names[i]);
    association->open = false;
    if (--association->pool->count == 0) {
        free(association->pool->octets);
        association->pool->octets = NULL;
    }
    return true;
}

void
association_free(struct association *association)
{
    if (association == NULL)
        return;
    free(association->names);
    free(association);
}
