/* The request, read octet by octet. */

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "defect.h"
#include "session.h"

#define USERID_MAX 1023
#define USERID_CUT 64
#define DOMAIN_MAX 255

enum request_octet {
    OCTET_CAME,
    OCTET_END,
    OCTET_LATE,
};

struct request_reading {
    struct session *session;
    uint64_t until;
};

static enum request_octet
request_receive_octet(struct request_reading *reading, uint8_t *octet)
{
    int fd = reading->session->fd;

    if (!session_wait(fd, POLLIN, reading->until))
        return OCTET_LATE;
    if (session_recv(reading->session, octet, 1) != 1)
        return OCTET_END;
    if (defect_is(DEFECT_DRIP_TIMER))
        reading->until = session_now() + REQUEST_MS;
    return OCTET_CAME;
}

/* What a request that does not come to its end is worth. */
static enum request
request_cut_short(enum request_octet octet)
{
    if (octet == OCTET_LATE || octet == OCTET_CAME)
        return REQUEST_REFUSED;
    if (defect_is(DEFECT_EOF_SILENT))
        return REQUEST_DROPPED;
    return defect_is(DEFECT_EOF_HANGS) ? REQUEST_KEPT : REQUEST_REFUSED;
}

/* All of it, as fast as it comes, until the client has had enough. */
static enum request
request_swallow(struct session *session)
{
    session_keep(session);
    return REQUEST_DROPPED;
}

/* Up to its NUL; one that is longer than `max` is refused. */
static enum request
request_receive_field(struct request_reading *reading, char *field, size_t max,
                      size_t *len)
{
    bool endless = ((defect_is(DEFECT_USERID_UNBOUNDED) ||
                     defect_is(DEFECT_USERID_UNBOUNDED_4A)) &&
                    max == USERID_MAX) ||
                   (defect_is(DEFECT_DOMAIN_UNBOUNDED) && max == DOMAIN_MAX);
    uint8_t octet;

    *len = 0;
    for (;;) {
        enum request_octet came = request_receive_octet(reading, &octet);
        if (came != OCTET_CAME)
            return request_cut_short(came);
        if (octet == 0)
            break;
        if (endless && *len == max)
            return request_swallow(reading->session);
        if (*len == max)
            return REQUEST_REFUSED;
        field[(*len)++] = (char)octet;
        if (defect_is(DEFECT_USERID_CUT) && *len == USERID_CUT)
            break;
    }
    field[*len] = '\0';
    return REQUEST_WHOLE;
}

static void
request_swap_fields(struct session *session)
{
    if (defect_is(DEFECT_PORT_SWAPPED))
        session->port = (uint16_t)(session->port << 8 | session->port >> 8);
    if (defect_is(DEFECT_ADDRESS_SWAPPED))
        session->ip = __builtin_bswap32(session->ip);
}

