#ifndef SCENARIO_SIM_H
#define SCENARIO_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"

/*
 * A kernel for one worker: base/sys.h a second time, over a clock that
 * stands until it is moved and a network whose hosts are the caller's. What
 * it imitates is Linux: edges as epoll gives them, errors as TCP leaves
 * them, splice with its answers that say little. kernel_test.c asks the
 * same questions of this kernel and of the real one.
 *
 * Where Linux is kind, the hosts of this network are not: a reset destroys
 * what a host had not read yet.
 *
 * One kernel a process, not for threads. Everything here aborts on misuse
 * by the test; misuse by the worker (a descriptor that is not open, closed
 * twice, an unknown tag) is kept as a fault to be asked for.
 */

/* The system calls of base/sys.h that can be made to fail. */
#define SIM_CALLS(X)                                                           \
    X(poll_open)                                                               \
    X(poll_add)                                                                \
    X(poll_del)                                                                \
    X(poll_wait)                                                               \
    X(accept)                                                                  \
    X(waiting)                                                                 \
    X(tcp)                                                                     \
    X(bind_source)                                                             \
    X(connect)                                                                 \
    X(error)                                                                   \
    X(local)                                                                   \
    X(is_local)                                                                \
    X(listen_within)                                                           \
    X(datagrams_within)                                                        \
    X(recv_datagrams)                                                          \
    X(send_datagram)                                                           \
    X(route)                                                                   \
    X(recv)                                                                    \
    X(send)                                                                    \
    X(send_urgent)                                                             \
    X(at_mark)                                                                 \
    X(unacked)                                                                 \
    X(memory)                                                                  \
    X(bound_in)                                                                \
    X(bound_out)                                                               \
    X(shutdown)                                                                \
    X(pipe)                                                                    \
    X(splice)                                                                  \
    X(peek)

enum sim_call {
#define X(name) SIM_CALL_##name,
    SIM_CALLS(X)
#undef X
        SIM_CALL_COUNT
};

/* One call made to fail: the `at`th of its kind and, with `times`, those
   behind it. */
struct sim_fault {
    enum sim_call call;
    unsigned at;    /* 1: the next; 0: no fault */
    unsigned times; /* UINT_MAX: for ever */
    int error;      /* positive errno */
};

#define SIM_FAULTS_MAX 8

struct sim_options {
    uint64_t seed;      /* of everything random; printed by the player */
    bool one_octet;     /* every read and write moves one octet */
    unsigned flaky;     /* one call in so many fails with EAGAIN; 0: none */
    bool hosts_keep;    /* as hosts with Linux: what came before a reset can
                           be read, and is acknowledged unread */
    size_t room;        /* octets under way in one direction; 0: 65536 */
    unsigned fds_max;   /* descriptors; 0: enough */
    bool pipes_refused; /* no pipe is ever had */
    /* Called in front of every second call or so that moves octets: what
       the network does between two system calls of a worker's. */
    void (*meanwhile)(void *with);
    void *with;
};

void sim_start(const struct sim_options *options);
/* Gives everything back, whatever is still open. */
void sim_stop(void);

/* --- Clock --- */

uint64_t sim_now_us(void);
void sim_advance_us(uint64_t by);
/* The clock on the wall alone; may go backwards. */
void sim_shift_wall_ms(int64_t by);

/* --- What the worker did --- */

/* Events given out by the poll_wait calls since the last look. */
unsigned sim_take_events(void);
/* Misuse of the kernel by the worker; NULL: none. */
const char *sim_misuse(void);
unsigned sim_calls(enum sim_call call);
const char *sim_call_name(enum sim_call call);
/* Descriptors open besides pollers, listeners and the log. `text` gets
   their kinds for a message. */
unsigned sim_open(char *text, size_t room);
unsigned sim_listeners(void);
/* Octets that went through splice. */
uint64_t sim_spliced(void);
/* Most octets received, by all sockets, between two poll_wait calls. */
uint64_t sim_largest_turn(void);

/* --- Faults --- */

void sim_fail(const struct sim_fault *fault);
/* Ends what was made to fail for ever. */
void sim_heal(void);
void sim_limit_fds(unsigned most);
void sim_set_room(size_t room);
void sim_hosts_keep(void);

/* --- The machine --- */

