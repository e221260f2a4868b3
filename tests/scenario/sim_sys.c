/* base/sys.h, simulated. */

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/port_search.h"
#include "gateway/config/local_ports.h"
#include "tests/scenario/heap.h"
#include "tests/scenario/sim_fd.h"

/* --- Faults --- */

static const char *const call_names[SIM_CALL_COUNT] = {
#define X(name) [SIM_CALL_##name] = "sys_" #name,
    SIM_CALLS(X)
#undef X
};

const char *
sim_call_name(enum sim_call call)
{
    return call_names[call];
}

unsigned
sim_calls(enum sim_call call)
{
    return sim_kernel.calls[call];
}

void
sim_fail(const struct sim_fault *fault)
{
    for (int i = 0; i < SIM_FAULTS_MAX; i++) {
        struct sim_fault *at = &sim_kernel.faults[i];
        if (at->at != 0 && at->times > 0)
            continue;
        *at = *fault;
        at->at += sim_kernel.calls[fault->call];
        return;
    }
    abort();
}

void
sim_heal(void)
{
    memset(sim_kernel.faults, 0, sizeof(sim_kernel.faults));
}

/* Counts the call; 0, or the negative errno it is to fail with. */
static int
call_fault(enum sim_call call)
{
    unsigned number = ++sim_kernel.calls[call];

    for (int i = 0; i < SIM_FAULTS_MAX; i++) {
        struct sim_fault *fault = &sim_kernel.faults[i];
        if (fault->at == 0 || fault->call != call || fault->times == 0 ||
            number < fault->at)
            continue;
        if (fault->times != UINT_MAX)
            fault->times--;
        return -fault->error;
    }
    return 0;
}

static bool
flaky(void)
{
    unsigned one_in = sim_kernel.options.flaky;
    return one_in != 0 && sim_random() % one_in == 0;
}

static void
meanwhile(void)
{
    if (sim_kernel.options.meanwhile != NULL && sim_random() % 2 == 0)
        sim_kernel.options.meanwhile(sim_kernel.options.with);
}

/* What a connection's failure leaves behind, besides the errno itself. */
static bool
kills(int error)
{
    return error == -ECONNRESET || error == -ETIMEDOUT ||
           error == -EHOSTUNREACH || error == -EPIPE || error == -ENETDOWN;
}

/*
 * A fault on a connection, or a whim of a flaky kernel. A whim is made good
 * by an edge, as Linux would; a deadly errno leaves the connection dead. A
 * dead connection has answers only, and never EAGAIN.
 */
static int
sock_fault(enum sim_call call, struct sim_sock *sock, uint32_t edge)
{
    int error = call_fault(call);

    if (error == -EAGAIN ||
        (error == 0 && sock->state != SIM_DEAD && flaky())) {
        sim_wake(&sock->source, edge);
        return -EAGAIN;
    }
    if (kills(error)) {
        sim_sock_die(sock, 0);
        return error;
    }
    return error;
}

static struct sim_sock *
get_sock(int fd)
{
    struct sim_fd *found = sim_fd_get(fd, SIM_FD_SOCK);
    return found != NULL ? found->sock : NULL;
}

/* --- Clock, poller --- */

uint64_t
sys_now_us(void)
{
    return sim_kernel.now_us;
}

uint64_t
sys_wall_ms(void)
{
    return sim_kernel.wall_ms;
}

int
sys_poll_open(void)
{
    int error = call_fault(SIM_CALL_poll_open);
    struct sim_poller *poller;

    if (error < 0)
        return error;
    poller = sim_new(sizeof(*poller));
    list_init(&poller->ready);
    return sim_fd_open(SIM_FD_POLLER, poller);
}

int
sys_poll_add(int poller, int fd, uint32_t events, void *tag)
{
    int error = call_fault(SIM_CALL_poll_add);
    struct sim_source *source = sim_fd_source(fd);

    if (error < 0)
        return error;
    if (source == NULL || sim_fd_get(poller, SIM_FD_POLLER) == NULL)
        return -EBADF;
    if (source->poller >= 0)
        return -EEXIST;
    sim_poll_add(poller, source, events, tag);
    return 0;
}

