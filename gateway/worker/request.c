#include "gateway/worker/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/worker/request_socks4.h"
#include "gateway/worker/request_socks5.h"

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

static void
request_set_userid(struct request *request, char *userid)
{
    if (request->userid != nothing)
        free(request->userid);
    request->userid = userid;
}

/* USERID and name in one piece, each with a NUL behind it. The USERID may be
   the one that is kept already. False: no memory for them. */
static bool
request_keep(struct request *request, const struct request_texts *seen)
{
    if (seen->userid == NULL)
        return true;
    if (seen->userid_len + seen->name_len == 0) {
        request_set_userid(request, nothing);
        return true;
    }
    char *kept = calloc(1, seen->userid_len + seen->name_len + 2);
    if (kept == NULL)
        return false;
    memcpy(kept, seen->userid, seen->userid_len);
    if (seen->name_len > 0)
        memcpy(kept + seen->userid_len + 1, seen->name, seen->name_len);
    request_set_userid(request, kept);
    request->userid_len = (uint16_t)seen->userid_len;
    request->name_len = (uint8_t)seen->name_len;
    return true;
}

void
request_drop_unread(struct request_reading *reading)
{
    if (reading->unread != NULL)
        explicit_bzero(reading->unread, reading->unread_len);
    free(reading->unread);
    reading->unread = NULL;
    reading->unread_len = 0;
}

static bool
request_keep_unread(struct request_reading *reading, const uint8_t *octets,
                    size_t len)
{
    uint8_t *unread = malloc(len);
    if (unread == NULL)
        return false;
    memcpy(unread, octets, len);
    request_drop_unread(reading);
    reading->unread = unread;
    reading->unread_len = (uint16_t)len;
    return true;
}

enum request_event
request_read(struct request *request, struct request_reading *reading,
             struct stream *stream, const struct request_terms *terms,
             uint8_t *buffer, struct request_rest *rest, enum verdict *verdict)
{
    while (reading->unlooked || stream_is(stream, STREAM_READABLE)) {
        enum request_event event = REQUEST_COMPLETE;
        struct request_texts seen;
        size_t len = reading->unread_len;
        ssize_t count = 0;

        if (!reading->unlooked)
            count = stream_recv(stream, buffer + len, REQUEST_READ);
        if (count == -EAGAIN)
            return REQUEST_WAITS;
        if (count == 0 && !reading->unlooked) {
            reading->ended = true;
            return REQUEST_ENDED;
        }
        *verdict = V_CLIENT_GONE;
        if (count < 0)
            return REQUEST_WRONG;
        if (len > 0)
            memcpy(buffer, reading->unread, len);
        len += (size_t)count;
        reading->unlooked = false;

        ssize_t used;
        if (request->version == REQUEST_SOCKS5 ||
            (buffer[0] == 5 && terms->socks5 != CONFIG_SOCKS5_OFF)) {
            used = request_socks5_read(request, reading, terms, buffer, len,
                                       &seen, rest, &event, verdict);
        } else if (buffer[0] == 4) {
            used = request_socks4_read(request, reading, terms, buffer, len,
                                       &seen, verdict);
        } else { /* [V4-3.1-2, 4A-4.1-2] */
            *verdict = request_other_protocol(buffer, len);
            reading->socks5 = (uint8_t)(terms->socks5 & 3);
            return REQUEST_WRONG;
        }
        if (used == 0 && request_keep_unread(reading, buffer, len))
            continue;
        request_drop_unread(reading);
        if (used == 0 || !request_keep(request, &seen)) {
            *verdict = V_NO_MEMORY;
            return REQUEST_WRONG;
        }
        if (used < 0)
            return REQUEST_WRONG;
        len -= (size_t)used;
        if (event == REQUEST_COMPLETE) {
            rest->octets = buffer + used;
            rest->count = len;
            return event;
        }
        if (len > 0 && !request_keep_unread(reading, buffer + used, len)) {
            *verdict = V_NO_MEMORY;
            return REQUEST_WRONG;
        }
        reading->unlooked = len > 0;
        if (event == REQUEST_ANSWERS)
            request_socks5_choose(reading, rest);
        return event;
    }
    return REQUEST_WAITS;
}

