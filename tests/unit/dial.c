#include "socks4/dial.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#include "tests/unit/gateway_script.h"

#define CONNECT_WEB "\4\1\0\120\300\0\2\120me"
#define GRANTED "\0\132\0\120\300\0\2\120"
#define REJECTED "\0\133\0\120\300\0\2\120"
#define BIND_FTP "\4\2\0\25\300\0\2\25"
#define LISTENS "\0\132\234\100\0\0\0\0"
#define PEER "\0\132\0\24\300\0\2\25"
#define READS(octets)                                                          \
    {                                                                          \
        READ, octets, sizeof octets                                            \
    }
#define SAYS(octets)                                                           \
    {                                                                          \
        SAY, octets, sizeof octets - 1                                         \
    }
#define STAYS                                                                  \
    {                                                                          \
        UNTIL, NULL, 0                                                         \
    }
#define RESETS                                                                 \
    {                                                                          \
        RESET, NULL, 0                                                         \
    }
#define DRIPS(octets)                                                          \
    {                                                                          \
        DRIP, octets, sizeof octets - 1                                        \
    }

static const struct socks4_request to_web = {.command = SOCKS4_CONNECT,
                                             .dstport = 80,
                                             .dstip = 0xc0000250,
                                             .userid = "me",
                                             .userid_len = 2};
static const struct socks4_request from_ftp = {
    .command = SOCKS4_BIND, .dstport = 21, .dstip = 0xc0000215};

static struct socks4_dial
dial_to(const struct gateway *gateway, unsigned ms)
{
    return (struct socks4_dial){.gateway =
                                    (const struct sockaddr *)&gateway->at,
                                .gateway_len = gateway->at_len,
                                .deadline_ms = socks4_dial_deadline(ms),
                                .cancel = -1};
}

/* Dials a gateway that does these steps; nothing may stay open when it
   fails. `ms` is the time it has. */
static int
play(const struct step *steps, const struct socks4_request *request,
     unsigned ms, struct socks4_dialled *dialled)
{
    struct gateway gateway;
    struct socks4_dial dial;
    int result;

    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, ms);
    result = socks4_dial_open(&dial, request, 1, dialled);
    if (result == 0 && request->command == SOCKS4_BIND)
        result = socks4_dial_accept(&dial, dialled);
    assert_true(result == 0 || dialled->fd == -1);
    if (result == 0)
        close(dialled->fd);
    gateway_end(&gateway);
    return result;
}

static int
descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

static void
expect_read(int fd, const char *octets)
{
    char got[64] = {0};

    gateway_limit(fd);
    assert_int_equal(recv(fd, got, strlen(octets), MSG_WAITALL),
                     strlen(octets));
    assert_string_equal(got, octets);
}

