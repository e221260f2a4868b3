#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/opening.h"
#include "bench/options.h"
#include "bench/poller.h"
#include "bench/report.h"

/*
 * The client: a fixed number of sessions in one loop. A session is opened
 * (connect and handshake), then its job drives it. The client always closes
 * first, after it has received everything: an orderly close, never a reset.
 */

enum session_state {
    SESSION_CLOSED,
    SESSION_OPENING,
    SESSION_OPEN,
    SESSION_OVER
};

struct client;

struct session {
    struct watch watch;    /* towards gateway or server */
    struct watch peer;     /* bind: the application server's end; udp: the
                              datagrams */
    struct client *client; /* borrowed */
    enum session_state state;
    bool counted; /* in client->opening */
    struct opening opening;
    uint64_t serial;   /* of this connection: picks addresses and pattern */
    uint64_t began_ns; /* of the connection, message or octet under way */
    uint64_t sent, received; /* octets; udp: datagrams */
};

struct job {
    const char *name;
    enum handshake_command command;
    /* Sessions are opened before the run begins, not by `begin`. */
    bool opens;
    /* A step's request was sent; NULL: nothing to do. */
    void (*asked)(struct session *session);
    /* A step was answered, but not the last one; NULL: nothing to do. */
    void (*stepped)(struct session *session);
    /* The handshake is complete. */
    void (*opened)(struct session *session);
    /* The run begins for this session. */
    void (*begin)(struct session *session);
    /* Events on an open session. */
    void (*ready)(struct session *session, uint32_t events);
    /* What was sent at `began_ns` has not come back in time; NULL: it waits. */
    void (*late)(struct session *session);
};

struct client {
    const struct options *options; /* borrowed */
    const struct job *job;         /* borrowed */
    int poller;
    struct session *sessions; /* owned */
    unsigned opening;         /* under way */
    unsigned opened;
    unsigned over;
    uint64_t serial;
    bool running;
    uint64_t stop_ns; /* no new connection or message from here on */
    uint64_t look_ns; /* when to look for sessions that are late */
    struct report report;
};

/* Runs the job and prints its report. Whether there was no error. */
bool client_run(const struct options *options, const struct job *job);

/* Connects; `opened` of the job is called when the handshake is complete. */
void session_open(struct session *session);

/* Watches for other events than the OPENING_EVENTS of session_open. */
void session_watch(struct session *session, uint32_t events);

/* The session is ready and is held until the run begins. */
void session_hold(struct session *session);

/* Closes its connection, in order. */
void session_close(struct session *session);

/* Closes the session; its part of the run is done. */
void session_finish(struct session *session);

/* Counts an error, then as session_finish. */
void session_fail(struct session *session, const char *what);

/* Sends all of `count`, which always fit; false: the session has failed. */
bool session_send(struct session *session, const void *octets, size_t count);

/* The number of octets read; 0: none now, or the session has failed. */
size_t session_receive(struct session *session, void *octets, size_t room);

/* Whether the next octet of its pattern came back; else it has failed, or none
   is there yet. */
bool session_receive_echo(struct session *session);

extern const struct job rate_job, download_job, upload_job, both_job,
    pingpong_job, udp_job, idle_job, bind_job, waiting_job, connecting_job;

#endif
