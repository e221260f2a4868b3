/* Pipes, and splice between them and sockets. */

#include <errno.h>
#include <string.h>

#include "tests/scenario/sim_parts.h"

struct sim_pipe *
sim_pipe_new(int size)
{
    struct sim_pipe *pipe = sim_new(sizeof(*pipe));

    pipe->room = (unsigned)size / SIM_PAGE;
    if (pipe->room == 0)
        pipe->room = 1;
    if (pipe->room > SIM_SLOTS_MAX)
        pipe->room = SIM_SLOTS_MAX;
    pipe->ends = 2;
    return pipe;
}

/* One slot takes from one segment only: small segments use up the slots
   long before the octets. */
static size_t
fill_slot(struct sim_pipe *pipe, struct sim_sock *from, size_t count)
{
    struct sim_slot *slot =
        &pipe->slots[(pipe->first + pipe->count) % SIM_SLOTS_MAX];
    const uint8_t *octets;
    size_t there = sim_sock_peek(from, &octets);

    if (there == 0 || sim_sock_at_mark(from))
        return 0;
    if (there > count)
        there = count;
    if (there > SIM_PAGE)
        there = SIM_PAGE;
    memcpy(slot->octets, octets, there);
    slot->used = 0;
    slot->len = there;
    sim_sock_skip(from, there);
    pipe->count++;
    return there;
}

ssize_t
sim_pipe_fill(struct sim_pipe *pipe, struct sim_sock *from, size_t count)
{
    size_t done = 0;

    if (pipe->count == pipe->room)
        return -EAGAIN; /* before the socket is looked at */
    while (done < count && pipe->count < pipe->room) {
        size_t moved = fill_slot(pipe, from, count - done);
        if (moved == 0)
            break;
        done += moved;
    }
    return done > 0 ? (ssize_t)done : sim_sock_nothing(from);
}

ssize_t
sim_pipe_empty(struct sim_pipe *pipe, struct sim_sock *to, size_t count)
{
    size_t done = 0;

    if (pipe->count == 0)
        return pipe->write_closed ? 0 : -EAGAIN;
    while (done < count && pipe->count > 0) {
        struct sim_slot *slot = &pipe->slots[pipe->first];
        size_t there = slot->len - slot->used;
        if (there > count - done)
            there = count - done;
        ssize_t sent = sim_sock_send(to, slot->octets + slot->used, there);
        if (sent < 0)
            return done > 0 ? (ssize_t)done : sent;
        slot->used += (size_t)sent;
        done += (size_t)sent;
        if (slot->used == slot->len) {
            pipe->first = (pipe->first + 1) % SIM_SLOTS_MAX;
            pipe->count--;
        }
    }
    return (ssize_t)done;
}

ssize_t
sim_pipe_read(struct sim_pipe *pipe, uint8_t *octets, size_t room)
{
    size_t done = 0;

    if (pipe->count == 0)
        return pipe->write_closed ? 0 : -EAGAIN;
    while (done < room && pipe->count > 0) {
        struct sim_slot *slot = &pipe->slots[pipe->first];
        size_t there = slot->len - slot->used;
        if (there > room - done)
            there = room - done;
        memcpy(octets + done, slot->octets + slot->used, there);
        slot->used += there;
        done += there;
        if (slot->used == slot->len) {
            pipe->first = (pipe->first + 1) % SIM_SLOTS_MAX;
            pipe->count--;
        }
    }
    return (ssize_t)done;
}