/* [V4-3.3-11] */
static void
connects_and_leaves_the_first_octet_to_be_read(void **state)
{
    static const struct step steps[] = {
        READS(CONNECT_WEB), SAYS(GRANTED "220 hello"), STAYS, {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, &to_web, 1, &dialled), 0);
    assert_int_equal(dialled.client.state, SOCKS4_CLIENT_OPEN);
    assert_int_equal(fcntl(dialled.fd, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(dialled.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    expect_read(dialled.fd, "220 hello");
    close(dialled.fd);
    gateway_end(&gateway);
}

/* [V4-3.3-11] The reply's second half comes with the peer's first words. */
static void
reads_no_octet_of_the_applications(void **state)
{
    static const struct step steps[] = {READS(CONNECT_WEB),
                                        SAYS("\0\132\0\120"),
                                        {PAUSE, NULL, 30},
                                        SAYS("\300\0\2\120hello"),
                                        STAYS,
                                        {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, &to_web, 1, &dialled), 0);
    expect_read(dialled.fd, "hello");
    close(dialled.fd);
    gateway_end(&gateway);
}

/* [V4-4.2-7] [V4-4.3-8] */
static void
binds_tells_the_address_and_waits_for_the_peer(void **state)
{
    static const struct step steps[] = {READS(BIND_FTP),
                                        DRIPS(LISTENS),
                                        DRIPS(PEER "list"),
                                        STAYS,
                                        {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, &from_ftp, 1, &dialled), 0);
    assert_int_equal(dialled.client.state, SOCKS4_CLIENT_PEER);
    assert_int_equal(dialled.client.bound_ip, INADDR_LOOPBACK);
    assert_int_equal(dialled.client.bound_port, 40000);
    assert_int_equal(socks4_dial_accept(&dial, &dialled), 0);
    assert_int_equal(dialled.client.reply.dstip, 0xc0000215);
    assert_int_equal(dialled.client.reply.dstport, 20);
    expect_read(dialled.fd, "list");
    close(dialled.fd);
    gateway_end(&gateway);
}

static void
reaches_a_gateway_over_ipv6(void **state)
{
    static const struct step steps[] = {
        READS(BIND_FTP), SAYS(LISTENS), STAYS, {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET6, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, &from_ftp, 1, &dialled), 0);
    assert_int_equal(dialled.client.bound_port, 40000);
    assert_int_equal(dialled.client.bound_ip, 0); /* none that is IPv4 */
    close(dialled.fd);
    gateway_end(&gateway);
}

/* Each gateway is asked for the next one, under its own USERID. */
static void
goes_through_a_chain(void **state)
{
    static const struct step steps[] = {READS("\4\1\4\70\300\0\2\1one"),
                                        SAYS(GRANTED),
                                        READS("\4\1\4\70\0\0\0\1\0two.test"),
                                        DRIPS(GRANTED),
                                        READS(BIND_FTP),
                                        SAYS(LISTENS PEER),
                                        STAYS,
                                        {0, NULL, 0}};
    struct socks4_request requests[] = {{.command = SOCKS4_CONNECT,
                                         .dstip = 0xc0000201,
                                         .dstport = 1080,
                                         .userid = "one",
                                         .userid_len = 3},
                                        {.command = SOCKS4_CONNECT,
                                         .dstip = 1,
                                         .dstport = 1080,
                                         .domain = "two.test",
                                         .domain_len = 8},
                                        from_ftp};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, requests, 3, &dialled), 0);
    assert_int_equal(dialled.hop, 2);
    assert_int_equal(dialled.client.bound_ip, 0); /* a name's: not known */
    assert_int_equal(socks4_dial_accept(&dial, &dialled), 0);
    close(dialled.fd);
    gateway_end(&gateway);
    requests[1].command = SOCKS4_BIND;
    assert_int_equal(socks4_dial_open(&dial, requests, 3, &dialled), -EINVAL);
}

/* [V4-4.2-7] */
static void
takes_the_last_gateway_of_a_chain_for_the_listener(void **state)
{
    static const struct step steps[] = {READS("\4\1\4\70\300\0\2\1"),
                                        SAYS(GRANTED),
                                        READS(BIND_FTP),
                                        SAYS(LISTENS),
                                        STAYS,
                                        {0, NULL, 0}};
    const struct socks4_request requests[] = {
        {.command = SOCKS4_CONNECT, .dstip = 0xc0000201, .dstport = 1080},
        from_ftp};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, requests, 2, &dialled), 0);
    assert_int_equal(dialled.client.bound_ip, 0xc0000201);
    close(dialled.fd);
    gateway_end(&gateway);
}

static void
says_which_gateway_of_a_chain_refused(void **state)
{
    static const struct step steps[] = {READS("\4\1\4\70\300\0\2\1"),
                                        SAYS(GRANTED),
                                        READS(CONNECT_WEB),
                                        SAYS(REJECTED),
                                        STAYS,
                                        {0, NULL, 0}};
    const struct socks4_request requests[] = {
        {.command = SOCKS4_CONNECT, .dstip = 0xc0000201, .dstport = 1080},
        to_web};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, requests, 2, &dialled), 91);
    assert_int_equal(dialled.hop, 1);
    assert_int_equal(dialled.fd, -1);
    gateway_end(&gateway);
}

