#include "gateway/worker/request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a first octet other than 4 may have been meant for. */
static enum verdict
verdict_of_stranger(const uint8_t *octets, size_t len)
{
    if (octets[0] == 5)
        return V_SOCKS5;
    if (octets[0] == 0x16)
        return V_TLS;
    if (octets[0] == 0x0d || (len >= 6 && memcmp(octets, "PROXY ", 6) == 0))
        return V_PROXY;
    if (len < 6 && memcmp(octets, "PROXY ", len) == 0)
        return V_HTTP_OR_PROXY;
    if (memchr("GPHDCOT", octets[0], 7) != NULL)
        return V_HTTP;
    return V_NOT_SOCKS4;
}

static enum verdict
verdict_of_codec(ssize_t error, const uint8_t *octets, size_t len)
{
    switch ((enum socks4_error)error) {
    case SOCKS4_E_VERSION: /* [V4-3.1-2, 4A-4.1-2] */
        return verdict_of_stranger(octets, len);
    case SOCKS4_E_COMMAND: /* [V4-3.1-3, V4-1-7] */
        return V_BAD_COMMAND;
    case SOCKS4_E_USERID_LONG: /* [4A-B.4-1] */
        return V_USERID_LONG;
    case SOCKS4_E_DOMAIN_LONG:
        return V_DOMAIN_LONG;
    case SOCKS4_E_DOMAIN_EMPTY:
        return V_DOMAIN_EMPTY;
    case SOCKS4_E_4A: /* [V4-A-1, V4-A-3] */
        return V_SOCKS4A_OFF;
    default:
        assert(false && "an error that no request decoder gives");
        return V_BAD_COMMAND;
    }
}

/* USERID and DOMAIN where both are empty: no memory for two NULs. */
static char nothing[2];

/* USERID and DOMAIN in one piece, each with a NUL behind it. False: no memory
   for them. */
static bool
request_keep(struct request *request, const struct socks4_request *seen)
{
    if (seen->userid == NULL)
        return true;
    if (seen->userid_len + seen->domain_len == 0) {
        request->userid = nothing;
        return true;
    }
    request->userid = calloc(1, seen->userid_len + seen->domain_len + 2);
    if (request->userid == NULL)
        return false;
    memcpy(request->userid, seen->userid, seen->userid_len);
    if (seen->domain_len > 0)
        memcpy(request->userid + seen->userid_len + 1, seen->domain,
               seen->domain_len);
    request->userid_len = (uint32_t)seen->userid_len;
    request->domain_len = (uint8_t)seen->domain_len;
    return true;
}

static bool
request_keep_unread(struct request *request, const uint8_t *octets, size_t len)
{
    uint8_t *unread = realloc(request->unread, len);
    if (unread == NULL)
        return false;
    memcpy(unread, octets, len);
    request->unread = unread;
    request->unread_len = (uint32_t)len;
    return true;
}

static void
request_drop_unread(struct request *request)
{
    free(request->unread);
    request->unread = NULL;
    request->unread_len = 0;
}

/* What `len` octets in the buffer come to. */
static enum request_news
request_look(struct request *request, const struct socks4_framing *framing,
             const uint8_t *octets, size_t len, struct request_rest *rest,
             enum verdict *verdict)
{
    struct socks4_request seen;
    ssize_t used =
        socks4_server_read(&request->server, framing, octets, len, &seen);

    *verdict = V_NO_MEMORY;
    if (used == 0)
        return request_keep_unread(request, octets, len) ? REQUEST_WAITS
                                                         : REQUEST_WRONG;
    request_drop_unread(request);
    if (!request_keep(request, &seen))
        return REQUEST_WRONG;
    if (used < 0) {
        *verdict = verdict_of_codec(used, octets, len);
        return REQUEST_WRONG;
    }
    rest->octets = octets + used;
    rest->count = len - (size_t)used;
    return REQUEST_COMPLETE;
}

enum request_news
request_read(struct request *request, struct stream *stream,
             const struct socks4_framing *framing, uint8_t *buffer,
             struct request_rest *rest, enum verdict *verdict)
{
    while (stream_is(stream, STREAM_READABLE)) {
        size_t len = request->unread_len;
        ssize_t count = stream_recv(stream, buffer + len, REQUEST_READ);
        if (count == -EAGAIN)
            return REQUEST_WAITS;
        if (count < 0) {
            *verdict = V_CLIENT_GONE;
            return REQUEST_WRONG;
        }
        if (count == 0) {
            request->stream_ended = true;
            return REQUEST_ENDED;
        }
        if (len > 0)
            memcpy(buffer, request->unread, len);
        enum request_news news = request_look(
            request, framing, buffer, len + (size_t)count, rest, verdict);
        if (news != REQUEST_WAITS)
            return news;
    }
    return REQUEST_WAITS;
}

void
request_give_up(struct request *request)
{
    struct socks4_framing framing = {.userid_max = SIZE_MAX, .socks4a = 1};
    struct socks4_request seen;

    if (request->unread_len == 0)
        return;
    socks4_request_decode(&framing, request->unread, request->unread_len,
                          &seen);
    request_keep(request, &seen);
    request_drop_unread(request);
}

const char *
request_domain(const struct request *request)
{
    return request->domain_len == 0 ? NULL
                                    : request->userid + request->userid_len + 1;
}

void
request_fini(struct request *request)
{
    free(request->unread);
    if (request->userid != nothing)
        free(request->userid);
}
