#ifndef GATEWAY_RESOLVER_DESK_H
#define GATEWAY_RESOLVER_DESK_H

#include "gateway/resolver/cache.h"
#include "gateway/resolver/question.h"

/*
 * Who asks for which name: brings askers and questions together. Those who
 * ask the same at about the same time share a question; what is known
 * already is not asked. Both are pools of fixed size [4A-B.4-4]: beyond it the
 * answer is FAILED, at once. A worker may hold as many as are still free, so
 * that one that takes all it can leaves as much to the others.
 */
#define DESK_QUESTIONS 1024
#define DESK_ASKERS 8192

/* A question that has waited longer is not joined: its next try is too far
   away. */
#define DESK_JOIN_MS 1000

/* How much longer than its askers a question lives: they have deadlines of
   their own, this is for those that cannot tell us. */
#define DESK_GRACE_MS 250

/* What a worker holds, and who that is. */
struct holder {
    struct list askers; /* unanswered, by `mine` */
    size_t asker_count; /* answered ones that wait to be sent included */
    size_t question_count;
};

struct asker {
    struct list link; /* of its question, or of whoever sends the answer */
    struct list mine; /* of its holder */
    struct holder *holder;
    struct inquiry *inquiry;
    struct lookup_answer answer; /* from the beginning with its id */
};

/* A question with those who wait for it. */
struct inquiry {
    struct question question;
    struct list askers;
    struct desk *desk;
    struct holder *payer; /* NULL: gone */
    uint64_t since_ms;
};

/* The asker's answer is filled in: send it, then desk_release. */
typedef void desk_answered_fn(struct asker *asker);

struct desk {
    struct question_means means;
    desk_answered_fn *answered;
    struct list open; /* inquiries on their way, oldest first */
    struct list free_inquiries;
    struct list free_askers;
    size_t free_inquiry_count;
    size_t free_asker_count;
    struct cache cache;
    struct inquiry inquiries[DESK_QUESTIONS];
    struct asker askers[DESK_ASKERS];
};

/* `servers` is borrowed; NULL: the system's. */
void desk_init(struct desk *desk, struct loop *loop,
               struct ares_addr_port_node *servers, unsigned sockets_max,
               desk_answered_fn *answered);

void holder_init(struct holder *holder);

/*
 * True: `answer` is filled in, and that is all. False: it comes later,
 * unless the question is cancelled. `question` has been checked by nobody.
 */
bool desk_ask(struct desk *desk, struct holder *holder,
              const struct lookup_question *question,
              struct lookup_answer *answer);

/* Unknown ids are ignored. */
void desk_cancel(struct desk *desk, struct holder *holder, uint64_t id);

/* The answer was sent. */
void desk_release(struct desk *desk, struct asker *asker);

/* The holder is gone: whatever it asked, but for answers that wait to be
   sent, which are to be released first. */
void desk_leave(struct desk *desk, struct holder *holder);

#endif
