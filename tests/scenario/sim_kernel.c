/* The state of the simulated kernel: descriptors, machine, network. */

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/heap.h"
#include "tests/scenario/sim_fd.h"

#define ROOM_DEFAULT 65536
#define WALL_START_MS 1767225600000u /* 2026-01-01T00:00:00Z */
#define EPHEMERAL_FIRST 50000

struct sim_kernel sim_kernel;

static const char *const kind_names[SIM_FD_KINDS] = {
    [SIM_FD_FREE] = "nothing",
    [SIM_FD_POLLER] = "poller",
    [SIM_FD_LISTENER] = "listener",
    [SIM_FD_SOCK] = "connection",
    [SIM_FD_PIPE_READ] = "pipe (read)",
    [SIM_FD_PIPE_WRITE] = "pipe (write)",
    [SIM_FD_LOG] = "log",
    [SIM_FD_DATAGRAMS] = "datagrams",
};

void *
sim_new(size_t size)
{
    bool was = heap_suspend();
    void *memory = calloc(1, size);

    heap_resume(was);
    if (memory == NULL)
        abort();
    return memory;
}

void
sim_start(const struct sim_options *options)
{
    memset(&sim_kernel, 0, sizeof(sim_kernel));
    sim_kernel.options = *options;
    if (sim_kernel.options.room == 0)
        sim_kernel.options.room = ROOM_DEFAULT;
    sim_kernel.now_us = 1000000000;
    sim_kernel.wall_ms = WALL_START_MS;
    sim_kernel.random = options->seed * 2 + 1;
    sim_kernel.next_port = EPHEMERAL_FIRST;
}

void
sim_stop(void)
{
    for (int fd = SIM_FD_FIRST; fd < SIM_FD_FIRST + SIM_FDS; fd++)
        if (sim_kernel.fds[fd - SIM_FD_FIRST].kind != SIM_FD_FREE)
            sim_fd_close(fd, true);
    for (size_t i = 0; i < sim_kernel.dial_count; i++)
        if (!sim_kernel.dials[i].taken && sim_kernel.dials[i].far != NULL)
            sim_sock_release(sim_kernel.dials[i].far, true);
    for (struct sim_datagram *sent; (sent = sim_take_datagram()) != NULL;)
        free(sent);
    free(sim_kernel.dials);
    sim_kernel.dials = NULL;
    sim_kernel.dial_count = 0;
}

/* xorshift64* */
uint64_t
sim_random(void)
{
    uint64_t x = sim_kernel.random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    sim_kernel.random = x;
    return x * 0x2545f4914f6cdd1du >> 16;
}

/* --- Clock --- */

uint64_t
sim_now_us(void)
{
    return sim_kernel.now_us;
}

void
sim_advance_us(uint64_t by)
{
    sim_kernel.now_us += by;
    sim_kernel.wall_ms += by / 1000;
}

void
sim_shift_wall_ms(int64_t by)
{
    sim_kernel.wall_ms += (uint64_t)by;
}

/* --- Descriptors --- */

static unsigned
count_open(void)
{
    unsigned count = 0;

    for (int i = 0; i < SIM_FDS; i++)
        count += sim_kernel.fds[i].kind != SIM_FD_FREE;
    return count;
}

bool
sim_fd_full(unsigned more)
{
    unsigned most = sim_kernel.options.fds_max;
    return most != 0 && count_open() + more > most;
}

int
sim_fd_open(enum sim_fd_kind kind, void *what)
{
    for (int i = 0; i < SIM_FDS; i++) {
        struct sim_fd *fd = &sim_kernel.fds[i];
        if (fd->kind != SIM_FD_FREE)
            continue;
        fd->kind = kind;
        fd->sock = what;
        return SIM_FD_FIRST + i;
    }
    abort();
}

