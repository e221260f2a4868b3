#include "gateway/resolver/query.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* A channel takes 74 KB in one piece. That is more than this, so that it goes
   back to the system when the query is over. */
#define QUERY_MMAP_OCTETS (32 * 1024)

int
query_prepare(void)
{
    mallopt(M_MMAP_THRESHOLD, QUERY_MMAP_OCTETS);
    return ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS ? 0 : -ENOMEM;
}

/* --- the end ------------------------------------------------------------ */

static void
query_end(struct query *query, enum lookup_outcome outcome)
{
    if (query->answered)
        return;
    query->answered = true;
    query->answer.outcome = outcome;
    loop_cancel_timer(query->context->loop, &query->retry);
    loop_cancel_timer(query->context->loop, &query->deadline);
    loop_defer(query->context->loop, &query->finish);
}

static void
query_close(struct query *query)
{
    if (query->channel != NULL)
        ares_destroy(query->channel);
    query->channel = NULL;
}

/* Runs as a task: a channel must not be destroyed from a callback of its own.
 */
static void
query_finish(struct task *task)
{
    struct query *query = container_of(task, struct query, finish);

    query_close(query);
    query->done(query);
}

static void
query_on_deadline(struct timer *timer)
{
    query_end(container_of(timer, struct query, deadline), LOOKUP_FAILED);
}

void
query_cancel(struct query *query)
{
    query_end(query, LOOKUP_FAILED);
    task_cancel(&query->finish);
    query_close(query);
}

/* --- the answer --------------------------------------------------------- */

static void
query_note_ttl(struct answer *answer, int ttl_s)
{
    uint32_t ttl = ttl_s > 0 ? (uint32_t)ttl_s : 0;

    if (ttl < answer->ttl_s)
        answer->ttl_s = ttl;
}

static int
query_ai_family(enum lookup_family family)
{
    return family == LOOKUP_V6 ? AF_INET6 : AF_INET;
}

static void
query_note_address(struct query *query, const struct ares_addrinfo_node *node)
{
    struct answer *answer = &query->answer;
    struct sockaddr_storage sa = {0};
    struct endpoint at;

    if (node->ai_family != query_ai_family(query->family) ||
        node->ai_addrlen > sizeof(sa) || answer->count == LOOKUP_ADDRESSES_MAX)
        return;
    memcpy(&sa, node->ai_addr, node->ai_addrlen);
    endpoint_from_sockaddr(&at, &sa);
    answer->addresses[answer->count++] = at.addr;
    query_note_ttl(answer, node->ai_ttl);
}

/* Keeps the first 64 addresses, in their order, for the shortest TTL of the
   answer, aliases included. */
static void
query_note_all(struct query *query, const struct ares_addrinfo *found)
{
    struct answer *answer = &query->answer;

    answer->ttl_s = CACHE_LONGEST_S;
    for (const struct ares_addrinfo_node *node = found->nodes; node != NULL;
         node = node->ai_next)
        query_note_address(query, node);
    for (const struct ares_addrinfo_cname *cname = found->cnames; cname != NULL;
         cname = cname->next)
        query_note_ttl(answer, cname->ttl);
}

static enum lookup_outcome
query_outcome(int status, const struct answer *answer)
{
    switch (status) {
    case ARES_SUCCESS: /* possibly aliases alone, without an address */
        return answer->count > 0 ? LOOKUP_FOUND : LOOKUP_NO_SUCH_NAME;
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return LOOKUP_NO_SUCH_NAME;
    default:
        return LOOKUP_FAILED;
    }
}

static void
query_on_answer(void *with, int status, int timeouts,
                struct ares_addrinfo *found)
{
    struct query *query = with;

    (void)timeouts;
    if (found != NULL && !query->answered)
        query_note_all(query, found);
    if (found != NULL)
        ares_freeaddrinfo(found);
    query->answer.no_name = status == ARES_ENOTFOUND;
    query_end(query, query_outcome(status, &query->answer));
}

/* --- c-ares on our loop ------------------------------------------------- */