bool
request_leaves_password(const struct request *request,
                        const struct request_reading *reading,
                        enum request_event event)
{
    if (request->version != REQUEST_SOCKS5 || request->understood)
        return false;
    return event == REQUEST_PASSWORD || event == REQUEST_WRONG ||
           event == REQUEST_ENDED ||
           (event == REQUEST_WAITS && request_socks5_awaits_password(reading));
}

bool
request_lacks_nul(const struct request *request,
                  const struct request_reading *reading)
{
    return request->understood && reading->unread_len > 0 &&
           request->version != REQUEST_SOCKS5;
}

void
request_give_up(struct request *request, struct request_reading *reading)
{
    struct request_terms any = {.userid_max = SIZE_MAX, .names = CONFIG_4A_ON};
    struct request_texts seen;
    enum verdict verdict;

    /* Of SOCKS5 a message says nothing before it is whole. */
    if (reading->unread_len > 0 && request->version != REQUEST_SOCKS5) {
        request_socks4_read(request, reading, &any, reading->unread,
                            reading->unread_len, &seen, &verdict);
        request_keep(request, &seen);
    }
    request_drop_unread(reading);
}

const char *
request_user(const struct request *request)
{
    bool nobody =
        request->version == REQUEST_SOCKS5 && request->userid_len == 0;

    return nobody ? NULL : request->userid;
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
        [RULE_CONNECT] = "connect", [RULE_BIND] = "bind", [RULE_UDP] = "udp"};
    return texts[request->command];
}

/* SOCKS5: no acceptable method (RFC 1928, section 3). */
static const char request_socks5_answer[] = {0x05, (char)0xff};

#define HTTP_ANSWER(what)                                                      \
    "HTTP/1.1 400 Bad Request\r\n"                                             \
    "Content-Type: text/plain\r\n"                                             \
    "Connection: close\r\n"                                                    \
    "\r\n"                                                                     \
    "This is a " what " gateway, not a web server or an HTTP proxy.\n"

#define SOCKS_BOTH "SOCKS 4 and SOCKS5"
_Static_assert(sizeof(HTTP_ANSWER(SOCKS_BOTH)) <= REQUEST_REPLY_MAX, "it fits");

static const char *const request_http_answers[] = {
    [CONFIG_SOCKS5_OFF] = HTTP_ANSWER("SOCKS 4"),
    [CONFIG_SOCKS5_ON] = HTTP_ANSWER(SOCKS_BOTH),
    [CONFIG_SOCKS5_ONLY] = HTTP_ANSWER("SOCKS5"),
};

/* Two protocols have an answer that their clients show to people. */
static size_t
request_answer_other_protocol(const struct request_reading *reading,
                              enum verdict verdict,
                              uint8_t reply[REQUEST_REPLY_MAX])
{
    const char *answer = request_http_answers[reading->socks5];
    size_t size = strlen(answer);

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
request_refuse(struct request *request, struct request_reading *reading,
               enum verdict verdict, uint8_t reply[REQUEST_REPLY_MAX])
{
    if (!request_begun(request))
        return request_answer_other_protocol(reading, verdict, reply);
    if (verdict_rows[verdict].class != VERDICT_REFUSED)
        return 0;
    request->replied = true;
    return request->version == REQUEST_SOCKS5
               ? request_socks5_refuse(request, reading, verdict, reply)
               : request_socks4_refuse(request, reading, verdict, reply);
}

size_t
request_admit(struct request_reading *reading, uint8_t reply[REQUEST_REPLY_MAX])
{
    return request_socks5_admit(reading, reply);
}

size_t
request_grant(struct request *request, struct request_reading *reading,
              const struct endpoint *at, uint8_t reply[REQUEST_REPLY_MAX])
{
    request->replied = true;
    return request->version == REQUEST_SOCKS5
               ? request_socks5_grant(request, at, reply)
               : request_socks4_grant(request, reading, at, reply);
}

void
request_fini(struct request *request)
{
    request_set_userid(request, NULL);
}
