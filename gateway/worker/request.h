#ifndef GATEWAY_WORKER_REQUEST_H
#define GATEWAY_WORKER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "gateway/config/config.h"
#include "gateway/labels.h"
#include "gateway/worker/stream.h"
#include "gateway/worker/verdict.h"

/*
 * What a client asks for, whatever version it speaks: octets of the client
 * go in, a command, a destination, a name and a USERID come out; a grant or
 * a refusal goes in, the octets of the reply come out. Only request*.c know
 * a protocol: request.c reads and keeps octets and picks the version by the
 * first one, and each version has a file of its own (request_socks4.c,
 * request_socks5.c).
 *
 * A request is read into the worker's buffer. Only an unfinished one is
 * kept, no larger than it is. Each read looks at all octets so far, so that
 * the answer does not depend on how they were split [V4-3.1-1].
 */
struct request {
    char *userid;   /* owned, unless both are empty; not terminated; the name
                       is behind its NUL; NULL: not known */
    struct addr to; /* the destination's address. Where a name was asked for
                       the owner sets it, when the name is resolved */
    uint16_t userid_len;
    uint8_t name_len; /* 0: no name */
    uint8_t version;  /* enum request_version */
    uint16_t port;    /* the destination's */
    uint8_t code; /* of the last reply, as the version numbers it; 0: none */
    uint8_t command : 2; /* enum rule_command; 0: not known */
    bool understood : 1; /* command, to and port are known */
    bool granted : 1;    /* the last reply said so */
    bool replied : 1;    /* a grant or a refusal was made */
};

/* How far it has come; nobody needs that once the last reply was made. */
struct request_reading {
    uint8_t *unread; /* owned; as far as it has come; NULL mostly */
    uint32_t dstip;  /* SOCKS 4: DSTIP as it was sent, for a refusal */
    uint16_t unread_len;
    uint8_t state;      /* the version's own */
    bool ended : 1;     /* the client's FIN was read */
    bool unlooked : 1;  /* `unread` came behind a message that was answered */
    uint8_t socks5 : 2; /* enum config_socks5: what another protocol is told */
};

_Static_assert(RULE_UDP < 4, "a command has two bits");

/* Octets read at once. What lies behind the request's last octet is the
   application's: `rest` in the buffer it was read into. Behind another message
   of SOCKS5 it is kept, for clients do not always wait for the answer. */
#define REQUEST_READ 4096

/* No request of any version is longer. */
#define REQUEST_MAX (CONFIG_USERID_MAX + 272)

/* No reply of any version is longer, nor what a client of HTTP is told. */
#define REQUEST_REPLY_MAX 160

struct request_rest {
    const uint8_t *octets;
    size_t count;
};

/* Between request*.c: views into the octets that were looked at; NULL: not
   known, or none. */
struct request_texts {
    const char *userid;
    size_t userid_len;
    const char *name;
    size_t name_len;
};

/* Of SOCKS5: none can be checked, or one is asked for where the client offers
   nothing else, or where it offers one, or of every client. */
enum request_password {
    REQUEST_PASSWORD_OFF,
    REQUEST_PASSWORD_TAKEN,
    REQUEST_PASSWORD_PREFERRED,
    REQUEST_PASSWORD_ASKED
};

/* What is asked of a request, by configuration. */
struct request_terms {
    size_t userid_max;
    enum config_4a names;
    enum config_socks5 socks5;
    /* asked of `owner' when a greeting of SOCKS5 is there */
    enum request_password (*password)(const void *owner);
    const void *owner;
};

enum request_event {
    REQUEST_WAITS,    /* for an event of the stream */
    REQUEST_ANSWERS,  /* `rest` is to be sent, and then more is to be read */
    REQUEST_PASSWORD, /* of the user in `userid': `rest`, in the buffer, which
                         is to be wiped; then request_admit, and more is to be
                         read, or request_refuse */
    REQUEST_COMPLETE, /* all fields are known, `rest` is set */
    REQUEST_WRONG,    /* *verdict says what is wrong */
    REQUEST_ENDED,    /* the stream ended inside it: see request_give_up */
};

/*
 * Reads while there is something to read. `buffer` has room for REQUEST_MAX
 * and REQUEST_READ octets. The fields hold what could be understood,
 * whatever the answer.
 */
enum request_event
request_read(struct request *request, struct request_reading *reading,
             struct stream *stream, const struct request_terms *terms,
             uint8_t *buffer, struct request_rest *rest, enum verdict *verdict);

/* Whether what was read may have a password in it that nobody needs any more:
   the buffer is to be wiped. */
bool request_leaves_password(const struct request *request,
                             const struct request_reading *reading,
                             enum request_event event);

/* Whether all of it has come but the NUL behind the USERID, or behind the name.
 */
bool request_lacks_nul(const struct request *request,
                       const struct request_reading *reading);

/* No more of it will come: fills in what can be understood of the part. */
void request_give_up(struct request *request, struct request_reading *reading);

/* Whether the client has begun to speak a version that is answered. */
static inline bool
request_begun(const struct request *request)
{
    return request->version != REQUEST_UNKNOWN;
}

/* The USERID, or the user that SOCKS5 has named; NULL: none is known. */
const char *request_user(const struct request *request);

/* Whether it is a user whose password was right. */
static inline bool
request_is_proved(const struct request *request)
{
    return request->version == REQUEST_SOCKS5 && request->userid_len > 0;
}

/* The name asked for, name_len octets, not terminated; NULL: none. */
const char *request_name(const struct request *request);

/* Whether its client can ask for an IPv6 address: then a name means addresses
   of both families. */
static inline bool
request_takes_ipv6(const struct request *request)
{
    return request->version > REQUEST_SOCKS4A;
}

/* NULL: not known. */
const char *request_version_text(const struct request *request);
const char *request_command_text(const struct request *request);

/*
 * Write the reply that is due, and return its size. request_admit: the password
 * is the user's, of SOCKS5. request_grant: a CONNECT
 * stands, a BIND listens, its peer is there; `at` is what the client is
 * told. It is called only where a grant is due. request_refuse: the verdict's
 * own reply; 0 where none is due, since the client would not understand it. To
 * a client of SOCKS5 or HTTP it is that protocol's refusal, which has no code.
 */
size_t request_admit(struct request_reading *reading,
                     uint8_t reply[REQUEST_REPLY_MAX]);
size_t request_grant(struct request *request, struct request_reading *reading,
                     const struct endpoint *at,
                     uint8_t reply[REQUEST_REPLY_MAX]);
size_t request_refuse(struct request *request, struct request_reading *reading,
                      enum verdict verdict, uint8_t reply[REQUEST_REPLY_MAX]);

/* Octets of the longest unfinished request under this configuration. */
size_t request_unfinished_max(const struct config *config);

void request_fini(struct request *request);
/* What has come is wiped: of SOCKS5 a password may be among it. */
void request_drop_unread(struct request_reading *reading);

static inline void
request_reading_fini(struct request_reading *reading)
{
    if (reading->unread != NULL)
        request_drop_unread(reading);
}

#endif