/* A gateway, what it does, and what comes of it. */
static const struct misdeed {
    const struct socks4_request *request;
    int result, error;
    struct step steps[6];
} misdeeds[] = {
    {&to_web, 91, 0, {READS(CONNECT_WEB), SAYS(REJECTED)}},
    {&to_web, 92, 0, {READS(CONNECT_WEB), DRIPS("\0\134\0\0\0\0\0\0")}},
    {&to_web, 93, 0, {READS(CONNECT_WEB), SAYS("\0\135\0\0\0\0\0\0")}},
    {&to_web, 91, 0, {SAYS(REJECTED), STAYS}},
    {&to_web, -EPROTO, SOCKS4_E_NO_REPLY, {READS(CONNECT_WEB)}},
    {&to_web, -EPROTO, SOCKS4_E_SHORT, {READS(CONNECT_WEB), SAYS("\0\132\0")}},
    {&to_web,
     -EPROTO,
     SOCKS4_E_VERSION,
     {READS(CONNECT_WEB), SAYS("\4\132\0\0\0\0\0\0"), STAYS}},
    {&to_web,
     -EPROTO,
     SOCKS4_E_CODE,
     {READS(CONNECT_WEB), SAYS("\0\136\0\0\0\0\0\0"), STAYS}},
    {&to_web, -EPROTO, SOCKS4_E_VERSION, {SAYS("HTTP/1.0 400 "), STAYS}},
    {&to_web, -ECONNRESET, 0, {READS(CONNECT_WEB), RESETS}},
    {&to_web, -ECONNRESET, 0, {READS(CONNECT_WEB), SAYS("\0"), RESETS}},
    {&to_web, -ETIMEDOUT, 0, {READS(CONNECT_WEB), STAYS}},
    {&to_web, -ETIMEDOUT, 0, {READS(CONNECT_WEB), DRIPS("\0\132\0"), STAYS}},
    {&from_ftp, 91, 0, {READS(BIND_FTP), SAYS(REJECTED)}},
    {&from_ftp, 91, 0, {READS(BIND_FTP), SAYS(LISTENS "\0\133\0\0\0\0\0\0")}},
    {&from_ftp, -EPROTO, SOCKS4_E_NO_REPLY, {READS(BIND_FTP), SAYS(LISTENS)}},
    {&from_ftp,
     -EPROTO,
     SOCKS4_E_SHORT,
     {READS(BIND_FTP), DRIPS(LISTENS), SAYS("\0\132\0\0\0\0\0")}},
    {&from_ftp,
     -EPROTO,
     SOCKS4_E_VERSION,
     {READS(BIND_FTP), SAYS(LISTENS), SAYS("\5\0"), STAYS}},
    {&from_ftp, -ECONNRESET, 0, {READS(BIND_FTP), SAYS(LISTENS), RESETS}},
    {&from_ftp, -ETIMEDOUT, 0, {READS(BIND_FTP), SAYS(LISTENS), STAYS}},
    {&from_ftp,
     0,
     0,
     {READS(BIND_FTP), DRIPS(LISTENS), {PAUSE, NULL, 50}, DRIPS(PEER), STAYS}},
};

/* [V4-3.3-1] [V4-3.3-5] [V4-3.3-6] [V4-3.3-7] [V4-4.3-6] */
static void
has_a_clear_answer_to_whatever_a_gateway_does(void **state)
{
    int before = descriptors();

    (void)state;
    for (size_t i = 0; i < COUNT(misdeeds); i++) {
        const struct misdeed *misdeed = &misdeeds[i];
        unsigned ms = misdeed->result == -ETIMEDOUT ? 100 : 5000;
        struct socks4_dialled dialled;

        assert_int_equal(play(misdeed->steps, misdeed->request, ms, &dialled),
                         misdeed->result);
        assert_int_equal(dialled.client.error, misdeed->error);
    }
    assert_int_equal(descriptors(), before);
}