static void
query_rearm(struct query *query)
{
    struct timeval wait;

    if (query->answered || ares_timeout(query->channel, NULL, &wait) == NULL)
        return;
    uint64_t in_ms =
        (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
    loop_start_timer(query->context->loop, &query->retry, in_ms);
}

static void
query_on_retry(struct timer *timer)
{
    struct query *query = container_of(timer, struct query, retry);

    ares_process_fd(query->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    query_rearm(query);
}

/* c-ares notices an error on whichever side it looks at. */
static void
query_on_socket(struct watch *watch, uint32_t events)
{
    struct query_socket *socket =
        container_of(watch, struct query_socket, watch);
    struct query *query = socket->query;
    uint32_t either = EPOLLERR | EPOLLHUP;
    int reads = events & (EPOLLIN | either) ? watch->fd : ARES_SOCKET_BAD;
    int writes = events & (EPOLLOUT | either) ? watch->fd : ARES_SOCKET_BAD;

    if (query->answered)
        return;
    ares_process_fd(query->channel, reads, writes);
    query_rearm(query);
}

static struct query_socket *
query_socket_find(struct query *query, int fd)
{
    for (size_t i = 0; i < QUERY_SOCKETS; i++)
        if (query->sockets[i].watch.fd == fd)
            return &query->sockets[i];
    return NULL;
}

/* c-ares has opened a socket. It closes it again where there is no room. */
static int
query_socket_opened(ares_socket_t fd, int type, void *with)
{
    struct query *query = with;
    const struct query_context *context = query->context;

    (void)fd;
    (void)type;
    bool room = context->sockets < context->sockets_max &&
                query_socket_find(query, -1) != NULL;
    return room ? 0 : -1;
}

/* The events c-ares wants of a socket; none: it is about to close it. */
static void
query_socket_wanted(void *with, ares_socket_t fd, int reads, int writes)
{
    struct query *query = with;
    struct query_context *context = query->context;
    struct query_socket *socket = query_socket_find(query, fd);
    uint32_t events = (reads ? EPOLLIN : 0u) | (writes ? EPOLLOUT : 0u);

    if (socket != NULL) {
        loop_unwatch(context->loop, &socket->watch);
        context->sockets--;
    }
    if (events == 0)
        return;
    socket = query_socket_find(query, -1);
    if (socket == NULL || loop_watch(context->loop, &socket->watch, fd, events,
                                     query_on_socket) < 0)
        return; /* the deadline still ends the query */
    context->sockets++;
}

/* --- the calls of its sockets ------------------------------------------- */

static ares_socket_t
query_socket(int family, int type, int protocol, void *with)
{
    (void)with;
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

static int
query_close_socket(ares_socket_t fd, void *with)
{
    (void)with;
    return close(fd);
}

/* c-ares knows no scopes, and a link-local address is none without it. */
static int
query_connect(ares_socket_t fd, const struct sockaddr *to, ares_socklen_t len,
              void *with)
{
    const struct query *query = with;
    struct sockaddr_in6 in6;

    if (to->sa_family != AF_INET6 || len < sizeof(in6))
        return connect(fd, to, len);
    memcpy(&in6, to, sizeof(in6));
    in6.sin6_scope_id =
        nameservers_scope(query->context->servers, &in6.sin6_addr);
    return connect(fd, (struct sockaddr *)&in6, sizeof(in6));
}

static ares_ssize_t
query_receive(ares_socket_t fd, void *octets, size_t len, int flags,
              struct sockaddr *from, ares_socklen_t *from_len, void *with)
{
    (void)with;
    return recvfrom(fd, octets, len, flags, from, from_len);
}

static ares_ssize_t
query_send(ares_socket_t fd, const struct iovec *pieces, int count, void *with)
{
    (void)with;
    return writev(fd, pieces, count);
}

static const struct ares_socket_functions query_socket_calls = {
    query_socket, query_close_socket, query_connect, query_receive, query_send};

/* --- start -------------------------------------------------------------- */

/* DNS alone; no search domains, no HOSTALIASES, no sorting [4A-4.3-1]. All that
   c-ares would read from files is said here. */
static int
query_open_channel(struct query *query)
{
    struct in_addr none = {0};
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = QUERY_TRY_MS,
        .tries = QUERY_TRIES,
        .lookups = (char[]){"b"},
        .servers = &none,
        .nservers = 1,
        .sock_state_cb = query_socket_wanted,
        .sock_state_cb_data = query,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
               ARES_OPT_NDOTS | ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
               ARES_OPT_SORTLIST | ARES_OPT_SERVERS | ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&query->channel, &options, mask);
    if (status != ARES_SUCCESS) {
        query->channel = NULL;
        return status;
    }
    ares_set_socket_callback(query->channel, query_socket_opened, query);
    ares_set_socket_functions(query->channel, &query_socket_calls, query);
    return ares_set_servers_ports(query->channel,
                                  query->context->servers->nodes);
}

void
query_init(struct query *query, struct query_context *context)
{
    *query = (struct query){.context = context};
    list_init(&query->link);
    timer_init(&query->retry, query_on_retry);
    timer_init(&query->deadline, query_on_deadline);
    task_init(&query->finish, query_finish);
    for (size_t i = 0; i < QUERY_SOCKETS; i++) {
        query->sockets[i].watch.fd = -1;
        query->sockets[i].query = query;
    }
}

void
query_start(struct query *query, uint64_t timeout_ms, query_fn *done)
{
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NOSORT,
        .ai_family = query_ai_family(query->family)};

    query->done = done;
    query->answered = false;
    query->answer = (struct answer){.outcome = LOOKUP_FAILED};
    if (query_open_channel(query) != ARES_SUCCESS) {
        query_end(query, LOOKUP_FAILED);
        return;
    }
    loop_start_timer(query->context->loop, &query->deadline, timeout_ms);
    ares_getaddrinfo(query->channel, query->key.text, NULL, &hints,
                     query_on_answer, query);
    query_rearm(query);
}

void
query_extend(struct query *query, uint64_t timeout_ms)
{
    struct loop *loop = query->context->loop;

    if (timer_running(&query->deadline) &&
        query->deadline.deadline_ms < loop_now_ms(loop) + timeout_ms)
        loop_start_timer(loop, &query->deadline, timeout_ms);
}
