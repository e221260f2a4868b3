/* Connections: what Linux does with them, as far as a worker can see. */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/sim_fd.h"
#include "tests/scenario/sim_parts.h"

size_t
sim_sock_unread(const struct sim_sock *sock)
{
    return sock->first != NULL ? (size_t)(sock->end - sock->taken) : 0;
}

/* As sk_stream_is_writeable: at least a third is free. */
static bool
writable(const struct sim_sock *sock)
{
    const struct sim_sock *far = sock->far;
    return far == NULL || sim_sock_unread(far) * 3 <= far->room * 2;
}

/* tcp_poll. */
static uint32_t
sock_poll(struct sim_source *source)
{
    struct sim_sock *sock = container_of(source, struct sim_sock, source);
    uint32_t mask = 0;

    if (sock->error != 0)
        mask |= EPOLLERR;
    if (sock->state == SIM_FRESH || sock->state == SIM_DEAD ||
        (sock->shut_rd && sock->shut_wr))
        mask |= EPOLLHUP;
    if (sock->shut_rd)
        mask |= EPOLLIN | EPOLLRDHUP;
    if (sock->state == SIM_SYN_SENT)
        return mask;
    if (sim_sock_unread(sock) > 0)
        mask |= EPOLLIN;
    if (sock->urgent)
        mask |= EPOLLPRI;
    if (sock->shut_wr || writable(sock))
        mask |= EPOLLOUT;
    else
        sock->starved = true;
    return mask;
}

struct sim_sock *
sim_sock_new(size_t room)
{
    struct sim_sock *sock = sim_new(sizeof(*sock));

    sim_source_init(&sock->source, sock_poll);
    sock->room = room;
    return sock;
}

static void
drop_input(struct sim_sock *sock)
{
    while (sock->first != NULL) {
        struct sim_segment *segment = sock->first;
        sock->first = segment->next;
        free(segment);
    }
    sock->last = NULL;
    sock->urgent = false;
}

/* Frees a connection, or an end that never had another. */
void
sim_sock_free(struct sim_sock *sock)
{
    struct sim_sock *far = sock->far;

    drop_input(sock);
    list_remove(&sock->source.ready);
    free(sock);
    if (far == NULL || far == sock)
        return;
    far->far = NULL;
    sim_sock_free(far);
}

void
sim_sock_join(struct sim_sock *a, struct sim_sock *b)
{
    a->far = b;
    b->far = a;
    a->state = b->state = SIM_STANDING;
    b->local = a->peer;
    b->peer = a->local;
}

/* The connection is over for this end, as tcp_done leaves it. */
void
sim_sock_die(struct sim_sock *sock, int error)
{
    sock->state = SIM_DEAD;
    sock->error = error;
    sock->shut_rd = sock->shut_wr = true;
    if (sock->outside && !sim_kernel.options.hosts_keep)
        drop_input(sock);
    sim_wake(&sock->source, 0);
}

/* A reset arrives. Behind a FIN it is EPIPE, not ECONNRESET (tcp_reset). */
static void
meet_reset(struct sim_sock *sock)
{
    bool behind_fin = sock->fin_in;

    if (sock->state == SIM_DEAD || sock->closed)
        return;
    if (sock->outside)
        behind_fin = sock->fin_in = false; /* hosts may see it as a reset */
    sim_sock_die(sock, behind_fin ? EPIPE : ECONNRESET);
}

static void
send_fin(struct sim_sock *sock)
{
    struct sim_sock *far = sock->far;

    if (sock->shut_wr)
        return;
    sock->shut_wr = true;
    if (far == NULL || far->state != SIM_STANDING || far->closed)
        return;
    far->fin_in = far->shut_rd = far->fin_met = true;
    sim_wake(&far->source, 0);
}

/*
 * close(): a FIN, or a reset where something is left unread or `reset` asks
 * for it - unless both streams had ended in order before.
 */
