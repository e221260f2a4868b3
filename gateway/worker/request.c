#include "gateway/worker/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/request_socks4.h"

_Static_assert(REQUEST_MAX <= UINT16_MAX, "its lengths fit their fields");

/* What a first octet may have been meant for that no version has. */
static enum verdict
request_other_protocol(const uint8_t *octets, size_t len)
{
    if (octets[0] == 5)
        return V_SOCKS5;
    if (octets[0] == 0x16)
        return V_TLS;
    if ((len >= 5 && memcmp(octets, "\r\n\r\n", 5) == 0) ||
        (len >= 6 && memcmp(octets, "PROXY ", 6) == 0))
        return V_PROXY;
    if (len < 6 && memcmp(octets, "PROXY ", len) == 0)
        return V_HTTP_OR_PROXY;
    if (memchr("GPHDCOT", octets[0], 7) != NULL)
        return V_HTTP;
    if (memcmp(octets, "SSH-", len < 4 ? len : 4) == 0)
        return V_SSH;
    if (octets[0] == 0xff) /* a command of telnet */
        return V_TELNET;
    if (octets[0] == 3 && (len == 1 || octets[1] == 0)) /* TPKT */
        return V_RDP;
    return V_NOT_SOCKS4;
}

/* USERID and name where both are empty: no memory for two NULs. */
static char nothing[2];

/* USERID and name in one piece, each with a NUL behind it. False: no memory
   for them. */
static bool
request_keep(struct request *request, const struct request_texts *seen)
{
    if (seen->userid == NULL)
        return true;
    if (seen->userid_len + seen->name_len == 0) {
        request->userid = nothing;
        return true;
    }
    request->userid = calloc(1, seen->userid_len + seen->name_len + 2);
    if (request->userid == NULL)
        return false;
    memcpy(request->userid, seen->userid, seen->userid_len);
    if (seen->name_len > 0)
        memcpy(request->userid + seen->userid_len + 1, seen->name,
               seen->name_len);
    request->userid_len = (uint16_t)seen->userid_len;
    request->name_len = (uint8_t)seen->name_len;
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
    request->unread_len = (uint16_t)len;
    return true;
}

static void
request_drop_unread(struct request *request)
{
    free(request->unread);
    request->unread = NULL;
    request->unread_len = 0;
}

enum request_event
request_read(struct request *request, struct stream *stream,
             const struct request_terms *terms, uint8_t *buffer,
             struct request_rest *rest, enum verdict *verdict)
{
    while (stream_is(stream, STREAM_READABLE)) {
        struct request_texts seen;
        size_t len = request->unread_len;
        ssize_t count = stream_recv(stream, buffer + len, REQUEST_READ);

        if (count == -EAGAIN)
            return REQUEST_WAITS;
        if (count == 0) {
            request->ended = true;
            return REQUEST_ENDED;
        }
        *verdict = V_CLIENT_GONE;
        if (count < 0)
            return REQUEST_WRONG;
        if (len > 0)
            memcpy(buffer, request->unread, len);
        len += (size_t)count;

        if (buffer[0] != 4) { /* [V4-3.1-2, 4A-4.1-2] */
            *verdict = request_other_protocol(buffer, len);
            return REQUEST_WRONG;
        }
        ssize_t used =
            request_socks4_read(request, terms, buffer, len, &seen, verdict);
        if (used == 0 && request_keep_unread(request, buffer, len))
            continue;
        request_drop_unread(request);
        if (used == 0 || !request_keep(request, &seen))
            *verdict = V_NO_MEMORY;
        else if (used > 0) {
            rest->octets = buffer + used;
            rest->count = len - (size_t)used;
            return REQUEST_COMPLETE;
        }
        return REQUEST_WRONG;
    }
    return REQUEST_WAITS;
}

bool
request_lacks_nul(const struct request *request)
{
    return request->understood && request->unread_len > 0;
}

void
request_give_up(struct request *request)
{
    struct request_terms any = {.userid_max = SIZE_MAX, .names = CONFIG_4A_ON};
    struct request_texts seen;
    enum verdict verdict;

    if (request->unread_len == 0)
        return;
    request_socks4_read(request, &any, request->unread, request->unread_len,
                        &seen, &verdict);
    request_keep(request, &seen);
    request_drop_unread(request);
}

const char *
request_name(const struct request *request)
{
    return request->name_len == 0 ? NULL
                                  : request->userid + request->userid_len + 1;
}

const char *
request_version_text(const struct request *request)
{
    static const char *const texts[] = {[REQUEST_UNKNOWN] = NULL,
#define X(symbol, name) [REQUEST_##symbol] = name,
                                        REQUEST_VERSIONS(X)
#undef X
    };
    return texts[request->version];
}

const char *
request_command_text(const struct request *request)
{
    static const char *const texts[] = {
        [RULE_CONNECT] = "connect", [RULE_BIND] = "bind"};
    return texts[request->command];
}

/* SOCKS5: no acceptable method (RFC 1928, section 3). */
static const char request_socks5_answer[] = {0x05, (char)0xff};

static const char request_http_answer[] =
    "HTTP/1.1 400 Bad Request\r\n"
    "Content-Type: text/plain\r\n"
    "Connection: close\r\n"
    "\r\n"
    "This is a SOCKS 4 gateway, not a web server or an HTTP proxy.\n";

_Static_assert(sizeof(request_http_answer) <= REQUEST_REPLY_MAX, "it fits");

/* Two protocols have an answer that their clients show to people. */
static size_t
request_answer_other_protocol(enum verdict verdict,
                              uint8_t reply[REQUEST_REPLY_MAX])
{
    const char *answer = request_http_answer;
    size_t size = sizeof(request_http_answer) - 1;

    if (verdict == V_SOCKS5) {
        answer = request_socks5_answer;
        size = sizeof(request_socks5_answer);
    } else if (verdict != V_HTTP) {
        return 0;
    }
    memcpy(reply, answer, size);
    return size;
}

size_t
request_refuse(struct request *request, enum verdict verdict,
               uint8_t reply[REQUEST_REPLY_MAX])
{
    if (!request_begun(request))
        return request_answer_other_protocol(verdict, reply);
    if (verdict_rows[verdict].class != VERDICT_REFUSED)
        return 0;
    return request_socks4_refuse(request, verdict, reply);
}

void
request_fini(struct request *request)
{
    free(request->unread);
    if (request->userid != nothing)
        free(request->userid);
}
