#include "gateway/worker/request_socks5.h"

#include <assert.h>
#include <string.h>

_Static_assert((int)RULE_CONNECT == (int)SOCKS4_V5_CONNECT &&
                   (int)RULE_BIND == (int)SOCKS4_V5_BIND &&
                   (int)RULE_UDP == (int)SOCKS4_V5_UDP,
               "a command's number is that of SOCKS5");
_Static_assert(SOCKS4_V5_PASSWORD_MAX + REQUEST_READ <= REQUEST_MAX,
               "what waits behind a message is no longer than a request");

/* Which message is next. */
enum request_socks5_state { GREETING, PASSWORD, REQUEST };

/* ---- Addresses ---- */

struct socks4_v5_address
request_socks5_endpoint(const struct endpoint *at)
{
    struct socks4_v5_address address = {.type = SOCKS4_V5_IPV4,
                                        .port = at->port};

    if (addr_is_v4(at->addr)) {
        address.ip4 = addr_to_v4(at->addr);
        return address;
    }
    address.type = SOCKS4_V5_IPV6;
    addr_to_octets(at->addr, address.ip6);
    return address;
}

/* A mapped address is the IPv4 address (addr.h). Some clients send an IPv6
   address as text: no name has a colon. */
bool
request_socks5_address(const struct socks4_v5_address *address,
                       struct addr *addr)
{
    char text[ADDR_TEXT_MAX] = "";

    if (address->type == SOCKS4_V5_IPV4) {
        *addr = addr_v4(address->ip4);
        return true;
    }
    if (address->type == SOCKS4_V5_IPV6) {
        *addr = addr_from_octets(address->ip6);
        return true;
    }
    if (address->name_len >= sizeof(text) ||
        memchr(address->name, ':', address->name_len) == NULL)
        return false;
    memcpy(text, address->name, address->name_len);
    return addr_parse(text, addr) == 0;
}

static void
request_socks5_take_address(struct request *request,
                            const struct socks4_v5_address *address,
                            struct request_texts *texts)
{
    request->port = address->port;
    request->to = addr_v4(0);
    if (request_socks5_address(address, &request->to))
        return;
    texts->name = address->name;
    texts->name_len = address->name_len;
}

/* ---- Messages ---- */

/* Whether the client has to send one: a rule that it may meet asks for it, or
   the client insists on one and it can be checked. */
static bool
request_socks5_takes_password(enum request_password password,
                              const struct socks4_v5_greeting *greeting)
{
    switch (password) {
    case REQUEST_PASSWORD_OFF:
        return false;
    case REQUEST_PASSWORD_TAKEN:
        return !socks4_v5_offers(greeting, SOCKS4_V5_NONE);
    case REQUEST_PASSWORD_PREFERRED:
        return socks4_v5_offers(greeting, SOCKS4_V5_PASSWORD);
    case REQUEST_PASSWORD_ASKED:
        break;
    }
    return true;
}

static ssize_t
request_socks5_read_greeting(const struct request_terms *terms,
                             const uint8_t *octets, size_t len,
                             struct request_rest *answer, enum verdict *verdict)
{
    static const uint8_t choices[][SOCKS4_V5_CHOICE_SIZE] = {
        [SOCKS4_V5_NONE] = {SOCKS4_V5_VERSION, SOCKS4_V5_NONE},
        [SOCKS4_V5_PASSWORD] = {SOCKS4_V5_VERSION, SOCKS4_V5_PASSWORD},
    };
    struct socks4_v5_greeting greeting;
    uint8_t method = SOCKS4_V5_NONE;
    ssize_t used = socks4_v5_greeting_decode(octets, len, &greeting);

    assert(used >= 0); /* its first octet is 5 */
    if (used == 0)
        return 0;
    enum request_password password = terms->password(terms->owner);
    if (request_socks5_takes_password(password, &greeting))
        method = SOCKS4_V5_PASSWORD;
    if (!socks4_v5_offers(&greeting, (int)method)) {
        *verdict = password == REQUEST_PASSWORD_ASKED ? V_PASSWORD_MISSING
                                                      : V_NO_METHOD;
        return -1;
    }
    *answer = (struct request_rest){choices[method], sizeof(choices[method])};
    return used;
}