void
sim_sock_release(struct sim_sock *sock, bool reset)
{
    struct sim_sock *far = sock->far;
    bool over = sock->shut_wr && sock->fin_in;
    bool standing = sock->state == SIM_STANDING;

    assert(!sock->closed);
    sock->closed = true;
    list_remove(&sock->source.ready);
    if (standing && (sim_sock_unread(sock) > 0 || (reset && !over))) {
        sock->state = SIM_DEAD;
        if (far != NULL && far != sock)
            meet_reset(far);
    } else if (standing) {
        send_fin(sock);
    }
    sock->shut_rd = sock->shut_wr = true;
    if (far == NULL || far == sock || far->closed)
        sim_sock_free(sock);
}

/* --- Receiving --- */

size_t
sim_sock_peek(struct sim_sock *sock, const uint8_t **octets)
{
    struct sim_segment *segment = sock->first;

    if (segment == NULL)
        return 0;
    size_t count = segment->len - segment->used;
    if (sock->urgent && sock->mark > sock->taken &&
        sock->mark - sock->taken < count)
        count = (size_t)(sock->mark - sock->taken);
    *octets = segment->octets + segment->used;
    return count;
}

void
sim_sock_skip(struct sim_sock *sock, size_t count)
{
    struct sim_segment *segment = sock->first;
    struct sim_sock *far = sock->far;

    segment->used += count;
    sock->taken += count;
    if (segment->used == segment->len) {
        sock->first = segment->next;
        if (sock->first == NULL)
            sock->last = NULL;
        free(segment);
    }
    if (sock->urgent && sock->taken > sock->mark)
        sock->urgent = false;
    if (far != NULL && far->starved && writable(far)) {
        far->starved = false;
        sim_wake(&far->source, EPOLLOUT);
    }
}

static int
take_error(struct sim_sock *sock)
{
    int error = sock->error;
    sock->error = 0;
    return -error;
}

ssize_t
sim_sock_nothing(struct sim_sock *sock)
{
    if (sock->fin_in)
        return 0;
    if (sock->error != 0)
        return take_error(sock);
    if (sock->shut_rd)
        return 0;
    return sock->state == SIM_FRESH ? -ENOTCONN : -EAGAIN;
}

ssize_t
sim_sock_recv(struct sim_sock *sock, void *octets, size_t room)
{
    size_t done = 0;

    while (done < room) {
        const uint8_t *from;
        size_t count = sim_sock_peek(sock, &from);
        if (count == 0)
            break;
        if (sock->urgent && sock->mark == sock->taken && done > 0)
            break; /* what was read ends at the mark */
        if (count > room - done)
            count = room - done;
        memcpy((uint8_t *)octets + done, from, count);
        sim_sock_skip(sock, count);
        done += count;
    }
    return done > 0 ? (ssize_t)done : sim_sock_nothing(sock);
}

ssize_t
sim_sock_look(struct sim_sock *sock, void *octets, size_t room)
{
    size_t done = 0;

    if (sock->first == NULL || room == 0)
        return sim_sock_nothing(sock);
    for (struct sim_segment *at = sock->first; at != NULL && done < room;
         at = at->next) {
        size_t count = at->len - at->used;
        if (count > room - done)
            count = room - done;
        memcpy((uint8_t *)octets + done, at->octets + at->used, count);
        done += count;
    }
    if (sock->urgent && sock->mark > sock->taken &&
        sock->mark - sock->taken < done)
        done = (size_t)(sock->mark - sock->taken);
    return (ssize_t)done;
}

int
sim_sock_at_mark(struct sim_sock *sock)
{
    return sock->urgent && sock->mark == sock->taken;
}

bool
sim_sock_stands(const struct sim_sock *sock)
{
    return sock->state == SIM_STANDING && sock->far != NULL &&
           sock->far->state == SIM_STANDING && !sock->far->closed;
}

bool
sim_sock_met_fin(const struct sim_sock *sock)
{
    return sock->fin_met;
}

size_t
sim_sock_unacked(const struct sim_sock *sock)
{
    if (sim_kernel.options.hosts_keep || sock->far == NULL || sock->far->closed)
        return 0;
    return sim_sock_unread(sock->far);
}

