/* Names: with 4A the gateway resolves them, and an address stands for each. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/preload/libc.h"
#include "tools/preload/names.h"
#include "tools/preload/settings.h"

/* Who resolves a name. */
enum lookup_way {
    LOOKUP_SYSTEM,  /* the C library, as without us; it is numeric, perhaps */
    LOOKUP_GATEWAY, /* the gateway, later; an address stands for it */
    LOOKUP_NOBODY,  /* it must not reach the system's resolver */
};

/* With GATEWAY, `text` is the address. */
static enum lookup_way
lookup_decide(const char *name, char text[static INET_ADDRSTRLEN])
{
    struct in_addr numeric;

    if (name == NULL || name[0] == '\0' || inet_aton(name, &numeric) ||
        strchr(name, ':') != NULL)
        return LOOKUP_SYSTEM;
    if (settings()->broken) {
        settings_say_broken();
        return LOOKUP_NOBODY;
    }
    if (!settings_resolve_names() || settings_bypass_name(name))
        return LOOKUP_SYSTEM;
    numeric.s_addr = htonl(names_address(name));
    if (numeric.s_addr == 0) {
        settings_say("%.100s: cannot be resolved: too long, or more than %d "
                     "names",
                     name, NAMES_MAX);
        return LOOKUP_NOBODY;
    }
    inet_ntop(AF_INET, &numeric, text, INET_ADDRSTRLEN);
    return LOOKUP_GATEWAY;
}

/* The canonical name is the name itself, not its address. */
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
    enum lookup_way way = LOOKUP_SYSTEM;
    int error;

    if (hints == NULL || !(hints->ai_flags & AI_NUMERICHOST))
        way = lookup_decide(name, text);
    if (way == LOOKUP_SYSTEM)
        return libc()->getaddrinfo(name, service, hints, found);
    if (way == LOOKUP_NOBODY)
        return EAI_FAIL;
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

    if (settings()->broken || host == NULL || host_room == 0 ||
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

/* The text to give to the C library instead of the name; NULL: none. */
static const char *
lookup_text(const char *name, char text[static INET_ADDRSTRLEN])
{
    switch (lookup_decide(name, text)) {
    case LOOKUP_SYSTEM:
        return name;
    case LOOKUP_GATEWAY:
        return text;
    default:
        return NULL;
    }
}

struct hostent *
gethostbyname(const char *name)
{
    return gethostbyname2(name, AF_INET);
}

struct hostent *
gethostbyname2(const char *name, int family)
{
    char text[INET_ADDRSTRLEN];
    const char *host = lookup_text(name, text);

    if (host != NULL)
        return libc()->gethostbyname2(host, family);
    h_errno = NO_RECOVERY;
    return NULL;
}

int
gethostbyname_r(const char *restrict name, struct hostent *restrict host,
                char *restrict room, size_t size,
                struct hostent **restrict result, int *restrict error)
{
    return gethostbyname2_r(name, AF_INET, host, room, size, result, error);
}

int
gethostbyname2_r(const char *restrict name, int family,
                 struct hostent *restrict host, char *restrict room,
                 size_t size, struct hostent **restrict result,
                 int *restrict error)
{
    char text[INET_ADDRSTRLEN];
    const char *as = lookup_text(name, text);

    if (as != NULL)
        return libc()->gethostbyname2_r(as, family, host, room, size, result,
                                        error);
    *result = NULL;
    *error = NO_RECOVERY;
    return EIO;
}
