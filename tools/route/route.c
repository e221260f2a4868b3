#include "tools/route/route.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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
route_set_user(const struct route_word *word, const char *user, size_t len)
{
    struct route_hop *hop = word->hop;

    if (hop->socks5 && len > SOCKS4_V5_TEXT_MAX)
        return route_refuse(word, "its user name is longer than %d octets",
                            SOCKS4_V5_TEXT_MAX);
    if (route_copy(user, len, hop->user, sizeof(hop->user)) != 0)
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

/* The user of a URL: %40 is '@'. */
static int
route_decode_user(const struct route_word *word)
{
    char *user = word->hop->user, *to = user;

    for (const char *from = user; *from != '\0'; from++) {
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

static const struct {
    const char *name;
    bool socks5, resolves;
} route_schemes[] = {
    {"socks4", false, false},
    {"socks4a", false, true},
    {"socks5", true, false},
    {"socks5h", true, true},
};

enum { SCHEMES = sizeof(route_schemes) / sizeof(route_schemes[0]) };

const char *
route_scheme(const struct route_hop *hop)
{
    return route_schemes[2 * hop->socks5 + hop->resolves].name;
}

/* False: there is no such scheme. */
static bool
route_set_scheme(struct route_hop *hop, const char *scheme, size_t len)
{
    for (size_t i = 0; i < SCHEMES; i++) {
        if (strlen(route_schemes[i].name) != len ||
            strncasecmp(route_schemes[i].name, scheme, len) != 0)
            continue;
        hop->socks5 = route_schemes[i].socks5;
        hop->resolves |= route_schemes[i].resolves;
        return true;
    }
    return false;
}

/* Refuses a password behind the user, before any other message can repeat the
   text. In version 4 a colon may be part of a USERID, but not in a URL. */
static int
route_check_password(const struct route_word *word, const char *user,
                     size_t len, bool is_url)
{
    bool socks5 = word->hop->socks5;

    if ((!is_url && !socks5) || memchr(user, ':', len) == NULL)
        return 0;
    return route_say(word->fault, -EINVAL,
                     socks5 ? "a password does not belong on a command line or "
                              "into a URL, where others see it: leave out what "
                              "follows the colon before the @, and give "
                              "--password-file"
                            : "SOCKS 4 has no password: leave out what follows "
                              "the colon before the @");
}

/* [SCHEME://][USER@]HOST[:PORT]. The USER ends at the last '@'. */
static int
route_parse_hop(const struct route_word *word,
                const struct route_defaults *defaults)
{
    const char *text = word->text;
    const char *colon = strstr(text, "://");
    const char *at = strrchr(text, '@');
    const char *user = "";
    char host[ROUTE_WORD_MAX];
    bool known = true;
    size_t len;
    int error = 0;

    word->hop->port = SOCKS4_PORT;
    word->hop->socks5 = defaults->socks5;
    word->hop->resolves = defaults->resolves;
    if (colon != NULL && at != NULL && colon > at)
        colon = NULL; /* it is not a scheme's */
    if (colon != NULL) {
        known = route_set_scheme(word->hop, text, (size_t)(colon - text));
        text = colon + 3;
    }
    if (at != NULL)
        error = route_check_password(word, text, (size_t)(at - text),
                                     colon != NULL);
    if (error == 0 && !known)
        error = route_refuse(
            word,
            "%.*s is not known: write socks4://, "
            "socks4a://, socks5:// or socks5h://",
            text - word->text < 20 ? (int)(text - word->text) : 20, word->text);
    if (error != 0)
        return error;
    if (at == NULL)
        user = word->hop->socks5 ? defaults->user : defaults->userid;
    error = at != NULL ? route_set_user(word, text, (size_t)(at - text))
                       : route_set_user(word, user, strlen(user));
    if (error == 0 && at != NULL && colon != NULL)
        error = route_decode_user(word);
    if (error != 0)
        return error;
    snprintf(host, sizeof(host), "%s", at != NULL ? at + 1 : text);
    len = strlen(host);
    if (colon != NULL && len > 0 && host[len - 1] == '/')
        host[len - 1] = '\0';
    return route_parse_host(word, host);
}

int
route_parse(struct route *route, const char *list,
            const struct route_defaults *defaults, struct route_fault *fault)
{
    char text[ROUTE_WORD_MAX];

    memset(route, 0, sizeof(*route));
    if (strlen(defaults->userid) > ROUTE_USERID_MAX)
        return route_say(fault, -EINVAL, "USERID is longer than %d octets",
                         ROUTE_USERID_MAX);
    if (strlen(defaults->user) > SOCKS4_V5_TEXT_MAX)
        return route_say(fault, -EINVAL,
                         "the user name is longer than %d octets",
                         SOCKS4_V5_TEXT_MAX);
    for (;;) {
        size_t len = strcspn(list, ",");
        struct route_word word = {text, &route->hops[route->count], fault};
        int error;

        if (route->count == ROUTE_HOPS_MAX)
            return route_say(fault, -EINVAL, "at most %d gateways in a chain",
                             ROUTE_HOPS_MAX);
        if (route_copy(list, len, text, sizeof(text)) != 0)
            return route_say(fault, -EINVAL,
                             "gateway \"%.20s...\": longer than %d octets",
                             list, ROUTE_WORD_MAX - 1);
        error = route_parse_hop(&word, defaults);
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
    return route->hops[route->count - 1].resolves;
}

bool
route_carries_ipv6(const struct route *route)
{
    return route->hops[route->count - 1].socks5;
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
route_find(const char *host, const struct route_hop *by, struct addr *addr,
           bool *named, struct route_fault *fault)
{
    struct addrinfo *found;
    struct endpoint at;

    *named = false;
    if (addr_parse(host, addr) == 0) {
        if (by->socks5)
            return 0;
        if (!addr_is_v4(*addr))
            return route_say(
                fault, -EINVAL,
                "%s: SOCKS 4 carries IPv4 addresses only; --socks5 "
                "asks a gateway of SOCKS5",
                host);
        if (socks4_is_4a(addr_to_v4(*addr)))
            return route_say(fault, -EINVAL,
                             "%s is not a host: 0.0.0.1 to 0.0.0.255 mark a "
                             "SOCKS 4A request",
                             host);
        return 0;
    }
    if (by->resolves) {
        *named = true;
        return route_check_name(host, fault);
    }
    found = route_ask_system(host, by->socks5 ? AF_UNSPEC : AF_INET,
                             fault); /* [V4-A-4] */
    if (found == NULL)
        return -EHOSTUNREACH;
    endpoint_from_sockaddr(&at, (struct sockaddr_storage *)found->ai_addr);
    *addr = at.addr;
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
        error = route_find(route->hops[i].host, &route->hops[i - 1],
                           &route->addrs[i], &route->named[i], fault);
    return error;
}

/* --- Dialling --- */

/* Whether to try the next address of the first gateway. */
static bool
route_tries_another(int result)
{
    return result < 0 && result != -ECANCELED && result != -ETIMEDOUT;
}

int
route_dial(const struct route *route, struct socks4_dial *dial, int *fd)
{
    struct socks4_dialled dialled = {.fd = -1};
    int result = -EHOSTUNREACH;

    for (size_t i = 0; i < route->first_count; i++) {
        dial->gateway = (const struct sockaddr *)&route->first[i];
        dial->gateway_len = route->first[i].ss_family == AF_INET
                                ? sizeof(struct sockaddr_in)
                                : sizeof(struct sockaddr_in6);
        result = socks4_dial_open(dial, NULL, 0, &dialled);
        if (!route_tries_another(result))
            break;
    }
    *fd = dialled.fd;
    return result;
}