int
sys_poll_change(int poller, int fd, uint32_t events, void *tag)
{
    struct sim_source *source = sim_fd_source(fd);

    if (source == NULL || sim_fd_get(poller, SIM_FD_POLLER) == NULL)
        return -EBADF;
    if (source->poller < 0)
        return -ENOENT;
    sim_poll_add(poller, source, events, tag);
    return 0;
}

int
sys_poll_del(int poller, int fd)
{
    int error = call_fault(SIM_CALL_poll_del);
    struct sim_source *source = sim_fd_source(fd);

    if (source == NULL || sim_fd_get(poller, SIM_FD_POLLER) == NULL)
        return -EBADF;
    if (source->poller < 0)
        return -ENOENT;
    sim_poll_remove(source);
    return error;
}

int
sys_poll_wait(int poller, struct epoll_event *events, int room, int wait_ms)
{
    struct sim_fd *found = sim_fd_get(poller, SIM_FD_POLLER);
    int count;

    (void)wait_ms; /* the clock is the caller's */
    if (sim_kernel.turn > sim_kernel.largest_turn)
        sim_kernel.largest_turn = sim_kernel.turn;
    sim_kernel.turn = 0;
    if (found == NULL || call_fault(SIM_CALL_poll_wait) < 0)
        return 0;
    count = sim_poll_collect(found->poller, events, room);
    sim_kernel.events += (unsigned)count;
    return count;
}

/* --- Making connections --- */