static ssize_t
request_socks5_read_password(const uint8_t *octets, size_t len,
                             struct request_texts *texts,
                             struct request_rest *answer, enum verdict *verdict)
{
    struct socks4_v5_password seen;
    ssize_t used = socks4_v5_password_decode(octets, len, &seen);

    if (used < 0) {
        *verdict = V_PASSWORD_MALFORMED;
        return -1;
    }
    texts->userid = seen.user;
    texts->userid_len = seen.user_len;
    *answer = (struct request_rest){(const uint8_t *)seen.password,
                                    seen.password_len};
    return used;
}

static enum verdict
request_socks5_verdict(enum socks4_error error)
{
    switch (error) {
    case SOCKS4_E_V5_COMMAND:
        return V_BAD_COMMAND;
    case SOCKS4_E_V5_TYPE:
        return V_BAD_TYPE;
    case SOCKS4_E_DOMAIN_EMPTY:
        return V_DOMAIN_EMPTY;
    case SOCKS4_E_NUL:
        return V_NAME_BAD;
    default:
        return V_SOCKS5_MALFORMED;
    }
}

static ssize_t
request_socks5_read_request(struct request *request, const uint8_t *octets,
                            size_t len, struct request_texts *texts,
                            enum verdict *verdict)
{
    struct socks4_v5_request seen;
    ssize_t used = socks4_v5_request_decode(octets, len, &seen);

    /* The user keeps its place in front of the name. */
    texts->userid = request->userid != NULL ? request->userid : "";
    texts->userid_len = request->userid_len;
    if (used != SOCKS4_E_V5_COMMAND)
        request->command = seen.command & 3U;
    if (used < 0) {
        *verdict = request_socks5_verdict((enum socks4_error)used);
        return -1;
    }
    if (used == 0)
        return 0;
    request->understood = true;
    request_socks5_take_address(request, &seen.address, texts);
    return used;
}

ssize_t
request_socks5_read(struct request *request, struct request_reading *reading,
                    const struct request_terms *terms, const uint8_t *octets,
                    size_t len, struct request_texts *texts,
                    struct request_rest *answer, enum request_event *event,
                    enum verdict *verdict)
{
    *texts = (struct request_texts){.userid = NULL};
    request->version = REQUEST_SOCKS5;
    switch ((enum request_socks5_state)reading->state) {
    case GREETING:
        *event = REQUEST_ANSWERS;
        return request_socks5_read_greeting(terms, octets, len, answer,
                                            verdict);
    case PASSWORD:
        *event = REQUEST_PASSWORD;
        return request_socks5_read_password(octets, len, texts, answer,
                                            verdict);
    case REQUEST:
        break;
    }
    *event = REQUEST_COMPLETE;
    return request_socks5_read_request(request, octets, len, texts, verdict);
}

/* ---- Replies ---- */

/*
 * REP by cause. What is not here is a failure of the gateway's or of a parent's
 * (1). A time-out is 6, as Dante, tor and others have it: RFC 1928 has no code
 * for one, and 4 would say that somebody has said so.
 */