void sim_add_local(struct addr addr);
/* first..last is reached from `local`; from the first address of this
   machine otherwise. */
void sim_add_route(struct addr first, struct addr last, struct addr local);
/* A descriptor that listens. */
int sim_listen(const struct endpoint *at);
bool sim_listening(const struct endpoint *at);
/* None listens any more: another process has ended that; or all do again. */
void sim_break_listeners(bool broken);
/* A descriptor for records: each write is one message. */
int sim_log(void);
void sim_block_log(bool blocked);
/* The next message, NUL-terminated, the caller's to free; NULL: none. */
char *sim_take_log(void);

/* --- The network: datagrams --- */

struct sim_datagram {
    struct sim_datagram *next;
    struct endpoint from, to;
    size_t len;
    uint8_t octets[];
};

/* One comes from outside; false: no socket is there. */
bool sim_datagram_arrives(const struct endpoint *from,
                          const struct endpoint *to, const void *octets,
                          size_t len);
/* The eldest that the gateway has sent, the caller's to free; NULL: none. */
struct sim_datagram *sim_take_datagram(void);

/* --- The network: ends of connections outside the machine --- */

struct sim_sock;

/* A host connects to the gateway; NULL if nobody listens there. */
struct sim_sock *sim_connect(const struct endpoint *from,
                             const struct endpoint *to);

/* The eldest attempt of the gateway to connect somewhere that nobody asked
   for yet; false: none. `id` is for sim_answer. */
struct sim_dial {
    unsigned id;
    struct endpoint from; /* port 0 where the gateway left it open */
    struct endpoint to;
};
bool sim_take_dial(struct sim_dial *dial);

/* 0: accepted, and the far end is returned. Else a positive errno the
   attempt fails with, and NULL is returned. NULL, too, if the attempt has
   been given up meanwhile. */
struct sim_sock *sim_answer(unsigned id, int error);
/* Whether the gateway waits for it no more. */
bool sim_given_up(unsigned id);
/* The attempt meets itself: own and peer address are the same. */
bool sim_answer_itself(unsigned id);
/* Attempts to reach `to` end inside connect(): 0 success, or an errno. */
void sim_answer_at_once(const struct endpoint *to, int error);
/* The far end of an attempt that succeeded at once. */
struct sim_sock *sim_far_end(unsigned id);

/* A connection inside the machine, both ends descriptors; for tests. */
void sim_pair(int fds[2]);

/*
 * What a host does with its end: as the system calls of the same names.
 * sim_sock_close and _reset end the use of the handle.
 */
ssize_t sim_sock_recv(struct sim_sock *sock, void *octets, size_t room);
ssize_t sim_sock_send(struct sim_sock *sock, const void *octets, size_t count);
ssize_t sim_sock_send_urgent(struct sim_sock *sock, uint8_t octet);
int sim_sock_at_mark(struct sim_sock *sock);
/* Whether both ends live, and neither was reset. */
bool sim_sock_stands(const struct sim_sock *sock);
/* Whether a FIN has come, even if a reset came behind it. */
bool sim_sock_met_fin(const struct sim_sock *sock);
/* What the other end has not read yet: a reset would destroy it. */
size_t sim_sock_unacked(const struct sim_sock *sock);
/* Whether urgent data waits: EPOLLPRI. */
bool sim_sock_urgent(struct sim_sock *sock);
void sim_sock_shutdown(struct sim_sock *sock);
void sim_sock_close(struct sim_sock *sock);
void sim_sock_reset(struct sim_sock *sock);
/* The host restarts: it has forgotten the connection, says nothing, and answers
   what comes by a reset. Ends the use of the handle. */
void sim_sock_forget(struct sim_sock *sock);
/* The network says so: no route any more, timed out, ... */
void sim_sock_kill_far(struct sim_sock *sock, int error);
struct endpoint sim_sock_local(const struct sim_sock *sock);
struct endpoint sim_sock_peer(const struct sim_sock *sock);
/* Octets of the first write that arrived here, 0: none yet. */
size_t sim_sock_first_write(const struct sim_sock *sock);
/* Octets that have arrived here, read or not; and how many of those sent
   from here the other end has read. */
uint64_t sim_sock_arrived(const struct sim_sock *sock);
uint64_t sim_sock_consumed(const struct sim_sock *sock);

#endif
