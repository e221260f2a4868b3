#include "gateway/resolver/question.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

/* A channel takes 74 KB in one piece: more than this, so that it goes back
   to the system when the question is over. */
#define GIVEN_BACK (32 * 1024)

int
question_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, GIVEN_BACK);
    return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
}

/* --- the end ------------------------------------------------------------ */

static void
question_end(struct question *question, enum lookup_outcome outcome)
{
    if (question->answered)
        return;
    question->answered = true;
    question->answer.outcome = outcome;
    loop_cancel_timer(question->means->loop, &question->retry);
    loop_cancel_timer(question->means->loop, &question->deadline);
    loop_defer(question->means->loop, &question->finish);
}

/* Not from inside c-ares: it must not be pulled down under itself. */
static void
finish(struct task *task)
{
    struct question *question = container_of(task, struct question, finish);

    if (question->channel != NULL)
        ares_destroy(question->channel);
    question->channel = NULL;
    question->over(question);
}

static void
deadline_passed(struct timer *timer)
{
    question_end(container_of(timer, struct question, deadline), LOOKUP_FAILED);
}

void
question_give_up(struct question *question)
{
    question_end(question, LOOKUP_FAILED);
}

/* --- the answer --------------------------------------------------------- */

static void
note_ttl(struct answer *answer, int ttl_s)
{
    uint32_t ttl = ttl_s > 0 ? (uint32_t)ttl_s : 0;

    if (ttl < answer->ttl_s)
        answer->ttl_s = ttl;
}

static void
note_address(struct answer *answer, const struct ares_addrinfo_node *node)
{
    struct sockaddr_in sin;

    if (node->ai_family != AF_INET || node->ai_addrlen < sizeof(sin) ||
        answer->count == LOOKUP_ADDRESSES_MAX)
        return;
    memcpy(&sin, node->ai_addr, sizeof(sin));
    answer->addresses[answer->count++] = ntohl(sin.sin_addr.s_addr);
    note_ttl(answer, node->ai_ttl);
}

/* The first 64, in their order; for as long as the shortest TTL says, those
   of the aliases on the way included. */
static void
note_all(struct answer *answer, const struct ares_addrinfo *found)
{
    answer->ttl_s = CACHE_LONGEST_S;
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL;
         node = node->ai_next)
        note_address(answer, node);
    for (const struct ares_addrinfo_cname *cname = found->cnames; cname != NULL;
         cname = cname->next)
        note_ttl(answer, cname->ttl);
}

static enum lookup_outcome
outcome_of(int status, const struct answer *answer)
{
    switch (status) {
    case ARES_SUCCESS: /* perhaps with aliases that lead nowhere */
        return answer->count > 0 ? LOOKUP_FOUND : LOOKUP_NO_SUCH_NAME;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return LOOKUP_NO_SUCH_NAME;
    default:
        return LOOKUP_FAILED;
    }
}

static void
heard(void *with, int status, int timeouts, struct ares_addrinfo *found)
{
    struct question *question = with;

    (void)timeouts;
    if (found != NULL && !question->answered)
        note_all(&question->answer, found);
    if (found != NULL)
        ares_freeaddrinfo(found);
    question_end(question, outcome_of(status, &question->answer));
}

/* --- c-ares on our loop ------------------------------------------------- */