static void
forgives_where_it_is_told_to(void **state)
{
    static const struct step steps[] = {
        READS(CONNECT_WEB), SAYS("\4\1"), {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    dial.lenient = 1;
    assert_int_equal(socks4_dial_open(&dial, &to_web, 1, &dialled), 91);
    assert_int_equal(dialled.client.code, 1);
    assert_int_equal(dialled.client.forgave, 7);
    gateway_end(&gateway);
}

/* The thread that cancels does so after the gateway has read the request. */
static void
stops_when_the_descriptor_beside_it_is_readable(void **state)
{
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    gateway_listen(&gateway, AF_INET);
    dial = dial_to(&gateway, 30000);
    dial.cancel = ends[0];
    assert_int_equal(write(ends[1], "", 1), 1);
    assert_int_equal(socks4_dial_open(&dial, &to_web, 1, &dialled), -ECANCELED);
    assert_int_equal(dialled.fd, -1);
    close(gateway.listener);
    close(ends[0]);
    close(ends[1]);
}

struct alarm_clock {
    int fd;
    unsigned ms;
};

static void *
ring(void *argument)
{
    const struct alarm_clock *clock = argument;

    usleep(clock->ms * 1000);
    assert(write(clock->fd, "", 1) == 1);
    return NULL;
}

static void
stops_a_wait_from_another_thread(void **state)
{
    static const struct step steps[] = {
        READS(BIND_FTP), SAYS(LISTENS), STAYS, {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;
    struct alarm_clock clock = {.ms = 30};
    pthread_t thread;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    dial.cancel = ends[0];
    assert_int_equal(socks4_dial_open(&dial, &from_ftp, 1, &dialled), 0);
    clock.fd = ends[1];
    assert_int_equal(pthread_create(&thread, NULL, ring, &clock), 0);
    assert_int_equal(socks4_dial_accept(&dial, &dialled), -ECANCELED);
    assert_int_equal(dialled.fd, -1);
    pthread_join(thread, NULL);
    gateway_end(&gateway);
    close(ends[0]);
    close(ends[1]);
}

static void
says_why_it_cannot_connect_or_send(void **state)
{
    struct socks4_request request = to_web;
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;

    (void)state;
    gateway_listen(&gateway, AF_INET);
    dial = dial_to(&gateway, 30000);
    request.command = 3;
    assert_int_equal(socks4_dial_open(&dial, &request, 1, &dialled), -EINVAL);
    assert_int_equal(dialled.client.error, SOCKS4_E_COMMAND);
    close(gateway.listener);
    assert_int_equal(socks4_dial_open(&dial, &to_web, 1, &dialled),
                     -ECONNREFUSED);
    assert_int_equal(dialled.fd, -1);
}

static void
leaves_a_descriptor_of_its_callers_as_it_was(void **state)
{
    static const struct step steps[] = {
        READS(CONNECT_WEB), SAYS(GRANTED "x"), STAYS, {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;
    int fd;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, dial.gateway, dial.gateway_len), -1);
    assert_int_equal(errno, EINPROGRESS);
    assert_int_equal(socks4_dial_over(fd, &dial, &to_web, 1, &dialled), 0);
    assert_int_equal(dialled.fd, fd);
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    close(fd);
    gateway_end(&gateway);
}

/* A stream of its own kind over a socket: each octet is inverted and moved
   alone, every other call is interrupted or not ready, and a read that is not
   ready waits for the socket to be writable, as TLS does in a key update. */
struct odd_stream {
    int fd;
    unsigned calls;
    short events;
    int fault; /* what the third read of the reply fails with; 0: it does not */
    unsigned reads;
};

static int
odd_is_delayed(struct odd_stream *odd, short events)
{
    odd->events = events;
    odd->calls++;
    return odd->calls % 3 == 1 ? -EINTR : odd->calls % 3 == 2 ? -EAGAIN : 0;
}

static ssize_t
odd_read(void *context, void *octets, size_t count)
{
    struct odd_stream *odd = context;
    int delay = odd_is_delayed(odd, POLLOUT);
    ssize_t got;

    assert_true(count > 0);
    if (delay != 0)
        return delay;
    if (odd->fault != 0 && ++odd->reads == 3)
        return odd->fault;
    odd->events = POLLIN;
    got = recv(odd->fd, octets, 1, MSG_DONTWAIT);
    if (got == 1)
        *(uint8_t *)octets ^= 0xff;
    return got < 0 ? -errno : got;
}

static ssize_t
odd_write(void *context, const void *octets, size_t count)
{
    struct odd_stream *odd = context;
    uint8_t octet = *(const uint8_t *)octets ^ 0xff;
    int delay = odd_is_delayed(odd, POLLOUT);
    ssize_t put;

    assert_true(count > 0);
    if (delay != 0)
        return delay;
    put = send(odd->fd, &octet, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    return put < 0 ? -errno : put;
}

static short
odd_events(void *context)
{
    return ((struct odd_stream *)context)->events;
}

static struct socks4_stream
odd_open(struct odd_stream *odd, int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    *odd = (struct odd_stream){.fd = ends[0]};
    return (struct socks4_stream){.context = odd,
                                  .fd = ends[0],
                                  .read = odd_read,
                                  .write = odd_write,
                                  .events = odd_events};
}

static void
odd_say(int fd, const char *octets, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t octet = (uint8_t)octets[i] ^ 0xff;
        assert_int_equal(write(fd, &octet, 1), 1);
    }
}

/* [V4-3.3-11] [V4-4.2-7] [V4-4.3-8] */
static void
runs_over_a_stream_of_its_callers(void **state)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(0xc6336401)}};
    struct socks4_dial dial = {.gateway = (struct sockaddr *)&at,
                               .gateway_len = sizeof at,
                               .deadline_ms = socks4_dial_deadline(5000),
                               .cancel = -1};
    static const char request[] = BIND_FTP;
    struct socks4_dialled dialled;
    struct odd_stream odd;
    uint8_t octets[64];
    int ends[2];
    struct socks4_stream stream = odd_open(&odd, ends);

    (void)state;
    odd_say(ends[1], LISTENS PEER "list", 20);
    assert_int_equal(
        socks4_dial_over_stream(&stream, &dial, &from_ftp, 1, &dialled), 0);
    assert_int_equal(dialled.fd, -1);
    assert_int_equal(dialled.client.bound_ip, 0xc6336401);
    assert_int_equal(dialled.client.bound_port, 40000);
    assert_int_equal(socks4_dial_accept(&dial, &dialled), -EINVAL);
    assert_int_equal(socks4_dial_accept_stream(&stream, &dial, &dialled), 0);
    assert_int_equal(dialled.client.reply.dstip, 0xc0000215);
    assert_int_equal(recv(ends[0], octets, sizeof octets, 0), 4);
    assert_int_equal(octets[0], 'l' ^ 0xff);
    assert_int_equal(recv(ends[1], octets, sizeof octets, 0), sizeof request);
    for (size_t i = 0; i < sizeof request; i++)
        assert_int_equal(octets[i] ^ 0xff, (uint8_t)request[i]);
    close(ends[0]);
    close(ends[1]);
}

static void
says_what_a_stream_of_its_callers_did(void **state)
{
    static const struct {
        int fault, result, error;
        const char *answer;
        size_t count;
        bool closes;
    } rows[] = {
        {0, 91, 0, REJECTED, 8, false},
        {0, -EPROTO, SOCKS4_E_SHORT, GRANTED, 7, true},
        {0, -EPROTO, SOCKS4_E_NO_REPLY, GRANTED, 0, true},
        {0, -ETIMEDOUT, 0, GRANTED, 7, false},
        {-EBADMSG, -EBADMSG, 0, GRANTED, 8, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct socks4_dial dial = {
            .deadline_ms =
                socks4_dial_deadline(rows[i].result == -ETIMEDOUT ? 100 : 5000),
            .cancel = -1};
        struct socks4_dialled dialled;
        struct odd_stream odd;
        int ends[2];
        struct socks4_stream stream = odd_open(&odd, ends);

        odd.fault = rows[i].fault;
        odd_say(ends[1], rows[i].answer, rows[i].count);
        if (rows[i].closes)
            shutdown(ends[1], SHUT_WR);
        assert_int_equal(
            socks4_dial_over_stream(&stream, &dial, &to_web, 1, &dialled),
            rows[i].result);
        assert_int_equal(dialled.fd, -1);
        assert_int_equal(dialled.client.error, rows[i].error);
        close(ends[0]);
        close(ends[1]);
    }
}

/* What was written before the other side left may have been answered. */
static void
reads_the_reply_of_a_stream_that_takes_no_more(void **state)
{
    struct socks4_dial dial = {.deadline_ms = socks4_dial_deadline(5000),
                               .cancel = -1};
    struct socks4_dialled dialled;
    struct odd_stream odd;
    int ends[2];
    struct socks4_stream stream = odd_open(&odd, ends);

    (void)state;
    odd_say(ends[1], REJECTED, 8);
    close(ends[1]);
    assert_int_equal(
        socks4_dial_over_stream(&stream, &dial, &to_web, 1, &dialled), 91);
    close(ends[0]);
}

/* As TLS that has to write in order to read: nothing comes to the socket. */
static ssize_t
writing_read(void *context, void *octets, size_t count)
{
    static const uint8_t reply[SOCKS4_REPLY_SIZE] = {0, SOCKS4_REJECTED};
    struct odd_stream *odd = context;

    odd->events = POLLOUT;
    if (odd->reads++ == 0)
        return -EAGAIN;
    assert_int_equal(count, sizeof(reply));
    memcpy(octets, reply, sizeof(reply));
    return sizeof(reply);
}

static void
waits_for_what_a_stream_says(void **state)
{
    struct socks4_dial dial = {.deadline_ms = socks4_dial_deadline(1000),
                               .cancel = -1};
    struct socks4_dialled dialled;
    struct odd_stream odd;
    int ends[2];
    struct socks4_stream stream = odd_open(&odd, ends);

    (void)state;
    stream.read = writing_read;
    assert_int_equal(
        socks4_dial_over_stream(&stream, &dial, &to_web, 1, &dialled), 91);
    close(ends[0]);
    close(ends[1]);
}

/* --- Version 5 --- */

static const struct socks4_v5_request v5_from_ftp = {
    .command = SOCKS4_V5_BIND,
    .address = {.type = SOCKS4_V5_IPV4, .port = 21, .ip4 = 0xc0000215}};
static const struct socks4_v5_password v5_me = {
    .user = "me", .user_len = 2, .password = "secret", .password_len = 6};

static void
speaks_version_5_over_a_stream_and_leaves_the_rest(void **state)
{
    static const char says[] = "\5\2\1\0"
                               "\5\0\0\1\300\0\2\1\234\100"
                               "\5\0\0\1\300\0\2\25\0\24list";
    static const char wanted[] = "\5\2\0\2\1\2me\6secret"
                                 "\5\2\0\1\300\0\2\25\0\25";
    struct socks4_dial dial = {.deadline_ms = socks4_dial_deadline(5000),
                               .cancel = -1};
    struct socks4_v5_client client;
    struct odd_stream odd;
    uint8_t octets[64];
    int ends[2];
    struct socks4_stream stream = odd_open(&odd, ends);

    (void)state;
    odd_say(ends[1], says, sizeof says - 1);
    assert_int_equal(socks4_v5_dial_over_stream(&stream, &dial, &v5_from_ftp,
                                                &v5_me, &client),
                     0);
    assert_int_equal(client.bound.port, 40000);
    assert_int_equal(socks4_v5_dial_accept_stream(&stream, &dial, &client), 0);
    assert_int_equal(client.bound.ip4, 0xc0000215);
    assert_int_equal(socks4_v5_dial_accept_stream(&stream, &dial, &client),
                     -EINVAL);
    assert_int_equal(recv(ends[0], octets, sizeof octets, 0), 4);
    assert_int_equal(recv(ends[1], octets, sizeof octets, 0),
                     sizeof wanted - 1);
    for (size_t i = 0; i < sizeof wanted - 1; i++)
        assert_int_equal(octets[i] ^ 0xff, (uint8_t)wanted[i]);
    close(ends[0]);
    close(ends[1]);
}

static void
says_what_a_server_of_version_5_did(void **state)
{
    static const struct {
        int result, error;
        const char *says;
        size_t count;
        bool closes; /* at once: nothing can be sent to it */
    } rows[] = {
        {2, 0, "\5\0\5\2\0\1\0\0\0\0\0\0", 12, false},
        {255, 0, "\5\0\5\377\0\1\0\0\0\0\0\0", 12, false},
        {-EACCES, SOCKS4_E_V5_UNACCEPTABLE, "\5\377", 2, true},
        {-EACCES, SOCKS4_E_V5_DENIED, "\5\2\1\1", 4, false},
        {-EPROTO, SOCKS4_E_V5_VERSION, "\0\133", 2, true},
        {-EPROTO, SOCKS4_E_NO_REPLY, "", 0, true},
        {-ETIMEDOUT, 0, "\5\0\5", 3, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct socks4_dial dial = {
            .deadline_ms =
                socks4_dial_deadline(rows[i].result == -ETIMEDOUT ? 100 : 5000),
            .cancel = -1};
        struct socks4_v5_client client;
        struct odd_stream odd;
        int ends[2];
        struct socks4_stream stream = odd_open(&odd, ends);

        odd_say(ends[1], rows[i].says, rows[i].count);
        if (rows[i].closes)
            close(ends[1]);
        assert_int_equal(socks4_v5_dial_over_stream(
                             &stream, &dial, &v5_from_ftp, &v5_me, &client),
                         rows[i].result);
        assert_int_equal(client.error, rows[i].error);
        close(ends[0]);
        if (!rows[i].closes)
            close(ends[1]);
    }
}

/* A connection that socks4_dial_open has opened for it. */
static void
speaks_version_5_over_a_descriptor(void **state)
{
    static const struct step steps[] = {READS("\5\1"), /* and the NUL of it */
                                        SAYS("\5\0"),
                                        {READ, "\5\2\0\1\300\0\2\25\0\25", 10},
                                        {PAUSE, NULL, 1},
                                        SAYS("\5\0\0\1\300\0\2\1\234\100"),
                                        SAYS("\5\6\0\1\0\0\0\0\0\0"),
                                        STAYS,
                                        {0, NULL, 0}};
    struct gateway gateway;
    struct socks4_dial dial;
    struct socks4_dialled dialled;
    struct socks4_v5_client client;

    (void)state;
    gateway_start(&gateway, AF_INET, steps);
    dial = dial_to(&gateway, 30000);
    assert_int_equal(socks4_dial_open(&dial, NULL, 0, &dialled), 0);
    assert_int_equal(
        socks4_v5_dial_over(dialled.fd, &dial, &v5_from_ftp, NULL, &client), 0);
    assert_int_equal(client.state, SOCKS4_V5_CLIENT_PEER);
    assert_int_equal(socks4_v5_dial_accept(dialled.fd, &dial, &client), 6);
    close(dialled.fd);
    gateway_end(&gateway);
}

static void
stops_a_wait_over_a_stream(void **state)
{
    struct socks4_dial dial = {.deadline_ms = socks4_dial_deadline(5000)};
    struct socks4_dialled dialled;
    struct odd_stream odd;
    int ends[2], cancel[2];
    struct socks4_stream stream = odd_open(&odd, ends);

    (void)state;
    assert_int_equal(pipe(cancel), 0);
    assert_int_equal(write(cancel[1], "", 1), 1);
    dial.cancel = cancel[0];
    assert_int_equal(
        socks4_dial_over_stream(&stream, &dial, &to_web, 1, &dialled),
        -ECANCELED);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(cancel[i]);
    }
}

static void *
dial_once(void *argument)
{
    static const struct step steps[] = {
        READS(CONNECT_WEB), DRIPS(GRANTED), STAYS, {0, NULL, 0}};
    struct socks4_dialled dialled;
    intptr_t result = 0;

    (void)argument;
    for (int i = 0; i < 5 && result == 0; i++)
        result = play(steps, &to_web, 5000, &dialled);
    return (void *)result;
}

static void
serves_many_threads_at_once(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (size_t i = 0; i < COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, dial_once, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *result;

        pthread_join(threads[i], &result);
        assert_null(result);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_and_leaves_the_first_octet_to_be_read),
        cmocka_unit_test(reads_no_octet_of_the_applications),
        cmocka_unit_test(binds_tells_the_address_and_waits_for_the_peer),
        cmocka_unit_test(reaches_a_gateway_over_ipv6),
        cmocka_unit_test(goes_through_a_chain),
        cmocka_unit_test(takes_the_last_gateway_of_a_chain_for_the_listener),
        cmocka_unit_test(says_which_gateway_of_a_chain_refused),
        cmocka_unit_test(has_a_clear_answer_to_whatever_a_gateway_does),
        cmocka_unit_test(forgives_where_it_is_told_to),
        cmocka_unit_test(stops_when_the_descriptor_beside_it_is_readable),
        cmocka_unit_test(stops_a_wait_from_another_thread),
        cmocka_unit_test(says_why_it_cannot_connect_or_send),
        cmocka_unit_test(leaves_a_descriptor_of_its_callers_as_it_was),
        cmocka_unit_test(runs_over_a_stream_of_its_callers),
        cmocka_unit_test(says_what_a_stream_of_its_callers_did),
        cmocka_unit_test(reads_the_reply_of_a_stream_that_takes_no_more),
        cmocka_unit_test(waits_for_what_a_stream_says),
        cmocka_unit_test(speaks_version_5_over_a_stream_and_leaves_the_rest),
        cmocka_unit_test(says_what_a_server_of_version_5_did),
        cmocka_unit_test(speaks_version_5_over_a_descriptor),
        cmocka_unit_test(stops_a_wait_over_a_stream),
        cmocka_unit_test(serves_many_threads_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
