#include "tools/route/route.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "base/text.h"

static int __attribute__((format(printf, 3, 4)))
route_say(struct route_fault *fault, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->text, sizeof(fault->text), format, args);
    va_end(args);
    return error;
}

/* --- Parsing --- */

/* A gateway that is being parsed: the word as the user wrote it. */
struct route_word {
    const char *text;
    struct route_hop *hop;
    struct route_fault *fault;
};

static int __attribute__((format(printf, 2, 3)))
route_refuse(const struct route_word *word, const char *format, ...)
{
    char reason[200];
    va_list args;

    va_start(args, format);
    vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    return route_say(word->fault, -EINVAL, "gateway \"%.200s%s\": %s",
                     word->text, strlen(word->text) > 200 ? "..." : "", reason);
}

/* Copies `len` octets and terminates them. */
static int
route_copy(const char *at, size_t len, char *copy, size_t room)
{
    if (len >= room)
        return -EINVAL;
    memcpy(copy, at, len);
    copy[len] = '\0';
    return 0;
}

static int
route_parse_port(const struct route_word *word, const char *text)
{
    uint64_t number;

    if (text_number(text, &number) != 0 || number < 1 || number > UINT16_MAX)
        return route_refuse(word, "port \"%.40s\" is not 1 to 65535", text);
    word->hop->port = (uint16_t)number;
    return 0;
}

/* "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT". */
static int
route_parse_host(const struct route_word *word, const char *text)
{
    struct route_hop *hop = word->hop;
    bool bracket = text[0] == '[';
    const char *end = strchr(text, bracket ? ']' : ':');
    size_t len = end != NULL ? (size_t)(end - text) - bracket : strlen(text);
    struct addr addr;

    if (bracket && end == NULL)
        return route_refuse(word, "the bracket is not closed");
    if (!bracket && end != NULL && strchr(end + 1, ':') != NULL)
        return route_refuse(word, "more than one colon: write an IPv6 address "
                                  "in brackets, like [2001:db8::1]:1080");
    if (len == 0)
        return route_refuse(word, "the host is missing");
    if (route_copy(text + bracket, len, hop->host, sizeof(hop->host)) != 0)
        return route_refuse(word, "the host is longer than %d octets",
                            SOCKS4_DOMAIN_MAX);
    for (const char *at = hop->host; *at != '\0'; at++)
        if (strchr(" /?#\\", *at) != NULL || iscntrl((unsigned char)*at))
            return route_refuse(word, "the host has an octet that no host has");
    if (bracket && (addr_parse(hop->host, &addr) != 0 || addr_is_v4(addr)))
        return route_refuse(word, "\"%s\" is not an IPv6 address", hop->host);
    if (end == NULL || end[bracket] == '\0')
        return 0;
    if (end[bracket] != ':')
        return route_refuse(word, "only :PORT may follow the bracket");
    return route_parse_port(word, end + bracket + 1);
}

static int
route_set_userid(const struct route_word *word, const char *userid, size_t len)
{
    if (route_copy(userid, len, word->hop->userid, sizeof(word->hop->userid)) !=
        0)
        return route_refuse(word, "its USERID is longer than %d octets",
                            ROUTE_USERID_MAX);
    return 0;
}

static int
route_hex(char digit)
{
    return isdigit((unsigned char)digit) ? digit - '0'
           : isxdigit((unsigned char)digit)
               ? tolower((unsigned char)digit) - 'a' + 10
               : -1;
}

/* The USERID of a URL: %40 is '@'. */
static int
route_decode_userid(const struct route_word *word)
{
    char *userid = word->hop->userid, *to = userid;

    if (strchr(userid, ':') != NULL)
        return route_refuse(word, "SOCKS 4 has no password: leave out "
                                  "what follows the colon before the @");
    for (const char *from = userid; *from != '\0'; from++) {
        int high, low;

        if (*from != '%') {
            *to++ = *from;
            continue;
        }
        high = route_hex(from[1]);
        low = high < 0 ? -1 : route_hex(from[2]);
        if (low < 0 || high * 16 + low == 0)
            return route_refuse(word, "%% in a URL wants two hexadecimal "
                                      "digits, not 00, like %%40 for @");
        *to++ = (char)(high * 16 + low);
        from += 2;
    }
    *to = '\0';
    return 0;
}

/* The part of a URL behind "socks4://", without a slash at its end. */
static int
route_parse_url(const struct route_word *word, const char *scheme,
                const char *text)
{
    size_t len = strlen(text);
    char rest[ROUTE_WORD_MAX];

    if (strcasecmp(scheme, "socks4a") == 0)
        word->hop->socks4a = true;
    else if (strcasecmp(scheme, "socks4") != 0)
        return route_refuse(word,
                            "%.20s:// is not SOCKS 4: write socks4:// "
                            "or socks4a://",
                            scheme);
    if (len > 0 && text[len - 1] == '/')
        len--;
    route_copy(text, len, rest, sizeof(rest));
    return route_parse_host(word, rest);
}