static void
rearm(struct question *question)
{
    struct timeval wait;

    if (question->answered ||
        ares_timeout(question->channel, NULL, &wait) == NULL)
        return;
    uint64_t in_ms =
        (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
    loop_start_timer(question->means->loop, &question->retry, in_ms);
}

static void
retry(struct timer *timer)
{
    struct question *question = container_of(timer, struct question, retry);

    ares_process_fd(question->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    rearm(question);
}

/* An error shows to whichever it looks at, reading or writing. */
static void
socket_ready(struct watch *watch, uint32_t events)
{
    struct question_socket *socket =
        container_of(watch, struct question_socket, watch);
    struct question *question = socket->question;
    uint32_t either = EPOLLERR | EPOLLHUP;
    int reads = events & (EPOLLIN | either) ? watch->fd : ARES_SOCKET_BAD;
    int writes = events & (EPOLLOUT | either) ? watch->fd : ARES_SOCKET_BAD;

    if (question->answered)
        return;
    ares_process_fd(question->channel, reads, writes);
    rearm(question);
}

static struct question_socket *
socket_find(struct question *question, int fd)
{
    for (size_t i = 0; i < QUESTION_SOCKETS; i++)
        if (question->sockets[i].watch.fd == fd)
            return &question->sockets[i];
    return NULL;
}

/* c-ares has opened a socket: it keeps it if there is room for it. */
static int
socket_opened(ares_socket_t fd, int type, void *with)
{
    struct question *question = with;
    const struct question_means *means = question->means;

    (void)fd;
    (void)type;
    bool room = means->sockets < means->sockets_max &&
                socket_find(question, -1) != NULL;
    return room ? 0 : -1;
}

/* What it waits for on a socket; neither: it closes it. */
static void
socket_wanted(void *with, ares_socket_t fd, int reads, int writes)
{
    struct question *question = with;
    struct question_means *means = question->means;
    struct question_socket *socket = socket_find(question, fd);
    uint32_t events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);

    if (socket != NULL) {
        loop_unwatch(means->loop, &socket->watch);
        means->sockets--;
    }
    if (events == 0)
        return;
    socket = socket_find(question, -1);
    if (socket == NULL ||
        loop_watch(means->loop, &socket->watch, fd, events, socket_ready) < 0)
        return; /* then only the deadline comes */
    means->sockets++;
}

/* --- the beginning ------------------------------------------------------ */

/* The hosts file first, then DNS; no search domains, no HOSTALIASES, no
   sorting [4A-4.3-1]. */
static int
open_channel(struct question *question)
{
    struct in_addr none = {0};
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = QUESTION_TRY_MS,
        .tries = QUESTION_TRIES,
        .lookups = (char[]){"fb"},
        .servers = &none,
        .nservers = 1,
        .sock_state_cb = socket_wanted,
        .sock_state_cb_data = question,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
               ARES_OPT_SORTLIST | ARES_OPT_SOCK_STATE_CB;
    const struct question_means *means = question->means;

    if (means->servers != NULL)
        mask |= ARES_OPT_SERVERS;
    int status = ares_init_options(&question->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        question->channel = NULL;
        return status;
    }
    ares_set_socket_callback(question->channel, socket_opened, question);
    return means->servers == NULL
               ? ARES_SUCCESS
               : ares_set_servers_ports(question->channel, means->servers);
}

void
question_init(struct question *question, struct question_means *means)
{
    *question = (struct question){.means = means};
    list_init(&question->link);
    timer_init(&question->retry, retry);
    timer_init(&question->deadline, deadline_passed);
    task_init(&question->finish, finish);
    for (size_t i = 0; i < QUESTION_SOCKETS; i++) {
        question->sockets[i].watch.fd = -1;
        question->sockets[i].question = question;
    }
}

void
question_start(struct question *question, uint64_t patience_ms,
               question_fn *over)
{
    const struct ares_addrinfo_hints hints = {.ai_flags = ARES_AI_NOSORT,
                                              .ai_family = AF_INET};

    question->over = over;
    question->answered = false;
    question->answer = (struct answer){.outcome = LOOKUP_FAILED};
    if (open_channel(question) != ARES_SUCCESS) {
        question_end(question, LOOKUP_FAILED);
        return;
    }
    loop_start_timer(question->means->loop, &question->deadline, patience_ms);
    ares_getaddrinfo(question->channel, question->key.text, NULL, &hints, heard,
                     question);
    rearm(question);
}

void
question_extend(struct question *question, uint64_t patience_ms)
{
    struct loop *loop = question->means->loop;

    if (timer_running(&question->deadline) &&
        question->deadline.deadline_ms < loop_now_ms(loop) + patience_ms)
        loop_start_timer(loop, &question->deadline, patience_ms);
}