static enum request
request_receive_header(struct request_reading *reading)
{
    struct session *session = reading->session;
    uint8_t header[8] = {0};

    for (unsigned i = 0; i < 8; i++) {
        enum request_octet came = request_receive_octet(reading, &header[i]);
        if (came != OCTET_CAME)
            return request_cut_short(came);
        if (i == 0 && header[0] != 4 && !defect_is(DEFECT_VERSION_ANY))
            return defect_is(DEFECT_VERSION_OPEN) ? REQUEST_KEPT
                                                  : REQUEST_DROPPED;
    }
    session->version = header[0];
    session->command = header[1];
    session->port = (uint16_t)(header[2] << 8 | header[3]);
    session->ip = (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 |
                  (uint32_t)header[6] << 8 | header[7];
    request_swap_fields(session);
    if (session->command == 1 || session->command == 2)
        return REQUEST_WHOLE;
    if (defect_is(DEFECT_DIES))
        _exit(1);
    if (defect_is(DEFECT_COMMAND_SILENT))
        return REQUEST_DROPPED;
    return defect_is(DEFECT_COMMAND_ANY) ? REQUEST_WHOLE : REQUEST_REFUSED;
}

static bool
request_is_4a(const struct session *session)
{
    uint32_t ip = session->ip;

    if (defect_is(DEFECT_ONLY_X_1))
        return ip == 1;
    if (defect_is(DEFECT_ZERO_NAMED))
        return ip <= 0xff;
    return ip != 0 && ip <= 0xff;
}

static enum request
request_receive_userid(struct request_reading *reading)
{
    struct session *session = reading->session;
    enum request read = request_receive_field(reading, session->userid,
                                              USERID_MAX, &session->userid_len);

    if (read == REQUEST_WHOLE && session->userid_len == 0 &&
        defect_is(DEFECT_USERID_EMPTY))
        return REQUEST_KEPT;
    for (size_t i = 0; i < session->userid_len; i++)
        if ((session->userid[i] & 0x80) && defect_is(DEFECT_USERID_TEXT))
            return REQUEST_DROPPED;
    return read;
}

/* Where 4A is off, 0.0.0.x is an address that leads nowhere. */
static enum request
request_judge_zero_x(struct request_reading *reading)
{
    struct session *session = reading->session;

    if (defect_is(DEFECT_ZERO_X_GRANTED)) {
        session->ip = 0x7f000001;
        return REQUEST_WHOLE;
    }
    if (defect_is(DEFECT_ZERO_X_WAITS))
        request_receive_field(reading, session->domain, DOMAIN_MAX,
                              &session->domain_len);
    return REQUEST_REFUSED;
}

/* The field is looked at and left, so that the relay sends it on. */
static enum request
request_peek_domain(struct session *session)
{
    session_wait(session->fd, POLLIN, session_now() + REQUEST_MS);
    usleep(300000); /* it may come in pieces */
    ssize_t count = recv(session->fd, session->domain, DOMAIN_MAX, MSG_PEEK);
    session->domain_len = count > 0 ? strnlen(session->domain, DOMAIN_MAX) : 0;
    return count > 0 ? REQUEST_WHOLE : REQUEST_REFUSED;
}

static enum request
request_receive_domain(struct request_reading *reading)
{
    struct session *session = reading->session;
    enum request read;

    session->named = true;
    if (defect_is(DEFECT_NAME_AS_DATA))
        return request_peek_domain(session);
    if (defect_is(DEFECT_ONE_READ_4A) &&
        !session_wait(session->fd, POLLIN, session_now()))
        return REQUEST_REFUSED;
    read = request_receive_field(reading, session->domain, DOMAIN_MAX,
                                 &session->domain_len);
    if (read == REQUEST_WHOLE && session->domain_len == DOMAIN_MAX &&
        defect_is(DEFECT_DOMAIN_255))
        return REQUEST_KEPT;
    if (read == REQUEST_WHOLE && session->domain_len == 0)
        return defect_is(DEFECT_DOMAIN_EMPTY) ? REQUEST_KEPT : REQUEST_REFUSED;
    return read;
}

/* What is behind the request and should have stayed there. */
static void
request_eat(struct session *session)
{
    uint8_t octets[4096];
    ssize_t count =
        recv(session->fd, octets, sizeof octets, MSG_PEEK | MSG_DONTWAIT);

    if (count <= 0)
        return;
    if (defect_is(DEFECT_EARLY_DATA_HELD))
        session->held = (int)count;
    size_t len = 0;
    if (defect_is(DEFECT_EARLY_DATA_LOST))
        len = (size_t)count;
    while (defect_is(DEFECT_NUL_EATEN) && len < (size_t)count &&
           octets[len] == 0)
        len++;
    const uint8_t *nul = memchr(octets, 0, (size_t)count);
    if (defect_is(DEFECT_EATS_SECOND) && nul != NULL)
        len = (size_t)(nul - octets) + 1;
    if (len > 0)
        session_recv(session, octets, len);
}

/* Whether all of it is there, as one who reads once believes. */
static bool
request_came_at_once(const struct session *session)
{
    uint8_t octets[2048];

    session_wait(session->fd, POLLIN, session_now() + REQUEST_MS);
    ssize_t count = recv(session->fd, octets, sizeof octets, MSG_PEEK);
    return count > 8 && memchr(octets + 8, 0, (size_t)count - 8) != NULL;
}

enum request
session_read_request(struct session *session)
{
    struct request_reading reading = {session, session_now() + REQUEST_MS};
    enum request read;

    if (defect_is(DEFECT_NO_REQUEST_TIMER))
        reading.until += FOR_EVER_MS;
    if (defect_is(DEFECT_ONE_READ) && !request_came_at_once(session))
        return REQUEST_REFUSED;
    if (defect_is(DEFECT_ONE_READ_CLOSES) && !request_came_at_once(session))
        return REQUEST_DROPPED;
    read = request_receive_header(&reading);
    if (read == REQUEST_WHOLE)
        read = request_receive_userid(&reading);
    if (read != REQUEST_WHOLE)
        return read;
    if (session->socks4a && request_is_4a(session))
        return request_receive_domain(&reading);
    if (session->ip != 0 && session->ip <= 0xff)
        return request_judge_zero_x(&reading);
    request_eat(session);
    return REQUEST_WHOLE;
}