/* [SCHEME://][USERID@]HOST[:PORT]. The USERID ends at the last '@'. */
static int
route_parse_hop(const struct route_word *word, const char *userid)
{
    const char *text = word->text;
    const char *colon = strstr(text, "://");
    const char *at = strrchr(text, '@');
    char scheme[32], rest[ROUTE_WORD_MAX];
    int error;

    word->hop->port = SOCKS4_PORT;
    if (colon != NULL && (at == NULL || colon < at)) {
        if (route_copy(text, (size_t)(colon - text), scheme, sizeof(scheme)))
            return route_refuse(word, "write socks4:// or socks4a://");
        text = colon + 3;
    } else {
        colon = NULL;
    }
    error = at != NULL ? route_set_userid(word, text, (size_t)(at - text))
                       : route_set_userid(word, userid, strlen(userid));
    if (error == 0 && at != NULL && colon != NULL)
        error = route_decode_userid(word);
    if (error != 0)
        return error;
    snprintf(rest, sizeof(rest), "%s", at != NULL ? at + 1 : text);
    return colon != NULL ? route_parse_url(word, scheme, rest)
                         : route_parse_host(word, rest);
}

int
route_parse(struct route *route, const char *list, const char *userid,
            bool socks4a, struct route_fault *fault)
{
    char text[ROUTE_WORD_MAX];

    memset(route, 0, sizeof(*route));
    if (strlen(userid) > ROUTE_USERID_MAX)
        return route_say(fault, -EINVAL, "USERID is longer than %d octets",
                         ROUTE_USERID_MAX);
    for (;;) {
        size_t len = strcspn(list, ",");
        struct route_word word = {text, &route->hops[route->count], fault};
        int error;

        if (route->count == ROUTE_HOPS_MAX)
            return route_say(fault, -EINVAL, "at most %d gateways in a chain",
                             ROUTE_HOPS_MAX);
        if (route_copy(list, len, text, sizeof(text)) != 0)
            return route_say(fault, -EINVAL,
                             "gateway \"%.200s...\": longer than %d octets",
                             list, ROUTE_WORD_MAX - 1);
        word.hop->socks4a = socks4a;
        error = route_parse_hop(&word, userid);
        if (error != 0)
            return error;
        route->count++;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

bool
route_resolves_names(const struct route *route)
{
    return route->hops[route->count - 1].socks4a;
}

/* --- Resolving --- */

static int
route_check_name(const char *host, struct route_fault *fault)
{
    if (strlen(host) > SOCKS4_DOMAIN_MAX) /* [4A-3.1.2-5] */
        return route_say(fault, -EINVAL,
                         "%.40s...: a name has at most %d octets", host,
                         SOCKS4_DOMAIN_MAX);
    for (const char *at = host; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~') /* [4A-3.1.2-2, 4A-3.1.2-3] */
            return route_say(fault, -EINVAL,
                             "a name is sent in ASCII: write it as an A-label "
                             "(xn--...)");
    return 0;
}

/* Resolves the name with the system's resolver; NULL and the fault: no
   address. */
static struct addrinfo *
route_ask_system(const char *host, int family, struct route_fault *fault)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int error = getaddrinfo(host, NULL, &hints, &found);

    if (error == 0)
        return found;
    route_say(fault, 0, "%.200s: %s", host, gai_strerror(error));
    return NULL;
}

int
route_find(const char *host, bool socks4a, uint32_t *ip, bool *named,
           struct route_fault *fault)
{
    struct addrinfo *found;
    struct addr addr;

    *named = false;
    if (addr_parse(host, &addr) == 0) {
        if (!addr_is_v4(addr))
            return route_say(fault, -EINVAL,
                             "%s: SOCKS 4 carries IPv4 addresses only", host);
        *ip = addr_to_v4(addr);
        if (socks4_is_4a(*ip))
            return route_say(fault, -EINVAL,
                             "%s is not a host: 0.0.0.1 to 0.0.0.255 mark a "
                             "SOCKS 4A request",
                             host);
        return 0;
    }
    if (socks4a) {
        *named = true;
        *ip = 1; /* [4A-3.1.1-1] */
        return route_check_name(host, fault);
    }
    found = route_ask_system(host, AF_INET, fault); /* [V4-A-4] */
    if (found == NULL)
        return -EHOSTUNREACH;
    *ip =
        ntohl(((struct sockaddr_in *)(void *)found->ai_addr)->sin_addr.s_addr);
    freeaddrinfo(found);
    return 0;
}

static int
route_find_first(struct route *route, struct route_fault *fault)
{
    const struct route_hop *hop = &route->hops[0];
    struct addrinfo *found = route_ask_system(hop->host, AF_UNSPEC, fault);

    for (struct addrinfo *at = found;
         at != NULL && route->first_count < ROUTE_FIRST_MAX; at = at->ai_next) {
        struct sockaddr_storage *sa = &route->first[route->first_count];

        memcpy(sa, at->ai_addr, at->ai_addrlen);
        if (sa->ss_family == AF_INET)
            ((struct sockaddr_in *)sa)->sin_port = htons(hop->port);
        else if (sa->ss_family == AF_INET6)
            ((struct sockaddr_in6 *)sa)->sin6_port = htons(hop->port);
        else
            continue;
        route->first_count++;
    }
    if (found != NULL)
        freeaddrinfo(found);
    return route->first_count > 0 ? 0 : -EHOSTUNREACH;
}

int
route_resolve(struct route *route, struct route_fault *fault)
{
    int error = route_find_first(route, fault);

    for (size_t i = 1; i < route->count && error == 0; i++)
        error = route_find(route->hops[i].host, route->hops[i - 1].socks4a,
                           &route->ips[i], &route->named[i], fault);
    return error;
}

/* --- Dialling --- */

static void
route_sign(struct socks4_request *request, const struct route_hop *gateway)
{
    request->userid = gateway->userid;
    request->userid_len = strlen(gateway->userid);
}

size_t
route_requests(const struct route *route, const struct socks4_request *last,
               struct socks4_request requests[ROUTE_HOPS_MAX])
{
    for (size_t i = 0; i + 1 < route->count; i++) {
        const struct route_hop *next = &route->hops[i + 1];

        requests[i] = (struct socks4_request){.command = SOCKS4_CONNECT,
                                              .dstport = next->port,
                                              .dstip = route->ips[i + 1]};
        if (route->named[i + 1]) {
            requests[i].domain = next->host;
            requests[i].domain_len = strlen(next->host);
        }
        route_sign(&requests[i], &route->hops[i]);
    }
    requests[route->count - 1] = *last;
    route_sign(&requests[route->count - 1], &route->hops[route->count - 1]);
    return route->count;
}

/* Whether to try the next address of the first gateway. */
static bool
route_tries_another(int result)
{
    return result < 0 && result != -EPROTO && result != -ECANCELED &&
           result != -EINVAL && result != -ETIMEDOUT;
}

int
route_dial(const struct route *route, struct socks4_dial *dial,
           const struct socks4_request *last, struct socks4_dialled *dialled)
{
    struct socks4_request requests[ROUTE_HOPS_MAX];
    size_t count = last != NULL ? route_requests(route, last, requests) : 0;
    int result = -EHOSTUNREACH;

    for (size_t i = 0; i < route->first_count; i++) {
        dial->gateway = (const struct sockaddr *)&route->first[i];
        dial->gateway_len = route->first[i].ss_family == AF_INET
                                ? sizeof(struct sockaddr_in)
                                : sizeof(struct sockaddr_in6);
        result = socks4_dial_open(dial, requests, count, dialled);
        if (!route_tries_another(result))
            break;
    }
    return result;
}

static void
route_format_hop(const struct route_hop *hop, const char *before,
                 char text[ROUTE_STAGE_MAX])
{
    bool is_v6 = strchr(hop->host, ':') != NULL;

    snprintf(text, ROUTE_STAGE_MAX, is_v6 ? "%s[%s]:%u" : "%s%s:%u", before,
             hop->host, hop->port);
}

void
route_find_stage(const struct route *route,
                 const struct socks4_dialled *dialled, const char *dest,
                 struct route_stage *stage)
{
    size_t next = dialled->hop + 1;

    stage->connected = dialled->client.state != 0;
    route_format_hop(&route->hops[dialled->hop], "", stage->gateway);
    if (next < route->count)
        route_format_hop(&route->hops[next], "the gateway ", stage->target);
    else
        snprintf(stage->target, sizeof(stage->target), "%s", dest);
}

char *
route_say_result(const struct route *route, int result,
                 const struct socks4_dialled *dialled, const char *dest,
                 char text[ROUTE_FAULT_MAX])
{
    struct route_stage stage;

    route_find_stage(route, dialled, dest, &stage);
    if (result == 0)
        snprintf(text, ROUTE_FAULT_MAX, "granted");
    else if (!stage.connected)
        snprintf(text, ROUTE_FAULT_MAX, "cannot connect to the gateway %s: %s",
                 stage.gateway, strerror(-result));
    else if (result == SOCKS4_REJECTED)
        snprintf(text, ROUTE_FAULT_MAX,
                 "the gateway %s refused, or could not reach %s (91)",
                 stage.gateway, stage.target);
    else if (result > 0)
        snprintf(text, ROUTE_FAULT_MAX, "the gateway %s refused: %s (%d)",
                 stage.gateway, socks4_code_text(result), result);
    else if (result == -EPROTO)
        snprintf(text, ROUTE_FAULT_MAX,
                 "the gateway %s does not answer as a SOCKS 4 gateway: %s",
                 stage.gateway, socks4_error_text(dialled->client.error));
    else
        snprintf(text, ROUTE_FAULT_MAX,
                 "connected to the gateway %s, which did not answer: %s",
                 stage.gateway, strerror(-result));
    return text;
}
