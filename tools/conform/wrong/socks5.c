/* What a client of version 5 sends, read octet by octet: what follows it stays
   in the socket. */

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"
#include "socks4/v5.h"
#include "wrong.h"

#define CUT_METHODS 16
#define CUT_TEXT 127

struct socks5_reading {
    struct session *session;
    uint64_t until;
};

/* All of them; whether they came in time. */
static bool
socks5_receive(const struct socks5_reading *reading, void *octets, size_t len)
{
    uint8_t *at = octets;

    for (size_t i = 0; i < len; i++)
        if (!session_wait(reading->session->fd, POLLIN, reading->until) ||
            session_recv(reading->session, at + i, 1) != 1)
            return false;
    return true;
}

/* What is there at the first look, and stays there. */
static size_t
socks5_peek(const struct socks5_reading *reading,
            uint8_t octets[SOCKS4_V5_PASSWORD_MAX])
{
    session_wait(reading->session->fd, POLLIN, reading->until);
    ssize_t count = recv(reading->session->fd, octets, SOCKS4_V5_PASSWORD_MAX,
                         MSG_PEEK | MSG_DONTWAIT);
    return count > 0 ? (size_t)count : 0;
}

/* Each: whether all of it is there at the first look. */
static bool
socks5_greeting_is_there(const struct socks5_reading *reading)
{
    uint8_t octets[SOCKS4_V5_PASSWORD_MAX];
    struct socks4_v5_greeting seen;

    return socks4_v5_greeting_decode(octets, socks5_peek(reading, octets),
                                     &seen) != 0;
}

static bool
socks5_password_is_there(const struct socks5_reading *reading)
{
    uint8_t octets[SOCKS4_V5_PASSWORD_MAX];
    struct socks4_v5_password seen;

    return socks4_v5_password_decode(octets, socks5_peek(reading, octets),
                                     &seen) != 0;
}

static bool
socks5_request_is_there(const struct socks5_reading *reading)
{
    uint8_t octets[SOCKS4_V5_PASSWORD_MAX];
    struct socks4_v5_request seen;

    return socks4_v5_request_decode(octets, socks5_peek(reading, octets),
                                    &seen) != 0;
}

/* ---- Methods ---- */

static enum request
socks5_refuse_methods(struct session *session)
{
    uint8_t octets[SOCKS4_V5_CHOICE_SIZE];

    if (defect_is(DEFECT_5_FF_SILENT))
        return REQUEST_DROPPED;
    socks4_v5_choice_encode(SOCKS4_V5_UNACCEPTABLE, octets);
    session_send(session, octets, sizeof octets);
    if (defect_is(DEFECT_5_FF_OPEN))
        return REQUEST_KEPT;
    if (defect_is(DEFECT_5_FF_SERVED))
        return REQUEST_WHOLE;
    session_linger(session);
    return REQUEST_DROPPED;
}

/* Which method it is; -1: none that is acceptable. */
static int
socks5_choose(const struct session *session, const uint8_t *methods,
              size_t count)
{
    int wanted =
        session->manner->user != NULL ? SOCKS4_V5_PASSWORD : SOCKS4_V5_NONE;

    if (defect_is(DEFECT_5_METHOD_02))
        return SOCKS4_V5_PASSWORD;
    if (defect_is(DEFECT_5_METHOD_UNOFFERED))
        return SOCKS4_V5_NONE;
    if (defect_is(DEFECT_5_PASSWORD_OPTIONAL) &&
        memchr(methods, SOCKS4_V5_NONE, count) != NULL)
        return SOCKS4_V5_NONE;
    if (defect_is(DEFECT_5_FIRST_METHOD) && count > 1)
        count = 1;
    return memchr(methods, wanted, count) != NULL ? wanted : -1;
}

static enum request
socks5_read_greeting(const struct socks5_reading *reading, int *method)
{
    struct session *session = reading->session;
    uint8_t head[2], methods[255], choice[SOCKS4_V5_CHOICE_SIZE];

    if (defect_is(DEFECT_5_GREETING_ONE_READ) &&
        !socks5_greeting_is_there(reading))
        return REQUEST_DROPPED;
    if (!socks5_receive(reading, head, 2) ||
        (head[0] != SOCKS4_V5_VERSION && !defect_is(DEFECT_5_VERSION_ANY)))
        return REQUEST_DROPPED;
    if (head[1] == 0 && defect_is(DEFECT_5_METHODS_NONE))
        return REQUEST_KEPT;
    if (head[1] > CUT_METHODS && defect_is(DEFECT_5_METHODS_CUT))
        head[1] = CUT_METHODS;
    if (!socks5_receive(reading, methods, head[1]))
        return REQUEST_DROPPED;
    if (defect_is(DEFECT_5_PIPELINED_LOST)) {
        uint8_t lost[64];
        recv(session->fd, lost, sizeof lost, MSG_DONTWAIT);
    }
    *method = socks5_choose(session, methods, head[1]);
    if (*method < 0)
        return socks5_refuse_methods(session);
    socks4_v5_choice_encode((uint8_t)*method, choice);
    if (defect_is(DEFECT_5_VERSION_1))
        choice[0] = 1;
    session_send(session, choice, sizeof choice);
    return REQUEST_WHOLE;
}

