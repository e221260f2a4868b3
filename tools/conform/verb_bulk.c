/* Many octets, and what they do to each other. */

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "play.h"

#define CHUNK 16384
#define STALL_MS 5000

/* An octet that depends on its place. */
static uint8_t
bulk_pattern(size_t at)
{
    return (uint8_t)(at * 31 + (at >> 8) * 7 + (at >> 16));
}

static void
bulk_fill(uint8_t *octets, size_t from, size_t len)
{
    for (size_t i = 0; i < len; i++)
        octets[i] = bulk_pattern(from + i);
}

/* Where a transfer stands. */
struct bulk_transfer {
    struct actor *from;
    struct actor *to;
    size_t whole;
    size_t sent;
    size_t got;
};

static bool
bulk_transfer_send(struct bulk_transfer *transfer)
{
    uint8_t octets[CHUNK];
    size_t left = transfer->whole - transfer->sent;
    size_t len = left < CHUNK ? left : CHUNK;

    bulk_fill(octets, transfer->sent, len);
    ssize_t count = stream_write(&transfer->from->stream, octets, len);
    if (count > 0)
        transfer->sent += (size_t)count;
    return count > 0 || count == -EAGAIN;
}

static bool
bulk_transfer_receive(struct bulk_transfer *transfer)
{
    uint8_t octets[CHUNK], wanted[CHUNK];
    ssize_t count = stream_read(&transfer->to->stream, octets, CHUNK);

    if (count <= 0)
        return count == -EAGAIN;
    bulk_fill(wanted, transfer->got, (size_t)count);
    if (memcmp(octets, wanted, (size_t)count) != 0)
        return false;
    transfer->got += (size_t)count;
    return true;
}

static bool
bulk_transfer_turn(struct bulk_transfer *transfer)
{
    const struct stream *from = &transfer->from->stream;
    const struct stream *to = &transfer->to->stream;
    bool pending = stream_is_pending(to);
    struct pollfd fds[2] = {
        {.fd = to->fd, .events = stream_read_events(to)},
        {.fd = transfer->sent < transfer->whole ? from->fd : -1,
         .events = stream_write_events(from)},
    };

    if (poll(fds, 2, pending ? 0 : STALL_MS) <= 0 && !pending)
        return false;
    if ((pending || fds[0].revents != 0) && !bulk_transfer_receive(transfer))
        return false;
    return fds[1].revents == 0 || bulk_transfer_send(transfer);
}

static size_t
bulk_count_word(const struct step *step)
{
    return (size_t)strtoull(step->words[2], NULL, 10);
}

/* "client bulk 1048576 server": all of it, and as it was. */
static bool
verb_bulk(struct play *play, struct actor *actor, const struct step *step)
{
    struct bulk_transfer transfer = {.from = actor,
                                     .to = play_actor(play, step->words[3]),
                                     .whole = bulk_count_word(step)};

    while (transfer.got < transfer.whole)
        if (!bulk_transfer_turn(&transfer))
            return play_fail(play, "%zu of %zu octets come as they were sent",
                             transfer.got, transfer.whole);
    trace_word(play->actors[0].trace, actor->name, '>', "all of it");
    return true;
}

/* How much is taken before nothing is, for `wait` ms, or before anything
   comes. With TLS that may be a ticket, which is nothing. */
static size_t
bulk_push(struct actor *actor, size_t most, int wait, uint8_t octet)
{
    uint8_t octets[CHUNK];
    size_t taken = 0;

    memset(octets, octet, sizeof octets);
    while (taken < most) {
        struct pollfd poller = {.fd = actor->stream.fd,
                                .events = POLLOUT | POLLIN};
        if (poll(&poller, 1, wait) <= 0)
            break;
        if (poller.revents & POLLIN) {
            actor_read(actor, 0);
            if (actor->len > 0 || actor->ending != ENDING_NONE)
                break;
        }
        ssize_t count = stream_write(&actor->stream, octets, CHUNK);
        if (count < 0 && count != -EAGAIN)
            break;
        taken += count > 0 ? (size_t)count : 0;
    }
    return taken;
}

/* "client floods 4194304": a field without its NUL; the server answers, ends
   or stops taking it before all of it is sent. */
static bool
verb_floods(struct play *play, struct actor *actor, const struct step *step)
{
    size_t most = bulk_count_word(step);
    size_t taken = bulk_push(actor, most, 1000, 'u');

    trace_word(actor->trace, actor->name, '>', "a field without end");
    return taken < most ||
           play_fail(play, "%zu octets are taken, and no end of it", taken);
}

/* "server stalls 67108864": the other side reads nothing, so that we are
   kept waiting before all of it is sent. */
static bool
verb_stalls(struct play *play, struct actor *actor, const struct step *step)
{
    size_t most = bulk_count_word(step);
    size_t taken = bulk_push(actor, most, 1000, 'd');

    trace_word(actor->trace, actor->name, '>', "as much as is taken");
    return taken < most ||
           play_fail(play, "%zu octets are taken that nobody reads", taken);
}

static bool
verb_sends_urgent(struct play *play, struct actor *actor,
                  const struct step *step)
{
    (void)step;
    return actor_send_urgent(actor, 0xf2) == 0 ||
           play_fail(play, "%s cannot send", actor->name);
}

/* The urgent octet, out of band. */
static bool
verb_gets_urgent(struct play *play, struct actor *actor,
                 const struct step *step)
{
    struct pollfd poller = {.fd = actor->stream.fd, .events = POLLPRI};
    uint8_t octet = 0;

    (void)step;
    if (poll(&poller, 1, STALL_MS) <= 0)
        return play_fail(play, "no urgent data comes to %s", actor->name);
    if (recv(actor->stream.fd, &octet, 1, MSG_OOB) != 1 || octet != 0xf2)
        return play_fail(play, "urgent is 0x%02x, not 0xf2", octet);
    return true;
}

const struct verb bulk_verbs[] = {
    {"bulk", verb_bulk},
    {"floods", verb_floods},
    {"stalls", verb_stalls},
    {"sends-urgent", verb_sends_urgent},
    {"gets-urgent", verb_gets_urgent},
    {NULL, NULL},
};
