#include "gateway/worker/request_socks4.h"

#include <assert.h>

#include "socks4/server.h"

_Static_assert(SOCKS4_HEADER_SIZE + CONFIG_USERID_MAX + 1 + SOCKS4_DOMAIN_MAX +
                       1 <=
                   REQUEST_MAX,
               "the longest request is within what request.h promises");
_Static_assert(SOCKS4_REPLY_SIZE <= REQUEST_REPLY_MAX, "a reply fits");
_Static_assert((int)RULE_CONNECT == (int)SOCKS4_CONNECT &&
                   (int)RULE_BIND == (int)SOCKS4_BIND,
               "a command's number is that of SOCKS 4");

/* libsocks4's side of the session, of which the request keeps the parts. */
static struct socks4_server
request_socks4_load(const struct request *request,
                    const struct request_reading *reading)
{
    return (struct socks4_server){
        .state = reading->state,
        .version = request_begun(request) ? SOCKS4_VERSION : 0,
        .begun = request_begun(request),
        .has_header = request->understood,
        .command = request->command,
        .code = request->code,
        .dstport = request->port,
        .dstip = reading->dstip,
    };
}

static void
request_socks4_store(struct request *request, struct request_reading *reading,
                     const struct socks4_server *server)
{
    reading->state = server->state;
    request->code = server->code;
    request->granted = server->code == SOCKS4_GRANTED;
}

static enum verdict
request_socks4_verdict(enum socks4_error error)
{
    switch (error) {
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

ssize_t
request_socks4_read(struct request *request, struct request_reading *reading,
                    const struct request_terms *terms, const uint8_t *octets,
                    size_t len, struct request_texts *texts,
                    enum verdict *verdict)
{
    bool only_5 = terms->socks5 == CONFIG_SOCKS5_ONLY;
    struct socks4_framing framing = {.userid_max = terms->userid_max,
                                     .socks4a = terms->names != CONFIG_4A_OFF ||
                                                only_5};
    struct socks4_server server = request_socks4_load(request, reading);
    struct socks4_request seen;
    ssize_t used = socks4_server_read(&server, &framing, octets, len, &seen);

    request_socks4_store(request, reading, &server);
    request->version =
        socks4_is_4a(server.dstip) ? REQUEST_SOCKS4A : REQUEST_SOCKS4;
    request->understood = server.has_header;
    request->command = used != SOCKS4_E_COMMAND ? server.command & 3U : 0;
    reading->dstip = server.dstip;
    request->to = addr_v4(server.dstip);
    request->port = server.dstport;
    *texts = (struct request_texts){.userid = seen.userid,
                                    .userid_len = seen.userid_len,
                                    .name = seen.domain,
                                    .name_len = seen.domain_len};
    if (used < 0) {
        *verdict = request_socks4_verdict((enum socks4_error)used);
        return -1;
    }
    if (used > 0 && only_5) {
        *verdict = V_SOCKS5_ONLY;
        return -1;
    }
    /* Plain and 4A part here, and meet again where there is an address: all
       else is the same [4A-3-1]. */
    if (used > 0 && seen.domain == NULL && terms->names == CONFIG_4A_ONLY) {
        *verdict = V_SOCKS4A_ONLY;
        return -1;
    }
    return used;
}

size_t
request_socks4_grant(struct request *request, struct request_reading *reading,
                     const struct endpoint *at,
                     uint8_t reply[REQUEST_REPLY_MAX])
{
    struct socks4_server server = request_socks4_load(request, reading);
    ssize_t size =
        socks4_server_grant(&server, at->port, addr_to_v4(at->addr), reply);

    assert(size == SOCKS4_REPLY_SIZE); /* one was due */
    request_socks4_store(request, reading, &server);
    return (size_t)size;
}

/* The draft's codes, with the draft's meanings [V4-3.3-3 to V4-3.3-7]: 93
   where identd or the certificate names somebody else, 92 where identd names
   nobody. */
static int
request_socks4_code(enum verdict verdict)
{
    switch (verdict) {
    case V_IDENT_DIFFERS:
    case V_USERID_NOT_CERTIFICATE:
    case V_PARENT_OTHER_USER:
        return SOCKS4_OTHER_USER;
    case V_IDENT_ERROR:
    case V_IDENT_REFUSED:
    case V_IDENT_UNREACHABLE:
    case V_IDENT_LATE:
    case V_IDENT_CLOSED:
    case V_IDENT_MALFORMED:
    case V_IDENT_FAILED:
    case V_PARENT_NO_IDENTD:
        return SOCKS4_NO_IDENTD;
    default:
        return SOCKS4_REJECTED;
    }
}

size_t
request_socks4_refuse(struct request *request, struct request_reading *reading,
                      enum verdict verdict, uint8_t reply[REQUEST_REPLY_MAX])
{
    struct socks4_server server = request_socks4_load(request, reading);
    ssize_t size =
        socks4_server_refuse(&server, request_socks4_code(verdict), reply);

    assert(size == SOCKS4_REPLY_SIZE); /* one was due */
    request_socks4_store(request, reading, &server);
    return (size_t)size;
}

/* What waits behind a message of SOCKS5 is one read at most. */
size_t
request_unfinished_max(const struct config *config)
{
    size_t most = SOCKS4_HEADER_SIZE + (size_t)config->limits.userid + 1 +
                  SOCKS4_DOMAIN_MAX;

    return config_serves_socks5(config) && most < REQUEST_READ ? REQUEST_READ
                                                               : most;
}
