/* Names: with 4A the gateway resolves them, and an address stands for each. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/preload/libc.h"
#include "tools/preload/names.h"
#include "tools/preload/settings.h"

/* Whether it is for the gateway to resolve; its address, as text. */
static bool
lookup_is_ours(const char *name, char text[static INET_ADDRSTRLEN])
{
    struct in_addr numeric;
    uint32_t ip;

    if (!settings()->active || !settings()->socks4a || name == NULL ||
        name[0] == '\0' || inet_aton(name, &numeric) ||
        strchr(name, ':') != NULL || settings_bypass_name(name))
        return false;
    ip = names_address(name);
    if (ip == 0)
        return false;
    numeric.s_addr = htonl(ip);
    return inet_ntop(AF_INET, &numeric, text, INET_ADDRSTRLEN) != NULL;
}

/* The program sees the name that it asked for. */
static void
lookup_canonical(struct addrinfo *found, const char *name)
{
    char *copy;

    if (found == NULL || found->ai_canonname == NULL)
        return;
    copy = strdup(name);
    if (copy == NULL)
        return;
    free(found->ai_canonname);
    found->ai_canonname = copy;
}

int
getaddrinfo(const char *restrict name, const char *restrict service,
            const struct addrinfo *restrict hints,
            struct addrinfo **restrict found)
{
    struct addrinfo wish = {0};
    char text[INET_ADDRSTRLEN];
    int error;

    if ((hints != NULL && hints->ai_flags & AI_NUMERICHOST) ||
        !lookup_is_ours(name, text))
        return libc()->getaddrinfo(name, service, hints, found);
    if (hints != NULL)
        wish = *hints;
    if (wish.ai_family == AF_INET6 && !(wish.ai_flags & AI_V4MAPPED))
        return EAI_NONAME;
    error = libc()->getaddrinfo(text, service, &wish, found);
    if (error == 0)
        lookup_canonical(*found, name);
    return error;
}

int
getnameinfo(const struct sockaddr *restrict sa, socklen_t len,
            char *restrict host, socklen_t host_room, char *restrict service,
            socklen_t service_room, int flags)
{
    char name[SOCKS4_DOMAIN_MAX + 1];
    struct sockaddr_in v4;

    if (!settings()->active || host == NULL || host_room == 0 ||
        flags & NI_NUMERICHOST || len < sizeof(v4) || sa->sa_family != AF_INET)
        return libc()->getnameinfo(sa, len, host, host_room, service,
                                   service_room, flags);
    memcpy(&v4, sa, sizeof(v4));
    if (!names_find(ntohl(v4.sin_addr.s_addr), name))
        return libc()->getnameinfo(sa, len, host, host_room, service,
                                   service_room, flags);
    if (strlen(name) >= host_room)
        return EAI_OVERFLOW;
    strcpy(host, name);
    return libc()->getnameinfo(sa, len, NULL, 0, service, service_room, flags);
}

struct hostent *
gethostbyname(const char *name)
{
    char text[INET_ADDRSTRLEN];

    return libc()->gethostbyname(lookup_is_ours(name, text) ? text : name);
}

struct hostent *
gethostbyname2(const char *name, int family)
{
    char text[INET_ADDRSTRLEN];

    return libc()->gethostbyname2(lookup_is_ours(name, text) ? text : name,
                                  family);
}

int
gethostbyname_r(const char *restrict name, struct hostent *restrict host,
                char *restrict room, size_t size,
                struct hostent **restrict result, int *restrict error)
{
    char text[INET_ADDRSTRLEN];

    return libc()->gethostbyname_r(lookup_is_ours(name, text) ? text : name,
                                   host, room, size, result, error);
}

int
gethostbyname2_r(const char *restrict name, int family,
                 struct hostent *restrict host, char *restrict room,
                 size_t size, struct hostent **restrict result,
                 int *restrict error)
{
    char text[INET_ADDRSTRLEN];

    return libc()->gethostbyname2_r(lookup_is_ours(name, text) ? text : name,
                                    family, host, room, size, result, error);
}
