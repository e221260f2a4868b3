#ifndef GATEWAY_WORKER_SESSION_PARENT_H
#define GATEWAY_WORKER_SESSION_PARENT_H

#include "gateway/worker/parent.h"
#include "gateway/worker/parent_choice.h"
#include "gateway/worker/session_parts.h"

/*
 * Shared by the two files of a session that goes through parents, and by no
 * other: session_parent.c connects to one after the other, and
 * session_parent_reply.c speaks with the one that is connected.
 */
struct via_setup {
    struct session *session;
    struct parent_choice choice;
    struct lookup lookup;      /* of the parent's name */
    struct endpoint to;        /* where the connection goes */
    uint64_t dialled_us;       /* when the connection to it began */
    uint64_t until_us;         /* the end of the present address's share */
    struct parent parent;      /* the request, and its reply */
    uint64_t asked_us;         /* when the request was sent */
    struct endpoint at_server; /* what the parent's grant says */
    bool granted : 1;          /* the server's PROXY header goes out */
    bool asked : 1; /* the request was sent: TLS stands, where there is any */
};

/* Of one that connects through a parent. */
static inline struct via_setup *
session_via_setup(const struct session *session)
{
    return session->setup->via->setup;
}

/* Closes the connection and tries the next one, or refuses with the verdict of
   the last. */
void session_parent_next(struct session *session, enum verdict verdict);
/* The same where the present one is to blame: it cannot be reached, is silent,
   or talks nonsense. */
void session_parent_failed(struct session *session, enum verdict verdict);
/* Whether that parent is asked in version 5. */
bool session_parent_speaks_5(const struct session *session,
                             const struct config_parent *parent);
/* The timer runs out with the present address's share. */
void session_parent_arm(struct session *session);

/* The connection to it stands: TLS, if it has any, and then the request. */
void session_parent_begin(struct session *session);
/* An event of that connection, from then on. */
void session_parent_continue(struct session *session);

#endif