int
sys_accept(int listener, struct endpoint *peer)
{
    struct sim_fd *found = sim_fd_get(listener, SIM_FD_LISTENER);
    int error = call_fault(SIM_CALL_accept);
    struct sim_sock *sock;

    if (found == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    if (sim_fd_full(1))
        return -EMFILE; /* before the queue is looked at */
    if (found->listener->broken)
        return -EINVAL;
    if (list_empty(&found->listener->queue))
        return -EAGAIN;
    if (flaky()) {
        sim_wake(&found->listener->source, EPOLLIN);
        return -EAGAIN;
    }
    sock = container_of(found->listener->queue.next, struct sim_sock,
                        source.ready);
    list_remove(&sock->source.ready);
    *peer = sock->peer;
    return sim_fd_open(SIM_FD_SOCK, sock);
}

int
sys_waiting(int listener)
{
    struct sim_fd *found = sim_fd_get(listener, SIM_FD_LISTENER);
    int error = call_fault(SIM_CALL_waiting), count = 0;

    if (found == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    if (found->listener->broken)
        return -EINVAL;
    list_each_safe (at, after, &found->listener->queue) {
        count++;
    }
    return count;
}

int
sys_listen(const struct endpoint *at, int backlog, bool freebind)
{
    (void)backlog;
    (void)freebind;
    return sim_fd_full(1) ? -EMFILE : sim_listen(at);
}

/* The same on every machine. */
struct local_ports __wrap_local_ports_read(const char *root, unsigned *count);

struct local_ports
__wrap_local_ports_read(const char *root, unsigned *count)
{
    (void)root;
    *count = 0;
    return (struct local_ports){0, 0};
}

/* At the first free port of the range; without one from 60000 on, as the kernel
   chooses. */
static int
sim_open_within(struct endpoint *at, uint16_t first, uint16_t last,
                uint64_t seed, int (*open)(struct endpoint *at))
{
    struct port_search search;
    int fd = -EADDRINUSE;

    if (sim_fd_full(1))
        return -EMFILE;
    if (first == 0) {
        at->port = (uint16_t)(60000 + sim_kernel.next_listen++ % 5000);
        return open(at);
    }
    port_search_start(&search, first, last, seed);
    while (fd == -EADDRINUSE && port_search_next(&search, &at->port))
        fd = open(at);
    return fd;
}

static int
sim_listen_free(struct endpoint *at)
{
    return sim_listening(at) ? -EADDRINUSE : sim_listen(at);
}

int
sys_listen_within(struct endpoint *at, uint16_t first, uint16_t last,
                  uint64_t seed)
{
    int error = call_fault(SIM_CALL_listen_within);

    return error < 0 ? error
                     : sim_open_within(at, first, last, seed, sim_listen_free);
}

int
sys_datagrams_within(struct endpoint *at, uint16_t first, uint16_t last,
                     uint64_t seed)
{
    int error = call_fault(SIM_CALL_datagrams_within);

    return error < 0
               ? error
               : sim_open_within(at, first, last, seed, sim_datagrams_open);
}

int
sys_recv_datagrams(int fd, struct sys_datagram *datagrams, unsigned count)
{
    struct sim_fd *found = sim_fd_get(fd, SIM_FD_DATAGRAMS);
    int error = call_fault(SIM_CALL_recv_datagrams);
    unsigned received = 0;
    struct sim_datagram *datagram;

    if (found == NULL)
        return -EBADF;
    if (error < 0 || flaky())
        return error < 0 ? error : -EAGAIN;
    while (received < count &&
           (datagram = sim_datagrams_take(found->datagrams)) != NULL) {
        struct sys_datagram *into = &datagrams[received++];
        into->cut = datagram->len > into->room;
        into->len = into->cut ? into->room : datagram->len;
        into->from = datagram->from;
        memcpy(into->octets, datagram->octets, into->len);
        free(datagram);
    }
    return received > 0 ? (int)received : -EAGAIN;
}

int
sys_send_datagram(int fd, const struct endpoint *to, const void *octets,
                  size_t count)
{
    struct sim_fd *found = sim_fd_get(fd, SIM_FD_DATAGRAMS);
    int error = call_fault(SIM_CALL_send_datagram);

    if (found == NULL)
        return -EBADF;
    return error < 0 ? error
                     : sim_datagram_leaves(found->datagrams, to, octets, count);
}

/* The first address of this machine faces everybody, but for its routes. */
int
sys_route(struct addr to, struct addr *local)
{
    int error = call_fault(SIM_CALL_route);

    *local = sim_kernel.locals[0];
    for (size_t i = 0; i < sim_kernel.route_count; i++) {
        const struct sim_route *route = &sim_kernel.routes[i];
        if (addr_cmp(to, route->first) >= 0 && addr_cmp(to, route->last) <= 0)
            *local = route->local;
    }
    return error;
}

int
sys_tcp(bool v4)
{
    int error = call_fault(SIM_CALL_tcp);

    (void)v4;
    if (error < 0)
        return error;
    if (sim_fd_full(1))
        return -EMFILE;
    return sim_fd_open(SIM_FD_SOCK, sim_sock_new(sim_kernel.options.room));
}

int
sys_keepalive(int fd, const struct sys_keepalive *keepalive)
{
    (void)fd;
    (void)keepalive; /* nobody vanishes here without being lost */
    return 0;
}

int
sys_keepalive_start(int fd, const struct sys_keepalive *keepalive)
{
    return sys_keepalive(fd, keepalive);
}

int
sys_bind_source(int fd, struct addr source)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_bind_source);

    if (sock == NULL)
        return -EBADF;
    sock->local.addr = source;
    return error;
}

static const struct sim_prepared *
find_prepared(const struct endpoint *to)
{
    for (size_t i = 0; i < sim_kernel.prepared_count; i++) {
        const struct sim_prepared *prepared = &sim_kernel.prepared[i];
        if (prepared->to.port == to->port &&
            addr_equal(prepared->to.addr, to->addr))
            return prepared;
    }
    return NULL;
}