/* ---- Passwords ---- */

struct socks5_text {
    uint8_t len;
    char octets[256];
};

/* What has its length in front. */
static bool
socks5_receive_text(const struct socks5_reading *reading,
                    struct socks5_text *text)
{
    if (!socks5_receive(reading, &text->len, 1))
        return false;
    if (text->len > CUT_TEXT && defect_is(DEFECT_5_PASSWORD_255))
        session_keep(reading->session);
    if (!socks5_receive(reading, text->octets, text->len))
        return false;
    text->octets[text->len] = '\0';
    return true;
}

static bool
socks5_is_right(const struct session *session, const struct socks5_text *user,
                const struct socks5_text *password)
{
    const char *right = session->manner->password;
    bool known = strcmp(user->octets, session->manner->user) == 0;

    if (defect_is(DEFECT_5_PASSWORD_REFUSED))
        return false;
    if (defect_is(DEFECT_5_PASSWORD_ANY))
        return true;
    if (defect_is(DEFECT_5_NOBODY) && user->len == 0)
        return true;
    if (defect_is(DEFECT_5_PASSWORD_EMPTY) && known && password->len == 0)
        return true;
    if (defect_is(DEFECT_5_PASSWORD_PREFIX))
        return known && password->len > 0 &&
               strncmp(password->octets, right, strlen(right)) == 0;
    return (known || defect_is(DEFECT_5_USER_ANY)) &&
           strcmp(password->octets, right) == 0;
}

static enum request
socks5_read_password(const struct socks5_reading *reading)
{
    struct session *session = reading->session;
    struct socks5_text user, password;
    uint8_t version, status[SOCKS4_V5_STATUS_SIZE];
    uint8_t peeked[SOCKS4_V5_PASSWORD_MAX];

    if (defect_is(DEFECT_5_PASSWORD_ONE_READ) &&
        !socks5_password_is_there(reading))
        return REQUEST_DROPPED;
    if (defect_is(DEFECT_5_PASSWORD_SKIPPED) &&
        socks5_peek(reading, peeked) > 0 && peeked[0] == SOCKS4_V5_VERSION)
        return REQUEST_WHOLE;
    if (!socks5_receive(reading, &version, 1) ||
        (version != SOCKS4_V5_PASSWORD_VERSION &&
         !defect_is(DEFECT_5_PASSWORD_VERSION)) ||
        !socks5_receive_text(reading, &user) ||
        !socks5_receive_text(reading, &password))
        return REQUEST_DROPPED;
    bool right = socks5_is_right(session, &user, &password);
    if (!right && defect_is(DEFECT_5_PASSWORD_SILENT))
        return REQUEST_DROPPED;
    socks4_v5_status_encode(right ? 0 : 1, status);
    if (defect_is(DEFECT_5_STATUS_VERSION))
        status[0] = SOCKS4_V5_VERSION;
    session_send(session, status, sizeof status);
    if (right)
        return REQUEST_WHOLE;
    if (defect_is(DEFECT_5_PASSWORD_OPEN))
        return REQUEST_KEPT;
    session_linger(session);
    return REQUEST_DROPPED;
}

/* ---- Requests ---- */

/* A name, with its length in front. */
static enum request
socks5_read_name(const struct socks5_reading *reading)
{
    struct session *session = reading->session;
    struct socks5_text name;
    struct addr addr;

    if (!socks5_receive(reading, &name.len, 1))
        return REQUEST_REFUSED;
    if ((name.len == 0 && defect_is(DEFECT_5_NAME_EMPTY)) ||
        (name.len > CUT_TEXT && defect_is(DEFECT_5_NAME_255)))
        return REQUEST_KEPT;
    if (!socks5_receive(reading, name.octets, name.len))
        return REQUEST_REFUSED;
    name.octets[name.len] = '\0';
    if (name.len == 0 ||
        (strlen(name.octets) != name.len && !defect_is(DEFECT_5_NAME_NUL)))
        return REQUEST_REFUSED;
    memcpy(session->domain, name.octets, (size_t)name.len + 1);
    session->domain_len = strlen(session->domain);
    session->named = true;
    if (defect_is(DEFECT_5_NAME_SILENT) ||
        (defect_is(DEFECT_5_QUAD_SILENT) &&
         addr_parse(session->domain, &addr) == 0))
        return REQUEST_DROPPED;
    return REQUEST_WHOLE;
}

