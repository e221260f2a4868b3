#ifndef GATEWAY_WORKER_SESSION_PARTS_H
#define GATEWAY_WORKER_SESSION_PARTS_H

#include "gateway/policy/policy.h"
#include "gateway/worker/probes.h"
#include "gateway/worker/session.h"

/*
 * Shared by the files of the session, and by no other:
 *
 *     session_admit.c    the limits, before there is a session
 *     session.c          states, timers, the relay, beginning and end
 *     session_proxy.c    PROXY, and the header that a server gets
 *     session_tls.c      TLS: the handshake, and what the certificate says
 *     session_request.c  REQUEST: reads it, decides
 *     session_auth.c     AUTH
 *     session_name.c     RESOLVE, and which address is next
 *     session_ident.c    IDENT
 *     session_connect.c  CONNECT
 *     session_beside.c   CONNECT to a name with addresses of both families
 *     session_parent.c   CONNECT to a parent, PARENT_NAME
 *     session_parent_reply.c PARENT, and a parent's second reply in LISTEN
 *     session_bind.c     PRIMARY, LISTEN
 *     session_association.c UDP
 *     session_reply.c    the reply; REFUSE
 */

/* Whether a connection from that address may become a session; then it is
   charged to *source_index. Otherwise it is counted. None of the limits of one
   source is a `balancer`'s: its clients have those, from session_admit_client
   on. */
bool session_admit(struct sessions *sessions, struct addr from, bool balancer,
                   int *source_index);
/* The session is charged to its client from now on, and no more to the
   balancer. One that is over a limit is reset and counted, as if it had just
   been accepted: it has ended. */
void session_admit_client(struct session *session);

/* The one setter of the state: checks the transition, charges the time,
   arms the state's timer. From then on an event of the client's stream means
   what the state's row says. */
void session_enter(struct session *session, enum session_state state);

/*
 * The only end. A session that ended in order is closed; any other is
 * reset on both legs, so that an abort never looks like a clean end of
 * stream. It is freed at the end of the turn: an event for it may still be
 * in this one's batch.
 */
void session_end(struct session *session, enum verdict_by by,
                 enum verdict_end end);
/* The same with what the verdict's row says, and without a reply. */
void session_drop(struct session *session, enum verdict verdict);

/* What its worker counts for metrics. */
struct series *session_series(const struct session *session);

/* It relays, or is an association: gives back what only its setup needs. */
void session_leave_setup(struct session *session);

/* Leaves a wait, in whichever state: gives back the route, the ident query and
   what a waiting BIND holds. */
void session_leave_wait(struct session *session);

/* Both legs stand: a grant with this address, then the relay. */
void session_relay(struct session *session, const struct endpoint *at);
/* The line that it has begun, where its rule, or else the configuration, asks
   for it. */
void session_record_start(struct session *session);

/* Octets to the client, in one write. False: it is gone. */
bool session_send(struct session *session, const uint8_t *octets, size_t size);
/* The grant that is due. False: the client is gone. */
bool session_grant(struct session *session, const struct endpoint *at);
/* The verdict's reply, and an orderly close [V4-3.3-9]; where no reply is due,
   since the client would not understand it, the close alone. */
void session_refuse(struct session *session, enum verdict verdict);

/* Whether a connection from that address must begin with a PROXY header, and
   what begins a session whose connection must. */
bool session_has_balancer(const struct sessions *sessions, struct addr from,
                          size_t listener_index);
void session_expect_proxy(struct session *session, int fd, stream_fn *serve);
/* Whether the client is a balancer itself: no limit of one source is its. */
bool session_is_balancers(const struct session *session);
/* The connection to the server, or through a parent to it, is dialled; and it
   stands: sends the header that the rule wants. False: the rest of it waits for
   room, and session_send_proxy is to be called again. */
void session_begin_proxy(struct session *session);
bool session_send_proxy(struct session *session);
void session_free_proxy(struct session *session);

/* The header has been read: TLS begins. */
void session_start_tls(struct session *session, struct tls_context *context);

/* An event of the client's stream, by state: session.h. */
void session_read_proxy(struct session *session);
void session_handshake(struct session *session);
void session_read_request(struct session *session);
void session_notice_leaving(struct session *session);
void session_watch_association(struct session *session);
void session_linger(struct session *session);
/* A timer that ran out, by state. */
void session_give_up_proxy(struct session *session, enum verdict verdict);
void session_give_up_tls(struct session *session, enum verdict verdict);
void session_give_up(struct session *session, enum verdict verdict);
void session_dial_next(struct session *session, enum verdict verdict);
void session_parent_late(struct session *session, enum verdict verdict);
void session_refused(struct session *session, enum verdict verdict);

/* Charges what TLS takes for this leg, if it is TLS, or gives it back. */
void session_charge_tls(struct session *session, const struct stream *stream,
                        int sign);
/* A handshake has succeeded: gives back what it was charged beyond that. */
void session_discharge_handshake(struct session *session);

/* As session_register, of a CONNECT whose grant is about to leave. */
void session_register_now(struct session *session);

/* Whether the listener's tls.user lets this USERID ask. */
bool session_userid_is_certified(const struct session *session);
/* Which name of the certificate goes into the record: the one that the rule
   matched by, if it did. */
void session_note_certificate(struct session *session, const struct rule *rule);