static void
note_dial(struct sim_sock *sock, struct sim_sock *far)
{
    struct sim_dial_state *dial;
    bool was = heap_suspend();

    sim_kernel.dials =
        realloc(sim_kernel.dials, (sim_kernel.dial_count + 1) * sizeof(*dial));
    heap_resume(was);
    if (sim_kernel.dials == NULL)
        abort();
    dial = &sim_kernel.dials[sim_kernel.dial_count++];
    memset(dial, 0, sizeof(*dial));
    dial->dial.id = (unsigned)sim_kernel.dial_count;
    dial->dial.from = sock->local;
    dial->dial.to = sock->peer;
    dial->sock = sock;
    dial->far = far;
}

int
sys_connect(int fd, const struct endpoint *to)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_connect);
    const struct sim_prepared *prepared = find_prepared(to);
    struct sim_sock *far = NULL;

    if (sock == NULL)
        return -EBADF;
    if (sock->state != SIM_FRESH)
        return sock->state == SIM_SYN_SENT ? -EALREADY : -EISCONN;
    sock->peer = *to;
    if (error == 0 && prepared != NULL)
        error = -prepared->error;
    if (error == 0 && prepared != NULL)
        far = sim_sock_arrive(sock);
    note_dial(sock, far);
    if (error < 0 || far != NULL)
        return error;
    sock->state = SIM_SYN_SENT;
    return -EINPROGRESS;
}

/* --- Asking about connections --- */

int
sys_error(int fd)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_error);

    if (sock == NULL)
        return -EBADF;
    return error < 0 ? error : sim_sock_error(sock);
}

int
sys_local(int fd, struct endpoint *local)
{
    struct sim_fd *found = fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS
                               ? &sim_kernel.fds[fd - SIM_FD_FIRST]
                               : NULL;
    int error = call_fault(SIM_CALL_local);

    if (error < 0)
        return error;
    if (found != NULL && found->kind == SIM_FD_LISTENER)
        *local = found->listener->at;
    else if (get_sock(fd) != NULL)
        *local = get_sock(fd)->local;
    else
        return -EBADF;
    return 0;
}

bool
sys_is_local(struct addr addr)
{
    if (call_fault(SIM_CALL_is_local) < 0)
        return false;
    for (size_t i = 0; i < sim_kernel.local_count; i++)
        if (addr_equal(sim_kernel.locals[i], addr))
            return true;
    return addr_is_v4(addr) && addr_to_v4(addr) >> 24 == 127;
}

bool
sys_is_by_loopback(int fd, bool v4)
{
    (void)v4;
    return sys_is_local(get_sock(fd)->peer.addr);
}

/* --- Moving octets --- */

static size_t
shortened(size_t count)
{
    return sim_kernel.options.one_octet && count > 1 ? 1 : count;
}

/* The choice of SOCKS5, what became of the password, and its replies. */
static bool
is_reply_5(const char *octets, size_t count, size_t before)
{
    if (count == 2)
        return (before == 0 && octets[0] == 5) ||
               (before == 2 && octets[0] == 1);
    return (count == 10 || count == 22) && octets[0] == 5 && octets[2] == 0 &&
           before >= 2 && before <= 26;
}

/* A connection that was never written to takes a reply whole, and the second
   of a BIND as well, whatever else is wrong with this kernel; and what a client
   of SOCKS5 or HTTP is told, as far as there is room. */
static bool
is_reply(const struct sim_sock *sock, const char *octets, size_t count)
{
    if (sock->far == NULL)
        return false;
    if (is_reply_5(octets, count, sock->far->end) ||
        (sock->far->end == 0 && count > 12 &&
         strncmp(octets, "HTTP/1.1 400", 12) == 0))
        return true;
    /* in records of the toy's, behind its hello */
    if (count >= 5 && memcmp(octets, "D\0", 2) == 0 &&
        (size_t)octets[2] == count - 3 && sock->far->end <= 40 &&
        (is_reply_5(octets + 3, count - 3, 0) ||
         is_reply_5(octets + 3, count - 3, 2)))
        return true;
    if (count == 11 && memcmp(octets, "D\0\10", 3) == 0 && sock->far->end <= 17)
        return true; /* in a record of the toy's, perhaps behind another */
    return count == 8 && (sock->far->end == 0 || sock->far->end == 8);
}