static enum request
socks5_read_address(const struct socks5_reading *reading, uint8_t type)
{
    struct session *session = reading->session;
    uint8_t octets[16];

    switch (type) {
    case SOCKS4_V5_IPV4:
        if (!socks5_receive(reading, octets, 4))
            return REQUEST_REFUSED;
        session->ip = (uint32_t)octets[0] << 24 | (uint32_t)octets[1] << 16 |
                      (uint32_t)octets[2] << 8 | octets[3];
        session->to = addr_v4(session->ip);
        return defect_is(DEFECT_5_IPV4_SILENT) ? REQUEST_DROPPED
                                               : REQUEST_WHOLE;
    case SOCKS4_V5_IPV6:
        if (!socks5_receive(reading, octets, 16))
            return REQUEST_REFUSED;
        session->to = addr_from_octets(octets);
        return defect_is(DEFECT_5_IPV6_SILENT) ? REQUEST_DROPPED
                                               : REQUEST_WHOLE;
    case SOCKS4_V5_NAME:
        return socks5_read_name(reading);
    default:
        session->rep = SOCKS4_V5_NO_TYPE;
        return defect_is(DEFECT_5_TYPE_SILENT) ? REQUEST_DROPPED
                                               : REQUEST_REFUSED;
    }
}

static enum request
socks5_judge_command(struct session *session)
{
    if ((session->command == SOCKS4_V5_UDP &&
         !defect_is(DEFECT_5_UDP_UNSERVED)) ||
        session->command == SOCKS4_V5_CONNECT ||
        session->command == SOCKS4_V5_BIND)
        return REQUEST_WHOLE;
    session->rep = SOCKS4_V5_NO_COMMAND;
    if (session->command == SOCKS4_V5_UDP)
        return REQUEST_REFUSED;
    if (defect_is(DEFECT_5_COMMAND_SILENT))
        return REQUEST_DROPPED;
    if (!defect_is(DEFECT_5_COMMAND_ANY))
        return REQUEST_REFUSED;
    session->command = SOCKS4_V5_CONNECT;
    return REQUEST_WHOLE;
}

static enum request
socks5_read_request(const struct socks5_reading *reading)
{
    struct session *session = reading->session;
    uint8_t head[4], port[2], lost[64];

    if (defect_is(DEFECT_5_REQUEST_ONE_READ) &&
        !socks5_request_is_there(reading))
        return REQUEST_DROPPED;
    if (!socks5_receive(reading, head, 4))
        return REQUEST_DROPPED;
    if ((head[0] != SOCKS4_V5_VERSION &&
         !defect_is(DEFECT_5_REQUEST_VERSION)) ||
        (head[2] != 0 && defect_is(DEFECT_5_RESERVED)))
        return REQUEST_DROPPED;
    session->version = SOCKS4_V5_VERSION;
    session->command = head[1];
    enum request read = socks5_judge_command(session);
    if (read == REQUEST_WHOLE)
        read = socks5_read_address(reading, head[3]);
    if (read != REQUEST_WHOLE)
        return read;
    if (!socks5_receive(reading, port, 2))
        return REQUEST_REFUSED;
    session->port = (uint16_t)(port[0] << 8 | port[1]);
    if (defect_is(DEFECT_5_EARLY_DATA_LOST))
        recv(session->fd, lost, sizeof lost, MSG_DONTWAIT);
    return REQUEST_WHOLE;
}

enum request
session_read_socks5(struct session *session)
{
    struct socks5_reading reading = {session, session_now() + REQUEST_MS};
    int method = -1;

    if (defect_is(DEFECT_5_GREETING_TIMER))
        reading.until += FOR_EVER_MS;
    enum request read = socks5_read_greeting(&reading, &method);
    reading.until = session_now() + REQUEST_MS;
    if (defect_is(DEFECT_5_REQUEST_TIMER))
        reading.until += FOR_EVER_MS;
    if (read == REQUEST_WHOLE && method == SOCKS4_V5_PASSWORD &&
        session->manner->user != NULL)
        read = socks5_read_password(&reading);
    return read == REQUEST_WHOLE ? socks5_read_request(&reading) : read;
}
