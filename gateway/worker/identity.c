#include "gateway/worker/identity.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sys.h"
#include "socks4/ident.h"

_Static_assert(IDENTITY_LINE_MAX == SOCKS4_IDENT_LINE_MAX,
               "the longest answer is the one the decoder takes");

static const char *const outcome_names[IDENTITY_OUTCOME_COUNT] = {
    [IDENTITY_UNANSWERED] = "",
#define X(symbol, name) [IDENTITY_##symbol] = name,
    IDENTITY_OUTCOMES(X)
#undef X
};

/* What an errno of the socket's comes to, from whichever call. */
static enum identity_outcome
identity_outcome_of_errno(int error)
{
    static const struct {
        int error;
        enum identity_outcome outcome;
    } rows[] = {
        {-ECONNREFUSED, IDENTITY_REFUSED},
        {-ENETUNREACH, IDENTITY_UNREACHABLE},
        {-EHOSTUNREACH, IDENTITY_UNREACHABLE},
        {-ENETDOWN, IDENTITY_UNREACHABLE},
        {-EHOSTDOWN, IDENTITY_UNREACHABLE},
        {-ENOPROTOOPT, IDENTITY_UNREACHABLE}, /* ICMP: no such protocol */
        {-EACCES, IDENTITY_UNREACHABLE},      /* ICMPv6: prohibited */
        {-ETIMEDOUT, IDENTITY_LATE},
        {-ECONNRESET, IDENTITY_CLOSED},
        {-EPIPE, IDENTITY_CLOSED},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (rows[i].error == error)
            return rows[i].outcome;
    return IDENTITY_FAILED;
}

void
identity_cancel(struct identity *identity)
{
    if (identity->loop == NULL)
        return;
    loop_cancel_timer(identity->loop, &identity->timer);
    stream_reset(&identity->stream);
    free(identity->unread);
    identity->unread = NULL;
    identity->unread_len = 0;
}

static void
identity_drop_word(struct identity *identity)
{
    free(identity->word);
    identity->word = NULL;
    identity->word_len = 0;
}

void
identity_fini(struct identity *identity)
{
    identity_cancel(identity);
    identity_drop_word(identity);
}

/*
 * The end of every query. The connection is reset, not closed: it is not needed
 * any more, and an identd that never closes would hold our end in FIN_WAIT2,
 * one that closes a port in TIME_WAIT for each query.
 */
static void
identity_finish(struct identity *identity, enum identity_outcome outcome)
{
    identity_cancel(identity);
    identity->outcome = (uint8_t)outcome;
    identity->answered(identity);
}

static void
identity_late(struct timer *timer)
{
    identity_finish(container_of(timer, struct identity, timer), IDENTITY_LATE);
}

void
identity_init(struct identity *identity)
{
    memset(identity, 0, sizeof(*identity));
    stream_init(&identity->stream);
    timer_init(&identity->timer, identity_late);
}

/* Sends what is left of the query, when the connection stands. */
static enum identity_outcome
identity_ask(struct identity *identity)
{
    struct stream *stream = &identity->stream;
    uint8_t octets[SOCKS4_IDENT_QUERY_MAX];
    struct socks4_ident_query query = {identity->client_port,
                                       identity->server_port};
    size_t len = socks4_ident_query_encode(&query, octets);

    if (identity->asked == len)
        return IDENTITY_UNANSWERED;
    if (stream_is(stream, STREAM_BROKEN)) {
        int error = stream_error(stream);
        return identity_outcome_of_errno(error < 0 ? error : -ECONNRESET);
    }
    if (!stream_is(stream, STREAM_WRITABLE))
        return IDENTITY_UNANSWERED;
    ssize_t sent =
        stream_send(stream, octets + identity->asked, len - identity->asked);
    if (sent < 0)
        return sent == -EAGAIN ? IDENTITY_UNANSWERED
                               : identity_outcome_of_errno((int)sent);
    identity->asked = (uint8_t)(identity->asked + sent);
    return IDENTITY_UNANSWERED;
}

static enum identity_outcome
identity_keep_unread(struct identity *identity, const uint8_t *octets,
                     size_t len)
{
    uint8_t *unread = realloc(identity->unread, len);
    if (unread == NULL)
        return IDENTITY_FAILED;
    memcpy(unread, octets, len);
    identity->unread = unread;
    identity->unread_len = (uint32_t)len;
    return IDENTITY_UNANSWERED;
}

static enum identity_outcome
identity_keep_word(struct identity *identity,
                   const struct socks4_ident_answer *answer)
{
    bool named = answer->kind == SOCKS4_IDENT_USERID;
    const char *word = named ? answer->userid : answer->error;
    size_t len = named ? answer->userid_len : answer->error_len;

    identity->word = malloc(len);
    if (identity->word == NULL)
        return IDENTITY_FAILED;
    memcpy(identity->word, word, len);
    identity->word_len = (uint32_t)len;
    return named ? IDENTITY_NAMED : IDENTITY_ERROR;
}

/* What the line comes to, of which `len` octets are there. */
static enum identity_outcome
identity_look(struct identity *identity, const uint8_t *octets, size_t len)
{
    struct socks4_ident_query query = {identity->client_port,
                                       identity->server_port};
    struct socks4_ident_answer answer;
    ssize_t used = socks4_ident_answer_decode(&query, octets, len, &answer);

    if (used == 0)
        return identity_keep_unread(identity, octets, len);
    if (used < 0)
        return IDENTITY_MALFORMED;
    return identity_keep_word(identity, &answer);
}

/*
 * Reads while there is something to read. The line is put together on the
 * stack; of one that is unfinished no more is kept than has come. A reset
 * hides nothing that came before it: an identd that has answered may go as
 * it likes.
 */
static enum identity_outcome
identity_read(struct identity *identity)
{
    struct stream *stream = &identity->stream;
    uint8_t line[SOCKS4_IDENT_LINE_MAX + 1];
    enum identity_outcome outcome = IDENTITY_UNANSWERED;

    while (outcome == IDENTITY_UNANSWERED &&
           stream_is(stream, STREAM_READABLE)) {
        size_t len = identity->unread_len;
        ssize_t count = stream_recv(stream, line + len, sizeof(line) - len);
        if (count == -EAGAIN)
            return IDENTITY_UNANSWERED;
        if (count <= 0)
            return count == 0 ? IDENTITY_CLOSED
                              : identity_outcome_of_errno((int)count);
        if (len > 0)
            memcpy(line, identity->unread, len);
        outcome = identity_look(identity, line, len + (size_t)count);
    }
    return outcome;
}

static void
identity_ready(struct watch *watch, uint32_t events)
{
    struct identity *identity =
        container_of(stream_event(watch, events), struct identity, stream);

    enum identity_outcome outcome = identity_ask(identity);
    if (outcome == IDENTITY_UNANSWERED)
        outcome = identity_read(identity);
    if (outcome != IDENTITY_UNANSWERED)
        identity_finish(identity, outcome);
}

int
identity_start(struct identity *identity, struct loop *loop,
               const struct endpoint *client, const struct endpoint *local,
               uint64_t timeout_ms, identity_fn *answered)
{
    struct endpoint to = {.addr = client->addr, .port = SOCKS4_IDENT_PORT};

    assert(!stream_is_open(&identity->stream));
    identity_drop_word(identity);
    identity->loop = loop;
    identity->answered = answered;
    identity->client_port = client->port;
    identity->server_port = local->port;
    identity->asked = 0;
    identity->outcome = IDENTITY_UNANSWERED;
    int error =
        stream_dial(&identity->stream, loop, &to, local->addr, identity_ready);
    if (error < 0)
        identity->outcome = (uint8_t)identity_outcome_of_errno(error);
    else
        loop_start_timer(loop, &identity->timer, timeout_ms);
    return error;
}

size_t
identity_text(const struct identity *identity, char *text, size_t room)
{
    const char *name = outcome_names[identity->outcome];
    int len = (int)identity->word_len;
    int count;

    switch ((enum identity_outcome)identity->outcome) {
    case IDENTITY_NAMED:
        count = snprintf(text, room, "%.*s", len, identity->word);
        break;
    case IDENTITY_ERROR:
        count = snprintf(text, room, "%s: %.*s", name, len, identity->word);
        break;
    case IDENTITY_UNANSWERED:
    case IDENTITY_FAILED:
        count = snprintf(text, room, "%s", name);
        break;
    default:
        count = snprintf(text, room, "failed: %s", name);
        break;
    }
    return (size_t)count < room ? (size_t)count : room - 1;
}