/* A call cut short has more to do, and hears so by an edge as it would
   from a kernel that was full or empty for a moment. */
static ssize_t
again(struct sim_sock *sock, ssize_t moved, size_t asked, uint32_t edge)
{
    if (sim_kernel.options.one_octet && moved == 1 && asked > 1)
        sim_wake(&sock->source, edge);
    return moved;
}

ssize_t
sys_recv(int fd, void *octets, size_t room)
{
    struct sim_sock *sock = get_sock(fd);
    ssize_t count;

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    int error = sock_fault(SIM_CALL_recv, sock, EPOLLIN);
    if (error < 0)
        return error;
    count = sim_sock_recv(sock, octets, shortened(room));
    if (count > 0)
        sim_kernel.turn += (uint64_t)count;
    return again(sock, count, room, EPOLLIN);
}

/* What has arrived, in one piece even where reads are of one octet. */
ssize_t
sys_peek(int fd, void *octets, size_t room)
{
    struct sim_sock *sock = get_sock(fd);

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    int error = sock_fault(SIM_CALL_peek, sock, EPOLLIN);
    return error < 0 ? error : sim_sock_look(sock, octets, room);
}

static ssize_t
log_send(struct sim_log *log, const char *octets, size_t count)
{
    struct sim_message *message;

    if (log->blocked) {
        log->starved = true;
        return -EAGAIN;
    }
    message = sim_new(sizeof(*message));
    message->text = sim_new(count + 1);
    memcpy(message->text, octets, count);
    *log->end = message;
    log->end = &message->next;
    return (ssize_t)count;
}

ssize_t
sys_send(int fd, const void *octets, size_t count)
{
    meanwhile();
    if (sim_kernel.log != NULL && fd >= SIM_FD_FIRST &&
        fd < SIM_FD_FIRST + SIM_FDS &&
        sim_kernel.fds[fd - SIM_FD_FIRST].kind == SIM_FD_LOG) {
        int failed = call_fault(SIM_CALL_send);
        if (failed == -EAGAIN) /* as a full channel: room is announced */
            sim_wake(&sim_kernel.log->source, EPOLLOUT);
        return failed < 0 ? failed : log_send(sim_kernel.log, octets, count);
    }
    struct sim_sock *sock = get_sock(fd);
    if (sock == NULL)
        return -EBADF;
    int error = is_reply(sock, octets, count)
                    ? call_fault(SIM_CALL_send)
                    : sock_fault(SIM_CALL_send, sock, EPOLLOUT);
    if (error < 0)
        return error;
    if (is_reply(sock, octets, count))
        return sim_sock_send(sock, octets, count);
    return again(sock, sim_sock_send(sock, octets, shortened(count)), count,
                 EPOLLOUT);
}

ssize_t
sys_send_urgent(int fd, uint8_t octet)
{
    struct sim_sock *sock = get_sock(fd);

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    int error = sock_fault(SIM_CALL_send_urgent, sock, EPOLLOUT);
    return error < 0 ? error : sim_sock_send_urgent(sock, octet);
}

int
sys_at_mark(int fd)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_at_mark);

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    return error < 0 ? error : sim_sock_at_mark(sock);
}

int
sys_unacked(int fd)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_unacked);

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    return error < 0 ? error : (int)sim_sock_unacked(sock);
}

/* What is under way to a peer is our own queue as much as the peer's. */
int
sys_memory(int fd, struct sys_memory *memory)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_memory);

    *memory = (struct sys_memory){0};
    if (sock == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    memory->in = (uint32_t)sim_sock_unread(sock);
    memory->in_max = (uint32_t)sock->room;
    memory->out_max = UINT32_MAX;
    if (sock->far != NULL && !sock->far->closed) {
        memory->out = (uint32_t)sim_sock_unread(sock->far);
        memory->out_max = (uint32_t)sock->far->room;
    }
    return 0;
}

