#ifndef GATEWAY_WORKER_SESSION_PARTS_H
#define GATEWAY_WORKER_SESSION_PARTS_H

#include "gateway/policy/policy.h"
#include "gateway/worker/session.h"

/*
 * What the files of the session share, and nobody else includes:
 *
 *     session_admit.c    the limits, before there is a session
 *     session.c          states, timers, the relay, the doors in and out
 *     session_request.c  REQUEST: reads it, decides
 *     session_name.c     RESOLVE, and which address is next
 *     session_ident.c    IDENT
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

/* The 90 that is due, eight octets in one write [V4-3.3-1]. False: the
   client is gone. */
bool session_grant(struct session *session, uint16_t port, uint32_t ip);
/* The verdict's reply, and an orderly close [V4-3.3-9]. */
void session_refuse(struct session *session, enum verdict verdict);

/* The client's leg while its request is awaited, and while something else
   is: then only a reset of the client's matters. */
void session_request_ready(struct watch *watch, uint32_t events);
void session_waiting_ready(struct watch *watch, uint32_t events);
/* No request will come any more: the stream ended or the time is up. */
void session_give_up(struct session *session, enum verdict refused,
                     enum verdict early);

/* What the policy is asked, of the address alone. */
struct policy_question session_question(const struct session *session);
/* What the policy says: refuses, asks identd, or goes on. */
void session_decided(struct session *session,
                     const struct policy_answer *answer);

/* DOMAIN is a name: asks for its addresses, then decides on them. */
void session_resolve(struct session *session);
/* The next address of the name into session->dstip; false: there is none. */
bool session_next_address(struct session *session);
/* How much of `left_ms` the present address may take. */
uint64_t session_address_share_ms(const struct session *session,
                                  uint64_t left_ms);
/* All addresses of the name, for as long as the route is there. 0 or
   -ENOMEM. */
int session_name_peers(struct session *session, const struct netset **peers);
void session_free_route(struct session *session);

/* The rule asks for identd: asks it, and proceeds when it agrees, or at once
   where its answer is for the record only. */
void session_identify(struct session *session, const struct rule *rule);
/* What identd said, for the record; at most IDENTITY_TEXT_MAX octets, not
   terminated; 0: it was not asked. */
size_t session_ident_text(const struct session *session, char *text);
/* Nobody will answer any more; then, when the turn is over. */
void session_cancel_inquiry(struct session *session);
void session_free_inquiry(struct session *session);

/* The request is granted: go on. */
void session_proceed(struct session *session, const struct rule *rule);
void session_connect(struct session *session);
void session_connect_late(struct session *session);
void session_bind(struct session *session, const struct rule *rule);
/* Gives back whatever a waiting BIND holds but its listening socket, which
   stands in the server's leg. */
void session_free_bind(struct session *session);

#endif
