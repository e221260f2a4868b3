#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/channel.h"
#include "gateway/link_message.h"
#include "gateway/resolver/resolver.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

/*
 * The resolver's side of its channels: the monitor's messages, the queries of
 * workers that may have been taken over, and what a DNS server answers. The
 * input says what they do, a step after the other. Whatever comes, a worker
 * gets one answer to each of its queries, with at most 64 addresses, or none
 * where it has cancelled it; and when the links are closed nothing is left of
 * them.
 */

#define LINKS 3
#define STEPS_MAX 64
#define SOCKETS_MAX 16 /* few: what has no room is the rule */

static uint64_t clock_us = 1000000;

uint64_t __wrap_sys_now_us(void);

uint64_t
__wrap_sys_now_us(void)
{
    return clock_us;
}

/* One for all inputs: most of the time would go into its pools. */
static struct resolver resolver;
static int monitor, dns;

/* The worker's end; how often it has asked by each id without an answer; and
   whether it has cancelled that. */
static struct worker {
    int link; /* -1: none */
    unsigned asked[256];
    bool asks_v6[256]; /* one of them */
    bool cancelled[256];
} workers[LINKS];

/* --- the monitor --------------------------------------------------------- */

/* Room for few answers, so that it is soon full. */
static int
make_link(struct worker *worker)
{
    int ends[2], room = 1;
    assert(channel_pair(ends) == 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    if (worker->link != -1)
        close(worker->link);
    *worker = (struct worker){.link = ends[0]};
    return ends[1];
}

/* No descriptor has room, from now on or no more. */
static void
limit_descriptors(bool full)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = full ? 3 : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void
send_message(struct input *input)
{
    struct channel_message message = {.kind = take(input),
                                      .arg = (uint32_t)(int8_t)take(input)};
    uint8_t with = take(input);
    int fd = -1;

    if (message.kind % 4 == 0)
        message.kind = CHANNEL_LINK;
    if (with % 4 == 1)
        fd = dup(dns);
    else if (with % 4 >= 2 && message.arg < LINKS)
        fd = make_link(&workers[message.arg]);
    if (channel_send(monitor, &message, fd) == 0 && with % 4 == 3) {
        limit_descriptors(true);
        loop_turn(&resolver.loop, 0);
        limit_descriptors(false);
    }
    if (fd != -1)
        close(fd);
}

/* --- workers ------------------------------------------------------------- */

static void
send_queries(struct worker *worker, struct input *input)
{
    uint8_t kind = take(input);
    struct lookup_query query = {
        .kind = kind % 8 == 0 ? LOOKUP_CANCEL : LOOKUP_ASK,
        .families = kind / 8u % 4 == 0 ? LOOKUP_V4 : kind / 8u % 4};
    uint8_t name[256];
    unsigned first = take(input), count = 1 + take(input) % 4u * 12;
    query.timeout_ms = take(input) * 50u;
    query.source = take(input) % 4u;
    size_t len = take_octets(input, name);

    query.len = (uint8_t)len;
    memcpy(query.name, name, len);
    for (unsigned i = 0; i < count; i++) {
        query.id = (first + i) % 256;
        if (len > 2 && i > 0)
            query.name[1] = (char)('a' + i % 26); /* another name */
        if (link_message_send(worker->link, &query, sizeof(query)) != 0)
            continue;
        worker->asked[query.id] += query.kind == LOOKUP_ASK;
        worker->asks_v6[query.id] |= (query.families & LOOKUP_V6) != 0;
        worker->cancelled[query.id] |= query.kind == LOOKUP_CANCEL;
    }
}

static void
leave(struct worker *worker)
{
    close(worker->link);
    *worker = (struct worker){.link = -1};
}

/* A worker whose link has ended asks another resolver. */
static void
read_answers(struct worker *worker)
{
    struct lookup_answer answer;
    int got;

    if (worker->link == -1)
        return;
    while ((got = link_message_receive(worker->link, &answer,
                                       sizeof(answer))) == 1) {
        assert(answer.id < 256 && worker->asked[answer.id] > 0);
        worker->asked[answer.id]--;
        assert(answer.outcome <= LOOKUP_OVERLOADED);
        assert(answer.count <= LOOKUP_ADDRESSES_MAX);
        assert((answer.outcome == LOOKUP_FOUND) == (answer.count > 0));
        for (size_t i = 0; i < answer.count; i++)
            assert(addr_is_v4(answer.addresses[i]) ||
                   worker->asks_v6[answer.id]);
        for (size_t i = answer.count; i < LOOKUP_ADDRESSES_MAX; i++)
            assert(answer.addresses[i].hi == 0 && answer.addresses[i].lo == 0);
    }
    assert(got == 0 || got == -EAGAIN);
    if (got == 0)
        leave(worker);
}

/* --- the DNS server ------------------------------------------------------ */

/* The query with what the input adds, or nonsense. */
static void
answer_dns(struct input *input)
{
    uint8_t octets[1024], more[256];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    uint8_t how = take(input), records = take(input);
    size_t len = take_octets(input, more);
    ssize_t got = recvfrom(dns, octets, sizeof(octets) - sizeof(more),
                           MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);

    if (got < 12)
        return;
    if (how % 8 == 0) {
        memcpy(octets, more, len);
        got = (ssize_t)len;
    } else {
        octets[2] |= 0x80;
        octets[3] = how >> 4;
        octets[7] = records; /* answers; the additional record goes, too */
        octets[11] = 0;
        for (got = 12; got < 512 && octets[got] != 0;)
            got += octets[got] + 1;
        got += 5;
        memcpy(octets + got, more, len);
        got += (ssize_t)len;
    }
    sendto(dns, octets, (size_t)got, 0, (struct sockaddr *)&from, from_len);
}

/* --- a run --------------------------------------------------------------- */

static int
lowest_free_fd(void)
{
    int fd = dup(STDIN_FILENO);
    close(fd);
    return fd;
}

static void
stage_make(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    char text[32];

    dns = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert(bind(dns, (struct sockaddr *)&at, len) == 0);
    assert(getsockname(dns, (struct sockaddr *)&at, &len) == 0);
    snprintf(text, sizeof(text), "127.0.0.1:%d", ntohs(at.sin_port));
    assert(resolver_init(&resolver, 1, (char *[]){text}) == 0);
    resolver.pending.context.sockets_max = SOCKETS_MAX;
    resolver_refresh(&resolver.pending);
}

static void
stage_open(void)
{
    int ends[2];

    assert(channel_pair(ends) == 0);
    monitor = ends[0];
    resolver.loop.stopped = 0;
    assert(resolver_listen(&resolver, ends[1]) == 0);
    for (int i = 0; i < LINKS; i++)
        workers[i] = (struct worker){.link = -1};
}

static size_t
length(const struct list *list)
{
    size_t count = 0;
    for (const struct list *at = list->next; at != list; at = at->next)
        count++;
    return count;
}

static void
stage_close(void)
{
    const struct pending *pending = &resolver.pending;
    uint8_t octets[1024];

    for (size_t i = 0; i < LOOKUP_LINKS_MAX; i++)
        link_close(&resolver.links[i]);
    assert(length(&pending->free_waiters) == PENDING_WAITERS);
    assert(length(&pending->free_shares) == PENDING_WAITERS);
    assert(length(&pending->free_lookups) == PENDING_QUERIES);
    assert(list_empty(&pending->clients) && list_empty(&pending->open));
    assert(pending->context.sockets == 0);
    pending_forget(&resolver.pending);
    int control = resolver.control.fd;
    loop_unwatch(&resolver.loop, &resolver.control);
    close(control);
    close(monitor);
    for (int i = 0; i < LINKS; i++)
        if (workers[i].link != -1)
            close(workers[i].link);
    while (recv(dns, octets, sizeof(octets), MSG_DONTWAIT) >= 0)
        continue;
}

static bool
waits(const struct worker *worker)
{
    for (int id = 0; id < 256; id++)
        if (worker->asked[id] > 0 && !worker->cancelled[id])
            return true;
    return false;
}

/* Every query has its answer when its time is over. */
static void
finish(struct worker *worker)
{
    for (int i = 0; i < 100 && waits(worker); i++) {
        clock_us += UINT64_C(1000000);
        loop_turn(&resolver.loop, 0);
        loop_turn(&resolver.loop, 0);
        read_answers(worker);
    }
    assert(!waits(worker));
}

static void
take_step(struct input *input)
{
    uint8_t what = take(input), octets[256];
    struct worker *worker = &workers[what / 8u % LINKS];
    size_t len;

    if (what % 8 == 0) {
        clock_us += take(input) * UINT64_C(50000);
    } else if (what % 8 == 1) {
        send_message(input);
    } else if (what % 8 == 2) {
        len = take_octets(input, octets);
        send(monitor, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (what % 8 == 3) {
        answer_dns(input);
    } else if (worker->link == -1) {
        return;
    } else if (what % 8 == 4) {
        len = take_octets(input, octets);
        send(worker->link, octets, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (what % 8 == 5) {
        read_answers(worker);
    } else if (what % 8 == 6 && take(input) % 4 == 0) {
        leave(worker);
    } else {
        send_queries(worker, input);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *octets, size_t size)
{
    static bool made;
    struct input input = {octets, size};

    if (!made)
        stage_make();
    made = true;
    int before = lowest_free_fd();
    stage_open();
    for (int i = 0; i < STEPS_MAX && input.left > 0; i++) {
        take_step(&input);
        for (int turn = 0; turn < 4 && resolver.loop.stopped == 0; turn++)
            loop_turn(&resolver.loop, 0);
    }
    for (int i = 0; i < LINKS && resolver.loop.stopped == 0; i++)
        finish(&workers[i]);
    stage_close();
    assert(lowest_free_fd() == before);
    return 0;
}