void
sys_lower_in(int fd, uint32_t octets)
{
    (void)fd, (void)octets;
}

int
sys_bound_in(int fd, uint32_t octets)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_bound_in);

    if (sock == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    sock->room = octets;
    return 0;
}

int
sys_bound_out(int fd, uint32_t octets)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_bound_out);

    if (sock == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    if (sock->far != NULL)
        sock->far->room = octets;
    return 0;
}

int
sys_shutdown(int fd)
{
    struct sim_sock *sock = get_sock(fd);
    int error = call_fault(SIM_CALL_shutdown);

    meanwhile();
    if (sock == NULL)
        return -EBADF;
    if (error < 0)
        return error;
    if (sock->state != SIM_STANDING)
        return -ENOTCONN;
    sim_sock_shutdown(sock);
    return 0;
}

void
sys_close(int fd)
{
    sim_fd_close(fd, false);
}

void
sys_reset(int fd)
{
    sim_fd_close(fd, true);
}

/* --- Pipes --- */

int
sys_pipe(int ends[2], int size)
{
    int error = call_fault(SIM_CALL_pipe);
    struct sim_pipe *pipe;

    if (error < 0)
        return error;
    if (sim_fd_full(2))
        return -EMFILE;
    if (sim_kernel.options.pipes_refused)
        return -EPERM;
    pipe = sim_pipe_new(size);
    ends[0] = sim_fd_open(SIM_FD_PIPE_READ, pipe);
    ends[1] = sim_fd_open(SIM_FD_PIPE_WRITE, pipe);
    return 0;
}

static bool
is_pipe(int fd, enum sim_fd_kind kind)
{
    return fd >= SIM_FD_FIRST && fd < SIM_FD_FIRST + SIM_FDS &&
           sim_kernel.fds[fd - SIM_FD_FIRST].kind == kind;
}

static ssize_t
splice_in(int from, struct sim_pipe *pipe, size_t count)
{
    struct sim_sock *sock = get_sock(from);
    ssize_t moved;

    if (sock == NULL)
        return -EBADF;
    int error = sock_fault(SIM_CALL_splice, sock, EPOLLIN);
    if (error < 0)
        return error;
    moved = sim_pipe_fill(pipe, sock, shortened(count));
    if (moved > 0)
        sim_kernel.turn += (uint64_t)moved;
    return again(sock, moved, count, EPOLLIN);
}

static ssize_t
splice_out(struct sim_pipe *pipe, int to, size_t count)
{
    struct sim_sock *sock = get_sock(to);
    ssize_t moved;

    if (sock == NULL)
        return -EBADF;
    int error = sock_fault(SIM_CALL_splice, sock, EPOLLOUT);
    if (error < 0)
        return error;
    moved = sim_pipe_empty(pipe, sock, shortened(count));
    if (moved > 0)
        sim_kernel.spliced += (uint64_t)moved;
    return again(sock, moved, count, EPOLLOUT);
}

ssize_t
sys_pipe_read(int from, void *octets, size_t room)
{
    if (!is_pipe(from, SIM_FD_PIPE_READ)) {
        sim_note_misuse("a pipe is read that is none", from);
        return -EBADF;
    }
    return sim_pipe_read(sim_fd_get(from, SIM_FD_PIPE_READ)->pipe, octets,
                         shortened(room));
}

ssize_t
sys_splice(int from, int to, size_t count)
{
    meanwhile();
    if (is_pipe(to, SIM_FD_PIPE_WRITE))
        return splice_in(from, sim_fd_get(to, SIM_FD_PIPE_WRITE)->pipe, count);
    if (is_pipe(from, SIM_FD_PIPE_READ))
        return splice_out(sim_fd_get(from, SIM_FD_PIPE_READ)->pipe, to, count);
    sim_note_misuse("splice without a pipe", from);
    return -EINVAL;
}
