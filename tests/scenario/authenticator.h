#ifndef SCENARIO_AUTHENTICATOR_H
#define SCENARIO_AUTHENTICATOR_H

#include "gateway/worker/authentication.h"

/*
 * The authenticator as a worker sees it: it receives questions and cancels
 * (worker/authentication.h). It answers when the script says so.
 */
void authenticator_start(void);

/* What the worker sends on its link. */
void authenticator_receive(const struct authentication_question *message);

/* The next message that no step has looked at yet; NULL: none. */
const struct authentication_question *authenticator_next(void);

/* The newest question that authenticator_next gave; NULL: none. */
const struct authentication_question *authenticator_question(void);

#endif
