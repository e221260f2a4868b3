#ifndef GATEWAY_WORKER_SESSION_PARTS_H
#define GATEWAY_WORKER_SESSION_PARTS_H

#include "gateway/worker/session.h"

/*
 * What the files of the session share, and nobody else includes:
 *
 *     session_admit.c    the limits, before there is a session
 *     session.c          states, timers, the relay, the doors in and out
 *     session_request.c  REQUEST: reads it, decides
 *     session_connect.c  CONNECT
 *     session_bind.c     PRIMARY, LISTEN
 *     session_reply.c    the reply; REFUSE
 */

/* Whether a connection from there may become a session; then it is charged
   to `source`. Else it is counted. */
bool session_admit(struct sessions *sessions, struct addr from, int *source);

/* The one setter of the state: checks the transition, charges the time,
   arms the state's timer. */
void session_enter(struct session *session, enum session_state state);

/*
 * The door out. A session that ended in order is closed; any other is
 * reset on both legs, so that an abort never looks like a clean end of
 * stream. It is freed at the end of the turn.
 */
void session_end(struct session *session, enum verdict_by by,
                 enum verdict_end end);
/* The same with what the verdict's row says. */
void session_end_verdict(struct session *session, enum verdict verdict);
/* The same without a reply: nothing that speaks SOCKS4 waits for one. */
void session_drop(struct session *session, enum verdict verdict);

/* Both legs stand: a 90 with this port and address, then the relay. */
void session_relay(struct session *session, uint16_t port, uint32_t ip);

/* Eight octets in one write [V4-3.3-1]. False: the client is gone. */
bool session_reply(struct session *session, enum socks4_code code,
                   uint16_t port, uint32_t ip);
/* The verdict's reply, and an orderly close [V4-3.3-9]. */
void session_refuse(struct session *session, enum verdict verdict);

/* The client's leg while its request is awaited, and while something else
   is: then only a reset of the client's matters. */
void session_request_ready(struct watch *watch, uint32_t events);
void session_waiting_ready(struct watch *watch, uint32_t events);
/* No request will come any more: the stream ended or the time is up. */
void session_give_up(struct session *session, enum verdict refused,
                     enum verdict early);

/* The request is granted: go on. */
void session_connect(struct session *session);
void session_bind(struct session *session, const struct config_rule *rule);
/* Gives back whatever a waiting BIND holds but its listening socket, which
   stands in the server's leg. */
void session_free_bind(struct session *session);

#endif