void
sim_note_misuse(const char *what, int fd)
{
    if (sim_kernel.misuse[0] == '\0')
        snprintf(sim_kernel.misuse, sizeof(sim_kernel.misuse), "%s: %d", what,
                 fd);
}

struct sim_fd *
sim_fd_get(int fd, enum sim_fd_kind kind)
{
    if (fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS) {
        struct sim_fd *found = &sim_kernel.fds[fd - SIM_FD_FIRST];
        if (found->kind == kind)
            return found;
        if (found->kind != SIM_FD_FREE) {
            sim_note_misuse("a descriptor of the wrong kind", fd);
            return NULL;
        }
    }
    sim_note_misuse("a descriptor that is not open", fd);
    return NULL;
}

struct sim_source *
sim_fd_source(int fd)
{
    struct sim_fd *found = NULL;

    if (fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS)
        found = &sim_kernel.fds[fd - SIM_FD_FIRST];
    if (found != NULL && found->kind == SIM_FD_SOCK)
        return &found->sock->source;
    if (found != NULL && found->kind == SIM_FD_LISTENER)
        return &found->listener->source;
    if (found != NULL && found->kind == SIM_FD_LOG)
        return &found->log->source;
    if (found != NULL && found->kind == SIM_FD_DATAGRAMS)
        return &found->datagrams->source;
    sim_note_misuse("a descriptor that cannot be polled", fd);
    return NULL;
}

static void
close_listener(struct sim_listener *listener)
{
    list_each_safe (at, after, &listener->queue) {
        struct sim_sock *sock = container_of(at, struct sim_sock, source.ready);
        list_remove(at);
        sim_sock_release(sock, true);
    }
    sim_poll_remove(&listener->source);
    free(listener);
}

static void
close_sock(struct sim_sock *sock, bool reset)
{
    for (size_t i = 0; i < sim_kernel.dial_count; i++)
        if (sim_kernel.dials[i].sock == sock)
            sim_kernel.dials[i].sock = NULL;
    sim_poll_remove(&sock->source);
    sim_sock_release(sock, reset);
}

static void
close_pipe(struct sim_pipe *pipe, bool write)
{
    pipe->write_closed |= write;
    if (--pipe->ends == 0)
        free(pipe);
}

static void
close_log(struct sim_log *log)
{
    sim_poll_remove(&log->source);
    for (char *text; (text = sim_take_log()) != NULL;)
        free(text);
    free(log);
    sim_kernel.log = NULL;
}

void
sim_fd_close(int fd, bool reset)
{
    struct sim_fd closed = {.kind = SIM_FD_FREE};

    if (fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS) {
        closed = sim_kernel.fds[fd - SIM_FD_FIRST];
        sim_kernel.fds[fd - SIM_FD_FIRST].kind = SIM_FD_FREE;
    }
    if (closed.kind == SIM_FD_FREE)
        sim_note_misuse("closing a descriptor that is not open", fd);
    else if (closed.kind == SIM_FD_LISTENER)
        close_listener(closed.listener);
    else if (closed.kind == SIM_FD_SOCK)
        close_sock(closed.sock, reset);
    else if (closed.kind == SIM_FD_POLLER)
        free(closed.poller);
    else if (closed.kind == SIM_FD_LOG)
        close_log(closed.log);
    else if (closed.kind == SIM_FD_DATAGRAMS)
        sim_datagrams_close(closed.datagrams);
    else
        close_pipe(closed.pipe, closed.kind == SIM_FD_PIPE_WRITE);
}

unsigned
sim_open(char *text, size_t room)
{
    unsigned count = 0;

    text[0] = '\0';
    for (int i = 0; i < SIM_FDS; i++) {
        enum sim_fd_kind kind = sim_kernel.fds[i].kind;
        if (kind == SIM_FD_FREE || kind == SIM_FD_POLLER ||
            kind == SIM_FD_LISTENER || kind == SIM_FD_LOG)
            continue;
        size_t len = strlen(text);
        snprintf(text + len, room - len, "%s%s", count > 0 ? ", " : "",
                 kind_names[kind]);
        count++;
    }
    return count;
}

