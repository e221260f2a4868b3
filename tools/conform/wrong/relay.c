/* Octets both ways, their ends, and what goes wrong with them. */

#define _DEFAULT_SOURCE
#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"

#include <linux/sockios.h> /* SIOCATMARK */

#define CHUNK 16384
#define STALL_MS 30000
#define HELD_MS 20
#define RESET_MS 20
#define TAKEN_MS 2000
#define SLOW_MS 150 /* a reader that is this slow reads nothing */

struct wrong_half {
    const struct session *session;
    int from;
    int to;
    bool ended;
    bool to_client;
    bool slow; /* its reader was waited for in vain */
    int held;  /* octets that wait until there are more */
    size_t moved;
};

enum relay_step {
    STEP_ON,
    STEP_OVER,   /* of the session */
    STEP_BROKEN, /* a write failed: the connection it went to is aborted */
};

/* A reset drops what the other side's kernel has not taken yet. */
static void
relay_await_taken(int fd)
{
    uint64_t until = session_now() + TAKEN_MS;
    int left = 0;

    while (ioctl(fd, SIOCOUTQ, &left) == 0 && left > 0 && session_now() < until)
        usleep(1000);
}

/* The connection that `half` reads was aborted, and all it had sent has been
   passed on: now the other one is. */
static enum relay_step
relay_pass_reset(const struct wrong_half *half)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    session_ended_by(half->session, half->to_client
                                        ? "the application server, with a reset"
                                        : "the client, with a reset");
    if (defect_is(DEFECT_RESET_AS_FIN)) {
        shutdown(half->to, SHUT_WR);
        return STEP_OVER;
    }
    relay_await_taken(half->to);
    setsockopt(half->to, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return STEP_OVER;
}

static enum relay_step
relay_pass_end(struct wrong_half *half)
{
    half->ended = true;
    session_ended_by(half->session,
                     half->to_client ? "the application server" : "the client");
    if (defect_is(DEFECT_FIN_LOST))
        return STEP_ON;
    shutdown(half->to, SHUT_WR);
    if (half->to_client ? defect_is(DEFECT_SERVER_FIN_ENDS)
                        : defect_is(DEFECT_CLIENT_FIN_ENDS))
        return STEP_OVER;
    return STEP_ON;
}

/* All of it; whether it could be. */
static bool
relay_send_all(const struct wrong_half *half, const uint8_t *octets, size_t len,
               int flags)
{
    while (len > 0) {
        ssize_t count = send(half->to, octets, len, MSG_NOSIGNAL | flags);
        if (count <= 0)
            return false;
        if (half->to_client)
            half->session->tally->out += (size_t)count;
        octets += count;
        len -= (size_t)count;
    }
    return true;
}

static void
relay_note_received(const struct wrong_half *half, ssize_t count)
{
    if (!half->to_client)
        half->session->tally->in += (size_t)count;
}

static enum relay_step
relay_pass_urgent(struct wrong_half *half)
{
    uint8_t octet;

    if (recv(half->from, &octet, 1, 0) != 1)
        return relay_pass_reset(half);
    relay_note_received(half, 1);
    relay_send_all(half, &octet, 1,
                   defect_is(DEFECT_URGENT_LOST) ? 0 : MSG_OOB);
    return STEP_ON;
}

/* Before the last octets of the stream, which its sender has ended. What is
   little may be the last: its end is given time to come. */
static bool
relay_is_tail(const struct wrong_half *half)
{
    struct pollfd poller = {.fd = half->from, .events = POLLRDHUP};
    int there = 0;

    if (half->to_client && ioctl(half->from, FIONREAD, &there) == 0 &&
        there < CHUNK)
        poll(&poller, 1, 100);
    return half->to_client && half->moved > 0 && poll(&poller, 1, 0) > 0 &&
           (poller.revents & POLLRDHUP);
}

/* Whether a reset comes, or is about to, behind what is there to read. */
static bool
relay_is_before_reset(const struct wrong_half *half)
{
    struct pollfd poller = {.fd = half->from};

    return poll(&poller, 1, RESET_MS) > 0 && (poller.revents & POLLERR);
}

/* What a connection had received when a write to it failed is still read; the
   error, and with it the difference to an orderly end, went to the writer. */
