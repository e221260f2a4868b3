#ifndef SCENARIO_SIM_FD_H
#define SCENARIO_SIM_FD_H

#include "tests/scenario/sim_parts.h"

/* The table of descriptors, and the state of the one simulated kernel. */

enum sim_fd_kind {
    SIM_FD_FREE,
    SIM_FD_POLLER,
    SIM_FD_LISTENER,
    SIM_FD_SOCK,
    SIM_FD_PIPE_READ,
    SIM_FD_PIPE_WRITE,
    SIM_FD_LOG,
    SIM_FD_DATAGRAMS,
    SIM_FD_KINDS
};

struct sim_listener {
    struct sim_source source;
    struct endpoint at;
    struct list queue; /* of connections, through their source's link */
    bool broken;       /* does not listen any more */
};

struct sim_message {
    struct sim_message *next;
    char *text;
};

struct sim_log {
    struct sim_source source;
    struct sim_message *first, **end;
    bool blocked, starved;
};

struct sim_datagrams {
    struct sim_source source;
    struct endpoint at;
    struct sim_datagram *first; /* of those that wait */
};

struct sim_fd {
    enum sim_fd_kind kind;
    union {
        struct sim_poller *poller;
        struct sim_listener *listener;
        struct sim_sock *sock;
        struct sim_pipe *pipe;
        struct sim_log *log;
        struct sim_datagrams *datagrams;
    };
};

#define SIM_FD_FIRST 100 /* so that a real descriptor is none of ours */
#define SIM_FDS 4096

struct sim_dial_state {
    struct sim_dial dial;
    struct sim_sock *sock; /* the gateway's end; NULL: given up */
    struct sim_sock *far;  /* where it succeeded at once */
    bool taken;
};

struct sim_kernel {
    struct sim_options options;
    struct sim_fd fds[SIM_FDS];
    uint64_t now_us, wall_ms, random;
    unsigned calls[SIM_CALL_COUNT];
    struct sim_fault faults[SIM_FAULTS_MAX];
    struct addr locals[16];
    size_t local_count;
    struct sim_route {
        struct addr first, last, local;
    } routes[8];
    size_t route_count;
    struct sim_dial_state *dials;
    size_t dial_count;
    struct sim_prepared {
        struct endpoint to;
        int error;
    } prepared[8];
    size_t prepared_count;
    uint16_t next_port;
    uint16_t next_listen; /* of ports that the kernel picks */
    unsigned events;
    uint64_t spliced, turn, largest_turn;
    char misuse[160];
    struct sim_log *log;
    struct sim_datagram *sent;
};

extern struct sim_kernel sim_kernel;

/* The lowest free number, or -EMFILE. */
int sim_fd_open(enum sim_fd_kind kind, void *what);
/* NULL, and a note of misuse, if fd is not open or not of that kind. */
struct sim_fd *sim_fd_get(int fd, enum sim_fd_kind kind);
/* What can be polled behind fd; NULL: nothing. */
struct sim_source *sim_fd_source(int fd);
void sim_fd_close(int fd, bool reset);
bool sim_fd_full(unsigned more);
void sim_note_misuse(const char *what, int fd);
const char *sim_fd_kind_name(enum sim_fd_kind kind);

/* At a port that nobody has; a descriptor or -EADDRINUSE. */
int sim_datagrams_open(struct endpoint *at);
struct sim_datagram *sim_datagrams_take(struct sim_datagrams *socket);
int sim_datagram_leaves(const struct sim_datagrams *socket,
                        const struct endpoint *to, const void *octets,
                        size_t len);
void sim_datagrams_close(struct sim_datagrams *socket);

void sim_poll_add(int poller, struct sim_source *source, uint32_t events,
                  void *tag);
void sim_poll_remove(struct sim_source *source);
int sim_poll_collect(struct sim_poller *poller, struct epoll_event *events,
                     int room);

uint64_t sim_random(void);

#endif