unsigned
sim_listeners(void)
{
    unsigned count = 0;

    for (int i = 0; i < SIM_FDS; i++)
        count += sim_kernel.fds[i].kind == SIM_FD_LISTENER;
    return count;
}

unsigned
sim_take_events(void)
{
    unsigned events = sim_kernel.events;
    sim_kernel.events = 0;
    return events;
}

const char *
sim_misuse(void)
{
    return sim_kernel.misuse[0] != '\0' ? sim_kernel.misuse : NULL;
}

uint64_t
sim_spliced(void)
{
    return sim_kernel.spliced;
}

uint64_t
sim_largest_turn(void)
{
    return sim_kernel.largest_turn;
}

void
sim_limit_fds(unsigned most)
{
    sim_kernel.options.fds_max = most;
}

void
sim_set_room(size_t room)
{
    sim_kernel.options.room = room;
}

void
sim_hosts_keep(void)
{
    sim_kernel.options.hosts_keep = true;
}

/* --- The machine --- */

void
sim_add_local(struct addr addr)
{
    assert(sim_kernel.local_count <
           sizeof(sim_kernel.locals) / sizeof(sim_kernel.locals[0]));
    sim_kernel.locals[sim_kernel.local_count++] = addr;
}

void
sim_add_route(struct addr first, struct addr last, struct addr local)
{
    assert(sim_kernel.route_count <
           sizeof(sim_kernel.routes) / sizeof(sim_kernel.routes[0]));
    sim_kernel.routes[sim_kernel.route_count++] =
        (struct sim_route){first, last, local};
}

static uint32_t
listener_poll(struct sim_source *source)
{
    struct sim_listener *listener =
        container_of(source, struct sim_listener, source);
    if (listener->broken)
        return EPOLLHUP;
    return list_empty(&listener->queue) ? 0 : EPOLLIN;
}

int
sim_listen(const struct endpoint *at)
{
    struct sim_listener *listener = sim_new(sizeof(*listener));

    sim_source_init(&listener->source, listener_poll);
    list_init(&listener->queue);
    listener->at = *at;
    return sim_fd_open(SIM_FD_LISTENER, listener);
}

static bool
is_any(struct addr addr)
{
    return addr_equal(addr, addr_v4(0)) || (addr.hi == 0 && addr.lo == 0);
}

static struct sim_listener *
find_listener(const struct endpoint *at)
{
    for (int i = 0; i < SIM_FDS; i++) {
        struct sim_fd *fd = &sim_kernel.fds[i];
        if (fd->kind != SIM_FD_LISTENER || fd->listener->broken ||
            fd->listener->at.port != at->port)
            continue;
        if (is_any(fd->listener->at.addr) ||
            addr_equal(fd->listener->at.addr, at->addr))
            return fd->listener;
    }
    return NULL;
}

void
sim_break_listeners(bool broken)
{
    for (int i = 0; i < SIM_FDS; i++) {
        struct sim_fd *fd = &sim_kernel.fds[i];
        if (fd->kind != SIM_FD_LISTENER)
            continue;
        fd->listener->broken = broken;
        if (broken)
            sim_wake(&fd->listener->source, EPOLLHUP);
    }
}

bool
sim_listening(const struct endpoint *at)
{
    return find_listener(at) != NULL;
}

static uint32_t
log_poll(struct sim_source *source)
{
    struct sim_log *log = container_of(source, struct sim_log, source);

    if (!log->blocked)
        return EPOLLOUT;
    log->starved = true;
    return 0;
}

int
sim_log(void)
{
    struct sim_log *log = sim_new(sizeof(*log));

    sim_source_init(&log->source, log_poll);
    log->end = &log->first;
    sim_kernel.log = log;
    return sim_fd_open(SIM_FD_LOG, log);
}