static enum relay_step
relay_drain(struct wrong_half *half)
{
    uint8_t octets[CHUNK];
    ssize_t count;

    while ((count = recv(half->from, octets, CHUNK, MSG_DONTWAIT)) > 0) {
        relay_note_received(half, count);
        if (!relay_send_all(half, octets, (size_t)count, 0))
            break;
    }
    return relay_pass_reset(half);
}

/* Whether the other side's reader has stopped; once is for good. */
static bool
relay_is_slow(struct wrong_half *half)
{
    if (!half->slow)
        half->slow = !session_wait(half->to, POLLOUT, session_now() + SLOW_MS);
    return half->slow;
}

static ssize_t
relay_drop_returns(uint8_t *octets, ssize_t count)
{
    ssize_t kept = 0;

    for (ssize_t i = 0; i < count; i++)
        if (octets[i] != '\r')
            octets[kept++] = octets[i];
    return kept;
}

static enum relay_step
relay_pass_octets(struct wrong_half *half)
{
    uint8_t octets[CHUNK];
    bool lost = defect_is(DEFECT_TAIL_LOST) && relay_is_tail(half);

    if (defect_is(DEFECT_RESET_DATA_LOST) && relay_is_before_reset(half))
        return relay_pass_reset(half);
    ssize_t count = recv(half->from, octets, sizeof octets, 0);

    if (count < 0)
        return relay_pass_reset(half);
    if (count == 0)
        return relay_pass_end(half);
    relay_note_received(half, count);
    for (ssize_t i = 0; i < count && defect_is(DEFECT_SEVEN_BITS); i++)
        octets[i] &= 0x7f;
    if (defect_is(DEFECT_NEWLINES))
        count = relay_drop_returns(octets, count);
    half->moved += (size_t)count;
    if (lost)
        return STEP_ON;
    if (defect_is(DEFECT_NO_BACK_PRESSURE) && relay_is_slow(half))
        return STEP_ON; /* as if it were kept */
    if (!relay_send_all(half, octets, (size_t)count, 0))
        return STEP_BROKEN;
    return STEP_ON;
}

static enum relay_step
relay_pass(struct wrong_half *half)
{
    int mark = 0;

    if (ioctl(half->from, SIOCATMARK, &mark) < 0)
        return relay_pass_reset(half);
    return mark ? relay_pass_urgent(half) : relay_pass_octets(half);
}

static int
relay_octets_there(const struct wrong_half *half)
{
    int there = 0;
    return ioctl(half->from, FIONREAD, &there) == 0 ? there : 0;
}

static bool
relay_may_read(struct wrong_half *half, const struct wrong_half *other)
{
    if (half->held > 0 && relay_octets_there(half) == half->held)
        return false;
    half->held = 0;
    return !half->ended && !(defect_is(DEFECT_CLIENT_FIRST) &&
                             half->to_client && other->moved == 0);
}

static enum relay_step
relay_turn_halves(struct wrong_half halves[2])
{
    struct pollfd fds[2];

    for (unsigned i = 0; i < 2; i++)
        fds[i] = (struct pollfd){
            .fd = relay_may_read(&halves[i], &halves[1 - i]) ? halves[i].from
                                                             : -1,
            .events = POLLIN};
    /* an end that is known still can become a reset */
    for (unsigned i = 0; i < 2; i++)
        if (halves[i].ended)
            fds[i] = (struct pollfd){.fd = halves[i].from};
    if (halves[0].held > 0) {
        poll(fds, 2, HELD_MS);
    } else if (poll(fds, 2, STALL_MS) <= 0) {
        return STEP_OVER;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (halves[i].ended && (fds[i].revents & POLLERR))
            return relay_pass_reset(&halves[i]);
        if (halves[i].ended || fds[i].revents == 0)
            continue;
        enum relay_step step = relay_pass(&halves[i]);
        if (step == STEP_BROKEN)
            return relay_drain(&halves[1 - i]);
        if (step == STEP_OVER)
            return STEP_OVER;
    }
    return STEP_ON;
}

void
session_relay(const struct session *session, int server)
{
    struct wrong_half halves[2] = {
        {.session = session,
         .from = session->fd,
         .to = server,
         .held = session->held},
        {.session = session,
         .from = server,
         .to = session->fd,
         .to_client = true},
    };

    while (!(halves[0].ended && halves[1].ended))
        if (relay_turn_halves(halves) == STEP_OVER)
            return;
    if (defect_is(DEFECT_FIN_LOST))
        usleep(FOR_EVER_MS * 1000);
}
