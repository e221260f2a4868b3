#include "tools/route/route.h"

#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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

/* --- Reading --- */

/* A copy of `len` octets, terminated. */
static int
route_copy(const char *at, size_t len, char *word, size_t room)
{
    if (len >= room)
        return -EINVAL;
    memcpy(word, at, len);
    word[len] = '\0';
    return 0;
}

static int
route_parse_port(const char *text, uint16_t *port)
{
    uint64_t number;

    if (text_number(text, &number) != 0 || number < 1 || number > UINT16_MAX)
        return -EINVAL;
    *port = (uint16_t)number;
    return 0;
}

/* "HOST", "HOST:PORT", "[IPv6]" or "[IPv6]:PORT". */
static int
route_parse_host(const char *text, struct route_hop *hop)
{
    const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
    size_t skip = text[0] == '[';
    size_t len = end != NULL ? (size_t)(end - text) - skip : strlen(text);

    if (skip && end == NULL)
        return -EINVAL;
    if (len == 0 || route_copy(text + skip, len, hop->host, sizeof(hop->host)))
        return -EINVAL;
    if (end == NULL || end[skip] == '\0')
        return 0;
    return end[skip] == ':' ? route_parse_port(end + skip + 1, &hop->port)
                            : -EINVAL;
}

/* What stands before the last '@' is the USERID. */
static int
route_parse_hop(const char *text, const char *userid, struct route_hop *hop)
{
    const char *at = strrchr(text, '@');

    hop->port = SOCKS4_PORT;
    if (at != NULL) {
        if (route_copy(text, (size_t)(at - text), hop->userid,
                       sizeof(hop->userid)) != 0)
            return -EINVAL;
        return route_parse_host(at + 1, hop);
    }
    if (route_copy(userid, strlen(userid), hop->userid, sizeof(hop->userid)))
        return -EINVAL;
    return route_parse_host(text, hop);
}

int
route_parse(struct route *route, const char *list, const char *userid,
            struct route_fault *fault)
{
    char word[sizeof(struct route_hop)];

    memset(route, 0, sizeof(*route));
    for (;;) {
        size_t len = strcspn(list, ",");
        struct route_hop *hop = &route->hops[route->count];

        if (route->count == ROUTE_HOPS_MAX)
            return route_say(fault, -EINVAL, "at most %d gateways in a chain",
                             ROUTE_HOPS_MAX);
        if (route_copy(list, len, word, sizeof(word)) != 0 ||
            route_parse_hop(word, userid, hop) != 0)
            return route_say(fault, -EINVAL,
                             "gateway \"%.*s\": wants [USERID@]HOST[:PORT]",
                             (int)(len < 200 ? len : 200), list);
        route->count++;
        if (list[len] == '\0')
            return 0;
        list += len + 1;
    }
}

/* --- Finding --- */

static int
route_check_name(const char *host, struct route_fault *fault)
{
    if (strlen(host) > SOCKS4_DOMAIN_MAX) /* [4A-3.1.2-5] */
        return route_say(fault, -EINVAL,
                         "%.40s...: a name has at most %d "
                         "octets",
                         host, SOCKS4_DOMAIN_MAX);
    for (const char *at = host; *at != '\0'; at++)
        if (*at <= ' ' || *at > '~') /* [4A-3.1.2-2, 4A-3.1.2-3] */
            return route_say(fault, -EINVAL,
                             "a name is sent in ASCII: write "
                             "it in its form with xn--");
    return 0;
}

/* The addresses that the system knows; NULL and the fault where none. */
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
                             "%s: is no host, but the sign of "
                             "SOCKS 4A",
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
route_resolve(struct route *route, bool socks4a, struct route_fault *fault)
{
    int error = route_find_first(route, fault);

    for (size_t i = 1; i < route->count && error == 0; i++)
        error = route_find(route->hops[i].host, socks4a, &route->ips[i],
                           &route->named[i], fault);
    return error;
}

/* --- Asking --- */

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

/* Whether another address of the first gateway may do better. */
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