bool
sim_sock_urgent(struct sim_sock *sock)
{
    return sock->urgent;
}

/* --- Sending --- */

/* Octets that a send would take now. */
size_t
sim_sock_space(const struct sim_sock *sock)
{
    size_t under_way = sim_sock_unread(sock->far);
    return under_way < sock->far->room ? sock->far->room - under_way : 0;
}

/* Why nothing may be sent at all, or 0; the order is tcp_sendmsg's. */
static int
send_refused(struct sim_sock *sock)
{
    if (sock->state == SIM_SYN_SENT)
        return -EAGAIN;
    if (sock->error != 0)
        return take_error(sock);
    if (sock->shut_wr || sock->state != SIM_STANDING)
        return -EPIPE;
    return 0;
}

static void
deliver(struct sim_sock *to, const void *octets, size_t count)
{
    struct sim_segment *segment = sim_new(sizeof(*segment) + count);

    segment->len = count;
    memcpy(segment->octets, octets, count);
    if (to->last != NULL)
        to->last->next = segment;
    else
        to->first = segment;
    to->last = segment;
    to->end += count;
    if (to->first_write == 0)
        to->first_write = count;
}

static ssize_t
send_octets(struct sim_sock *sock, const void *octets, size_t count,
            bool urgent)
{
    struct sim_sock *far = sock->far;
    int refused = send_refused(sock);

    if (refused < 0)
        return refused;
    if (far->closed || far->state == SIM_DEAD) {
        meet_reset(sock); /* nobody reads there: it is answered by a reset */
        return (ssize_t)count;
    }
    size_t space = sim_sock_space(sock);
    if (space < count)
        sock->starved = true;
    if (space == 0)
        return -EAGAIN;
    if (count > space)
        count = space;
    if (urgent) {
        far->urgent = true;
        far->mark = far->end + count - 1;
    }
    deliver(far, octets, count);
    sim_wake(&far->source, EPOLLIN | (urgent ? (uint32_t)EPOLLPRI : 0));
    return (ssize_t)count;
}

ssize_t
sim_sock_send(struct sim_sock *sock, const void *octets, size_t count)
{
    return send_octets(sock, octets, count, false);
}

ssize_t
sim_sock_send_urgent(struct sim_sock *sock, uint8_t octet)
{
    return send_octets(sock, &octet, 1, true);
}

/* --- The rest --- */

void
sim_sock_shutdown(struct sim_sock *sock)
{
    send_fin(sock);
    sim_wake(&sock->source, 0);
}

void
sim_sock_close(struct sim_sock *sock)
{
    sim_sock_release(sock, false);
}

void
sim_sock_reset(struct sim_sock *sock)
{
    sim_sock_release(sock, true);
}

void
sim_sock_forget(struct sim_sock *sock)
{
    struct sim_sock *far = sock->far;

    sock->state = SIM_DEAD;
    sock->closed = sock->shut_rd = sock->shut_wr = true;
    drop_input(sock);
    if (far == NULL || far->closed)
        sim_sock_free(sock);
}

void
sim_sock_kill_far(struct sim_sock *sock, int error)
{
    if (sock->far != NULL && !sock->far->closed &&
        sock->far->state == SIM_STANDING)
        sim_sock_die(sock->far, error);
}

struct endpoint
sim_sock_local(const struct sim_sock *sock)
{
    return sock->local;
}

struct endpoint
sim_sock_peer(const struct sim_sock *sock)
{
    return sock->peer;
}

size_t
sim_sock_first_write(const struct sim_sock *sock)
{
    return sock->first_write;
}

uint64_t
sim_sock_arrived(const struct sim_sock *sock)
{
    return sock->end;
}

uint64_t
sim_sock_consumed(const struct sim_sock *sock)
{
    return sock->far != NULL ? sock->far->taken : 0;
}

int
sim_sock_error(struct sim_sock *sock)
{
    return take_error(sock);
}