static const uint8_t request_socks5_codes[VERDICT_COUNT] = {
    [V_DENIED_RULE] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_DEFAULT] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_SPECIAL] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_LOOPBACK] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_LINK_LOCAL] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_SELF] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_RANGE] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_PORT] = SOCKS4_V5_NOT_ALLOWED,
    [V_DENIED_LISTENER] = SOCKS4_V5_NOT_ALLOWED,
    [V_USERID_NOT_CERTIFICATE] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_DIFFERS] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_ERROR] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_REFUSED] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_UNREACHABLE] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_LATE] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_CLOSED] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_MALFORMED] = SOCKS4_V5_NOT_ALLOWED,
    [V_IDENT_FAILED] = SOCKS4_V5_NOT_ALLOWED,
    [V_PARENT_NO_IDENTD] = SOCKS4_V5_NOT_ALLOWED,
    [V_PARENT_OTHER_USER] = SOCKS4_V5_NOT_ALLOWED,
    [V_PARENT_FORBIDS] = SOCKS4_V5_NOT_ALLOWED,
    [V_BIND_ALONE] = SOCKS4_V5_NOT_ALLOWED,
    [V_BIND_LIMIT] = SOCKS4_V5_NOT_ALLOWED,
    [V_BIND_STRANGER] = SOCKS4_V5_NOT_ALLOWED,
    [V_CONNECT_NO_NETWORK] = SOCKS4_V5_NETWORK_UNREACHABLE,
    [V_PARENT_NO_NETWORK] = SOCKS4_V5_NETWORK_UNREACHABLE,
    [V_CONNECT_UNREACHABLE] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_NAME_BAD] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_NAME_UNKNOWN] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_NAME_FAILED] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_NAME_LATE] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_DOMAIN_EMPTY] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_PARENT_NO_HOST] = SOCKS4_V5_HOST_UNREACHABLE,
    [V_CONNECT_REFUSED] = SOCKS4_V5_REFUSED,
    [V_PARENT_SERVER_REFUSES] = SOCKS4_V5_REFUSED,
    [V_CONNECT_LATE] = SOCKS4_V5_TTL_EXPIRED,
    [V_BIND_LATE] = SOCKS4_V5_TTL_EXPIRED,
    [V_PARENT_LATE] = SOCKS4_V5_TTL_EXPIRED,
    [V_PARENT_SERVER_LATE] = SOCKS4_V5_TTL_EXPIRED,
    [V_BAD_COMMAND] = SOCKS4_V5_NO_COMMAND,
    [V_PARENT_NO_COMMAND] = SOCKS4_V5_NO_COMMAND,
    [V_BAD_TYPE] = SOCKS4_V5_NO_TYPE,
    [V_PARENT_NO_TYPE] = SOCKS4_V5_NO_TYPE,
    [V_PARENT_IPV6] = SOCKS4_V5_NO_TYPE,
};

void
request_socks5_choose(struct request_reading *reading,
                      const struct request_rest *answer)
{
    reading->state =
        answer->octets[1] == SOCKS4_V5_PASSWORD ? PASSWORD : REQUEST;
}

bool
request_socks5_awaits_password(const struct request_reading *reading)
{
    return reading->state == PASSWORD;
}

size_t
request_socks5_admit(struct request_reading *reading,
                     uint8_t reply[REQUEST_REPLY_MAX])
{
    reading->state = REQUEST;
    return (size_t)socks4_v5_status_encode(0, reply);
}

size_t
request_socks5_grant(struct request *request, const struct endpoint *at,
                     uint8_t reply[REQUEST_REPLY_MAX])
{
    struct socks4_v5_reply granted = {.code = SOCKS4_V5_SUCCEEDED,
                                      .address = request_socks5_endpoint(at)};

    request->code = SOCKS4_V5_SUCCEEDED;
    request->granted = true;
    return (size_t)socks4_v5_reply_encode(&granted, reply, REQUEST_REPLY_MAX);
}

size_t
request_socks5_refuse(struct request *request,
                      const struct request_reading *reading,
                      enum verdict verdict, uint8_t reply[REQUEST_REPLY_MAX])
{
    struct socks4_v5_reply refused = {.address.type = SOCKS4_V5_IPV4};

    request->granted = false;
    switch ((enum request_socks5_state)reading->state) {
    case GREETING:
        request->code = SOCKS4_V5_UNACCEPTABLE;
        return (size_t)socks4_v5_choice_encode(SOCKS4_V5_UNACCEPTABLE, reply);
    case PASSWORD:
        request->code = SOCKS4_V5_FAILURE;
        return (size_t)socks4_v5_status_encode(SOCKS4_V5_FAILURE, reply);
    case REQUEST:
        break;
    }
    request->code = request_socks5_codes[verdict] != 0
                        ? request_socks5_codes[verdict]
                        : SOCKS4_V5_FAILURE;
    refused.code = request->code;
    return (size_t)socks4_v5_reply_encode(&refused, reply, REQUEST_REPLY_MAX);
}
