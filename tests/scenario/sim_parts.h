#ifndef SCENARIO_SIM_PARTS_H
#define SCENARIO_SIM_PARTS_H

#include "base/list.h"
#include "base/sys.h"
#include "tests/scenario/sim.h"

/* Inside the simulated kernel. Its memory is never made to fail. */

void *sim_new(size_t size);

/* --- Polling: whatever can be waited for has a source --- */

struct sim_source {
    struct list ready; /* in the poller's list of what woke */
    uint32_t (*poll)(struct sim_source *source);
    int poller; /* descriptor; -1: not watched */
    uint32_t events;
    void *tag;
};

struct sim_poller {
    struct list ready;
};

void sim_source_init(struct sim_source *source,
                     uint32_t (*poll)(struct sim_source *source));
/* Something happened: `key` are the bits that it may be; 0: any. */
void sim_wake(struct sim_source *source, uint32_t key);

/* --- Sockets --- */

struct sim_segment {
    struct sim_segment *next;
    size_t used; /* octets already taken */
    size_t len;
    uint8_t octets[];
};

enum sim_state { SIM_FRESH, SIM_SYN_SENT, SIM_STANDING, SIM_DEAD };

/*
 * One end. `in` is all that is under way to it: what Linux divides between
 * the sender's and the receiver's buffer.
 */
struct sim_sock {
    struct sim_source source;
    struct sim_sock *far; /* the other end; NULL before there is one */
    enum sim_state state;
    int error;      /* SO_ERROR, positive */
    bool fin_in;    /* the other side has ended its stream */
    bool fin_met;   /* it had, whatever came behind it */
    bool shut_rd;   /* nothing more will come */
    bool shut_wr;   /* nothing more may be sent */
    bool starved;   /* a sender was told to wait (SOCK_NOSPACE) */
    bool closed;    /* nobody holds it any more */
    bool outside;   /* a host's: a reset destroys what it has not read */
    bool urgent;    /* there is a mark ahead or here */
    uint64_t mark;  /* place of the urgent octet */
    uint64_t taken; /* place of the next octet to be read */
    uint64_t end;   /* place behind the last octet */
    struct sim_segment *first, *last;
    size_t room;
    size_t first_write;
    struct endpoint local, peer;
};

struct sim_sock *sim_sock_new(size_t room);
void sim_sock_join(struct sim_sock *a, struct sim_sock *b);
void sim_sock_release(struct sim_sock *sock, bool reset);
void sim_sock_free(struct sim_sock *sock);
/* An attempt to connect succeeds; the host's end is returned. */
struct sim_sock *sim_sock_arrive(struct sim_sock *near);
/* The end dies here and now with `error`; the other learns nothing. */
void sim_sock_die(struct sim_sock *sock, int error);
int sim_sock_error(struct sim_sock *sock);
size_t sim_sock_space(const struct sim_sock *sock);
size_t sim_sock_unread(const struct sim_sock *sock);
/* Octets that may be taken in one piece before a mark or a segment's end,
   and where they are. */
size_t sim_sock_peek(struct sim_sock *sock, const uint8_t **octets);
/* As a read that takes nothing. */
ssize_t sim_sock_look(struct sim_sock *sock, void *octets, size_t room);
void sim_sock_skip(struct sim_sock *sock, size_t count);
/* What a read that finds nothing says. */
ssize_t sim_sock_nothing(struct sim_sock *sock);

/* --- Pipes: slots of at most a page --- */

#define SIM_PAGE 4096
#define SIM_SLOTS_MAX 64

struct sim_pipe {
    struct sim_slot {
        size_t used;
        size_t len;
        uint8_t octets[SIM_PAGE];
    } slots[SIM_SLOTS_MAX];
    unsigned first, count, room;
    unsigned ends;
    bool write_closed;
};

struct sim_pipe *sim_pipe_new(int size);
ssize_t sim_pipe_fill(struct sim_pipe *pipe, struct sim_sock *from,
                      size_t count);
ssize_t sim_pipe_read(struct sim_pipe *pipe, uint8_t *octets, size_t room);
ssize_t sim_pipe_empty(struct sim_pipe *pipe, struct sim_sock *to,
                       size_t count);

#endif