/* A refusal that is no reply: an orderly close all the same. */
void session_refuse_silently(struct session *session, enum verdict verdict);

/* What the policy is asked, of the name if there is one. */
struct policy_question session_question(const struct session *session);
/* What the policy says: refuses, asks identd, or goes on. */
void session_decided(struct session *session,
                     const struct policy_answer *answer);

/* DOMAIN is a name: asks for its addresses, then decides on them. */
void session_resolve(struct session *session);
/* Moves the addresses of this family to the front, and returns their count;
   each family keeps its order. Before the first one is tried. */
size_t session_sort_addresses(struct session *session, bool v4);
/* The next address of the name into request.to; false: there is none. */
bool session_next_address(struct session *session);
/* How much of `left_ms` the present address may take. */
uint64_t session_address_share_ms(const struct session *session,
                                  uint64_t left_ms);
/* How long a connect may take that begins now; notes whether it is less than
   timeouts.connect. */
uint64_t session_connect_ms(struct session *session);
/* What is left of that; 0: nothing. */
uint64_t session_connect_left_ms(struct session *session);
/* The present address's share of what is left of that, which is divided among
   so many parents first; 0: nothing is left. */
uint64_t session_connect_share_ms(struct session *session, unsigned parents);
/* Whether another address may help: it does not where the gateway itself is the
   cause. */
bool session_may_dial_another(enum verdict verdict);
/*
 * Whether the connection to question->to has come out at this machine itself,
 * at an address that it got only now. Then the question says so.
 */
bool session_came_out_here(struct addr local, struct policy_question *question);
/* Connects, from where the rule and egress.address say, which is `source`: as
   stream_dial, and -EADDRNOTAVAIL without asking where a moment ago there was no
   port for this. */
int session_dial_from(struct session *session, struct stream *stream,
                      const struct endpoint *to, struct addr *source,
                      stream_fn *serve);
/* Why a dial failed at once. */
enum verdict session_dial_verdict(const struct session *session,
                                  struct addr source, int error);
/* All addresses of the name, for as long as the route is there. 0 or
   -ENOMEM. */
int session_name_peers(struct session *session, const struct netset **peers);
/* Of a BIND that asks for a live CONNECT of each address: whether the present
   one has one. True: the next one is in request.to. False: there is none, and
   only those that have one are left, the first of them in request.to. */
bool session_next_primary(struct session *session, bool lives);
/* Whether any has one; what was said of the only address, where there is no
   name. */
bool session_has_primary(const struct session *session, bool lives);
void session_free_route(struct session *session);

void session_init_beside(struct route *route);
/* Before the first address is dialled: sets those of the other family apart,
   and gives the first family its head start. */
void session_prepare_beside(struct session *session);
/* An address of the first family has failed, and the next one is dialled: its
   head start is over. */
void session_begin_beside(struct session *session);
/* All addresses of the first family have failed. Whether the other one is under
   way; else *verdict, and request.to, say what has failed last. */
bool session_goes_on_beside(struct session *session, enum verdict *verdict);
/* Gives it up. */
void session_stop_beside(struct session *session);

/* Dials on this stream. V_GRANTED: it is under way. */
enum verdict session_dial_address(struct session *session,
                                  struct stream *stream, struct addr addr,
                                  stream_fn *serve);
/* Events of the connection to the server; and what has come of it so far. */
stream_fn session_server_ready;
void session_server_dialled(struct session *session);

/* Whether the client of this session, `owner`, is asked for a password: for
   struct request_terms. */
enum request_password session_wants_password(const void *owner);
/* Asks whether the password is that of the user in the request: AUTH. The
   octets may be wiped when this returns. */
void session_authenticate(struct session *session,
                          const struct request_rest *password);
/* The state is left: gives back the question. */
void session_stop_auth(struct session *session);

/* The rule asks for identd: asks it, and proceeds when it agrees, or at once
   where its answer is for the record only. */
void session_identify(struct session *session, const struct rule *rule);
/* What identd said, for the record; at most IDENTITY_TEXT_MAX octets, not
   terminated; 0: it was not asked. */
size_t session_ident_text(const struct session *session, char *text);
/* Cancels the query, unless its answer is only for the record of a session that
   goes on. */
void session_stop_ident(struct session *session);
/* When the turn is over. */
void session_free_ident(struct session *session);

/* Its rule, once that has granted it and while it does not relay. */
const struct rule *session_rule(const struct session *session);

/* The request is granted: connects, or waits for the BIND's peer. */
void session_proceed(struct session *session, const struct rule *rule);
void session_bind(struct session *session, const struct rule *rule);
/* The same through the rule's parents. */
void session_parent_start(struct session *session);
/* Gives back what it needs to find a parent; its name stays for the record. */
void session_stop_parent(struct session *session);
/* The end of its connection to the server, or to a parent. */
void session_close_server(struct session *session);
/* A number that is another one for each BIND and association, and that nobody
   without the segment's secret can tell: no stranger knows the next port. */
uint64_t session_port_seed(struct sessions *sessions);
/* SOCKS5 asks for an association: decides; and when that is granted. */
void session_decide_association(struct session *session);
void session_associate(struct session *session);
/* Closes the sockets, gives back the charges. */
void session_stop_association(struct session *session);
/* Closes the listening socket, gives back the charge, cancels the query. */
void session_stop_bind(struct session *session);

#endif