void
sim_block_log(bool blocked)
{
    struct sim_log *log = sim_kernel.log;

    log->blocked = blocked;
    if (!blocked && log->starved) {
        log->starved = false;
        sim_wake(&log->source, EPOLLOUT);
    }
}

char *
sim_take_log(void)
{
    struct sim_message *message =
        sim_kernel.log != NULL ? sim_kernel.log->first : NULL;
    char *text;

    if (message == NULL)
        return NULL;
    sim_kernel.log->first = message->next;
    if (message->next == NULL)
        sim_kernel.log->end = &sim_kernel.log->first;
    text = message->text;
    free(message);
    return text;
}

/* --- The network --- */

struct sim_sock *
sim_connect(const struct endpoint *from, const struct endpoint *to)
{
    struct sim_listener *listener = find_listener(to);
    struct sim_sock *near, *far;

    if (listener == NULL)
        return NULL;
    near = sim_sock_new(sim_kernel.options.room);
    far = sim_sock_new(sim_kernel.options.room);
    far->outside = true;
    near->local = *to;
    near->peer = *from;
    sim_sock_join(near, far);
    list_append(&listener->queue, &near->source.ready);
    sim_wake(&listener->source, EPOLLIN);
    return far;
}

bool
sim_take_dial(struct sim_dial *dial)
{
    for (size_t i = 0; i < sim_kernel.dial_count; i++) {
        struct sim_dial_state *state = &sim_kernel.dials[i];
        if (state->taken)
            continue;
        state->taken = true;
        *dial = state->dial;
        return true;
    }
    return false;
}

static void
name_near_end(struct sim_sock *near)
{
    if (near->local.port == 0)
        near->local.port = sim_kernel.next_port++;
    if (near->local.addr.hi == 0 && near->local.addr.lo == 0)
        near->local.addr = sim_kernel.locals[0];
}

/* The attempt stands; its far end is a host's. */
struct sim_sock *
sim_sock_arrive(struct sim_sock *near)
{
    struct sim_sock *far = sim_sock_new(sim_kernel.options.room);

    far->outside = true;
    name_near_end(near);
    sim_sock_join(near, far);
    sim_wake(&near->source, 0);
    return far;
}

struct sim_sock *
sim_answer(unsigned id, int error)
{
    struct sim_dial_state *state = &sim_kernel.dials[id - 1];
    struct sim_sock *near = state->sock;

    if (near == NULL || near->state != SIM_SYN_SENT)
        return NULL;
    if (error == 0)
        return sim_sock_arrive(near);
    sim_sock_die(near, error);
    return NULL;
}

bool
sim_answer_itself(unsigned id)
{
    struct sim_sock *near = sim_kernel.dials[id - 1].sock;

    if (near == NULL || near->state != SIM_SYN_SENT)
        return false;
    near->local = near->peer;
    sim_sock_join(near, near);
    sim_wake(&near->source, 0);
    return true;
}

void
sim_answer_at_once(const struct endpoint *to, int error)
{
    struct sim_prepared *prepared;

    assert(sim_kernel.prepared_count < 8);
    prepared = &sim_kernel.prepared[sim_kernel.prepared_count++];
    prepared->to = *to;
    prepared->error = error;
}

bool
sim_given_up(unsigned id)
{
    struct sim_sock *near = sim_kernel.dials[id - 1].sock;
    return near == NULL || near->state != SIM_SYN_SENT;
}

struct sim_sock *
sim_far_end(unsigned id)
{
    return sim_kernel.dials[id - 1].far;
}

void
sim_pair(int fds[2])
{
    struct sim_sock *a = sim_sock_new(sim_kernel.options.room);
    struct sim_sock *b = sim_sock_new(sim_kernel.options.room);

    sim_sock_join(a, b);
    fds[0] = sim_fd_open(SIM_FD_SOCK, a);
    fds[1] = sim_fd_open(SIM_FD_SOCK, b);
}
